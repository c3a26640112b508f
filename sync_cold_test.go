package homeserver_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// passing is what answers have of events as far as memory happens to know it.
var passing = regexp.MustCompile(`"(age":[0-9]+|membership":"leave"|invite_room_state":\[[^]]*\]),?`)

// normal is a room of an answer with what may differ each time left out, such as the
// order of the state.
func normal(room gjson.Result) string {
	state := []string{}
	for _, e := range room.Get("state.events").Array() {
		state = append(state, passing.ReplaceAllString(e.Raw, ""))
	}
	slices.Sort(state)
	return strings.Join(append(state, passing.ReplaceAllString(room.Get("timeline").Raw, ""), room.Get("summary").Raw,
		room.Get("unread_notifications").Raw, room.Get("ephemeral").Raw), "\n")
}

// A server that has just started, or has place in memory for hardly any room, answers a
// first sync as one that has all rooms in memory does (SYNC-25, SYNC-29, SYNC-34 to
// SYNC-36).
func TestFirstSyncFromTheStore(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "test.db")
	st, err := sqlite.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	hs := homeservertest.New(t, homeserver.WithStore(st))
	var users []*homeservertest.Client
	for i := range 12 {
		users = append(users, hs.User(t, fmt.Sprint("u", i)))
	}
	alice := users[0]
	rooms := map[string]events.RoomID{}
	add := func(name string, make func(room events.RoomID)) {
		rooms[name] = users[1].CreateRoom(t, `{"preset":"public_chat"}`)
		users[1].Invite(t, rooms[name], alice.User)
		alice.Join(t, rooms[name])
		make(rooms[name])
	}
	join := func(room events.RoomID, from, to int) {
		for _, u := range users[from:to] {
			u.Join(t, room)
		}
	}
	add("two alone", func(events.RoomID) {})
	add("many", func(r events.RoomID) {
		join(r, 2, 12)
		users[11].SetState(t, r, "m.room.member", string(users[11].User), `{"membership":"join","displayname":"Eleven"}`)
		for i := range 30 {
			users[3+i%5].Say(t, r, fmt.Sprint(i))
		}
	})
	add("some have gone", func(r events.RoomID) {
		join(r, 2, 8)
		users[2].Leave(t, r)
		users[1].Post(t, homeservertest.Path("/v3/rooms/{}/ban", r), map[string]any{"user_id": users[4].User})
		users[1].Invite(t, r, users[9].User)
		users[5].SetState(t, r, "m.room.member", string(users[5].User), `{"membership":"join","displayname":"Five"}`)
		for range 15 {
			users[6].Say(t, r, "again")
		}
	})
	add("all have gone", func(r events.RoomID) {
		join(r, 2, 6)
		for _, u := range users[1:6] {
			u.Leave(t, r)
		}
		for range 20 {
			alice.Say(t, r, "alone")
		}
	})
	add("named, closed and opened", func(r events.RoomID) {
		join(r, 2, 4)
		users[1].SetState(t, r, "m.room.name", "", `{"name":"N"}`)
		for _, v := range []string{"joined", "shared", "invited"} {
			users[1].SetState(t, r, "m.room.history_visibility", "", fmt.Sprintf(`{"history_visibility":%q}`, v))
			users[2].Say(t, r, v)
		}
	})
	add("redacted and related", func(r events.RoomID) {
		join(r, 2, 5)
		topic := users[1].SetState(t, r, "m.room.topic", "", `{"topic":"T"}`)
		said := users[2].Say(t, r, "said")
		users[3].Send(t, r, "m.room.message", map[string]any{"body": "r", "msgtype": "m.text", "m.relates_to": map[string]any{"rel_type": "m.thread", "event_id": said}})
		users[1].Redact(t, r, topic)
		users[1].Redact(t, r, users[2].Say(t, r, "gone"))
		users[4].Post(t, homeservertest.Path("/v3/rooms/{}/receipt/m.read/{}", r, said), `{}`)
	})
	token := alice.Token
	if err := hs.Close(); err != nil {
		t.Fatal(err)
	}

	ask := func(memory int, filters ...string) (answers []gjson.Result) {
		t.Helper()
		st, err := sqlite.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		srv, err := homeserver.New(homeservertest.Name, homeserver.WithStore(st), homeserver.WithRoomMemory(memory))
		if err != nil {
			t.Fatal(err)
		}
		for _, filter := range filters {
			r := httptest.NewRequest("GET", "/_matrix/client/v3/sync?filter="+url.QueryEscape(filter), nil)
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			srv.ServeHTTP(w, r)
			answers = append(answers, gjson.Parse(w.Body.String()).Get("rooms.join"))
		}
		if err := srv.Close(); err != nil {
			t.Fatal(err)
		}
		return answers
	}
	const lazy = `{"room":{"state":{"lazy_load_members":true},"timeline":{"limit":%d}}}`
	filters := []string{`{}`, fmt.Sprintf(lazy, 1), fmt.Sprintf(lazy, 10), fmt.Sprintf(lazy, 50),
		`{"room":{"state":{"lazy_load_members":true},"timeline":{"limit":1,"types":["m.room.member"]}}}`} // by somebody who has said nothing lately
	want := ask(1<<30, filters...) // the first has put all rooms into memory
	for i, filter := range filters {
		for memory, got := range map[string]gjson.Result{"none": ask(1, filter)[0], "fresh": ask(1<<30, filter)[0]} {
			for name, id := range rooms {
				room := gjson.Escape(string(id))
				if !want[i].Get(room).Exists() {
					t.Fatalf("no room %s", name)
				}
				same(t, fmt.Sprintf("memory %s, filter %s, room %s", memory, filter, name), normal(got.Get(room)), normal(want[i].Get(room)))
			}
		}
	}
}
