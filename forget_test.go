package homeserver_test

import (
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// A room can be forgotten by those who are not in it any more (MEMB-31).
func TestForget(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	for _, tt := range []struct {
		name   string
		steps  []string
		status int
		code   string
	}{
		{"joined", []string{"invite", "join"}, 400, "M_UNKNOWN"},
		{"invited", []string{"invite"}, 400, "M_UNKNOWN"},
		{"knocking", []string{"knock"}, 400, "M_UNKNOWN"},
		{"never there", nil, 403, "M_FORBIDDEN"},
		{"left", []string{"invite", "join", "leave"}, 200, ""},
		{"rejected", []string{"invite", "leave"}, 200, ""},
		{"kicked", []string{"invite", "join", "kick"}, 200, ""},
		{"banned", []string{"invite", "join", "ban"}, 200, ""},
		{"unbanned", []string{"ban", "unban"}, 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			room := alice.CreateRoom(t, `{"initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"knock"}}]}`)
			for _, step := range tt.steps {
				act(t, alice, bob, room, step, false).Want(200)
			}
			for range 2 { // forgetting twice is no other than once
				r := bob.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/forget", room), nil)
				if tt.status == 200 {
					r.Want(200)
				} else {
					r.WantError(tt.status, tt.code)
				}
			}
		})
	}
}

// What is forgotten cannot be seen until the user has to do with the room again
// (MEMB-32).
func TestForgotten(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	left := func(c *homeservertest.Client, room events.RoomID) bool {
		fresh := *c
		fresh.Since = ""
		return homeservertest.HasRoom("leave", room)(fresh.Get(t, `/v3/sync?filter=%7B%22room%22:%7B%22include_leave%22:true%7D%7D`))
	}
	for _, back := range []string{"invite", "join", "knock"} {
		t.Run(back, func(t *testing.T) {
			t.Parallel()
			bob := *bob
			room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
			bob.Join(t, room)
			bob.Leave(t, room)
			state := homeservertest.Path("/v3/rooms/{}/state/m.room.create/", room)
			bob.Get(t, state)
			if !left(&bob, room) {
				t.Error("the room that bob has left is not among those he has left")
			}
			bob.Post(t, homeservertest.Path("/v3/rooms/{}/forget", room), nil)
			bob.Do(t, "GET", state, nil).WantError(403, "M_FORBIDDEN")
			bob.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/state", room), nil).WantError(403, "M_FORBIDDEN")
			if left(&bob, room) {
				t.Error("the forgotten room is in /sync")
			}
			if back == "knock" {
				setRule(t, alice, room, `{"join_rule":"knock"}`)
			}
			act(t, alice, &bob, room, back, false).Want(200)
			if back == "join" {
				bob.Get(t, state)
			}
			section := map[string]string{"invite": "invite", "join": "join", "knock": "knock"}[back]
			fresh := bob
			fresh.Since = ""
			if !homeservertest.HasRoom(section, room)(fresh.Sync(t)) {
				t.Errorf("the room is not in /sync after %s", back)
			}
		})
	}
}

// A device that has not heard of the leave is told, although the room is forgotten
// (MEMB-33, AMB-5).
func TestForgottenLeave(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	phone := hs.Login(t, "alice")
	room := alice.CreateRoom(t, nil)
	alice.Sync(t)
	phone.Sync(t)
	alice.Leave(t, room)
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/forget", room), nil)
	for _, c := range []*homeservertest.Client{alice, phone} {
		if !homeservertest.HasRoom("leave", room)(c.Sync(t)) {
			t.Errorf("device %s is not told of the leave", c.Device)
		}
		if homeservertest.HasRoom("leave", room)(c.Sync(t)) {
			t.Errorf("device %s is told twice", c.Device)
		}
	}
}
