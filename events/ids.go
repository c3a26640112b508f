package events

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// MaxIDBytes is the longest identifier in bytes, sigil and domain included.
const MaxIDBytes = 255

// ErrTooLong is wrapped by the [IDError] of an identifier over [MaxIDBytes].
var ErrTooLong = errors.New("longer than 255 bytes")

// The identifiers of the protocol. All are opaque and case-sensitive and compare as strings. A conversion
// such as UserID(s) does not validate; the Parse functions and UnmarshalText do.
type (
	// UserID is "@localpart:server"; historical localparts are allowed.
	UserID string
	// RoomID is "!opaque:server", or "!hash" from room version 12 on.
	RoomID string
	// EventID is "$opaque:server" in room versions 1 and 2, "$hash" later.
	EventID string
	// RoomAlias is "#localpart:server".
	RoomAlias string
	// ServerName is a DNS name, an IPv4 address or a bracketed IPv6 address, with an optional port.
	ServerName string
)

// IDError says which identifier is malformed and why. errors.Is(err, [ErrTooLong]) tells over-long ones apart.
type IDError struct {
	Kind   string // "user ID", "room ID", "event ID", "room alias" or "server name"
	Value  string
	Reason error
}

// Error implements error; a long value is shortened.
func (e *IDError) Error() string {
	v := e.Value
	if len(v) > 64 {
		v = strings.ToValidUTF8(v[:64], "") + "…"
	}
	return fmt.Sprintf("parse %s %q: %v", e.Kind, v, e.Reason)
}

// Unwrap returns the reason.
func (e *IDError) Unwrap() error { return e.Reason }

var (
	errSigil     = errors.New("wrong or missing sigil")
	errNoServer  = errors.New("no server name")
	errServer    = errors.New("malformed server name")
	errEmpty     = errors.New("empty")
	errCharacter = errors.New("forbidden character")
)

// ParseUserID accepts every user ID that may appear in an event: the localpart is any text without ':' and NUL, the
// empty one included. It splits at the first ':'.
func ParseUserID(s string) (UserID, error) {
	_, err := parseID(s, '@', true)
	if err != nil {
		return "", &IDError{"user ID", s, err}
	}
	return UserID(s), nil
}

// ParseRoomID accepts "!local:server" and, for room version 12, "!hash".
func ParseRoomID(s string) (RoomID, error) {
	local, err := parseID(s, '!', strings.Contains(s, ":"))
	if err == nil && local == "" {
		err = errEmpty
	}
	if err != nil {
		return "", &IDError{"room ID", s, err}
	}
	return RoomID(s), nil
}

// ParseEventID accepts anything after the sigil, since event IDs are opaque.
func ParseEventID(s string) (EventID, error) {
	local, err := parseID(s, '$', false)
	if err == nil && local == "" {
		err = errEmpty
	}
	if err != nil {
		return "", &IDError{"event ID", s, err}
	}
	return EventID(s), nil
}

// ParseRoomAlias accepts any localpart without ':' and NUL that is not empty.
func ParseRoomAlias(s string) (RoomAlias, error) {
	local, err := parseID(s, '#', true)
	if err == nil && local == "" {
		err = errEmpty
	}
	if err != nil {
		return "", &IDError{"room alias", s, err}
	}
	return RoomAlias(s), nil
}

// parseID checks what all identifiers share and returns the part before the server name.
func parseID(s string, sigil byte, server bool) (local string, err error) {
	switch {
	case s == "" || s[0] != sigil:
		return "", errSigil
	case len(s) > MaxIDBytes:
		return "", ErrTooLong
	case !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0:
		return "", errCharacter
	}
	local = s[1:]
	if !server {
		return local, nil
	}
	local, domain, found := strings.Cut(local, ":")
	if !found {
		return "", errNoServer
	}
	if !validServerName(domain) {
		return "", errServer
	}
	return local, nil
}

