package pushers

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

const bob = events.UserID("@bob:test")

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// in runs a test with a house whose clock is synctest's.
func in(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		defer h.end()
		test(t, h)
	})
}

// GW-11: retries come after a second, twice as much and so on, up to an hour; after a day it is given up. GW-12: they
// carry the same event.
func TestBackoff(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, h *house) {
		room := h.room("r", bob)
		key := h.push(bob, "gw")
		h.gateways.set(fails)
		h.say(room, "one")
		time.Sleep(30 * time.Hour)
		tried := h.gateways.take()
		wait := time.Second
		for i, r := range tried {
			if i > 0 {
				same(t, fmt.Sprint("wait ", i), r.at.Sub(tried[i-1].at), wait)
				wait = min(2*wait, time.Hour)
			}
			same(t, "event", r.n.Get("event_id").Str, tried[0].n.Get("event_id").Str)
		}
		if took := tried[len(tried)-1].at.Sub(tried[0].at); took < 22*time.Hour || took > 24*time.Hour {
			t.Errorf("given up after %v, and %d attempts", took, len(tried))
		}
		h.rests()
		h.gateways.set(nil)
		h.say(room, "two")
		synctest.Wait()
		same(t, "what follows", bodies(h.gateways.take()), []string{"two"})

		// A success ends the waiting, what waits is in order, and failures count from the start again.
		h.gateways.set(fails)
		h.say(room, "three")
		time.Sleep(time.Minute)
		h.say(room, "four", "five")
		h.gateways.take()
		h.gateways.set(nil)
		time.Sleep(2 * time.Minute)
		same(t, "in order", bodies(h.gateways.take()), []string{"three", "four", "five"})
		h.gateways.set(func(r request) (int, string, error) { return 404, `{"rejected":["@bob:test"]}`, nil })
		h.say(room, "six")
		synctest.Wait()
		h.gateways.set(nil)
		time.Sleep(time.Second)
		synctest.Wait()
		same(t, "after a second", bodies(h.gateways.take()), []string{"six", "six"})
		if _, err := pusherOf(h, key); err != nil {
			t.Errorf("rejected without success: %v", err)
		}
	})
}

// GW-8, GW-11: the number of unread events is given up as well.
func TestBadgeGivenUp(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, h *house) {
		h.push(bob, "gw")
		h.gateways.set(fails)
		h.ReceiptSet(bob)
		time.Sleep(48 * time.Hour)
		tried := h.gateways.take()
		if took := tried[len(tried)-1].at.Sub(tried[0].at); took < 22*time.Hour || took > 26*time.Hour {
			t.Errorf("given up after %v", took)
		}
		same(t, "told", tried[0].n.Get("counts").Raw, `{"unread":0}`)
		h.rests()
	})
}

func pusherOf(h *house, key store.PusherKey) (p Pusher, err error) {
	err = h.st.View(h.Context(), func(v store.View) error {
		p, err = v.Pusher(key)
		return err
	})
	return p, err
}

// GW-12: after a crash nothing is lost, and only what was pushed in the last seconds is pushed again.
func TestCrash(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, h *house) {
		carol := events.UserID("@carol:test")
		room, other := h.room("r", bob), h.room("o", carol)
		h.push(bob, "bad")
		h.push(carol, "good")
		h.gateways.set(func(r request) (int, string, error) {
			if r.host == "bad" {
				return 502, ``, nil
			}
			return 200, `{}`, nil
		})
		h.say(room, "one")
		h.say(other, "a")
		time.Sleep(saveEvery + time.Second)
		h.say(room, "two")
		h.say(other, "b")
		synctest.Wait()
		h.gateways.take()
		h.gateways.set(nil)
		h.crash()
		synctest.Wait()
		got := map[string][]string{}
		for _, r := range h.gateways.take() {
			got[r.host] = append(got[r.host], r.body)
		}
		same(t, "pushed after the crash", got, map[string][]string{"bad": {"one", "two"}, "good": {"b"}})
		time.Sleep(saveEvery + time.Second)
		h.crash()
		synctest.Wait()
		same(t, "after one more", bodies(h.gateways.take()), nil)
		h.rests()
	})
}

