package events

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

type idCase struct {
	name, in string
	ok       bool
}

func runIDs[ID ~string](t *testing.T, parse func(string) (ID, error), tests []idCase) {
	t.Helper()
	for _, tt := range tests {
		got, err := parse(tt.in)
		var e *IDError
		switch {
		case tt.ok && (err != nil || string(got) != tt.in):
			t.Errorf("%s: %q gives %q, %v", tt.name, tt.in, got, err)
		case !tt.ok && !errors.As(err, &e):
			t.Errorf("%s: %q accepted, or not an IDError: %v", tt.name, tt.in, err)
		case !tt.ok && (got != "" || e.Value != tt.in || e.Kind == ""):
			t.Errorf("%s: %q gives %q and %+v", tt.name, tt.in, got, e)
		}
	}
}

func TestParseServerName(t *testing.T) {
	t.Parallel()
	runIDs(t, ParseServerName, []idCase{ // ID-1
		{"ID-1 DNS name", "matrix.org", true},
		{"ID-1 DNS name and port", "matrix.org:8888", true},
		{"ID-1 one label", "localhost", true},
		{"ID-1 hyphen and digits", "a-1.example", true},
		{"ID-1 capitals are another name", "MATRIX.org", true},
		{"ID-1 IPv4", "1.2.3.4", true},
		{"ID-1 IPv4 and port", "1.2.3.4:1234", true},
		{"ID-1 IPv4 with leading zeros", "001.02.3.4", true},
		{"ID-1 IPv6", "[1234:5678::abcd]", true},
		{"ID-1 IPv6 and port", "[1234:5678::abcd]:5678", true},
		{"ID-1 IPv6 with IPv4", "[::ffff:1.2.3.4]", true},
		{"ID-1 one digit port", "a:1", true},
		{"ID-1 five digit port", "a:65535", true},
		{"ID-1 230 characters", strings.Repeat("a", 230), true},
		{"empty", "", false},
		{"no host", ":80", false},
		{"empty port", "a:", false},
		{"six digit port", "a:123456", false},
		{"letters in port", "a:8x", false},
		{"IPv4 beyond 255", "1.2.3.256", false},
		{"IPv4 with long part", "1.2.3.0004", false},
		{"IPv4 with empty part", "1..3.4", false},
		{"IPv6 without brackets", "1234::1", false},
		{"IPv6 zone", "[fe80::1%eth0]", false},
		{"IPv6 open bracket", "[::1", false},
		{"IPv6 nonsense", "[zz::1]", false},
		{"IPv4 in brackets", "[1.2.3.4]", false},
		{"underscore", "a_b", false},
		{"space", "a b", false},
		{"non-ASCII", "é.org", false},
		{"slash", "a/b", false},
	})
	_, err := ParseServerName(strings.Repeat("a", 256))
	if !errors.Is(err, ErrTooLong) {
		t.Errorf("256 bytes: %v", err)
	}
}

func TestParseUserID(t *testing.T) {
	t.Parallel()
	runIDs(t, ParseUserID, []idCase{
		{"ID-2 new grammar", "@a-z09._=-/+:hs.test", true},
		{"ID-3 capitals", "@Alice:hs.test", true},
		{"ID-3 Unicode", "@Ünïcødé 😀:hs.test", true},
		{"ID-3 control characters", "@\x01\x7f:hs.test", true},
		{"ID-3 empty localpart", "@:hs.test", true},
		{"EVT-32 any other sigil inside", "@#!$@:hs.test", true},
		{"ID-5 splits at the first colon", "@a:hs.test:8448", true},
		{"ID-5 so no colon in the localpart", "@a:b:hs.test", false},
		{"ID-3 NUL", "@a\x00:hs.test", false},
		{"ID-3 surrogate", "@\xed\xa0\x80:hs.test", false},
		{"invalid UTF-8", "@\xff:hs.test", false},
		{"empty", "", false},
		{"sigil only", "@", false},
		{"no server", "@a", false},
		{"empty server", "@a:", false},
		{"bad server", "@a:b_c", false},
		{"other sigil", "!a:hs.test", false},
		{"no sigil", "a:hs.test", false},
	})
	long := "@" + strings.Repeat("a", 246) + ":hs.test" // 255 bytes
	if _, err := ParseUserID(long); err != nil {
		t.Errorf("EVT-31 255 bytes: %v", err)
	}
	if _, err := ParseUserID("@a" + long[1:]); !errors.Is(err, ErrTooLong) {
		t.Errorf("EVT-31 256 bytes: %v", err)
	}
	if _, err := ParseUserID("@" + strings.Repeat("é", 124) + ":hs.test"); !errors.Is(err, ErrTooLong) {
		t.Errorf("EVT-31 counts bytes, not characters: %v", err)
	}
}

