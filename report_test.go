package homeserver_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

func TestReports(t *testing.T) {
	t.Parallel()
	reports := make(chan homeserver.Report, 1)
	hs := homeservertest.New(t, homeserver.WithReports(func(_ context.Context, r homeserver.Report) error {
		if r.Reason == "too much" {
			return &homeserver.Error{Status: 429, Code: "M_LIMIT_EXCEEDED", Message: "not so fast"}
		}
		reports <- r
		return nil
	}))
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	event := alice.Say(t, room, "spam")
	eventPath := func(room events.RoomID, event events.EventID) string {
		return homeservertest.Path("/v3/rooms/{}/report/{}", room, event)
	}
	roomPath := func(room events.RoomID) string { return homeservertest.Path("/v3/rooms/{}/report", room) }
	userPath := func(user events.UserID) string { return homeservertest.Path("/v3/users/{}/report", user) }
	// sent sends a report and checks that it reaches the host (REP-6).
	sent := func(t *testing.T, path string, body any, want homeserver.Report) {
		t.Helper()
		if got := bob.Post(t, path, body).Raw; got != `{}` {
			t.Errorf("body %s", got)
		}
		got := <-reports
		if got.Event != "" {
			if e := gjson.ParseBytes(got.Content); e.Get("event_id").Str != string(got.Event) || e.Get("sender").Str != string(alice.User) {
				t.Errorf("content %s", e)
			}
			got.Content = nil
		}
		want.Reporter = bob.User
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}

	t.Run("an event: the reporter must be joined; unknown event or not joined is 404", func(t *testing.T) { // REP-1
		bob.Do(t, "POST", eventPath(room, event), `{}`).WantError(404, "M_NOT_FOUND")
		bob.Do(t, "POST", eventPath("!none:example.org", event), `{}`).WantError(404, "M_NOT_FOUND")
		bob.Join(t, room)
		sent(t, eventPath(room, event), `{"reason":"it is spam"}`, homeserver.Report{Room: room, Event: event, Reason: "it is spam"})
		sent(t, eventPath(room, event), `{}`, homeserver.Report{Room: room, Event: event})
		sent(t, eventPath(room, event), nil, homeserver.Report{Room: room, Event: event})
		bob.Do(t, "POST", eventPath(room, "$none"), `{}`).WantError(404, "M_NOT_FOUND")
		other := alice.Say(t, alice.CreateRoom(t, nil), "elsewhere")
		bob.Do(t, "POST", eventPath(room, other), `{}`).WantError(404, "M_NOT_FOUND")
		bob.Leave(t, room)
		bob.Do(t, "POST", eventPath(room, event), `{}`).WantError(404, "M_NOT_FOUND")
		bob.Join(t, room)
	})
	t.Run("score is accepted and ignored", func(t *testing.T) { // REP-2, LEG-11
		for _, score := range []string{"-100", "0", "7", `"bad"`, "null"} {
			sent(t, eventPath(room, event), `{"score":`+score+`,"reason":"r"}`, homeserver.Report{Room: room, Event: event, Reason: "r"})
		}
	})
	t.Run("a room needs no membership; unknown is 404", func(t *testing.T) { // REP-3
		private := alice.CreateRoom(t, nil)
		sent(t, roomPath(private), `{"reason":"bad room"}`, homeserver.Report{Room: private, Reason: "bad room"})
		bob.Do(t, "POST", roomPath("!none:example.org"), `{"reason":""}`).WantError(404, "M_NOT_FOUND")
	})
	t.Run("a user needs no shared room; unknown is 404", func(t *testing.T) { // REP-4
		carl := hs.User(t, "carl")
		sent(t, userPath(carl.User), `{"reason":"bad user"}`, homeserver.Report{User: carl.User, Reason: "bad user"})
		bob.Do(t, "POST", userPath("@none:example.org"), `{"reason":""}`).WantError(404, "M_NOT_FOUND")
	})
	t.Run("reason is required for rooms and users but may be empty", func(t *testing.T) { // REP-5
		sent(t, roomPath(room), `{"reason":""}`, homeserver.Report{Room: room})
		sent(t, userPath(alice.User), `{"reason":""}`, homeserver.Report{User: alice.User})
		for _, path := range []string{roomPath(room), userPath(alice.User)} {
			bob.Do(t, "POST", path, `{}`).WantError(400, "M_MISSING_PARAM")
			bob.Do(t, "POST", path, `{"reason":7}`).WantError(400, "M_BAD_JSON")
		}
		bob.Do(t, "POST", eventPath(room, event), `{"reason":7}`).WantError(400, "M_BAD_JSON")
	})
	t.Run("a report that does not arrive is not acknowledged", func(t *testing.T) { // REP-6
		bob.Do(t, "POST", userPath(alice.User), `{"reason":"too much"}`).WantError(429, "M_LIMIT_EXCEEDED")
		srv := newServer(t, homeserver.WithLogger(slog.New(slog.DiscardHandler)),
			homeserver.WithReports(func(context.Context, homeserver.Report) error { return errors.New("nobody is there") }))
		token := register(t, srv, "", "user")
		w := serve(srv, "POST", "/_matrix/client/v3/users/@user:example.org/report", token, `{"reason":""}`)
		if w.Code != 500 || gjson.GetBytes(w.Body.Bytes(), "errcode").Str != "M_UNKNOWN" {
			t.Errorf("status %d, body %s", w.Code, w.Body)
		}
	})
}

// Without anybody to take reports they are in the log, but for what people wrote
// (REP-6).
func TestReportsAreLogged(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	hs := homeservertest.New(t, homeserver.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	event := alice.Say(t, room, "secret text")
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/report/{}", room, event), `{"reason":"secret reason"}`)
	for _, want := range []string{"level=WARN", string(alice.User), string(room), string(event)} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in the log: %s", want, &log)
		}
	}
	if strings.Contains(log.String(), "secret") {
		t.Errorf("the log tells too much: %s", &log)
	}
}
