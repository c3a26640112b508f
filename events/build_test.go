package events

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wholeDraft uses everything a draft can hold.
func wholeDraft(v *RoomVersion) Draft {
	d := Draft{
		Room: "!room:hs.test", Sender: alice, Type: "m.test \"é\"", StateKey: ptr("key\n"), Content: []byte(`{"a":[1,"é"],"b":{}}`),
		TS: 1700000000123, Depth: 7,
		PrevEvents: []Ref{{ID: "$prev", Hash: [32]byte{1}}}, AuthEvents: []Ref{{ID: "$a1", Hash: [32]byte{2}}, {ID: "$a2", Hash: [32]byte{3}}},
	}
	if v.HashRoomID {
		d.Room = "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM"
	}
	return d
}

// contentHash says what a content hash is, apart from how events are built: that of the event without unsigned, signatures
// and hashes (EVT-21). raw is canonical JSON.
func contentHash(raw []byte) [32]byte {
	return sha256.Sum256(appendWithout(nil, raw, func(key string) bool { return unsignedKey(key) || key == "hashes" }))
}

func fixedID() string { return "fixed" }

func jsonKeys(t *testing.T, raw []byte) []string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func TestBuild(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		e, err := v.Build(wholeDraft(v), hs, fixedID)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Canonical(e.Raw); err != nil || !bytes.Equal(again, e.Raw) { // EVT-24
			t.Errorf("version %s: raw is not canonical: %s, %v", v.ID, e.Raw, err)
		}
		want := []string{ // EVT-14; the signatures come with AppendRaw
			"auth_events", "content", "depth", "hashes", "origin_server_ts", "prev_events", "room_id", "sender", "state_key", "type",
		}
		if v.EventIDFormat == IDOpaque { // EVT-15
			want = slices.Insert(want, 3, "event_id")
		}
		if diff := cmp.Diff(want, jsonKeys(t, e.Raw)); diff != "" {
			t.Errorf("EVT-14, EVT-15 version %s: %s", v.ID, diff)
		}
		refs := `["$a1","$a2"]`
		if v.EventIDFormat == IDOpaque {
			refs = fmt.Sprintf(`[["$a1",{"sha256":"%s"}],["$a2",{"sha256":"%s"}]]`, hash64(2), hash64(3))
		}
		if got := string(lookup(e.Raw, "auth_events")); got != refs {
			t.Errorf("EVT-15 version %s: auth_events %s; want %s", v.ID, got, refs)
		}
		sum := contentHash(e.Raw)
		if got := text(lookup(lookup(e.Raw, "hashes"), "sha256")); got != base64.RawStdEncoding.EncodeToString(sum[:]) {
			t.Errorf("EVT-21 version %s: content hash %s", v.ID, got)
		}
		if string(e.Content) != `{"a":[1,"é"],"b":{}}` || e.Depth != 7 || e.TS != 1700000000123 || *e.StateKey != "key\n" || !e.IsState() {
			t.Errorf("version %s: fields %+v", v.ID, e)
		}
		checkEventID(t, e)
		parsed, err := v.Parse(e.Raw, e.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, parsed, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".levels" }, cmp.Ignore()), cmp.AllowUnexported(RoomVersion{}), cmp.Comparer(func(a, b *RoomVersion) bool { return a == b })); diff != "" {
			t.Errorf("version %s: parsed event differs: %s", v.ID, diff)
		}
	}
}

func hash64(first byte) string {
	h := [32]byte{first}
	return base64.RawStdEncoding.EncodeToString(h[:])
}

// checkEventID: the column "event ID" of section 2.2, with EVT-22 behind it.
func checkEventID(t *testing.T, e *Event) {
	t.Helper()
	hash := e.ReferenceHash()
	var want string
	switch e.Version.ID {
	case "1", "2":
		want = "$fixed:hs.test" // RVER-11
	case "3":
		want = "$" + base64.RawStdEncoding.EncodeToString(hash[:])
	default:
		want = "$" + base64.RawURLEncoding.EncodeToString(hash[:])
	}
	if string(e.ID) != want {
		t.Errorf("version %s: event ID %s; want %s", e.Version.ID, e.ID, want)
	}
	if e.Version.EventIDFormat != IDOpaque {
		if again, err := e.Version.Parse(e.Raw, ""); err != nil || again.ID != e.ID {
			t.Errorf("version %s: computed ID %v, %v; want %s", e.Version.ID, again, err, e.ID)
		}
	}
}

