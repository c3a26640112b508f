package homeserver_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/homeservertest"
)

func TestTimestampToEvent(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	clock.Store(1_000_000)
	hs := homeservertest.New(t, homeserver.WithClock(func() time.Time { return time.UnixMilli(clock.Load()) }))
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := roomOf(t, alice, "12")
	first := historyOf(t, alice, room)
	say := func(ts int64) string {
		clock.Store(ts)
		return string(alice.Say(t, room, fmt.Sprint(ts)))
	}
	one, two, three := say(1_001_000), say(1_002_000), say(1_002_000)
	back := say(1_001_500) // the clock was wrong
	last := say(1_003_000)
	for _, tt := range []struct {
		dir  string
		ts   int64
		want string
		when int64
	}{ // READ-23, READ-24
		{"f", 0, first[0], 1_000_000},
		{"f", -5, first[0], 1_000_000},
		{"f", 1_000_000, first[0], 1_000_000},
		{"b", 1_000_000, first[len(first)-1], 1_000_000},
		{"f", 1_000_001, one, 1_001_000},
		{"b", 1_001_499, one, 1_001_000},
		{"f", 1_001_001, back, 1_001_500},
		{"b", 1_001_999, back, 1_001_500},
		{"f", 1_002_000, two, 1_002_000},
		{"b", 1_002_000, three, 1_002_000},
		{"f", 1_002_001, last, 1_003_000},
		{"b", 99_999_999_999, last, 1_003_000},
		{"f", 1_003_000, last, 1_003_000},
	} {
		got := alice.Get(t, homeservertest.Path("/v1/rooms/{}/timestamp_to_event", room)+fmt.Sprintf("?dir=%s&ts=%d", tt.dir, tt.ts))
		if got.Get("event_id").Str != tt.want || got.Get("origin_server_ts").Int() != tt.when {
			t.Errorf("dir=%s ts=%d: %s, want %s of %d", tt.dir, tt.ts, got, tt.want, tt.when)
		}
	}
	unknown, open := "!unknown:example.org", alice.CreateRoom(t, `{"preset":"public_chat","initial_state":[{"type":"m.room.history_visibility","content":{"history_visibility":"world_readable"}}]}`)
	for _, tt := range []struct {
		c           *homeservertest.Client
		room, query string
		status      int
		code        string
	}{
		{alice, string(room), "?dir=f&ts=1003001", 404, "M_NOT_FOUND"},
		{alice, string(room), "?dir=b&ts=999999", 404, "M_NOT_FOUND"},
		{bob, string(room), "?dir=f&ts=0", 403, "M_FORBIDDEN"}, // READ-25
		{bob, string(open), "?dir=f&ts=0", 403, "M_FORBIDDEN"},
		{alice, unknown, "?dir=f&ts=0", 403, "M_FORBIDDEN"},
		{alice, string(room), "?dir=f", 400, "M_MISSING_PARAM"},
		{alice, string(room), "?ts=0", 400, "M_MISSING_PARAM"},
		{alice, string(room), "?dir=x&ts=0", 400, "M_INVALID_PARAM"},
		{alice, string(room), "?dir=f&ts=now", 400, "M_INVALID_PARAM"},
		{alice, string(room), "?dir=f&ts=1e3", 400, "M_INVALID_PARAM"},
	} {
		tt.c.Do(t, "GET", homeservertest.Path("/v1/rooms/{}/timestamp_to_event", tt.room)+tt.query, nil).WantError(tt.status, tt.code)
	}
}
