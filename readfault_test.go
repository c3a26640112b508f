package homeserver_test

import (
	"errors"
	"log/slog"
	"regexp"
	"testing"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/store/storetest"
)

// Wherever the storage fails while somebody reads, the answer is 500 M_UNKNOWN and
// never a part of the truth; afterwards it is whole.
func TestStorageFailsReaders(t *testing.T) {
	t.Parallel()
	inner, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	first := homeservertest.New(t, homeserver.WithStore(unclosed{inner}))
	alice, bob := first.User(t, "alice"), first.User(t, "bob")
	room, ids := longRoom(t, alice, 80)
	bob.Join(t, room)
	alice.SetState(t, room, "m.room.topic", "", `{"topic":"one"}`)
	alice.SetState(t, room, "m.room.topic", "", `{"topic":"two"}`)
	alice.Redact(t, room, alice.Say(t, room, "redacted"))
	bob.Leave(t, room)
	last := alice.SetState(t, room, "m.room.topic", "", `{"topic":"three"}`)

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
	if got := eventOf(t, hs.Login(t, "alice"), room, last).Get("content.topic").Str; got != "three" {
		t.Errorf("the topic is %q", got)
	}
}
