package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// discard is a response nobody reads.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkRequest is everything this layer adds to a call of a service.
func BenchmarkRequest(b *testing.B) {
	type sendIn struct {
		Room    events.RoomID   `path:"roomId"`
		Type    string          `path:"eventType"`
		Txn     string          `path:"txnId"`
		Content json.RawMessage `body:"" required:"true"`
	}
	type sendOut struct {
		Event events.EventID `json:"event_id"`
	}
	type syncIn struct {
		Since   string `query:"since"`
		Timeout int64  `query:"timeout"`
		Filter  string `query:"filter"`
	}
	type typingIn struct {
		Room    events.RoomID `path:"roomId"`
		User    events.UserID `path:"userId"`
		Typing  bool          `json:"typing" required:"true"`
		Timeout int64         `json:"timeout"`
	}
	answer := rawJSON(`{"next_batch":"s1"}`)
	a := newTestAPI(Config{Limiter: ratelimit.New(nil, fixedClock)},
		put("/rooms/{roomId}/send/{eventType}/{txnId}", byUser, func(context.Context, *caller, sendIn) (sendOut, error) {
			return sendOut{"$abc"}, nil
		}).guests().limit(ratelimit.Messages),
		get("/sync", byUser, func(context.Context, *caller, syncIn) (rawJSON, error) { return answer, nil }),
		put("/rooms/{roomId}/typing/{userId}", byUser, func(context.Context, *caller, typingIn) (empty, error) { return empty{}, nil }).own(),
	)
	for _, bb := range []struct{ name, method, target, body string }{
		{"send", "PUT", "/rooms/%21abc%3Aexample.org/send/m.room.message/m1", `{"msgtype":"m.text","body":"hello, this is a message"}`},
		{"sync", "GET", "/sync?since=s123&timeout=30000&filter=1", ""},
		{"typing", "PUT", "/rooms/%21abc%3Aexample.org/typing/%40alice%3Aexample.org", `{"typing":true,"timeout":30000}`},
	} {
		b.Run(bb.name, func(b *testing.B) {
			r := httptest.NewRequest(bb.method, "/_matrix/client/v3"+bb.target, nil)
			r.Header.Set("Authorization", "Bearer alice")
			r.ContentLength = int64(len(bb.body))
			body := strings.NewReader("")
			r.Body = io.NopCloser(body)
			w := &discard{h: make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				body.Reset(bb.body)
				a.ServeHTTP(w, r)
			}
		})
	}
}
