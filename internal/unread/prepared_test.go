package unread

import (
	"fmt"
	"sync"
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/push"
	"github.com/ca4c8834/homeserver/store"
)

// What many people's rules say of the same events, at the same time, is what they say of each alone.
func TestPreparedEventsServeEverybody(t *testing.T) {
	t.Parallel()
	defaults := push.NewDefaults(push.Options{})
	message := func(pos int, body string) *live.Event {
		return &live.Event{Pos: store.Pos(pos), Event: &events.Event{
			ID: events.EventID(fmt.Sprint("$", pos)), Room: "!room:example.org", Type: "m.room.message", Sender: "@bob:example.org",
			Content: []byte(body),
		}}
	}
	var all []*live.Event
	for i := range 5 {
		all = append(all,
			message(i, `{"body":"hello"}`),
			message(i, `{"body":"hello after a redaction"}`), // another event where one was
			message(i+len(prepared{}), `{"body":"hello","m.mentions":{"user_ids":["@user1:example.org"]}}`))
	}
	rooms := []push.Room{{Joined: 10}, {Joined: 2}} // the sound depends on it
	var p prepared
	var wg sync.WaitGroup
	for user := range 20 {
		rules, err := defaults.Ruleset(events.UserID(fmt.Sprintf("@user%d:example.org", user)), nil)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for i := range 200 {
				e, room := all[(user+i)%len(all)], rooms[i/7%len(rooms)]
				got, want := p.evaluate(rules, e, room, nil), rules.Evaluate(push.NewEvent(e.Event, room), nil)
				if got.RuleID != want.RuleID {
					t.Errorf("%s of user %d in a room of %d: rule %q, want %q", e.Content, user, room.Joined, got.RuleID, want.RuleID)
				}
			}
		})
	}
	wg.Wait()
}

// An event whose rules somebody else is looking at keeps nobody waiting.
func TestPreparedEventsKeepNobodyWaiting(t *testing.T) {
	t.Parallel()
	rules, err := push.NewDefaults(push.Options{}).Ruleset("@alice:example.org", nil)
	if err != nil {
		t.Fatal(err)
	}
	var p prepared
	p[1].mu.Lock()
	defer p[1].mu.Unlock()
	e := &live.Event{Pos: 1, Event: &events.Event{Type: "m.room.message", Sender: "@bob:example.org", Content: []byte(`{}`)}}
	if out := p.evaluate(rules, e, push.Room{Joined: 3}, nil); !out.Notify {
		t.Errorf("evaluate: %+v", out)
	}
}
