package homeserver_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// invitedTo returns the only room that a sync has an invite to.
func invitedTo(t *testing.T, sync gjson.Result) (room events.RoomID) {
	t.Helper()
	invites := sync.Get("rooms.invite").Map()
	if len(invites) != 1 {
		t.Fatalf("%d invites: %s", len(invites), sync)
	}
	for id := range invites {
		room = events.RoomID(id)
	}
	return room
}

func TestServerNotices(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t, homeserver.WithServerNotices("notices", "News of the server"))
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	notify := func(t *testing.T, user events.UserID, n homeserver.Notice) events.EventID {
		t.Helper()
		id, err := hs.SendNotice(t.Context(), user, n)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	maintenance := homeserver.Notice{Body: "We close at ten.", Type: "com.example.maintenance"}

	first := notify(t, alice.User, maintenance)
	sync := alice.Sync(t)
	room := invitedTo(t, sync) // NOTICE-1: invite rather than join
	if !strings.Contains(homeservertest.Room(sync, "invite", room).Raw, "News of the server") {
		t.Errorf("invite %s", sync)
	}
	leave := homeservertest.Path("/v3/rooms/{}/leave", room)
	t.Run("rejecting the invite is 403 M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", func(t *testing.T) { // NOTICE-3, MEMB-30
		alice.Do(t, "POST", leave, `{}`).WantError(403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM")
		path := homeservertest.Path("/v3/rooms/{}/state/m.room.member/{}", room, alice.User)
		alice.Do(t, "PUT", path, `{"membership":"leave"}`).WantError(403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM")
	})
	t.Run("the room is tagged m.server_notice for the user", func(t *testing.T) { // NOTICE-1, TAG-5
		got := alice.Get(t, homeservertest.Path("/v3/user/{}/rooms/{}/tags", alice.User, room)).Raw
		if got != `{"tags":{"m.server_notice":{}}}` {
			t.Errorf("tags %s", got)
		}
	})
	alice.Join(t, room)
	event := func(t *testing.T, id events.EventID) gjson.Result {
		t.Helper()
		for _, e := range alice.History(t, room, 100) {
			if e.Get("event_id").Str == string(id) {
				return e
			}
		}
		t.Fatalf("no event %s", id)
		return gjson.Result{}
	}
	t.Run("a notice is an m.room.message", func(t *testing.T) { // NOTICE-2
		e := event(t, first)
		want := map[string]any{"msgtype": "m.server_notice", "body": "We close at ten.", "server_notice_type": "com.example.maintenance"}
		if diff := cmp.Diff(want, e.Get("content").Value()); diff != "" || e.Get("type").Str != "m.room.message" || e.Get("sender").Str != "@notices:example.org" {
			t.Errorf("%s\n%s", e, diff)
		}
	})
	t.Run("one of a usage limit has admin_contact and limit_type; active ones are pinned", func(t *testing.T) { // NOTICE-2
		limit := notify(t, alice.User, homeserver.Notice{
			Body: "We are full.", Type: homeserver.NoticeUsageLimit, AdminContact: "mailto:admin@example.org", Pin: true,
		})
		want := map[string]any{
			"msgtype": "m.server_notice", "body": "We are full.", "server_notice_type": "m.server_notice.usage_limit_reached",
			"admin_contact": "mailto:admin@example.org", "limit_type": "monthly_active_user",
		}
		if diff := cmp.Diff(want, event(t, limit).Get("content").Value()); diff != "" {
			t.Error(diff)
		}
		other := maintenance
		other.Pin = true
		second := notify(t, alice.User, other)
		pinned := func() string { return alice.State(t, room, "m.room.pinned_events", "").Get("pinned").Raw }
		if got, want := pinned(), `["`+string(limit)+`","`+string(second)+`"]`; got != want {
			t.Errorf("pinned %s, want %s", got, want)
		}
		for range 2 {
			if err := hs.UnpinNotice(t.Context(), alice.User, limit); err != nil {
				t.Fatal(err)
			}
			if got, want := pinned(), `["`+string(second)+`"]`; got != want {
				t.Errorf("pinned %s, want %s", got, want)
			}
		}
	})
	t.Run("users read and do not answer", func(t *testing.T) {
		path := homeservertest.Path("/v3/rooms/{}/send/m.room.message", room)
		alice.Do(t, "POST", path, `{"body":"why?","msgtype":"m.text"}`).WantError(403, "M_FORBIDDEN")
		alice.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/invite", room), map[string]any{"user_id": bob.User}).WantError(403, "M_FORBIDDEN")
	})
	t.Run("there is one room per user", func(t *testing.T) { // NOTICE-1
		notify(t, bob.User, maintenance)
		if theirs := invitedTo(t, bob.Sync(t)); theirs == room {
			t.Error("two users share a room")
		}
		bob.CreateRoom(t, nil)
		notify(t, bob.User, maintenance)
		if sync := bob.Sync(t); len(sync.Get("rooms.invite").Map()) > 0 {
			t.Errorf("a second room: %s", sync)
		}
	})
	t.Run("leaving after joining works; the next notice comes with a new invite", func(t *testing.T) { // NOTICE-1, NOTICE-3
		alice.Leave(t, room)
		alice.Post(t, homeservertest.Path("/v3/rooms/{}/forget", room), `{}`)
		alice.Sync(t)
		again := notify(t, alice.User, maintenance)
		if got := invitedTo(t, alice.Sync(t)); got != room {
			t.Errorf("invited to %s, not to %s", got, room)
		}
		alice.Join(t, room)
		event(t, again)
	})
	t.Run("an account ends in spite of the invite", func(t *testing.T) { // NOTICE-3, DEACT-3
		bob.Post(t, "/v3/account/deactivate", map[string]any{"auth": map[string]any{
			"type": "m.login.password", "identifier": map[string]any{"type": "m.id.user", "user": "bob"}, "password": homeservertest.Password,
		}})
		_, err := hs.SendNotice(t.Context(), bob.User, maintenance)
		if !errors.Is(err, homeserver.ErrorCode("M_NOT_FOUND")) {
			t.Errorf("a notice to somebody who is gone: %v", err)
		}
	})
	t.Run("the name of the sender is taken", func(t *testing.T) {
		hs.Anonymous().Do(t, "POST", "/v3/register", `{"auth":{"type":"m.login.dummy"},"username":"notices","password":"secret"}`).
			WantError(400, "M_USER_IN_USE")
	})
	for name, tt := range map[string]struct {
		user   events.UserID
		notice homeserver.Notice
		code   homeserver.ErrorCode
	}{
		"unknown user":  {"@none:example.org", maintenance, "M_NOT_FOUND"},
		"no body":       {alice.User, homeserver.Notice{Type: "com.example.x"}, "M_MISSING_PARAM"},
		"no type":       {alice.User, homeserver.Notice{Body: "x"}, "M_MISSING_PARAM"},
		"nobody to ask": {alice.User, homeserver.Notice{Body: "x", Type: homeserver.NoticeUsageLimit}, "M_MISSING_PARAM"},
	} {
		t.Run("refused: "+name, func(t *testing.T) {
			if _, err := hs.SendNotice(t.Context(), tt.user, tt.notice); !errors.Is(err, tt.code) {
				t.Errorf("error %v, want %s", err, tt.code)
			}
		})
	}
}

func TestNoServerNotices(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	_, err := hs.SendNotice(t.Context(), alice.User, homeserver.Notice{Body: "x", Type: "com.example.x"})
	if !errors.Is(err, homeserver.ErrorCode("M_FORBIDDEN")) {
		t.Errorf("error %v", err)
	}
}
