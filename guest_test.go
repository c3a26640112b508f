package homeserver_test

import (
	"testing"

	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store"
)

// Guests are in a room only while it is open to them (MEMB-41, GUEST-5, GUEST-6).
func TestGuestMembers(t *testing.T) {
	t.Parallel()
	hs, st := storeOf(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	guest := change(t, hs, st, hs.User(t, "guest").User, func(u *store.User) { u.Guest = true })
	other := change(t, hs, st, hs.User(t, "other").User, func(u *store.User) { u.Guest = true })
	const canJoin, forbidden = `{"guest_access":"can_join"}`, `{"guest_access":"forbidden"}`
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	join := homeservertest.Path("/v3/rooms/{}/join", room)
	refused := func(why string) {
		t.Helper()
		guest.Do(t, "POST", join, `{}`).WantError(403, "M_GUEST_ACCESS_FORBIDDEN")
		if membershipOf(t, alice, room, guest.User) == "join" {
			t.Errorf("%s, and the guest is in the room", why)
		}
	}
	set := func(content string) { alice.SetState(t, room, "m.room.guest_access", "", content) }

	refused("it is forbidden")
	alice.Invite(t, room, guest.User)
	refused("an invite does not help")
	for _, malformed := range []string{`{}`, `{"guest_access":["can_join"]}`, `{"guest_access":"CAN_JOIN"}`} {
		set(malformed)
		refused("guest access is " + malformed)
	}
	set(canJoin)
	guest.Join(t, room)
	other.Join(t, room)
	other.Leave(t, room)
	guest.Say(t, room, "hello") // GUEST-3
	guest.Post(t, join, `{}`)
	before := everything(t, alice, room)
	set(canJoin + " ")
	alice.SetState(t, room, "m.room.guest_access", "elsewhere", forbidden) // says nothing
	if membershipOf(t, alice, room, guest.User) != "join" {
		t.Fatal("the guest is gone")
	}
	set(forbidden)
	added := everything(t, alice, room)[len(before)+1:]
	if len(added) != 2 || added[1].Get("state_key").Str != string(guest.User) || added[1].Get("content.membership").Str != "leave" {
		t.Errorf("closing the room wrote %v", added)
	}
	if membershipOf(t, alice, room, bob.User) != "join" {
		t.Error("a user was made to leave too")
	}
	refused("it is forbidden again")

	set(canJoin)
	guest.Join(t, room)
	opened := alice.SetState(t, room, "m.room.guest_access", "", `{"guest_access":"can_join","x":1}`)
	alice.Redact(t, room, opened) // which takes the permission away
	if membershipOf(t, alice, room, guest.User) != "leave" {
		t.Error("the guest is in a room whose guest access was redacted")
	}
	refused("it is redacted")

	set(canJoin)
	guest.Join(t, room)
	guest.Leave(t, room) // GUEST-3
	closed := alice.CreateRoom(t, `{"initial_state":[{"type":"m.room.guest_access","content":{}},{"type":"m.room.join_rules","content":{"join_rule":"public"}}]}`)
	guest.Do(t, "POST", homeservertest.Path("/v3/join/{}", closed), `{}`).WantError(403, "M_GUEST_ACCESS_FORBIDDEN")
	for path, body := range map[string]string{ // GUEST-1
		"/v3/createRoom": `{}`,
		homeservertest.Path("/v3/knock/{}", room):        `{}`,
		homeservertest.Path("/v3/rooms/{}/invite", room): `{"user_id":"@bob:example.org"}`,
		homeservertest.Path("/v3/rooms/{}/kick", room):   `{"user_id":"@bob:example.org"}`,
		homeservertest.Path("/v3/rooms/{}/ban", room):    `{"user_id":"@bob:example.org"}`,
		homeservertest.Path("/v3/rooms/{}/unban", room):  `{"user_id":"@bob:example.org"}`,
		homeservertest.Path("/v3/rooms/{}/forget", room): `{}`,
	} {
		guest.Do(t, "POST", path, body).WantError(403, "M_GUEST_ACCESS_FORBIDDEN")
	}
}
