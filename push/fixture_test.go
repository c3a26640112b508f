package push

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
)

const (
	alice = events.UserID("@alice:example.org") // whose rules are asked
	bob   = events.UserID("@bob:example.org")   // who sends
	room  = events.RoomID("!room:example.org")
)

// event makes an event of bob's with some content.
func event(typ, content string) *events.Event {
	return &events.Event{ID: "$event", Room: room, Type: typ, Sender: bob, Content: []byte(content), TS: 1_700_000_000_000}
}

// state makes a state event of bob's.
func state(typ, key, content string) *events.Event {
	e := event(typ, content)
	e.StateKey = &key
	return e
}

func redaction(of events.EventID) *events.Event {
	e := event("m.room.redaction", `{}`)
	e.Redacts = of
	return e
}

func message(body string) *events.Event {
	return event("m.room.message", fmt.Sprintf(`{"body":%q,"msgtype":"m.text"}`, body))
}

// named is the member event of a user with a display name.
func named(name string) *events.Event {
	quoted, _ := json.Marshal(name)
	return state("m.room.member", string(alice), `{"displayname":`+string(quoted)+`,"membership":"join"}`)
}

// crowd is a room in which nothing but the event decides.
var crowd = Room{Joined: 10}

// rules returns alice's ruleset with rules of her own: arguments are kind, ID and
// body by turns, the last rule being the most important.
func rules(t testing.TB, own ...string) *Ruleset {
	t.Helper()
	s, err := NewDefaults(Options{}).Ruleset(alice, nil)
	if err != nil {
		t.Fatal(err)
	}
	for ; len(own) > 0; own = own[3:] {
		s = put(t, s, own[0], own[1], own[2], Place{})
	}
	return s
}

func put(t testing.TB, s *Ruleset, kind, id, body string, at Place) *Ruleset {
	t.Helper()
	var k Kind
	if err := k.UnmarshalText([]byte(kind)); err != nil {
		t.Fatal(err)
	}
	r, err := ParseRule(k, id, []byte(body))
	if err != nil {
		t.Fatalf("parse rule %s: %v", id, err)
	}
	s, err = s.Put(r, at)
	if err != nil {
		t.Fatalf("put rule %s: %v", id, err)
	}
	return s
}

// must returns what a change that succeeds makes of a ruleset.
func must(t testing.TB) func(*Ruleset, error) *Ruleset {
	return func(s *Ruleset, err error) *Ruleset {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// decides checks which rule decides about an event, "" for none.
func decides(t *testing.T, s *Ruleset, e *events.Event, in Room, id string) Outcome {
	t.Helper()
	out := s.Evaluate(NewEvent(e, in), nil)
	if out.RuleID != id {
		t.Errorf("%s %s: rule %q decides, want %q", e.Type, e.Content, out.RuleID, id)
	}
	return out
}

// fulfils reports whether an event fulfils conditions.
func fulfils(t *testing.T, conditions string, e *events.Event, in Room, member *events.Event) bool {
	t.Helper()
	s := rules(t, "override", "test", `{"actions":["notify"],"conditions":`+conditions+`}`)
	return s.Evaluate(NewEvent(e, in), member).RuleID == "test"
}

// ids lists the rules of a kind in their order.
func ids(s *Ruleset, kind Kind) (all []string) {
	for _, r := range s.Rules(kind) {
		all = append(all, r.ID)
	}
	return all
}

func equal[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// sameJSON compares JSON whatever its spelling.
func sameJSON(t *testing.T, got []byte, want string) {
	t.Helper()
	if !gjson.ValidBytes(got) {
		t.Fatalf("not JSON: %s", got)
	}
	equal(t, gjson.ParseBytes(got).Value(), gjson.Parse(want).Value())
}

// power is the power levels of a room of version 12 that carol has made.
func power(content string) *events.PowerLevels {
	v, _ := events.LookupVersion("12")
	create := state("m.room.create", "", `{"room_version":"12"}`)
	create.Sender = "@carol:example.org"
	return v.PowerLevels(roomState{"m.room.create": create, "m.room.power_levels": state("m.room.power_levels", "", content)})
}

// roomState is state with empty keys, by type.
type roomState map[string]*events.Event

func (s roomState) Event(typ, _ string) *events.Event { return s[typ] }