// TestReferenceHash: EVT-22, signatures, unsigned and redacted content do not change it; the rest does.
func TestReferenceHash(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		e, err := v.Build(wholeDraft(v), hs, fixedID)
		if err != nil {
			t.Fatal(err)
		}
		withSigs := withMember(withMember(e.Raw, "signatures", []byte(`{"hs":{"ed25519:1":"x"}}`)), "unsigned", []byte(`{"age":1}`))
		for name, raw := range map[string][]byte{
			"signed": withSigs, "content": withMember(e.Raw, "content", []byte(`{}`)), "unknown key": withMember(e.Raw, "zz", []byte("1")),
		} {
			other, err := v.Parse(raw, e.ID)
			if err != nil {
				t.Fatal(err)
			}
			if other.ReferenceHash() != e.ReferenceHash() {
				t.Errorf("version %s: %s changes the reference hash", v.ID, name)
			}
		}
		for _, key := range []string{"depth", "origin_server_ts", "hashes", "prev_events", "sender", "state_key", "type"} {
			other, err := v.Parse(withMember(e.Raw, key, []byte(`"x"`)), e.ID)
			if err != nil {
				t.Fatal(err)
			}
			if other.ReferenceHash() == e.ReferenceHash() {
				t.Errorf("version %s: %s does not change the reference hash", v.ID, key)
			}
		}
	}
	// A hash computed from the specification's text by hand: the redacted event of this draft in version 4.
	e, err := versions[3].Build(Draft{Room: "!r:d", Sender: "@a:d", Type: "t", Content: []byte(`{"x":1}`), Depth: 1}, "d", nil)
	if err != nil {
		t.Fatal(err)
	}
	redacted, err := e.Redacted()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"auth_events":[],"content":{},"depth":1,"hashes":{"sha256":"` + text(lookup(lookup(e.Raw, "hashes"), "sha256")) +
		`"},"origin_server_ts":0,"prev_events":[],"room_id":"!r:d","sender":"@a:d","type":"t"}`
	if string(redacted.Raw) != want || redacted.ID != e.ID {
		t.Errorf("redacted: %s, %s", redacted.Raw, redacted.ID)
	}
}

func TestBuildRedaction(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		d := wholeDraft(v)
		d.Type, d.StateKey, d.Redacts, d.Content = TypeRedaction, nil, "$target", []byte(`{"reason":"spam"}`)
		e, err := v.Build(d, hs, fixedID)
		if err != nil {
			t.Fatal(err)
		}
		top, inside := text(lookup(e.Raw, "redacts")), text(lookup(e.Content, "redacts"))
		if v.RedactsInContent != (inside == "$target") || v.RedactsInContent == (top == "$target") || e.Redacts != "$target" {
			t.Errorf("EVT-16, REDACT-5 version %s: %s", v.ID, e.Raw)
		}
		checkEventID(t, e)
		again, err := v.Parse(e.Raw, e.ID)
		if err != nil || again.Redacts != "$target" {
			t.Errorf("version %s: parsed redacts %q, %v", v.ID, again.Redacts, err)
		}
		d.Redacts, d.Content = "", []byte(`{"redacts":"$inside"}`)
		if e, err = v.Build(d, hs, fixedID); err != nil || (e.Redacts == "$inside") != v.RedactsInContent {
			t.Errorf("version %s: content.redacts gives %q, %v", v.ID, e.Redacts, err)
		}
	}
}

func TestBuildCreate(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		r := newRoom(t, v, "")
		_, hasRoom := cmpKey(t, r.create.Raw, "room_id")
		if hasRoom == v.HashRoomID { // EVT-16, RVER-15
			t.Errorf("version %s: create event %s", v.ID, r.create.Raw)
		}
		if v.HashRoomID && (string(r.id) != "!"+string(r.create.ID[1:]) || r.id.Server() != "" || len(r.id) != 44) { // RVER-14
			t.Errorf("RVER-14: room ID %s of %s", r.id, r.create.ID)
		}
		checkParsedRoom(t, r.create)
	}
	v12 := versions[11]
	d := Draft{Sender: alice, Type: TypeCreate, StateKey: ptr(""), Content: []byte(`{}`), TS: 1}
	one, _ := v12.Build(d, hs, nil)
	two, _ := v12.Build(d, hs, nil)
	d.TS++
	three, _ := v12.Build(d, hs, nil)
	if one.Room != two.Room || one.Room == three.Room { // RVER-16
		t.Errorf("RVER-16: rooms %s, %s, %s", one.Room, two.Room, three.Room)
	}
}

func cmpKey(t *testing.T, raw []byte, key string) (json.RawMessage, bool) {
	t.Helper()
	v := lookup(raw, key)
	return json.RawMessage(v), v != nil
}

