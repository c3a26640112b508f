package events

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAppendClient: EVT-1 to EVT-4, in every version.
func TestAppendClient(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		r := newRoom(t, v, "")
		message := r.event(alice, "m.room.message", nil, `{"body":"<é>"}`)
		got := string(message.AppendClient([]byte("x"), ClientFormat{}))
		want := `x{"content":{"body":"<é>"},"event_id":"` + string(message.ID) + `","origin_server_ts":1700000000000,"room_id":"` +
			string(r.id) + `","sender":"@alice:hs.test","type":"m.room.message"}`
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("EVT-1, EVT-2, EVT-4 version %s: %s", v.ID, diff)
		}
		state := r.put(alice, "m.room.topic", "", `{"topic":"t"}`)
		got = string(state.AppendClient(nil, ClientFormat{OmitRoomID: true, Unsigned: []byte(`{"age":5}`)}))
		want = `{"content":{"topic":"t"},"event_id":"` + string(state.ID) +
			`","origin_server_ts":1700000000000,"sender":"@alice:hs.test","state_key":"","type":"m.room.topic","unsigned":{"age":5}}`
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("EVT-2, EVT-3 version %s: %s", v.ID, diff)
		}
		create := r.create.AppendClient(nil, ClientFormat{}) // RVER-15, AMB-9
		if text(lookup(create, "room_id")) != string(r.id) || Valid(create) != nil {
			t.Errorf("RVER-15 version %s: %s", v.ID, create)
		}
	}
}

// TestAppendClientRedaction: REDACT-6, the target is in both places.
func TestAppendClientRedaction(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		for _, content := range []string{`{}`, `{"reason":"r"}`, `{"reason":"r","redacts":"$other","z":1}`} {
			r := newRoom(t, v, "")
			e := r.build(Draft{Room: r.id, Sender: alice, Type: TypeRedaction, Redacts: "$target", Content: []byte(content)})
			got := e.AppendClient(nil, ClientFormat{})
			inside := lookup(got, "content")
			if text(lookup(got, "redacts")) != "$target" || text(lookup(inside, "redacts")) != "$target" || Valid(got) != nil ||
				strings.Count(string(inside), "redacts") != 1 || strings.Contains(content, "reason") != (text(lookup(inside, "reason")) == "r") {
				t.Errorf("version %s: %s", v.ID, got)
			}
			if strings.Contains(string(e.Content), "$target") != v.RedactsInContent { // the stored event is untouched
				t.Errorf("version %s: stored content %s", v.ID, e.Content)
			}
		}
	}
}

// TestAppendStripped: EVT-36.
func TestAppendStripped(t *testing.T) {
	t.Parallel()
	r := newRoom(t, versions[11], "")
	got := string(r.put(alice, "m.room.name", "", `{"name":"n"}`).AppendStripped(nil))
	if want := `{"content":{"name":"n"},"sender":"@alice:hs.test","state_key":"","type":"m.room.name"}`; got != want {
		t.Errorf("got %s", got)
	}
	got = string(r.put(alice, TypeMember, "@x\"y:hs", `{}`).AppendStripped(nil))
	if want := `{"content":{},"sender":"@alice:hs.test","state_key":"@x\"y:hs","type":"m.room.member"}`; got != want {
		t.Errorf("got %s", got)
	}
}

// TestAppendRaw: EVT-13 to EVT-16 with the signature of EVT-23, and unsigned.
func TestAppendRaw(t *testing.T) {
	t.Parallel()
	_, key := readSigningVectors(t)
	public := publicKey(key)
	for _, v := range versions {
		r := newRoom(t, v, "")
		e := r.put(alice, "m.room.topic", "", `{"topic":"t"}`)
		got := e.AppendRaw([]byte("x"), &Signer{hs, "ed25519:1", key}, []byte(`{"age":1}`))[1:]
		want := []string{
			"auth_events", "content", "depth", "hashes", "origin_server_ts", "prev_events", "room_id", "sender", "signatures",
			"state_key", "type", "unsigned",
		}
		if v.EventIDFormat == IDOpaque {
			want = append(want[:3:3], append([]string{"event_id"}, want[3:]...)...)
		}
		if diff := cmp.Diff(want, jsonKeys(t, got)); diff != "" {
			t.Errorf("EVT-14 version %s: %s", v.ID, diff)
		}
		if mustCanonical(t, got) != string(got) {
			t.Errorf("version %s: not canonical: %s", v.ID, got)
		}
		redacted, err := v.Redact(got)
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyJSON(redacted, string(hs), "ed25519:1", public); err != nil { // EVT-23
			t.Errorf("EVT-23 version %s: %v", v.ID, err)
		}
		if again, err := v.Parse(got, e.ID); err != nil || string(again.Raw) != string(e.Raw) {
			t.Errorf("version %s: parsed back to %s, %v", v.ID, again.Raw, err)
		}
		if plain := e.AppendRaw(nil, nil, nil); string(plain) != string(e.Raw) {
			t.Errorf("version %s: unsigned raw format %s", v.ID, plain)
		}
	}
}

// TestStrangeContent: EVT-12, whatever a client stored is served as it is.
func TestStrangeContent(t *testing.T) {
	t.Parallel()
	r := newRoom(t, versions[11], "")
	for _, content := range []string{
		`{"name":5}`, `{"membership":{}}`, `{"":""}`, `{"redacts":7}`, `{"a":{"b":[{"c":null}]}}`, `{"\"":"\\\n\u0000"}`,
	} {
		for _, typ := range []string{"m.room.name", TypeMember, TypeRedaction, TypePowerLevels, TypeHistoryVisibility, "x\"y"} {
			e := r.event(alice, typ, ptr(""), content)
			got := e.AppendClient(nil, ClientFormat{})
			if Valid(got) != nil || string(lookup(got, "content")) != string(r.canonical(content)) {
				t.Errorf("%s %s: %s", typ, content, got)
			}
		}
	}
}
