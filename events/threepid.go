package events

import (
	"errors"
	"strings"

	"golang.org/x/text/cases"
)

// Errors of the third-party identifiers.
var (
	ErrNotEmail  = errors.New("not a bare email address")
	ErrNotMSISDN = errors.New("not an international phone number")
)

// CanonicalEmail returns the form in which an email address is stored and compared: the bare address, case-folded as a
// whole. It is no proof that the address exists.
func CanonicalEmail(address string) (string, error) {
	at := strings.LastIndexByte(address, '@')
	if at < 1 || at == len(address)-1 || len(address) > 500 || strings.ContainsAny(address, "<>,;:\" \t\r\n\x00") {
		return "", ErrNotEmail
	}
	return cases.Fold().String(address), nil
}

// CanonicalMSISDN returns a phone number in E.164 form without its '+': 5 to 15 digits, the first not 0. It
// accepts the usual spaces, dots, hyphens and parentheses between the digits.
func CanonicalMSISDN(number string) (string, error) {
	digits := strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "").Replace(number)
	digits = strings.TrimPrefix(digits, "+")
	if len(digits) < 5 || len(digits) > 15 || digits[0] == '0' || !only(digits, digit) {
		return "", ErrNotMSISDN
	}
	return digits, nil
}