// An invite that nobody was told of before a crash is found again (GW-12, GW-15).
func TestCrashAfterInvite(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, h *house) {
		room := h.room("r")
		h.push(bob, "gw")
		h.gateways.set(fails)
		h.update(func(tx *live.Tx) error {
			d, err := tx.Room(room)
			if err != nil {
				return err
			}
			_, err = tx.Append(d, h.build(d, alice, events.TypeMember, new(string(bob)), `{"membership":"invite"}`), store.Txn{})
			return err
		})
		synctest.Wait()
		h.gateways.take()
		h.gateways.set(nil)
		h.crash()
		synctest.Wait()
		got := h.gateways.take()
		same(t, "requests", len(got), 1)
		same(t, "user_is_target", got[0].n.Get("user_is_target").Raw, "true")
	})
}

// However much comes at once, all of it is pushed, in order, over all rooms.
func TestBurst(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, h *house) {
		one, two := h.room("one", bob), h.room("two", bob)
		h.push(bob, "gw")
		var texts, want []string
		for i := range 3*maxRound + 3 {
			texts = append(texts, fmt.Sprint(i))
		}
		for range 2 {
			h.say(one, texts...)
			h.say(two, texts...)
			h.say(one, "last")
			want = append(append(append(want, texts...), texts...), "last")
			synctest.Wait()
		}
		same(t, "pushed", bodies(h.gateways.take()), want)
		h.rests()
	})
}

// GW-13: a gateway that does not answer holds up neither senders nor those whose gateways do, and gets no more than a
// bounded number of requests at once.
func TestSlowGateway(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, h *house) {
		var users []events.UserID
		for i := range 2 * maxRequests {
			users = append(users, events.UserID(fmt.Sprintf("@u%d:test", i)))
		}
		room := h.room("r", append(users, bob)...)
		for _, user := range users {
			h.push(user, "slow")
		}
		h.push(bob, "fast")
		wait := make(chan struct{})
		h.gateways.hold(wait)
		for i := range 5 {
			h.say(room, fmt.Sprint(i))
		}
		synctest.Wait()
		same(t, "at once", h.gateways.busiest(), map[string]int{"slow": maxPerGateway, "fast": 1})
		close(wait)
		synctest.Wait()
		if max := h.gateways.busiest()["slow"]; max != maxPerGateway {
			t.Errorf("%d at once", max)
		}
		got := map[string]string{}
		for _, r := range h.gateways.take() {
			got[r.key] += r.body
		}
		for _, user := range append(users, bob) {
			same(t, string(user), got[string(user)], "01234")
		}
		h.rests()
	})
}

// Close does not wait for gateways, and what they have not taken is pushed next time.
func TestClose(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, h *house) {
		room := h.room("r", bob)
		h.push(bob, "gw")
		h.gateways.hold(make(chan struct{}))
		h.say(room, "one", "two")
		synctest.Wait()
		started := time.Now()
		if err := h.Service.Close(); err != nil || time.Since(started) > 0 {
			t.Errorf("closed after %v: %v", time.Since(started), err)
		}
		h.say(room, "three")
		h.gateways.hold(nil)
		h.gateways.take()
		h.start()
		synctest.Wait()
		same(t, "pushed", bodies(h.gateways.take()), []string{"one", "two", "three"})
	})
}

// When the storage fails, what was to be pushed is pushed later.
func TestStorageFails(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, h *house) {
		room := h.room("r", bob)
		h.push(bob, "gw")
		h.say(room, "before")
		time.Sleep(time.Minute)
		h.gateways.take()
		for n := 1; ; n++ {
			h.st.FailAt(n, errors.New("disk on fire"))
			err := h.Memory.Update(t.Context(), func(tx *live.Tx) error {
				d, err := tx.Room(room)
				if err != nil {
					return err
				}
				_, err = tx.Append(d, h.build(d, alice, "m.room.message", nil, fmt.Sprintf(`{"body":"%d","msgtype":"m.text"}`, n)), store.Txn{})
				return err
			})
			synctest.Wait()
			time.Sleep(2 * saveEvery)
			calls := h.st.Calls()
			h.st.FailAt(0, nil)
			if err == nil {
				same(t, fmt.Sprint("pushed although call ", n, " failed"), bodies(h.gateways.take()), []string{fmt.Sprint(n)})
			}
			if calls < n {
				break
			}
			if n > 100 {
				t.Fatal("it never succeeds")
			}
		}
	})
}

