// Package phone reads phone numbers as people write them.
//
//	homeserver.WithTextMessages(sender, phone.Parse, homeserver.Optional)
//
// It is a package of its own because it knows the numbers of all countries,
// which takes some megabytes of memory.
package phone

import (
	"errors"
	"fmt"

	"github.com/nyaruka/phonenumbers"
)

// Parse returns the E.164 form, without "+", of a phone number as it is written
// in a country, given as two capital letters such as "GB". The error says that
// no telephone there can have this number.
func Parse(country, number string) (msisdn string, err error) {
	parsed, err := phonenumbers.Parse(number, country)
	if err != nil {
		return "", fmt.Errorf("parse phone number: %w", err)
	}
	if !phonenumbers.IsValidNumber(parsed) {
		return "", errors.New("parse phone number: there is no such number")
	}
	return phonenumbers.Format(parsed, phonenumbers.E164)[1:], nil
}