func TestUserIDParts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		id        UserID
		local     string
		server    ServerName
		compliant bool
	}{
		{"@alice:hs.test:8448", "alice", "hs.test:8448", true}, // ID-5
		{"@Al!ce~:hs", "Al!ce~", "hs", true},                   // ID-3
		{"@:hs", "", "hs", false},                              // ID-3
		{"@a b:hs", "a b", "hs", false},                        // ID-3
		{"@é:hs", "é", "hs", false},                            // ID-3
		{"@\x7f:hs", "\x7f", "hs", false},                      // ID-3
		{"", "", "", false},
		{"@", "", "", false},
		{":", "", "", false},
	}
	for _, tt := range tests {
		if l, s, c := tt.id.Localpart(), tt.id.Server(), tt.id.Compliant(); l != tt.local || s != tt.server || c != tt.compliant {
			t.Errorf("%q: got %q, %q, %v", tt.id, l, s, c)
		}
	}
	if a := RoomAlias("#x y:hs:1"); a.Localpart() != "x y" || a.Server() != "hs:1" {
		t.Errorf("alias parts of %q: %q, %q", a, a.Localpart(), a.Server())
	}
	if r := RoomID("!x:hs"); r.Server() != "hs" || RoomID("!hash").Server() != "" {
		t.Error("server of a room ID")
	}
	if e := EventID("$x:hs"); e.Server() != "hs" || EventID("$hash").Server() != "" {
		t.Error("server of an event ID")
	}
}

func TestNewUserID(t *testing.T) {
	t.Parallel()
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789._=-/+"
	for c := range 256 { // ID-2, EVT-32, and ID-4: capitals are refused
		local := string([]byte{byte(c)})
		_, err := NewUserID(local, hs)
		if want := strings.Contains(allowed, local); (err == nil) != want || ValidLocalpart(local) != want {
			t.Errorf("ID-2: localpart %q gives %v", local, err)
		}
	}
	if u, err := NewUserID(allowed, hs); err != nil || u != "@"+allowed+":hs.test" {
		t.Errorf("got %q, %v", u, err)
	}
	if _, err := NewUserID("", hs); err == nil {
		t.Error("ID-2: accepted an empty localpart")
	}
	if _, err := NewUserID("a", "b_c"); err == nil {
		t.Error("ID-1: accepted a malformed server name")
	}
	if _, err := NewUserID(strings.Repeat("a", 246), hs); err != nil {
		t.Errorf("ID-2: 255 bytes: %v", err)
	}
	if _, err := NewUserID(strings.Repeat("a", 247), hs); !errors.Is(err, ErrTooLong) {
		t.Errorf("ID-2: 256 bytes: %v", err)
	}
}

