package appservice

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// networks makes a registry of services of the protocol irc that all answer by one
// function.
func networks(t *testing.T, patience time.Duration, answer http.HandlerFunc, ids ...string) *Networks {
	t.Helper()
	client, s := answering(t, patience, answer)
	var all []Registration
	for _, id := range ids {
		all = append(all, bridge(func(r *Registration) {
			r.ID, r.Token, r.ServerToken, r.URL, r.Protocols = id, id, id, s.URL, []string{"irc"}
		}))
	}
	r, err := New("example.org", all)
	if err != nil {
		t.Fatal(err)
	}
	return &Networks{Services: r, Client: client, Logger: slog.New(slog.DiscardHandler)}
}

const found = `[{"userid":"@irc_a:example.org","protocol":"irc","fields":{}}]`

// All services are asked at once: none of these answers before each has been asked
// (3PN-5).
func TestNetworksAtOnce(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	all.Add(3)
	n := networks(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) {
		all.Done()
		all.Wait()
		_, _ = io.WriteString(w, found)
	}, "a", "b", "c")
	got, err := n.Find(t.Context(), Users, "irc", nil)
	if err != nil || len(got) != 3 {
		t.Errorf("%s %v", got, err)
	}
}

// A service that does not answer keeps nobody from the answers of the others.
func TestNetworksWithoutAnswer(t *testing.T) {
	t.Parallel()
	n := networks(t, 100*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer b" {
			silent(w, r)
		}
		_, _ = io.WriteString(w, found)
	}, "a", "b", "c")
	got, err := n.Find(t.Context(), Users, "", nil)
	if err != nil || len(got) != 2 {
		t.Errorf("%s %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.Find(ctx, Users, "irc", nil); !errors.Is(err, context.Canceled) {
		t.Error("whoever asked has gone:", err)
	}
	if _, err := n.Protocols(ctx); !errors.Is(err, context.Canceled) {
		t.Error("whoever asked has gone:", err)
	}
	none := &Networks{}
	if got, err := none.Protocols(t.Context()); err != nil || len(got) > 0 {
		t.Error(got, err)
	}
	_, err = none.Find(t.Context(), Locations, "", nil)
	if e, ok := errors.AsType[*mxerr.Error](err); !ok || e.Code != mxerr.MNotFound {
		t.Error(err)
	}
}
