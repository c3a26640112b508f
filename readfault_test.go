package homeserver_test

import (
	"errors"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"testing"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/storetest"
)

// readable is a storage in which there is something to read of every kind.
type readable struct {
	store.Store
	room  events.RoomID  // alice, bob and carol are in it
	left  events.RoomID  // bob has left it, alice has not
	ids   []string       // of the oldest events in it
	last  events.EventID // its newest event, which bob does not see
	bob   *homeservertest.Client
	token string // of a sync by bob, after which he left
}

func newReadable(t *testing.T) *readable {
	t.Helper()
	st := memory(t)
	t.Cleanup(func() { _ = st.Close() })
	s := &readable{Store: unclosed{st}}
	hs := homeservertest.New(t, homeserver.WithStore(s.Store))
	alice := hs.User(t, "alice")
	s.bob = hs.User(t, "bob")
	s.room, _ = longRoom(t, alice, 80)
	s.left, s.ids = longRoom(t, alice, 80)
	s.bob.Join(t, s.left)
	s.bob.Join(t, s.room)
	s.token = syncWith(t, s.bob, "", "").Get("next_batch").Str
	for _, topic := range []string{"one", "two"} {
		alice.SetState(t, s.room, "m.room.topic", "", `{"topic":"`+topic+`"}`)
		alice.SetState(t, s.left, "m.room.topic", "", `{"topic":"`+topic+`"}`)
	}
	alice.Redact(t, s.left, alice.Say(t, s.left, "redacted"))
	s.bob.Leave(t, s.left)
	s.last = alice.SetState(t, s.left, "m.room.topic", "", `{"topic":"three"}`)
	hs.User(t, "carol").Join(t, s.room)
	alice.Invite(t, alice.CreateRoom(t, `{"name":"x"}`), s.bob.User)
	s.bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/x", s.bob.User), `{}`)
	s.bob.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/x", s.bob.User, s.room), `{}`)
	read(t, alice, s.room, "m.read", alice.Say(t, s.room, "last"), nil)
	sendToDevice(t, alice, s.bob, 1)
	return s
}

// Wherever the storage fails while somebody reads, the answer is 500 M_UNKNOWN and
// never a part of the truth; afterwards it is whole.
func TestStorageFailsReaders(t *testing.T) {
	t.Parallel()
	inner := newReadable(t)
	room, ids := inner.left, inner.ids
	st := storetest.Faulty(inner)
	hs := homeservertest.New(t, homeserver.WithStore(st), homeserver.WithLogger(slog.New(slog.DiscardHandler)))
	failures := 0
	age := regexp.MustCompile(`"age":\d+`)
	for _, name := range []string{"alice", "bob"} {
		c := hs.Login(t, name)
		for _, path := range []string{
			homeservertest.Path("/v3/rooms/{}/messages?dir=b&limit=100&filter=%7B%22lazy_load_members%22:true%7D", room),
			homeservertest.Path("/v3/rooms/{}/messages?dir=f&limit=40", room),
			homeservertest.Path("/v3/rooms/{}/event/{}", room, ids[8]),
			homeservertest.Path("/v3/events/{}", ids[8]),
			homeservertest.Path("/v3/rooms/{}/context/{}?limit=30", room, ids[30]),
			homeservertest.Path("/v3/rooms/{}/state/m.room.topic/?format=event", room),
			homeservertest.Path("/v3/rooms/{}/state/m.room.topic/", room),
			homeservertest.Path("/v1/rooms/{}/timestamp_to_event?dir=f&ts=0", room),
			homeservertest.Path("/v1/rooms/{}/timestamp_to_event?dir=b&ts=9999999999999", room),
		} {
			st.FailAt(0, nil)
			want := age.ReplaceAllString(c.Get(t, path).Raw, "")
			for n := 1; ; n++ {
				st.FailAt(n, errors.New("disk on fire"))
				answer := c.Do(t, "GET", path, nil)
				st.FailAt(0, nil)
				if answer.Status == 200 {
					same(t, path, age.ReplaceAllString(string(answer.Body), ""), want)
					break
				}
				answer.WantError(500, "M_UNKNOWN")
				failures++
				if n > 100 {
					t.Fatalf("%s never succeeds", path)
				}
			}
		}
	}
	if failures < 50 {
		t.Errorf("the storage failed %d times only", failures)
	}
	if got := eventOf(t, hs.Login(t, "alice"), room, inner.last).Get("content.topic").Str; got != "three" {
		t.Errorf("the topic is %q", got)
	}
}

// Wherever the storage fails in the middle of a sync, the answer is 500 M_UNKNOWN and nothing is lost: who asks again
// is told what they would have been told (SYNC-6, SLIDE-6). Each time the server has just started and knows nothing.
func TestStorageFailsSyncs(t *testing.T) {
	t.Parallel()
	inner := newReadable(t)
	room, token, bob := inner.room, inner.token, inner.bob
	st := storetest.Faulty(inner)
	passing := regexp.MustCompile(`"(age|last_active_ago)":\d+|"(next_batch|pos|end)":"[^"]*"`)
	filter := url.QueryEscape(`{"room":{"include_leave":true,"timeline":{"limit":2},"state":{"lazy_load_members":true}}}`)
	const sliding = `{"lists":{"a":{"timeline_limit":2,"ranges":[[0,9]],"required_state":[["m.room.member","$LAZY"],["m.room.topic",""]],"filters":{"not_tags":["x"]}}},
		"extensions":{"account_data":{"enabled":true},"receipts":{"enabled":true},"typing":{"enabled":true},"to_device":{"enabled":true},"e2ee":{"enabled":true}}}`
	for path, body := range map[string]string{
		"/v3/sync?set_presence=offline": "", "/v3/sync?set_presence=offline&filter=" + filter: "", "/v3/sync?set_presence=offline&since=" + token: "",
		"/v3/sync?set_presence=offline&use_state_after=true&filter=" + filter + "&since=" + token: "",
		"/v3/sync?set_presence=offline&full_state=true&filter=" + filter + "&since=" + token:      "",
		"/v3/events?timeout=0&from=" + token:                                                      "", "/v3/initialSync?archived=true": "",
		homeservertest.Path("/v3/rooms/{}/initialSync", room): "", "/v3/notifications": "",
		slidingPath + "?set_presence=offline": sliding,
	} {
		method := map[bool]string{true: "GET", false: "POST"}[body == ""]
		want, failures := "", 0
		for n := 0; ; n++ { // at first the storage does not fail
			srv, err := homeserver.New(homeservertest.Name, homeserver.WithStore(unclosed{st}), homeserver.WithLogger(slog.New(slog.DiscardHandler)))
			if err != nil {
				t.Fatal(err)
			}
			ask := func() (int, string) {
				w := serve(srv, method, "/_matrix/client"+path, bob.Token, body)
				letters := passing.ReplaceAll(w.Body.Bytes(), nil)
				slices.Sort(letters) // the state has no order
				return w.Code, string(letters)
			}
			st.FailAt(n, errors.New("disk on fire"))
			status, answer := ask()
			over := st.Calls() < n
			st.FailAt(0, nil)
			if n == 0 {
				want = answer
			}
			if status == 500 {
				failures++
				status, answer = ask()
			}
			if status != 200 || answer != want {
				t.Errorf("%s %s with failure %d: %d, another answer", method, path, n, status)
			}
			if err := srv.Close(); err != nil {
				t.Error(err)
			}
			if over || n > 200 {
				break
			}
		}
		if failures < 10 {
			t.Errorf("%s: the storage failed %d times only", path, failures)
		}
	}
}
