package mautrix_test

import (
	"context"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

const password = "correct horse battery staple"

// person is a client that syncs in the background and remembers what it saw.
type person struct {
	*mautrix.Client
	stop func()

	mu    sync.Mutex
	seen  []*event.Event
	syncs []*mautrix.RespSync
	news  chan struct{} // closed and replaced with every event and every sync
}

// register makes an account and signs in on a device of its own.
func register(t *testing.T, server, username string) *person {
	t.Helper()
	cli, err := mautrix.NewClient(server, "", "")
	if err != nil {
		t.Fatal(err)
	}
	account, err := cli.RegisterDummy(t.Context(), &mautrix.ReqRegister[any]{Username: username, Password: password, InhibitLogin: true})
	if err != nil {
		t.Fatalf("register %s: %v", username, err)
	}
	if account.UserID != id.NewUserID(username, "example.org") || account.AccessToken != "" {
		t.Fatalf("register %s: %+v", username, account)
	}
	return login(t, server, username)
}

// startWith runs the program, with accounts whose first devices have stopped.
func startWith(t *testing.T, usernames ...string) *program {
	t.Helper()
	server := start(t, t.TempDir())
	for _, name := range usernames {
		register(t, server.url, name).stop()
	}
	return server
}

// startPair runs the program, with two people on devices that encrypt.
func startPair(t *testing.T) (server *program, alice, bob *person) {
	t.Helper()
	server = startWith(t, "alice", "bob")
	return server, login(t, server.url, "alice", encrypting(t)), login(t, server.url, "bob", encrypting(t))
}

// login signs in on a new device and syncs.
func login(t *testing.T, server, username string, prepare ...func(*mautrix.Client)) *person {
	t.Helper()
	cli, err := mautrix.NewClient(server, "", "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = cli.Login(t.Context(), &mautrix.ReqLogin{
		Type:       mautrix.AuthTypePassword,
		Identifier: mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: username},
		Password:   password, InitialDeviceDisplayName: "mautrix", StoreCredentials: true,
	})
	if err != nil {
		t.Fatalf("login %s: %v", username, err)
	}
	return follow(t, cli, prepare...)
}

// follow has a client sync until the test ends or the person stops.
func follow(t *testing.T, cli *mautrix.Client, prepare ...func(*mautrix.Client)) *person {
	t.Helper()
	p := &person{Client: cli, news: make(chan struct{})}
	for _, f := range prepare {
		f(cli)
	}
	syncer := cli.Syncer.(*mautrix.DefaultSyncer)
	syncer.OnEvent(func(_ context.Context, e *event.Event) { p.learn(e) })
	syncer.OnSync(func(_ context.Context, sync *mautrix.RespSync, _ string) bool {
		p.mu.Lock()
		p.syncs = append(p.syncs, sync)
		p.mu.Unlock()
		p.learn()
		return true
	})
	p.start(t)
	t.Cleanup(func() { p.stop() })
	return p
}

// start syncs in the background, from where the person stopped, until they stop
// again.
func (p *person) start(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.SyncWithContext(ctx); err != nil && ctx.Err() == nil {
			t.Errorf("sync of %s: %v", p.UserID, err)
		}
	}()
	p.stop = func() {
		cancel()
		<-done
	}
}

// moves has the person look for the server where it is now.
func (p *person) moves(t *testing.T, server *program) {
	t.Helper()
	where, err := url.Parse(server.url)
	if err != nil {
		t.Fatal(err)
	}
	p.HomeserverURL = where
}

// learn remembers events and wakes whoever waits.
func (p *person) learn(events ...*event.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, events...)
	close(p.news)
	p.news = make(chan struct{})
}

// until waits until something holds, which is asked again whenever the person
// learns something.
func (p *person) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	timeout := time.After(2 * time.Minute)
	for {
		p.mu.Lock()
		news := p.news
		p.mu.Unlock()
		if holds() {
			return
		}
		select {
		case <-news:
		case <-timeout:
			p.mu.Lock()
			defer p.mu.Unlock()
			for _, e := range p.seen {
				t.Logf("saw %s %s from %s: %v", e.ID, e.Type.Type, e.Sender, e.Content.Raw)
			}
			t.Fatalf("%s waits in vain for %s", p.UserID, what)
		}
	}
}

// wait returns the first event, seen already or still to come, that is what it
// should be.
func (p *person) wait(t *testing.T, what string, is func(*event.Event) bool) (found *event.Event) {
	t.Helper()
	p.until(t, what, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		i := slices.IndexFunc(p.seen, is)
		if i >= 0 {
			found = p.seen[i]
		}
		return i >= 0
	})
	return found
}

// syncsWith waits for a sync, the first of those seen already or still to come,
// that is what it should be.
func (p *person) syncsWith(t *testing.T, what string, is func(*mautrix.RespSync) bool) {
	t.Helper()
	p.until(t, what, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.ContainsFunc(p.syncs, is)
	})
}

// forgets the syncs seen so far.
func (p *person) forgets() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.syncs = nil
}

// settles waits until the client is done with the sync that it is at, and has got
// the next one, without waiting for other news.
func (p *person) settles(t *testing.T) {
	t.Helper()
	mark := p.TxnID()
	if err := p.SetAccountData(t.Context(), "org.example.mark", map[string]string{"mark": mark}); err != nil {
		t.Fatal(err)
	}
	p.wait(t, "its own mark", func(e *event.Event) bool { return e.Type.Type == "org.example.mark" && e.Content.Raw["mark"] == mark })
}

// hears waits for an event by its ID.
func (p *person) hears(t *testing.T, eventID id.EventID) *event.Event {
	t.Helper()
	return p.wait(t, string(eventID), func(e *event.Event) bool { return e.ID == eventID })
}

// says sends a text message.
func (p *person) says(t *testing.T, room id.RoomID, text string) id.EventID {
	t.Helper()
	sent, err := p.SendText(t.Context(), room, text)
	if err != nil {
		t.Fatalf("%s says %q: %v", p.UserID, text, err)
	}
	return sent.EventID
}

// history pages back through a room, a few events at a time, and returns all of
// it, the newest event first.
func (p *person) history(t *testing.T, room id.RoomID) (all []*event.Event) {
	t.Helper()
	for from := ""; ; {
		page, err := p.Messages(t.Context(), room, from, "", mautrix.DirectionBackward, nil, 4)
		if err != nil {
			t.Fatalf("%s pages back from %q: %v", p.UserID, from, err)
		}
		all = append(all, page.Chunk...)
		if page.End == "" {
			return all
		}
		if from = page.End; len(all) > 1000 {
			t.Fatal("the history does not end")
		}
	}
}
