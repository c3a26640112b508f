package appservice

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// answering makes a service that answers by a function, and a client that is patient
// for as long as given.
func answering(t *testing.T, patience time.Duration, answer http.HandlerFunc) (*Client, *Service) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	http := server.Client()
	http.Timeout = patience
	clock := time.Unix(0, 0)
	now := func() time.Time { clock = clock.Add(1234 * time.Millisecond); return clock }
	return &Client{HTTP: http, Now: now}, &Service{Registration: Registration{URL: server.URL}}
}

// silent answers nothing until its client has gone, which is noticed once the body is
// read.
func silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func TestPing(t *testing.T) {
	t.Parallel()
	t.Run("tells how long it took", func(t *testing.T) { // ASC-13
		t.Parallel()
		client, service := answering(t, time.Minute, func(http.ResponseWriter, *http.Request) {})
		if took, err := client.Ping(t.Context(), service, ""); err != nil || took != 1234*time.Millisecond {
			t.Error(took, err)
		}
	})
	t.Run("M_CONNECTION_TIMEOUT", func(t *testing.T) { // ASC-14, AS-33
		t.Parallel()
		client, service := answering(t, 50*time.Millisecond, silent)
		_, err := client.Ping(t.Context(), service, "")
		if e, ok := errors.AsType[*mxerr.Error](err); !ok || e.Code != mxerr.MConnectionTimeout || e.Status != 504 {
			t.Error(err)
		}
	})
	t.Run("a body is bounded, and text", func(t *testing.T) {
		t.Parallel()
		client, service := answering(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write([]byte("\xff" + strings.Repeat("x", 2*maxShown)))
		})
		_, err := client.Ping(t.Context(), service, "")
		e, ok := errors.AsType[*mxerr.Error](err)
		if !ok || e.Extra["status"] != 418 || e.Extra["body"] != "\uFFFD"+strings.Repeat("x", maxShown-1) {
			t.Errorf("%.200v", err)
		}
	})
	t.Run("whoever asked has gone", func(t *testing.T) {
		t.Parallel()
		client, service := answering(t, time.Minute, silent)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := client.Ping(ctx, service, ""); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
