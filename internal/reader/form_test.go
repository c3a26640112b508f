package reader

import (
	"crypto/ed25519"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// show renders an event as a user sees it on a device.
func (h *house) show(user events.UserID, device string, id events.EventID) gjson.Result {
	h.Helper()
	s := NewScope(h.room(), user)
	e, err := h.Event(h.Context(), s, id)
	if err != nil {
		h.Fatal(err)
	}
	out := h.Form(device).Append(nil, s, e)
	if !gjson.ValidBytes(out) {
		h.Fatalf("not JSON: %s", out)
	}
	return gjson.ParseBytes(out)
}

// unsigned compares the unsigned object of an event, its age left out.
func (h *house) unsigned(name string, user events.UserID, device string, id events.EventID, want string) {
	h.Helper()
	got := map[string]any{}
	for key, value := range h.show(user, device, id).Get("unsigned").Map() {
		got[key] = value.Value()
	}
	delete(got, "age")
	if diff := cmp.Diff(gjson.Parse(want).Value(), any(got)); diff != "" {
		h.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestUnsigned(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.member(bob, "join")
	h.clock = 1500
	sent := h.add(alice, "m.room.message", nil, `{}`, 0, store.Txn{Device: "PHONE", ID: "t1", Path: "send"})
	for _, h := range []*house{h, h.forgetful()} {
		if age := h.show(alice, "PHONE", sent.ID).Get("unsigned.age").Raw; age != "500" { // EVT-5
			t.Errorf("age %s, want 500", age)
		}
		// EVT-6, EVT-9
		h.unsigned("for who has sent it", alice, "PHONE", sent.ID, `{"membership":"join","transaction_id":"t1"}`)
		h.unsigned("for their other device", alice, "TABLET", sent.ID, `{"membership":"join"}`)
		h.unsigned("for a device of that name of somebody else", bob, "PHONE", sent.ID, `{"membership":"join"}`)
	}
	h.clock = 5000
	if age := h.show(alice, "", h.say("from the future").ID).Get("unsigned.age").Raw; age != "0" {
		t.Errorf("age %s of an event from the future", age)
	}
}

func TestUnsignedOfState(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.visibility("joined")
	one := h.state("m.room.topic", `{"topic":"1"}`)
	h.member(bob, "join")
	two := h.state("m.room.topic", `{"topic":"2"}`)
	three := h.state("m.room.topic", `{"topic":"3"}`)
	for _, h := range []*house{h, h.forgetful()} {
		// EVT-7: bob may not see the first topic. EVT-8: but he may know that there was one.
		h.unsigned("the first", alice, "", one.ID, `{"membership":"join"}`)
		h.unsigned("the second", alice, "", two.ID, `{"membership":"join","prev_content":{"topic":"1"},"replaces_state":"`+string(one.ID)+`"}`)
		h.unsigned("the second for who came between", bob, "", two.ID, `{"membership":"join","replaces_state":"`+string(one.ID)+`"}`)
		h.unsigned("the third", bob, "", three.ID, `{"membership":"join","prev_content":{"topic":"2"},"replaces_state":"`+string(two.ID)+`"}`)
		if e := h.show(alice, "", three.ID); e.Get("prev_content").Exists() || e.Get("state_key").Raw != `""` {
			t.Errorf("%s", e)
		}
	}
}

func TestUnsignedMembership(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	before := h.say("before")
	invited := h.member(bob, "invite")
	joined := h.member(bob, "join")
	during := h.say("during")
	left := h.member(bob, "leave")
	h.member(bob, "join")
	for _, h := range []*house{h, h.forgetful()} {
		for _, tt := range []struct {
			event *live.Event
			want  string
		}{{before, "leave"}, {invited, "invite"}, {joined, "join"}, {during, "join"}, {left, "leave"}} { // EVT-9
			if got := h.show(bob, "", tt.event.ID).Get("unsigned.membership").Str; got != tt.want {
				t.Errorf("%s at %d, want %s", got, tt.event.Pos, tt.want)
			}
		}
	}
}

// EVT-10, REDACT-9: nothing is left of a redacted event but why.
func TestUnsignedOfRedacted(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	message := h.say("spam")
	topic := h.state("m.room.topic", `{"topic":"spam"}`)
	after := h.state("m.room.topic", `{"topic":"fine"}`)
	because, becauseTopic := h.redact(message), h.redact(topic)
	for _, h := range []*house{h, h.forgetful()} {
		for id, because := range map[events.EventID]*live.Event{message.ID: because, topic.ID: becauseTopic} {
			e := h.show(alice, "", id)
			r := e.Get("unsigned.redacted_because")
			if e.Get("content").Raw != "{}" || r.Get("event_id").Str != string(because.ID) || r.Get("content.reason").Str != "spam" ||
				r.Get("type").Str != "m.room.redaction" || r.Get("room_id").Str != string(roomID) || r.Get("origin_server_ts").Int() != because.TS {
				t.Errorf("%s", e)
			}
		}
		h.unsigned("what replaced it", alice, "", after.ID, `{"membership":"join","prev_content":{},"replaces_state":"`+string(topic.ID)+`"}`)
	}
}

// EVT-38, EVT-37: an invite tells the invited, and nobody else, what the room was like.
func TestUnsignedOfInvites(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.state("m.room.name", `{"name":"Room"}`)
	h.state("m.room.topic", `{"topic":"secret"}`)
	h.state("m.room.power_levels", `{"users":{"@alice:test":100}}`)
	invite := h.add(alice, events.TypeMember, new(string(bob)), `{"membership":"invite"}`, 0, store.Txn{})
	h.state("m.room.name", `{"name":"Later"}`)
	h.member(bob, "join") // the visibility is "shared"
	for name, h := range map[string]*house{"memory": h, "store": h.forgetful()} {
		got := map[string]string{}
		for _, e := range h.show(bob, "", invite.ID).Get("unsigned.invite_room_state").Array() {
			got[e.Get("type").Str+e.Get("state_key").Str] = e.Get("content").Raw
			for key := range e.Map() { // EVT-36
				switch key {
				case "type", "state_key", "content", "sender":
				default:
					t.Errorf("%s: %s in stripped state", name, key)
				}
			}
		}
		want := map[string]string{
			"m.room.create": `{"creator":"@alice:test"}`, "m.room.name": `{"name":"Room"}`, "m.room.topic": `{"topic":"secret"}`,
			"m.room.member@alice:test": `{"membership":"join"}`, "m.room.member@bob:test": `{"membership":"invite"}`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if h.show(alice, "", invite.ID).Get("unsigned.invite_room_state").Exists() {
			t.Errorf("%s: it is shown to others", name)
		}
	}
	knock := h.member("@carol:test", "knock")
	h.visibility("world_readable")
	h.member("@carol:test", "join")
	if e := h.show("@carol:test", "", knock.ID); e.Get("unsigned.knock_room_state.0.type").Str != "m.room.create" || e.Get("unsigned.invite_room_state").Exists() {
		t.Errorf("knock: %s", e)
	}
}

// The forms that filters ask for (EVT-13, FILT-9, FILT-10) and that of /sync (EVT-3).
func TestForms(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.Reader.Signer = &events.Signer{Server: "test", KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	e := h.state("m.room.topic", `{"topic":"Tea","other":1}`)
	show := func(form *Form) gjson.Result {
		return gjson.ParseBytes(form.Append(nil, NewScope(h.room(), alice), e))
	}
	form := h.Form("")
	form.OmitRoomID = true
	if got := show(form); got.Get("room_id").Exists() || !got.Get("event_id").Exists() {
		t.Errorf("without room ID: %s", got)
	}
	form = h.Form("")
	form.Filter = &events.Filter{EventFields: []string{"content.topic"}}
	if got := show(form); got.Get("content").Raw != `{"topic":"Tea"}` || got.Get("unsigned").Exists() || got.Get("event_id").Str != string(e.ID) {
		t.Errorf("with event_fields: %s", got)
	}
	form = h.Form("")
	form.Filter = &events.Filter{EventFormat: "federation"}
	if got := show(form); got.Get("event_id").Exists() || !got.Get("auth_events").IsArray() || !got.Get(`signatures.test.ed25519:1`).Exists() || !got.Get("unsigned.age").Exists() {
		t.Errorf("raw: %s", got)
	}
	list := gjson.ParseBytes(h.Form("").AppendList(nil, NewScope(h.room(), alice), []*live.Event{e, e}))
	if len(list.Array()) != 2 || list.Get("1.event_id").Str != string(e.ID) {
		t.Errorf("list: %s", list)
	}
	if got := string(h.Form("").AppendList(nil, NewScope(h.room(), alice), nil)); got != "[]" { // CLIENT-32
		t.Errorf("empty list: %s", got)
	}
}
