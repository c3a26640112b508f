package homeserver

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/internal/api"
)

// bridge takes everybody with a token for an application service that acts as alice.
type bridge struct{ api.Authenticator }

func (bridge) Authenticate(context.Context, api.Credentials) (*api.Caller, error) {
	return &api.Caller{User: "@alice:example.org", Service: "bridge"}, nil
}

// Application services choose the time of events, and nothing else about them
// (STATE-15).
func TestServicesSetTheTime(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	srv, err := New("example.org", WithClock(func() time.Time { return now }), WithoutRateLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = srv.Close() }()
	srv.api.Authenticator = bridge{}
	do := func(method, path, body string) gjson.Result {
		t.Helper()
		r := httptest.NewRequest(method, "/_matrix/client"+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer x")
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		return gjson.ParseBytes(w.Body.Bytes())
	}
	room := do("POST", "/v3/createRoom", `{}`).Get("room_id").Str
	var sent []string
	for i, tt := range []struct{ path, ts string }{
		{"send/m.room.message/1", "1234"},
		{"state/m.room.topic/", "99999999999999"},
		{"send/m.room.message/2", ""},
		{"state/m.room.name", "5"},
	} {
		path := "/v3/rooms/" + room + "/" + tt.path
		want := fmt.Sprint(now.UnixMilli())
		if tt.ts != "" {
			path, want = path+"?ts="+tt.ts, tt.ts
		}
		id := do("PUT", path, fmt.Sprintf(`{"msgtype":"m.text","body":"%d"}`, i)).Get("event_id").Str
		if got := do("GET", "/v3/rooms/"+room+"/event/"+id, "").Get("origin_server_ts").Raw; got != want {
			t.Errorf("%s: the time is %s, want %s", tt.path, got, want)
		}
		sent = append(sent, id)
	}
	var got []string
	for _, e := range do("GET", "/v3/rooms/"+room+"/messages?dir=b&limit=4", "").Get("chunk").Array() {
		got = append(got, e.Get("event_id").Str)
	}
	if slices.Reverse(got); !slices.Equal(got, sent) {
		t.Errorf("the order is %v, want %v", got, sent)
	}
	for _, tt := range []struct{ query, want string }{ // READ-24
		{"dir=f&ts=0", sent[3]}, {"dir=f&ts=6", sent[0]}, {"dir=b&ts=5000", sent[0]}, {"dir=b&ts=10", sent[3]},
		{"dir=f&ts=1700000000001", sent[1]}, {"dir=b&ts=99999999999999", sent[1]}, {"dir=b&ts=1700000000001", sent[2]},
	} {
		if got := do("GET", "/v1/rooms/"+room+"/timestamp_to_event?"+tt.query, "").Get("event_id").Str; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.query, got, tt.want)
		}
	}
}