// NewUserID makes the ID of a new account: the localpart must satisfy [ValidLocalpart] and the whole be at most 255
// bytes.
func NewUserID(localpart string, server ServerName) (UserID, error) {
	id := "@" + localpart + ":" + string(server)
	switch {
	case len(id) > MaxIDBytes:
		return "", &IDError{"user ID", id, ErrTooLong}
	case localpart == "":
		return "", &IDError{"user ID", id, errEmpty}
	case !ValidLocalpart(localpart):
		return "", &IDError{"user ID", id, errCharacter}
	case !validServerName(string(server)):
		return "", &IDError{"user ID", id, errServer}
	}
	return UserID(id), nil
}

// ValidLocalpart reports whether s may be the localpart of a new user: not empty and only a-z 0-9 . _ = - / +.
// Capitals are refused, so a caller that wants to accept them lowers them first.
func ValidLocalpart(s string) bool {
	return s != "" && only(s, func(c byte) bool {
		return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("._=-/+", c) >= 0
	})
}

// Localpart returns what stands between the sigil and the first ':', or "" for a malformed ID.
func (u UserID) Localpart() string { return localpart(string(u)) }

// Server returns what follows the first ':', or "" for a malformed ID.
func (u UserID) Server() ServerName { return domain(string(u)) }

// Compliant reports whether the localpart is not empty and within U+0021 to U+007E. Other user IDs are not shown to
// clients except inside events.
func (u UserID) Compliant() bool {
	l := u.Localpart()
	return l != "" && only(l, func(c byte) bool { return '!' <= c && c <= '~' })
}

// Localpart returns what stands between the sigil and the first ':'.
func (a RoomAlias) Localpart() string { return localpart(string(a)) }

// Server returns what follows the first ':'.
func (a RoomAlias) Server() ServerName { return domain(string(a)) }

// Server returns what follows the first ':', "" for the IDs of room version 12.
func (r RoomID) Server() ServerName { return domain(string(r)) }

// Server returns what follows the first ':', "" from room version 3 on.
func (e EventID) Server() ServerName { return domain(string(e)) }

func localpart(id string) string {
	l, _, ok := strings.Cut(id, ":")
	if !ok || l == "" {
		return ""
	}
	return l[1:]
}

func domain(id string) ServerName {
	_, d, _ := strings.Cut(id, ":")
	return ServerName(d)
}

// ParseServerName accepts a DNS name, an IPv4 address or a bracketed IPv6 address with an optional port of one to five
// digits.
func ParseServerName(s string) (ServerName, error) {
	if len(s) > MaxIDBytes {
		return "", &IDError{"server name", s, ErrTooLong}
	}
	if !validServerName(s) {
		return "", &IDError{"server name", s, errServer}
	}
	return ServerName(s), nil
}

func validServerName(s string) bool {
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && i > strings.IndexByte(s, ']') {
		host, port = s[:i], s[i+1:]
		if port == "" || len(port) > 5 || !only(port, digit) {
			return false
		}
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		addr, err := netip.ParseAddr(host[1 : len(host)-1])
		return err == nil && addr.Is6() && addr.Zone() == ""
	}
	if host == "" || !only(host, hostByte) {
		return false
	}
	if strings.Count(host, ".") == 3 && only(host, func(c byte) bool { return c == '.' || digit(c) }) {
		return validIPv4(host)
	}
	return true
}

// validIPv4 allows leading zeros, which the grammar's 1*3DIGIT does and netip does not.
func validIPv4(host string) bool {
	for part := range strings.SplitSeq(host, ".") {
		if part == "" || len(part) > 3 || len(part) == 3 && part > "255" {
			return false
		}
	}
	return true
}

func only(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func alphanumeric(c byte) bool {
	return digit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func hostByte(c byte) bool { return alphanumeric(c) || c == '-' || c == '.' }

// UnmarshalText validates; it is what the request decoder calls. The same holds for the methods below.
func (u *UserID) UnmarshalText(text []byte) (err error) {
	*u, err = ParseUserID(string(text))
	return err
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *RoomID) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRoomID(string(text))
	return err
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (e *EventID) UnmarshalText(text []byte) (err error) {
	*e, err = ParseEventID(string(text))
	return err
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *RoomAlias) UnmarshalText(text []byte) (err error) {
	*a, err = ParseRoomAlias(string(text))
	return err
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *ServerName) UnmarshalText(text []byte) (err error) {
	*s, err = ParseServerName(string(text))
	return err
}
