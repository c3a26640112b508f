package homeserver_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// membersOf lists who is in a room, each with their membership.
func membersOf(t testing.TB, c *homeservertest.Client, room events.RoomID, query ...string) []string {
	t.Helper()
	q := url.Values{}
	for i := 0; i < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	list := []string{}
	for _, e := range c.Get(t, homeservertest.Path("/v3/rooms/{}/members", room)+"?"+q.Encode()).Get("chunk").Array() {
		if e.Get("room_id").Str != string(room) || e.Get("type").Str != "m.room.member" || !e.Get("event_id").Exists() { // READ-19
			t.Errorf("%s", e)
		}
		list = append(list, events.UserID(e.Get("state_key").Str).Localpart()+" "+e.Get("content.membership").Str)
	}
	slices.Sort(list)
	return list
}

func TestMembers(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol, dave, eve, stranger := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol"), hs.User(t, "dave"), hs.User(t, "eve"), hs.User(t, "stranger")
	room := roomOf(t, alice, "12")
	tokens := []string{syncWith(t, alice, "", "").Get("next_batch").Str}
	step := func(what string, c *homeservertest.Client) {
		whatHappens(t, alice, c, room, what)
		tokens = append(tokens, syncWith(t, alice, "", "").Get("next_batch").Str)
	}
	step("join", bob)
	step("join", carol)
	step("invite", dave)
	step("ban", eve)
	step("leave", bob)
	alice.Say(t, room, "hello")
	now := []string{"alice join", "bob leave", "carol join", "dave invite", "eve ban"}
	same(t, "all", membersOf(t, alice, room), now)
	for _, tt := range []struct {
		query []string
		want  []string
	}{ // READ-20
		{[]string{"membership", "join"}, []string{"alice join", "carol join"}},
		{[]string{"membership", "knock"}, []string{}},
		{[]string{"not_membership", "leave"}, []string{"alice join", "carol join", "dave invite", "eve ban"}},
		{[]string{"membership", "join", "not_membership", "ban"}, []string{"alice join", "bob leave", "carol join", "dave invite"}},
		{[]string{"membership", "ban", "not_membership", "join"}, []string{"bob leave", "dave invite", "eve ban"}},
		{[]string{"at", tokens[0]}, []string{"alice join"}},
		{[]string{"at", tokens[1]}, []string{"alice join", "bob join"}},
		{[]string{"at", tokens[3], "not_membership", "leave"}, []string{"alice join", "bob join", "carol join", "dave invite"}}, // CLIENT-14
		{[]string{"at", tokens[5]}, now},
	} {
		same(t, fmt.Sprint(tt.query), membersOf(t, alice, room, tt.query...), tt.want)
	}
	prev := homeservertest.Room(syncWith(t, alice, "", `{"room":{"timeline":{"limit":2}}}`), "join", room).Get("timeline.prev_batch").Str // AMB-4
	same(t, "at prev_batch", membersOf(t, alice, room, "at", prev), []string{"alice join", "bob join", "carol join", "dave invite", "eve ban"})

	// READ-21: those who have left see the list as it was.
	hs.User(t, "late").Join(t, room)
	same(t, "for who has left", membersOf(t, bob, room), now)
	same(t, "for who has left, later", membersOf(t, bob, room, "at", syncWith(t, alice, "", "").Get("next_batch").Str), now)
	same(t, "for who has left, earlier", membersOf(t, bob, room, "at", tokens[1]), []string{"alice join", "bob join"})
	path := homeservertest.Path("/v3/rooms/{}/members", room)
	for _, c := range []*homeservertest.Client{stranger, dave, eve} {
		c.Do(t, "GET", path, nil).WantError(403, "M_FORBIDDEN")
	}
	alice.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/members", "!unknown:example.org"), nil).WantError(403, "M_FORBIDDEN")
	for _, query := range []string{"at=x", "at=1-99999", "membership=member", "not_membership=Join"} {
		alice.Do(t, "GET", path+"?"+query, nil).WantError(400, "M_INVALID_PARAM")
	}
	alice.SetState(t, room, "m.room.history_visibility", "", `{"history_visibility":"world_readable"}`)
	stranger.Do(t, "GET", path, nil).WantError(403, "M_FORBIDDEN")
	same(t, "for who has left, in an open room", membersOf(t, bob, room), now)
}

// READ-22
func TestJoinedMembers(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	alice.Put(t, homeservertest.Path("/v3/profile/{}/displayname", alice.User), `{"displayname":"\"A\" <é>"}`)
	alice.Put(t, homeservertest.Path("/v3/profile/{}/avatar_url", alice.User), `{"avatar_url":"mxc://example.org/a"}`)
	room := roomOf(t, alice, "12", bob)
	alice.Invite(t, room, carol.User)
	bob.SetState(t, room, "m.room.member", string(bob.User), `{"membership":"join","displayname":7,"avatar_url":"mxc://example.org/b"}`) // EVT-12
	path := homeservertest.Path("/v3/rooms/{}/joined_members", room)
	got := alice.Get(t, path)
	want := `{"joined":{"@alice:example.org":{"avatar_url":"mxc://example.org/a","display_name":"\"A\" <é>"},"@bob:example.org":{"avatar_url":"mxc://example.org/b"}}}`
	if !sameJSON(got, gjson.Parse(want)) {
		t.Errorf("%s, want %s", got, want)
	}
	carol.Do(t, "GET", path, nil).WantError(403, "M_FORBIDDEN")
	bob.Leave(t, room)
	bob.Do(t, "GET", path, nil).WantError(403, "M_FORBIDDEN")
	alice.SetState(t, room, "m.room.history_visibility", "", `{"history_visibility":"world_readable"}`)
	hs.User(t, "dave").Do(t, "GET", path, nil).WantError(403, "M_FORBIDDEN")
	alice.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/joined_members", "!unknown:example.org"), nil).WantError(403, "M_FORBIDDEN")
}