// A room that is deleted before anybody was told of what happened in it holds nobody up.
func TestRoomIsDeleted(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, h *house) {
		room, gone := h.room("r", bob), h.room("gone", bob)
		h.push(bob, "gw")
		wait := make(chan struct{})
		h.gateways.hold(wait)
		h.say(room, "one")
		h.say(gone, "two") // waits behind the first
		synctest.Wait()
		h.update(func(tx *live.Tx) error {
			d, err := tx.Room(gone)
			if err != nil {
				return err
			}
			for _, e := range []*events.Event{
				h.build(d, alice, "m.room.message", nil, `{"body":"three","msgtype":"m.text"}`),
				h.build(d, bob, events.TypeMember, new(string(bob)), `{"membership":"leave"}`),
				h.build(d, alice, events.TypeMember, new(string(alice)), `{"membership":"leave"}`),
			} {
				if _, err := tx.Append(d, e, store.Txn{}); err != nil {
					return err
				}
			}
			return tx.DeleteRoom(d)
		})
		close(wait)
		h.say(room, "four")
		synctest.Wait()
		same(t, "pushed", bodies(h.gateways.take()), []string{"one", "four"})
		h.rests()
	})
}

// A panic stays inside, and counts as a failure.
func TestPanic(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, h *house) {
		room := h.room("r", bob)
		h.push(bob, "gw")
		h.gateways.set(func(request) (int, string, error) { panic("gateway") })
		h.say(room, "one")
		synctest.Wait()
		h.gateways.set(nil)
		time.Sleep(time.Second)
		synctest.Wait()
		same(t, "pushed", bodies(h.gateways.take()), []string{"one", "one"})
	})
}

// GW-14: of the answer of a gateway no more is read than fits.
func TestLongAnswer(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, h *house) {
		room := h.room("r", bob)
		key := h.push(bob, "gw")
		h.gateways.set(func(request) (int, string, error) {
			return 200, `{"x":"` + strings.Repeat("x", maxAnswer) + `","rejected":["@bob:test"]}`, nil
		})
		h.say(room, "one")
		synctest.Wait()
		if _, err := pusherOf(h, key); err != nil {
			t.Errorf("all of it was read: %v", err)
		}
	})
}

// GW-13: an event in a room where nobody has a pusher costs its sender nothing, and nothing is done about it.
func TestNobodyToPush(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		room, quiet := h.room("r", bob), h.room("quiet")
		h.push(bob, "gw")
		h.say(room, "one")
		h.say(quiet, "two") // from now on it is known
		synctest.Wait()
		before := h.plannedUpTo()
		h.say(quiet, "three")
		synctest.Wait()
		same(t, "planned", h.plannedUpTo(), before)
		r, err := h.Memory.Room(t.Context(), quiet)
		if err != nil {
			t.Fatal(err)
		}
		tail, _ := r.TailAfter(0, store.MaxPos, 100)
		if n := testing.AllocsPerRun(100, func() { h.EventAdded(r, tail[len(tail)-1]); h.Moved() }); n > 0 {
			t.Errorf("%v allocations", n)
		}
		// Until somebody with a pusher comes.
		h.update(func(tx *live.Tx) error {
			d, err := tx.Room(quiet)
			if err != nil {
				return err
			}
			_, err = tx.Append(d, h.build(d, bob, events.TypeMember, new(string(bob)), `{"membership":"join"}`), store.Txn{})
			return err
		})
		h.say(quiet, "four")
		synctest.Wait()
		same(t, "pushed", bodies(h.gateways.take()), []string{"one", "four"})
	})
}
