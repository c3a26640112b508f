package api

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

const sendPath = "/_matrix/client/v3/sendToDevice/"

// queue returns what waits for a device after a position, as its sync gets it.
func (s *server) queue(t testing.TB, user events.UserID, device string, after store.Pos) []string {
	t.Helper()
	var out []string
	err := s.store.View(t.Context(), func(v store.View) error {
		messages, _, _, err := s.ToDevice.Pending(v, user, device, after, store.MaxPos, 100)
		for _, m := range messages {
			out = append(out, string(m))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// waits checks the contents of the messages that wait for a device.
func (s *server) waits(t testing.TB, user events.UserID, device string, contents ...string) {
	t.Helper()
	var want []string
	for _, c := range contents {
		want = append(want, fmt.Sprintf(`{"content":%s,"sender":"@bob:example.org","type":"m.test"}`, c)) // TD-5
	}
	if diff := cmp.Diff(want, s.queue(t, user, device, 0)); diff != "" {
		t.Errorf("%s of %s (-want +got):\n%s", device, user, diff)
	}
}

// TD-1, TD-3, TD-4, TD-5, TD-6, TD-11, TD-12, TD-13: who gets what, once, in order.
func TestSendToDevice(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.signUp(t, "alice")
	s.signIn(t, "alice", "LAPTOP")
	bobs := s.signUp(t, "bob")
	s.signIn(t, "bob", "LAPTOP")
	txn := 0
	send := func(messages string) {
		t.Helper()
		txn++
		s.wakes = nil
		wantJSON(t, do(s, "PUT", fmt.Sprint(sendPath, "m.test/", txn), bobs, `{"messages":`+messages+`}`), 200, `{}`)
	}
	send(`{"@alice:example.org":{"PHONE":{"n":1}}}`)
	send(`{"@alice:example.org":{"LAPTOP":{"n":2},"PHONE":{"n":3}}}`)
	send(`{"@alice:example.org":{"*":{"n":4}},"@bob:example.org":{"*":{"n":5}}}`) // TD-3: also the sender's own
	if len(s.wakes) != 2 || s.wakes[0] != (wake{alice, s.store.Position()}) || s.wakes[1].User != bob {
		t.Errorf("TD-11: wakes %v", s.wakes)
	}
	send(`{"@alice:example.org":{"*":{"for":"all"},"PHONE":{"for":"phone"}}}`) // TD-6
	send(`{"@alice:example.org":{"NONE":{}},"@nobody:example.org":{"*":{},"X":{}},"@alice:example.com":{"PHONE":{}},"no ID":{"*":{}}}`)
	if len(s.wakes) != 0 {
		t.Errorf("TD-4: wakes %v", s.wakes)
	}
	send(`{}`)
	s.waits(t, alice, "PHONE", `{"n":1}`, `{"n":3}`, `{"n":4}`, `{"for":"phone"}`)
	s.waits(t, alice, "LAPTOP", `{"n":2}`, `{"n":4}`, `{"for":"all"}`)
	s.waits(t, bob, "PHONE", `{"n":5}`)
	s.waits(t, bob, "LAPTOP", `{"n":5}`)
	s.waits(t, alice, "NONE")
}

// TD-14, SEC-4, VER-1: any type, the content as it was sent.
func TestToDeviceVerbatim(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.signUp(t, "alice")
	bobs := s.signUp(t, "bob")
	const content = `{ "ciphertext":"<&>\u0000","n":[1.50,9007199254740993,-0],"sender":"@carl:example.org","ünïcode":{"a.b":null} }`
	types := []string{
		"m.room.encrypted", "m.room_key", "m.room_key_bundle", "m.secret.request", "m.secret.send", "m.call.invite",
		"m.key.verification.request", "m.key.verification.done", "org.example/\"odd\" type",
	}
	for i, typ := range types {
		path := fmt.Sprintf("%s%s/%d", sendPath, strings.NewReplacer("/", "%2F", `"`, "%22", " ", "%20").Replace(typ), i)
		wantJSON(t, do(s, "PUT", path, bobs, `{"messages":{"@alice:example.org":{"PHONE":`+content+`}}}`), 200, `{}`)
	}
	for i, m := range s.queue(t, alice, "PHONE", 0) {
		want := `{"content":` + content + `,"sender":"@bob:example.org","type":` + string(events.AppendString(nil, types[i])) + `}`
		if m != want {
			t.Errorf("got %s, want %s", m, want)
		}
	}
}

// TD-2, TXN-1 to TXN-4: a repeated request sends nothing; what makes a request another one.
func TestToDeviceTransactions(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.signUp(t, "alice")
	bobs, laptop := s.signUp(t, "bob"), s.signIn(t, "bob", "LAPTOP")
	carls := s.signUp(t, "carl")
	sent := 0
	send := func(token, path string, fresh bool) {
		t.Helper()
		wantJSON(t, do(s, "PUT", sendPath+path, token, `{"messages":{"@alice:example.org":{"PHONE":{}}}}`), 200, `{}`)
		if fresh {
			sent++
		}
		if got := len(s.queue(t, alice, "PHONE", 0)); got != sent {
			t.Errorf("TD-2: %s: %d messages wait, want %d", path, got, sent)
			sent = got
		}
	}
	send(bobs, "m.test/1", true)
	send(bobs, "m.test/1", false)
	wantJSON(t, do(s, "PUT", sendPath+"m.test/1", bobs, `{"messages":{"@alice:example.org":{"PHONE":{"other":1}}}}`), 200, `{}`) // TXN-2
	send(bobs, "m.test/2", true)
	send(bobs, "m.other/1", true)
	send(laptop, "m.test/1", true)
	send(carls, "m.test/1", true)
	bobs = s.signIn(t, "bob", "PHONE") // TXN-3
	send(bobs, "m.test/1", false)
	s.now = s.now.Add(6 * 24 * time.Hour)
	send(bobs, "m.test/3", true)
	send(bobs, "m.test/1", false)
	want(t, do(s, "POST", "/_matrix/client/v3/logout", bobs, ``), 200, "")
	bobs = s.signIn(t, "bob", "PHONE") // a new device
	send(bobs, "m.test/1", true)
	s.Authenticator = bridge{s.Authenticator, "@bridge:example.org"} // TXN-4
	send("bridge", "m.test/1", true)
	send("bridge", "m.test/1", false)
}

// TD-1, TD-15: requests of the wrong form or too large; 250 recipients and messages of 64 KiB are fine.
func TestToDeviceRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.signUp(t, "alice")
	bobs := s.signUp(t, "bob")
	for body, code := range map[string]mxerr.Code{
		``: mxerr.MNotJSON, `{}`: mxerr.MMissingParam, `{"messages":null}`: mxerr.MMissingParam, `{"messages":[]}`: mxerr.MBadJSON,
		`{"messages":{"@alice:example.org":[]}}`:                        mxerr.MBadJSON,
		`{"messages":{"@alice:example.org":{"PHONE":"x"}}}`:             mxerr.MBadJSON,
		`{"messages":{"@alice:example.org":{"PHONE":{}, "LAPTOP":[]}}}`: mxerr.MBadJSON,
	} {
		want(t, do(s, "PUT", sendPath+"m.test/1", bobs, body), 400, code)
	}
	message := func(size int) string { return `{"x":"` + strings.Repeat("x", size-8) + `"}` }
	to := func(n, size int) string {
		return `{"messages":{"@alice:example.org":{"PHONE":{},` + many(n-1, `"D%d":`+message(size)) + `}}}`
	}
	want(t, do(s, "PUT", sendPath+"m.test/1", bobs, to(2, 64<<10+1)), 413, mxerr.MTooLarge)
	want(t, do(s, "PUT", sendPath+"m.test/1", bobs, to(1001, 10)), 413, mxerr.MTooLarge)
	s.waits(t, alice, "PHONE")
	want(t, do(s, "PUT", sendPath+"m.test/1", bobs, to(250, 64<<10)), 200, "")
	s.waits(t, alice, "PHONE", `{}`)
	want(t, do(s, "PUT", sendPath+"m.test/1", "", `{"messages":{}}`), 401, mxerr.MMissingToken)
	s.change(t, bob, func(u *store.User) { u.Guest = true })
	want(t, do(s, "PUT", sendPath+"m.test/2", bobs, `{"messages":{}}`), 200, "") // TD-16
	want(t, do(s, "PUT", "/_matrix/client/r0/sendToDevice/m.test/3", bobs, `{"messages":{"@alice:example.org":{"PHONE":{}}}}`), 200, "")
	s.waits(t, alice, "PHONE", `{}`, `{}`)
}

// TD-7 to TD-10, TD-12, SYNC-52: a device gets a hundred at a time, and again what it has not acknowledged.
func TestToDevicePages(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.signUp(t, "alice")
	s.signIn(t, "alice", "LAPTOP")
	bobs := s.signUp(t, "bob")
	const n = 250
	for i := range n {
		w := do(s, "PUT", fmt.Sprintf("%sm.test/%d", sendPath, i), bobs, fmt.Sprintf(`{"messages":{"@alice:example.org":{"*":{"n":%d}}}}`, i))
		want(t, w, 200, "")
	}
	newest := s.store.Position()
	page := func(after store.Pos, first, last int, stale bool) (upTo store.Pos) {
		t.Helper()
		err := s.store.View(t.Context(), func(v store.View) error {
			messages, to, isStale, err := s.ToDevice.Pending(v, alice, "PHONE", after, newest, 100)
			upTo = to
			if len(messages) != last-first || isStale != stale {
				t.Errorf("%d messages, want %d; stale %v", len(messages), last-first, isStale)
			}
			for i, m := range messages { // TD-6
				if want := fmt.Sprintf(`{"content":{"n":%d},"sender":"@bob:example.org","type":"m.test"}`, first+i); string(m) != want {
					t.Errorf("message %d is %s", first+i, m)
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		return upTo
	}
	one := page(0, 0, 100, false) // TD-10
	page(0, 0, 100, false)        // TD-9
	two := page(one, 100, 200, true)
	if err := s.ToDevice.Acknowledge(t.Context(), alice, "PHONE", one); err != nil { // TD-8
		t.Fatal(err)
	}
	page(one, 100, 200, false)
	page(0, 100, 200, false) // what is acknowledged does not come back
	if three := page(two, 200, 250, true); three != newest {
		t.Errorf("a page that is not full ends at %d, the token is for %d", three, newest)
	}
	if err := s.ToDevice.Acknowledge(t.Context(), alice, "PHONE", newest); err != nil {
		t.Fatal(err)
	}
	page(newest, 250, 250, false)
	if got := len(s.queue(t, alice, "LAPTOP", 0)); got != 100 { // TD-12
		t.Errorf("the other device has %d messages on its first page", got)
	}
	// Bounded by the position of the next token: what comes later is for the next response.
	w := do(s, "PUT", sendPath+"m.test/later", bobs, `{"messages":{"@alice:example.org":{"PHONE":{}}}}`)
	want(t, w, 200, "")
	page(newest, 250, 250, false)
}

// DEV-18, DEV-24, TD-3: what waits goes with its device, and stays when the device signs in again.
func TestToDeviceFollowsDevices(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.signUp(t, "alice")
	bobs := s.signUp(t, "bob")
	want(t, do(s, "PUT", sendPath+"m.test/1", bobs, `{"messages":{"@alice:example.org":{"*":{}}}}`), 200, "")
	phone := s.signIn(t, "alice", "PHONE")
	s.waits(t, alice, "PHONE", `{}`) // DEV-24
	s.signIn(t, "alice", "LAPTOP")
	s.waits(t, alice, "LAPTOP") // TD-3: at that moment
	want(t, do(s, "POST", "/_matrix/client/v3/logout", phone, ``), 200, "")
	s.signIn(t, "alice", "PHONE")
	s.waits(t, alice, "PHONE") // DEV-18
}

// TD-2, TD-6: repeated at once, a request still sends once, and all devices see one order.
func TestToDeviceAtOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.signUp(t, "alice")
	s.signIn(t, "alice", "LAPTOP")
	bobs := s.signUp(t, "bob")
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			path := fmt.Sprintf("%sm.test/%d", sendPath, i/3)
			if w := do(s, "PUT", path, bobs, fmt.Sprintf(`{"messages":{"@alice:example.org":{"*":{"n":%d}}}}`, i/3)); w.Code != 200 {
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
		})
	}
	wg.Wait()
	phone, laptop := s.queue(t, alice, "PHONE", 0), s.queue(t, alice, "LAPTOP", 0)
	if diff := cmp.Diff(phone, laptop); diff != "" || len(phone) != 20 {
		t.Errorf("%d messages (-phone +laptop):\n%s", len(phone), diff)
	}
}
