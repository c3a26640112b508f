package homeserver_test

import (
	"fmt"
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// What is counted on from what was counted before is what is counted anew (UNRD-3, RCPT-10, RCPT-11).
func TestUnreadGoesOn(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	reply := func(c *homeservertest.Client, root events.EventID) events.EventID {
		t.Helper()
		return c.Send(t, room, "m.room.message", map[string]any{
			"msgtype": "m.text", "body": "x", "m.relates_to": map[string]any{"rel_type": "m.thread", "event_id": root},
		})
	}
	counts := func(what, main string, threads ...string) {
		t.Helper()
		same(t, what, unreadOf(t, bob, room, true, ""), main)
		for i := 0; i < len(threads); i += 2 {
			same(t, what+", in the thread", unreadOf(t, bob, room, true, events.EventID(threads[i])), threads[i+1])
		}
	}
	root, other := alice.Say(t, room, "root"), alice.Say(t, room, "other root")
	one, another := string(root), string(other)
	counts("two roots", "2/0", one, "none")
	reply(alice, root)
	reply(alice, other)
	counts("an answer to each", "2/0", one, "1/0", another, "1/0")
	reply(alice, root)
	counts("one more", "2/0", one, "2/0", another, "1/0")
	// RCPT-11: by saying something one has read what is before it; a new name is nothing said.
	bob.Put(t, homeservertest.Path("/v3/profile/{}/displayname", bob.User), `{"displayname":"Robert"}`)
	counts("own state event", "2/0", one, "2/0", another, "1/0")
	reply(bob, root)
	counts("own answer", "2/0", one, "none", another, "1/0")
	bob.Say(t, room, "main")
	counts("own message", "0/0", one, "none", another, "1/0")
	first, second := reply(alice, root), reply(alice, root)
	early, late := alice.Say(t, room, "early"), alice.Say(t, room, "late")
	counts("more of all", "2/0", one, "2/0", another, "1/0")
	// RCPT-10, UNRD-12: of the public and the private receipt the further one counts, whichever it is.
	read(t, bob, room, "m.read", second, map[string]any{"thread_id": root})
	read(t, bob, room, "m.read.private", first, map[string]any{"thread_id": root})
	counts("the public one further in a thread", "2/0", one, "none", another, "1/0")
	read(t, bob, room, "m.read", late, nil)
	read(t, bob, room, "m.read.private", early, nil)
	counts("the public one further", "0/0", one, "none", another, "none")
	// UNRD-3: rules ask how many are in the room as they do for pushes.
	bob.Put(t, "/v3/pushrules/global/override/pairs", `{"actions":[],"conditions":[{"kind":"room_member_count","is":"2"}]}`)
	alice.Say(t, room, "of two")
	counts("two members", "0/0")
	hs.User(t, "carol").Join(t, room)
	alice.Say(t, room, "of three")
	counts("three members", "1/0")
}

// EVAL-19, IGN-1: what those have sent whom the user ignores does not count, whether it was counted before or not, and
// counts again if it is shown again.
func TestUnreadFollowsTheIgnored(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, mallory := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "mallory")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	mallory.Join(t, room)
	bob.Join(t, room)
	ignore := func(content string) {
		t.Helper()
		bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.ignored_user_list", bob.User), content)
	}
	alice.Say(t, room, "hello")
	mallory.Say(t, room, "bob!")
	mallory.Say(t, room, "insult")
	same(t, "of everybody", unreadOf(t, bob, room, false, ""), "3/1")
	ignore(`{"ignored_users":{"@mallory:example.org":{}}}`)
	same(t, "but of whom is ignored", unreadOf(t, bob, room, false, ""), "1/0")
	mallory.Say(t, room, "bob, another")
	alice.Say(t, room, "hello again")
	same(t, "later events", unreadOf(t, bob, room, false, ""), "2/0")
	ignore(`{"ignored_users":{}}`)
	same(t, "of everybody again", unreadOf(t, bob, room, false, ""), "5/2")
}

// UNRD-5, UNRD-17: who has left and come back counts from the new join, whatever was counted before
// and however they left.
func TestUnreadBeginsAnewWithTheStay(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	for i, leave := range []func(){
		func() { bob.Post(t, homeservertest.Path("/v3/rooms/{}/leave", room), `{}`) },
		func() {
			alice.Post(t, homeservertest.Path("/v3/rooms/{}/kick", room), map[string]any{"user_id": bob.User})
		},
	} {
		alice.Say(t, room, "hello")
		same(t, "in the stay", unreadOf(t, bob, room, false, ""), fmt.Sprintf("%d/0", i+1))
		leave()
		bob.Join(t, room)
		same(t, "in the next", unreadOf(t, bob, room, false, ""), "0/0")
		alice.Say(t, room, "there you are")
		same(t, "and then", unreadOf(t, bob, room, false, ""), "1/0")
	}
}

// UNRD-3, NOTIF-1, NOTIF-5: as much as there is.
func TestUnreadOfALongTime(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	alice.Say(t, room, "before bob came")
	bob.Join(t, room)
	var ids []events.EventID
	for i := range 550 {
		ids = append(ids, alice.Say(t, room, fmt.Sprint(i)))
	}
	same(t, "all", unreadOf(t, bob, room, false, ""), "550/0")
	read(t, bob, room, "m.read", ids[9], nil)
	same(t, "but those that were read", unreadOf(t, bob, room, false, ""), "540/0")
	most := bob.Get(t, "/v3/notifications?limit=100000")
	same(t, "notifications at once", most.Get("notifications.#").Int(), 500)
	rest := bob.Get(t, "/v3/notifications?from="+most.Get("next_token").Str)
	same(t, "and the rest", rest.Get("notifications.#").Int(), 50)
	same(t, "back to the join", rest.Get("notifications.49.event.content.body").Str+rest.Get("next_token").Raw, "0")
}