func checkParsedRoom(t *testing.T, e *Event) {
	t.Helper()
	for _, id := range []EventID{e.ID, ""} {
		again, err := e.Version.Parse(e.Raw, id)
		if err != nil || again.Room != e.Room || again.ID != e.ID {
			t.Errorf("version %s: parsed %v, %v; want room %s", e.Version.ID, again, err, e.Room)
		}
	}
}

func TestBuildLimits(t *testing.T) {
	t.Parallel()
	bytes255, bytes256 := strings.Repeat("x", 255), strings.Repeat("é", 128)
	tests := []struct {
		name  string
		field string // of the SizeError, "-" if it fits
		edit  func(*Draft)
	}{
		{"EVT-31 type of 255 bytes", "-", func(d *Draft) { d.Type = bytes255 }}, // and EVT-11
		{"EVT-31 type of 256 bytes", "type", func(d *Draft) { d.Type = bytes256 }},
		{"EVT-31 state key of 255 bytes", "-", func(d *Draft) { d.StateKey = &bytes255 }},
		{"EVT-31 state key of 256 bytes", "state_key", func(d *Draft) { d.StateKey = &bytes256 }},
		{"EVT-31 sender of 256 bytes", "sender", func(d *Draft) { d.Sender = UserID(bytes256) }},
		{"EVT-31 room of 256 bytes", "room_id", func(d *Draft) { d.Room = RoomID(bytes256) }},
		{"EVT-31 target of 256 bytes", "redacts", func(d *Draft) { d.Redacts = EventID(bytes256) }},
		{"EVT-31 no limit of other fields", "-", func(d *Draft) { d.Content = []byte(`{"a":"` + strings.Repeat("x", 60000) + `"}`) }},
		{"EVT-30 event", "", func(d *Draft) { d.Content = []byte(`{"a":"` + strings.Repeat("x", 65536) + `"}`) }},
	}
	for _, v := range versions {
		for _, tt := range tests {
			d := wholeDraft(v)
			tt.edit(&d)
			_, err := v.Build(d, hs, fixedID)
			var e *SizeError
			switch {
			case tt.field == "-" && err != nil:
				t.Errorf("%s (version %s): %v", tt.name, v.ID, err)
			case tt.field == "-":
			case !errors.As(err, &e) || !errors.Is(err, ErrTooLarge) || e.Field != tt.field || e.Size <= e.Max:
				t.Errorf("%s (version %s): got %v", tt.name, v.ID, err)
			}
		}
	}
	long := func() string { return strings.Repeat("x", 250) }
	if _, err := versions[0].Build(wholeDraft(versions[0]), hs, long); !errors.Is(err, ErrTooLarge) {
		t.Errorf("EVT-31 event ID of 259 bytes: %v", err)
	}
}

