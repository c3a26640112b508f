package events

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

const (
	hs      = ServerName("hs.test")
	alice   = UserID("@alice:hs.test") // the creator of every test room
	bob     = UserID("@bob:hs.test")
	carol   = UserID("@carol:hs.test")
	dave    = UserID("@dave:hs.test")
	foreign = UserID("@eve:other.test")
)

func ptr[T any](v T) *T { return &v }

// versionSpan returns the room versions from–to, as in "1-5" or "12".
func versionSpan(t *testing.T, span string) []*RoomVersion {
	t.Helper()
	from, to, ok := strings.Cut(span, "-")
	if !ok {
		to = from
	}
	lo, err1 := strconv.Atoi(from)
	hi, err2 := strconv.Atoi(to)
	if err1 != nil || err2 != nil || lo < 1 || hi > len(versions) {
		t.Fatalf("bad span %q", span)
	}
	return versions[lo-1 : hi]
}

// testRoom is a room state that the tests write without asking the rules.
type testRoom struct {
	t      testing.TB
	v      *RoomVersion
	id     RoomID
	create *Event
	state  map[StateKey]*Event
	serial int
}

func (r *testRoom) Event(typ, key string) *Event { return r.state[StateKey{typ, key}] }

// newRoom makes a room whose create event has the given extra content, such as `"m.federate":false`.
func newRoom(t testing.TB, v *RoomVersion, extra string) *testRoom {
	t.Helper()
	r := &testRoom{t: t, v: v, state: map[StateKey]*Event{}}
	parts := []string{`"room_version":"` + v.ID + `"`}
	if v.CreatorInContent {
		parts = append(parts, `"creator":"@alice:hs.test"`)
	}
	if extra != "" {
		parts = append(parts, extra)
	}
	if !v.HashRoomID {
		r.id = "!room:hs.test"
	}
	r.create = r.build(Draft{
		Room: r.id, Sender: alice, Type: TypeCreate, StateKey: ptr(""), Depth: 1,
		Content: r.canonical("{" + strings.Join(parts, ",") + "}"),
	})
	r.id = r.create.Room
	r.state[StateKey{TypeCreate, ""}] = r.create
	return r
}

func (r *testRoom) canonical(content string) []byte {
	r.t.Helper()
	c, err := r.v.Canonical([]byte(content))
	if err != nil {
		r.t.Fatalf("content %s: %v", content, err)
	}
	return c
}

func (r *testRoom) build(d Draft) *Event {
	r.t.Helper()
	e, err := r.v.Build(d, hs, func() string { r.serial++; return fmt.Sprint("event", r.serial) })
	if err != nil {
		r.t.Fatalf("build %s: %v", d.Type, err)
	}
	return e
}

// event makes an event somewhere in the middle of the room's history; a nil key makes it a message.
func (r *testRoom) event(sender UserID, typ string, key *string, content string) *Event {
	r.t.Helper()
	return r.build(Draft{
		Room: r.id, Sender: sender, Type: typ, StateKey: key, Content: r.canonical(content), TS: 1700000000000, Depth: 9,
		PrevEvents: []Ref{{ID: "$previous"}},
	})
}

func (r *testRoom) put(sender UserID, typ, key, content string) *Event {
	r.t.Helper()
	e := r.event(sender, typ, &key, content)
	r.state[StateKey{typ, key}] = e
	return e
}

func (r *testRoom) member(user UserID, membership string) {
	r.t.Helper()
	r.put(user, TypeMember, string(user), `{"membership":"`+membership+`"}`)
}

// wantRule checks that err is a refusal by a rule, or nil for rule "".
func wantRule(t *testing.T, err error, rule string) {
	t.Helper()
	var refused *AuthError
	switch {
	case rule == "" && err != nil:
		t.Errorf("refused: %v; want allowed", err)
	case rule == "":
	case !errors.As(err, &refused):
		t.Errorf("got %v; want refusal by rule %s", err, rule)
	case refused.Rule != rule:
		t.Errorf("refused by %v; want rule %s", err, rule)
	case refused.Reason == "":
		t.Errorf("rule %s gives no reason", rule)
	}
}
