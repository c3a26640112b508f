package events

import "strings"

// ValidOpaqueID reports whether s is an opaque identifier: 1 to 255 of 0-9 A-Z a-z . _ ~ -.
func ValidOpaqueID(s string) bool {
	return s != "" && len(s) <= MaxIDBytes && only(s, func(c byte) bool { return alphanumeric(c) || strings.IndexByte("._~-", c) >= 0 })
}

// ValidRegistrationToken reports whether s may be a registration token: an opaque identifier of at most 64 characters.
func ValidRegistrationToken(s string) bool { return len(s) <= 64 && ValidOpaqueID(s) }

// ValidNamespacedID reports whether s follows the common namespaced identifier grammar: 1 to 255 characters, the
// first a-z, the rest a-z 0-9 . _ -. Those beginning with "m." are the specification's own.
func ValidNamespacedID(s string) bool {
	return s != "" && len(s) <= MaxIDBytes && 'a' <= s[0] && s[0] <= 'z' &&
		only(s, func(c byte) bool { return 'a' <= c && c <= 'z' || digit(c) || strings.IndexByte("._-", c) >= 0 })
}

// ValidClientSecret reports whether s may be a client_secret or sid: 1 to 255 of 0-9 a-z A-Z . = _ -.
func ValidClientSecret(s string) bool {
	return s != "" && len(s) <= MaxIDBytes &&
		only(s, func(c byte) bool { return alphanumeric(c) || strings.IndexByte(".=_-", c) >= 0 })
}
