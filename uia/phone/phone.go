// Package phone reads phone numbers as people write them, for servers whose users may
// have one: to register and sign in with it, and to set a new password.
//
//	homeserver.WithTextMessages(sender, phone.Parse, homeserver.Optional)
//
// # What it is for
//
// A client sends a number as it was typed, with the country that was chosen beside the
// field: "GB" and "07400 123456". The next client sends "+44 7400 123456" for the same
// telephone. A server keeps and compares one form, the digits of E.164 without the plus
// sign: "447400123456". Which prefixes a country has, how long its numbers are and which
// of them exist changes every year; [Parse] leaves that to the tables that Google keeps
// (github.com/nyaruka/phonenumbers).
//
// # What it is not for
//
// Parse says that there can be such a number, not that somebody answers it, nor whose it
// is: that shows when a person types the code from a text message. There is no sender of
// text messages here, since each provider has an interface of its own; a host implements
// uia.Sender with its provider's.
//
// # Why it is a package of its own
//
// The tables take some megabytes, in the program and in memory. Only programs that import
// this package have them. Another function of the same form, such as one for the numbers
// of one country alone, is as good.
package phone

import (
	"errors"
	"fmt"

	"github.com/nyaruka/phonenumbers"
)

// Parse returns the E.164 form, without "+", of a phone number as it is written
// in a country, given as two capital letters such as "GB"; a number with "+" and
// the code of a country is one of that country, whichever is given. The error says
// that no telephone can have this number. It may be called from any goroutine.
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