// TestBuildSizeExact: EVT-30, the largest event that Build lets pass is within 65536 bytes once it is signed with the
// longest key ID, and one byte more is not.
func TestBuildSizeExact(t *testing.T) {
	t.Parallel()
	_, key := readSigningVectors(t)
	signer := &Signer{hs, "ed25519:" + strings.Repeat("k", maxKeyID-len("ed25519:")), key}
	for _, v := range versions {
		d := wholeDraft(v)
		content := func(n int) []byte { return []byte(`{"a":"` + strings.Repeat("x", n) + `"}`) }
		d.Content = content(0)
		e, err := v.Build(d, hs, fixedID)
		if err != nil {
			t.Fatal(err)
		}
		room := MaxEventBytes - len(e.AppendRaw(nil, signer, nil))
		d.Content = content(room)
		if e, err = v.Build(d, hs, fixedID); err != nil || len(e.AppendRaw(nil, signer, nil)) != MaxEventBytes {
			t.Errorf("version %s: 65536 bytes: %v", v.ID, err)
		}
		d.Content = content(room + 1)
		if _, err = v.Build(d, hs, fixedID); !errors.Is(err, ErrTooLarge) {
			t.Errorf("version %s: 65537 bytes: %v", v.ID, err)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, field string
		edit        func(v *RoomVersion, d *Draft)
	}{
		{"no type", "type", func(_ *RoomVersion, d *Draft) { d.Type = "" }},
		{"no room", "room_id", func(_ *RoomVersion, d *Draft) { d.Room = "" }},
		{"content is no object", "content", func(_ *RoomVersion, d *Draft) { d.Content = []byte("[]") }},
		{"no content", "content", func(_ *RoomVersion, d *Draft) { d.Content = nil }},
		{"EVT-17 depth over the cap", "depth", func(v *RoomVersion, d *Draft) { d.Depth = v.MaxDepth; d.Depth++ }},
		{"EVT-17 11 auth events", "auth_events", func(_ *RoomVersion, d *Draft) { d.AuthEvents = make([]Ref, 11) }},
		{"EVT-17 21 prev events", "prev_events", func(_ *RoomVersion, d *Draft) { d.PrevEvents = make([]Ref, 21) }},
	}
	for _, v := range versions {
		for _, tt := range tests {
			d := wholeDraft(v)
			tt.edit(v, &d)
			_, err := v.Build(d, hs, fixedID)
			var e *FieldError
			if !errors.As(err, &e) || e.Field != tt.field {
				t.Errorf("%s (version %s): %v", tt.name, v.ID, err)
			}
		}
		d := wholeDraft(v)
		d.AuthEvents, d.PrevEvents, d.Depth = make([]Ref, 10), make([]Ref, 20), v.MaxDepth
		if _, err := v.Build(d, hs, fixedID); err != nil { // EVT-17
			t.Errorf("version %s: at the limits: %v", v.ID, err)
		}
		d = wholeDraft(v)
		d.Type = TypeCreate
		if _, err := v.Build(d, hs, fixedID); (err != nil) != v.HashRoomID { // EVT-16
			t.Errorf("version %s: create event with a room ID: %v", v.ID, err)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	v := versions[9]
	const least = `{"content":{"a":1},"room_id":"!r:hs","sender":"@a:hs","type":"t"}`
	e, err := v.Parse([]byte(least), "$id")
	if err != nil || e.IsState() || e.StateKey != nil || e.ID != "$id" || e.Room != "!r:hs" || e.Sender != "@a:hs" || e.Type != "t" || string(e.Content) != `{"a":1}` {
		t.Errorf("got %+v, %v", e, err)
	}
	foreign := `{"content":{},"depth":3,"room_id":"!r:hs","sender":"@a:hs","signatures":{"x":{}},"state_key":"","type":"t","unsigned":{"age":1}}`
	if e, err = v.Parse([]byte(foreign), "$id"); err != nil || lookup(e.Raw, "signatures") != nil || lookup(e.Raw, "unsigned") != nil || !e.IsState() || e.Depth != 3 {
		t.Errorf("got %s, %v", e.Raw, err)
	}
	for _, bad := range []string{
		"", "[]", "{", "null", `{"a":1}`,
		`{"content":{},"room_id":"!r:hs","sender":"@a:hs"}`,
		`{"content":{},"room_id":"!r:hs","type":"t"}`,
		`{"content":[],"room_id":"!r:hs","sender":"@a:hs","type":"t"}`,
		`{"room_id":"!r:hs","sender":"@a:hs","type":"t"}`,
		`{"content":{},"sender":"@a:hs","type":"t"}`,
		`{"content":{},"room_id":"!r:hs","sender":"@a:hs","type":"t"`,
		`{"content":{},"room_id":"!r:hs","sender":"@a:hs","type":7}`,
	} {
		var fe *FieldError
		if _, err := v.Parse([]byte(bad), "$id"); !errors.As(err, &fe) {
			t.Errorf("Parse(%s) = %v", bad, err)
		}
	}
	if _, err := versions[0].Parse([]byte(least), ""); err == nil {
		t.Error("version 1 event without ID accepted")
	}
}

// TestMembership: EVT-12, a malformed membership counts as absent.
func TestMembership(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		`{"membership":"join"}`: "join", `{"displayname":"x","membership":"knock"}`: "knock", `{}`: "", `{"membership":7}`: "",
		`{"membership":null}`: "", `{"a":{"membership":"join"}}`: "", `{"membership":["join"]}`: "",
	} {
		if got := (&Event{Content: []byte(content)}).Membership(); got != want {
			t.Errorf("%s: %q; want %q", content, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range versions {
		e, err := v.Build(wholeDraft(v), hs, fixedID)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(e.Raw)
	}
	f.Add([]byte(`{"content":{"redacts":"$x"},"room_id":"!r","sender":"@a","type":"m.room.redaction"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		for _, v := range versions {
			e, err := v.Parse(raw, "$id")
			if err != nil {
				continue
			}
			e.AppendClient(nil, ClientFormat{})
			e.AppendStripped(nil)
			e.AppendRaw(nil, nil, []byte("{}"))
			e.ReferenceHash()
			AuthKeys(v, e.Type, e.Sender, e.StateKey, e.Content)
			if c, err := v.Canonical(raw); err == nil { // on what the store can hold, the formats are JSON
				e, err = v.Parse(c, "$id")
				if err != nil {
					continue
				}
				if out := e.AppendClient(nil, ClientFormat{}); Valid(out) != nil {
					t.Errorf("client format of %s is %s", c, out)
				}
			}
		}
		if !bytes.Equal(before, raw) {
			t.Error("input changed")
		}
	})
}
