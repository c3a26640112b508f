package pushers

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/pushrules"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/internal/unread"
	"github.com/ca4c8834/homeserver/push"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/store/storetest"
)

const alice = events.UserID("@alice:test")

var version, _ = events.LookupVersion("10")

// house is a service with rooms in which alice writes. Events are made without asking
// the authorisation rules.
type house struct {
	testing.TB
	*Service
	st       *storetest.Fault
	gateways *gateways
}

func newHouse(tb testing.TB) *house {
	tb.Helper()
	inner, err := sqlite.Memory()
	if err != nil {
		tb.Fatal(err)
	}
	h := &house{TB: tb, st: storetest.Faulty(inner), gateways: &gateways{busy: map[string]int{}, most: map[string]int{}}}
	h.start()
	return h
}

// start makes a service on what is stored.
func (h *house) start() {
	h.Helper()
	memory := live.New(h.st, live.DefaultLimit, time.Now)
	read := &reader.Reader{Memory: memory, Now: time.Now}
	rules := pushrules.New(pushrules.Config{Store: h.st, Defaults: push.NewDefaults(push.Options{}), Waker: memory})
	var err error
	h.Service, err = New(h.Context(), Config{
		Store: h.st, Memory: memory, Reader: read, Rules: rules, Unread: unread.New(memory, read, rules),
		Client: &http.Client{Transport: h.gateways}, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		h.Fatal(err)
	}
	memory.Observe(h.Service)
}

// crash begins anew without saving anything.
func (h *house) crash() {
	h.Helper()
	h.audience.close()
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.cancel()
	h.work.Wait()
	h.start()
}

// end closes all of it.
func (h *house) end() {
	h.Helper()
	if err := errors.Join(h.Service.Close(), h.Service.Close(), h.st.Close()); err != nil {
		h.Error(err)
	}
}

func (h *house) update(fn func(tx *live.Tx) error) {
	h.Helper()
	if err := h.Memory.Update(h.Context(), fn); err != nil {
		h.Fatal(err)
	}
}

func (h *house) build(d *live.Draft, sender events.UserID, typ string, key *string, content string) *events.Event {
	draft := events.Draft{Room: d.ID, Sender: sender, Type: typ, StateKey: key, Content: []byte(content), TS: h.Now().UnixMilli(), Depth: 1}
	if tip := d.Tip(); tip != nil {
		draft.Depth = tip.Depth + 1
		draft.PrevEvents = []events.Ref{{ID: tip.ID}}
	}
	e, err := version.Build(draft, "test", nil)
	if err != nil {
		panic(err)
	}
	return e
}

// room makes a room with alice and others.
func (h *house) room(name string, others ...events.UserID) events.RoomID {
	h.Helper()
	id := events.RoomID("!" + name + ":test")
	h.update(func(tx *live.Tx) error {
		d, err := tx.CreateRoom(id, version)
		if err != nil {
			return err
		}
		if _, err = tx.Append(d, h.build(d, alice, events.TypeCreate, new(""), `{"creator":"@alice:test"}`), store.Txn{}); err != nil {
			return err
		}
		for _, user := range append(others, alice) {
			if _, err := tx.Append(d, h.build(d, user, events.TypeMember, new(string(user)), `{"membership":"join"}`), store.Txn{}); err != nil {
				return err
			}
		}
		return nil
	})
	return id
}

// plannedUpTo returns up to where events were put into lanes.
func (h *house) plannedUpTo() store.Pos {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.planned
}

// rests wants nothing to be left to do.
func (h *house) rests() {
	h.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.lanes)+h.workers+len(h.perGateway)+len(h.turns) > 0 {
		h.Errorf("left over: %d lanes, %d turns, %d workers, requests to %v", len(h.lanes), len(h.turns), h.workers, h.perGateway)
	}
}

// say lets alice write in a room, all of it in one transaction.
func (h *house) say(room events.RoomID, texts ...string) {
	h.Helper()
	h.update(func(tx *live.Tx) error {
		d, err := tx.Room(room)
		for _, text := range texts {
			if err != nil {
				return err
			}
			_, err = tx.Append(d, h.build(d, alice, "m.room.message", nil, fmt.Sprintf(`{"body":%q,"msgtype":"m.text"}`, text)), store.Txn{})
		}
		return err
	})
}

// push gives a user a pusher at a gateway; the pushkey is the user.
func (h *house) push(user events.UserID, gateway string) store.PusherKey {
	h.Helper()
	name, lang := "", "en"
	c := Change{
		Kind: "http", AppName: &name, DeviceName: &name, Lang: &lang, Data: []byte(`{"url":"https://` + gateway + notifyPath + `"}`),
	}
	c.User, c.AppID, c.Key = user, "app", string(user)
	if err := h.Set(h.Context(), c); err != nil {
		h.Fatal(err)
	}
	return c.PusherKey
}

// gateways take the place of the network.
type gateways struct {
	mu     sync.Mutex
	log    []request
	busy   map[string]int                                     // requests by host
	most   map[string]int                                     // how many there were at once
	answer func(request) (status int, body string, err error) // nil: success
	wait   chan struct{}                                      // answers wait until it is closed; nil: they do not
}

// request is a notification that was sent.
type request struct {
	at   time.Time
	host string
	key  string
	body string // of the message; "" for a badge
	n    gjson.Result
}

// RoundTrip implements http.RoundTripper.
func (g *gateways) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	n := gjson.GetBytes(body, "notification")
	req := request{time.Now(), r.URL.Host, n.Get("devices.0.pushkey").Str, n.Get("content.body").Str, n}
	g.mu.Lock()
	g.log = append(g.log, req)
	g.busy[req.host]++
	g.most[req.host] = max(g.most[req.host], g.busy[req.host])
	answer, wait := g.answer, g.wait
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.busy[req.host]--
	}()
	if wait != nil {
		select {
		case <-wait:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	status, text := 200, `{}`
	if answer != nil {
		if status, text, err = answer(req); err != nil {
			return nil, err
		}
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

// set changes how gateways answer.
func (g *gateways) set(answer func(request) (int, string, error)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answer = answer
}

// busiest returns how many requests there were at once to each host.
func (g *gateways) busiest() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.most)
}

// hold lets answers wait for a channel to be closed; nil: they do not.
func (g *gateways) hold(wait chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wait = wait
}

// take returns what was sent since the last time.
func (g *gateways) take() []request {
	g.mu.Lock()
	defer g.mu.Unlock()
	log := g.log
	g.log = nil
	return log
}

// bodies returns the messages among requests.
func bodies(list []request) (out []string) {
	for _, r := range list {
		out = append(out, r.body)
	}
	return out
}

func fails(request) (int, string, error) { return 0, "", errors.New("connection refused") }