func TestParseOtherIDs(t *testing.T) {
	t.Parallel()
	runIDs(t, ParseRoomID, []idCase{ // ID-6
		{"ID-6 with server", "!opaque:hs.test", true},
		{"ID-6 version 12", "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", true},
		{"ID-6 opaque", "!ö /+:hs.test", true},
		{"RVER-14 any hash", "!x", true},
		{"empty", "", false}, {"sigil only", "!", false}, {"sigil and server", "!:hs.test", false},
		{"bad server", "!a:b_c", false}, {"NUL", "!\x00", false}, {"alias", "#a:hs.test", false}, {"event", "$a", false},
	})
	runIDs(t, ParseEventID, []idCase{
		{"ID-6 version 1", "$opaque:hs.test", true},
		{"EVT-33 version 3 with / and +", "$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJ+", true},
		{"ID-6 version 4", "$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg", true},
		{"ID-6 opaque", "$a:b:c", true},
		{"empty", "", false}, {"sigil only", "$", false}, {"room", "!a:hs", false}, {"invalid UTF-8", "$\xff", false},
	})
	runIDs(t, ParseRoomAlias, []idCase{
		{"ID-7", "#room:hs.test", true},
		{"EVT-34 Unicode", "#老虎 £я:hs.test", true},
		{"ID-7 control characters", "#\x01:hs.test", true},
		{"ID-7 any sigil", "##:hs.test", true},
		{"ID-7 NUL", "#a\x00:hs.test", false},
		{"ID-7 surrogate", "#\xed\xb0\x80:hs.test", false},
		{"ID-7 second colon", "#a:b:hs.test", false},
		{"no localpart", "#:hs.test", false}, {"no server", "#a", false}, {"user", "@a:hs.test", false},
	})
	tail := strings.Repeat("a", 255)
	for kind, err := range map[string]error{
		"room ID": second(ParseRoomID("!" + tail)), "event ID": second(ParseEventID("$" + tail)),
		"room alias": second(ParseRoomAlias("#" + tail + ":hs")),
	} {
		if !errors.Is(err, ErrTooLong) {
			t.Errorf("EVT-31: %s of 256 bytes: %v", kind, err)
		}
	}
	for kind, err := range map[string]error{
		"room ID": second(ParseRoomID("!" + tail[1:])), "event ID": second(ParseEventID("$" + tail[1:])),
		"room alias": second(ParseRoomAlias("#" + tail[4:] + ":hs")),
	} {
		if err != nil {
			t.Errorf("EVT-31: %s of 255 bytes: %v", kind, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestUnmarshalText(t *testing.T) {
	t.Parallel()
	type ids struct {
		U UserID
		R RoomID
		E EventID
		A RoomAlias
		S ServerName
	}
	var got ids
	in := `{"U":"@a:hs","R":"!r:hs","E":"$e","A":"#a:hs","S":"hs"}`
	if err := json.Unmarshal([]byte(in), &got); err != nil || got != (ids{"@a:hs", "!r:hs", "$e", "#a:hs", "hs"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{`{"U":"a"}`, `{"R":"@a:hs"}`, `{"E":"e"}`, `{"A":"#a"}`, `{"S":"a b"}`} {
		var e *IDError
		if err := json.Unmarshal([]byte(bad), &got); !errors.As(err, &e) { // ID-13: the decoder can tell
			t.Errorf("%s: %v", bad, err)
		}
	}
	long := &IDError{"user ID", strings.Repeat("é", 200), ErrTooLong}
	if s := long.Error(); len(s) > 200 || !json.Valid(AppendString(nil, s)) {
		t.Errorf("long message: %q", s)
	}
}

func TestGrammars(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		ok   func(string) bool
		yes  []string
		no   []string
	}{
		{
			"ID-8 opaque", ValidOpaqueID,
			[]string{"a", "AZaz09._~-", strings.Repeat("x", 255)}, []string{"", "a b", "a/b", "é", strings.Repeat("x", 256)},
		},
		{
			"ID-8 registration token", ValidRegistrationToken,
			[]string{"a", "AZaz09._~-", strings.Repeat("x", 64)}, []string{"", "a b", "a/b", "é", strings.Repeat("x", 65)},
		},
		{
			"ID-9 namespaced", ValidNamespacedID,
			[]string{"a", "m.room", "com.example.x-y_z9", strings.Repeat("x", 255)},
			[]string{"", "9a", "A", "aB", ".a", "a b", "a/b", strings.Repeat("x", 256)},
		},
		{
			"ID-10 client secret", ValidClientSecret,
			[]string{"a", "AZaz09.=_-", strings.Repeat("x", 255)}, []string{"", "a b", "~", "é", strings.Repeat("x", 256)},
		},
	}
	for _, tt := range tests {
		for _, s := range tt.yes {
			if !tt.ok(s) {
				t.Errorf("%s refuses %q", tt.name, s)
			}
		}
		for _, s := range tt.no {
			if tt.ok(s) {
				t.Errorf("%s accepts %q", tt.name, s)
			}
		}
	}
}

// TestThreepids: ID-11.
func TestThreepids(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"alice@example.org": "alice@example.org", "Alice@EXAMPLE.org": "alice@example.org", "Strauß@Example.com": "strauss@example.com",
		"a@b@c.org": "a@b@c.org",
		"":          "", "alice": "", "@example.org": "", "alice@": "", "Alice <alice@example.org>": "", "mailto:a@b.org": "", "a b@c.org": "",
	} {
		if got, err := CanonicalEmail(in); got != want || (err != nil) != (want == "") {
			t.Errorf("CanonicalEmail(%q) = %q, %v", in, got, err)
		}
	}
	for in, want := range map[string]string{
		"447700900000": "447700900000", "+44 7700-900.000": "447700900000", "+1 (555) 0100": "15550100",
		"": "", "+": "", "0447700900000": "", "123": "", "1234567890123456": "", "44x7700": "", "++447700900000": "",
	} {
		if got, err := CanonicalMSISDN(in); got != want || (err != nil) != (want == "") {
			t.Errorf("CanonicalMSISDN(%q) = %q, %v", in, got, err)
		}
	}
}

// FuzzIDs: nothing panics, what parses is within its limits and keeps its value.
func FuzzIDs(f *testing.F) {
	for _, s := range []string{"@a:hs", "!r:hs:1", "$e", "#a:[::1]:80", "1.2.3.4", "@:", "", "\xff", "@é:hs", "[", "a:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if u, err := ParseUserID(s); err == nil {
			if "@"+u.Localpart()+":"+string(u.Server()) != s || len(s) > MaxIDBytes {
				t.Errorf("%q splits into %q and %q", s, u.Localpart(), u.Server())
			}
			if _, err := ParseServerName(string(u.Server())); err != nil {
				t.Errorf("%q has server %q: %v", s, u.Server(), err)
			}
		}
		if u, err := NewUserID(s, hs); err == nil {
			if _, err := ParseUserID(string(u)); err != nil || !u.Compliant() {
				t.Errorf("new user ID %q: %v", u, err)
			}
		}
		ParseRoomID(s)
		ParseEventID(s)
		ParseRoomAlias(s)
		ParseServerName(s)
		UserID(s).Compliant()
		CanonicalEmail(s)
		CanonicalMSISDN(s)
	})
}
