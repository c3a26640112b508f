package homeserver_test

import (
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// Rooms of all versions can be made, and people invited, join, speak and leave
// (RVER-22).
func TestVersions(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	for _, v := range events.Versions() {
		room := alice.CreateRoom(t, map[string]any{"room_version": v, "name": "Tea", "invite": []any{bob.User}})
		bob.Join(t, room)
		bob.Say(t, room, "hello")
		bob.Leave(t, room)
		alice.Invite(t, room, bob.User)
		bob.Leave(t, room)
		got := alice.State(t, room, "m.room.create", "").Get("room_version").Str
		if got != v {
			t.Errorf("room_version is %q, want %s", got, v)
		}
	}
}
