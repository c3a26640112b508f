package sync

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// Nobody waits longer than the server allows, after they have gone, or after the server
// is asked to stop (SYNC-3, SYNC-5, SLIDE-9, LEG-2).
func TestWaitingEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st, err := sqlite.Memory()
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close() //nolint:errcheck // nothing depends on it
		memory := live.New(st, live.DefaultLimit, time.Now)
		stopping, stop := context.WithCancel(t.Context())
		s := New(Config{
			Memory: memory, Reader: &reader.Reader{Memory: memory, Now: time.Now}, Stopping: stopping,
			Typing: nobodyTypes{}, ToDevice: silent{}, Presence: silent{},
		})
		first, err := s.Sync(t.Context(), Request{User: alice})
		if err != nil {
			t.Fatal(err)
		}
		since := gjson.GetBytes(first, "next_batch").Str
		begun, err := s.Sliding(t.Context(), SlidingRequest{User: alice})
		if err != nil {
			t.Fatal(err)
		}
		pos := gjson.GetBytes(begun, "pos").Str
		for name, ask := range map[string]func(ctx context.Context, timeout time.Duration) (json.RawMessage, error){
			"sync": func(ctx context.Context, timeout time.Duration) (json.RawMessage, error) {
				return s.Sync(ctx, Request{User: alice, Since: since, Timeout: timeout})
			},
			"sliding sync": func(ctx context.Context, timeout time.Duration) (json.RawMessage, error) {
				return s.Sliding(ctx, SlidingRequest{User: alice, Pos: pos, Timeout: timeout})
			},
			"events": func(ctx context.Context, timeout time.Duration) (json.RawMessage, error) {
				return s.Events(ctx, EventsRequest{User: alice, From: since, Timeout: timeout})
			},
		} {
			for timeout, want := range map[time.Duration]time.Duration{
				-time.Second: 0, 0: 0, time.Second: time.Second, maxTimeout: maxTimeout, 100 * time.Hour: maxTimeout,
			} {
				began := time.Now()
				if _, err := ask(t.Context(), timeout); err != nil || time.Since(began) != want {
					t.Errorf("%s with timeout %v: %v after %v", name, timeout, err, time.Since(began))
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			began := time.Now()
			if _, err := ask(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
				t.Errorf("%s of somebody who has gone: %v after %v", name, err, time.Since(began))
			}
			cancel()
		}
		time.AfterFunc(time.Second, stop)
		began := time.Now()
		if _, err := s.Sliding(t.Context(), SlidingRequest{User: alice, Pos: pos, Timeout: time.Minute}); err != nil || time.Since(began) != time.Second {
			t.Errorf("sliding sync while the server stops: %v after %v", err, time.Since(began))
		}
		for name, ask := range map[string]func() (json.RawMessage, error){
			"sync": func() (json.RawMessage, error) {
				return s.Sync(t.Context(), Request{User: alice, Since: since, Timeout: time.Minute})
			},
			"events": func() (json.RawMessage, error) {
				return s.Events(t.Context(), EventsRequest{User: alice, From: since, Timeout: time.Minute})
			},
		} {
			if _, err := ask(); err != nil || time.Since(began) != time.Second {
				t.Errorf("%s of a server that stops: %v after %v", name, err, time.Since(began))
			}
		}
	})
}
