package homeserver_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// findUsers searches the directory and returns the localparts of who is found, in
// order.
func findUsers(t *testing.T, c *homeservertest.Client, term string) []string {
	t.Helper()
	list := []string{}
	for _, user := range c.Post(t, "/v3/user_directory/search", map[string]any{"search_term": term, "limit": 50}).Get("results").Array() {
		list = append(list, events.UserID(user.Get("user_id").Str).Localpart())
	}
	return list
}

func wantUsers(t *testing.T, c *homeservertest.Client, term string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), findUsers(t, c, term)); diff != "" {
		t.Errorf("%s looks for %q: %s", c, term, diff)
	}
}

func rename(t *testing.T, c *homeservertest.Client, name string) {
	t.Helper()
	c.Put(t, homeservertest.Path("/v3/profile/{}/displayname", c.User), map[string]any{"displayname": name})
}

func TestUserSearch(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t, homeserver.WithOpenUserDirectory())
	alice, jane := hs.User(t, "alice"), hs.User(t, "jane_99")
	hs.User(t, "john.smith")
	zoe, wang := hs.User(t, "zoe"), hs.User(t, "wang")
	rename(t, alice, "Alice Liddell")
	rename(t, jane, "Jane SMITHERS")
	rename(t, zoe, "Zoë Straße")
	rename(t, wang, "王小明")
	alice.Put(t, homeservertest.Path("/v3/profile/{}/avatar_url", alice.User), `{"avatar_url":"mxc://example.org/alice"}`)
	search := func(body string) gjson.Result { return alice.Post(t, "/v3/user_directory/search", body) }

	t.Run("200 {results: [{user_id, display_name, avatar_url}], limited}", func(t *testing.T) { // DIR-1
		got := search(`{"search_term":"liddell"}`)
		want := map[string]any{"limited": false, "results": []any{map[string]any{
			"user_id": "@alice:example.org", "display_name": "Alice Liddell", "avatar_url": "mxc://example.org/alice",
		}}}
		if diff := cmp.Diff(want, got.Value()); diff != "" {
			t.Error(diff)
		}
	})
	for _, tt := range []struct { // DIR-2
		term string
		want []string
	}{
		{"alice", []string{"alice"}},
		{"ALI", []string{"alice"}},
		{"@alice:example.org", []string{"alice"}},
		{"@alice:exam", []string{"alice"}},
		{"alice:", []string{"alice"}},
		{"@alice:example.com", nil},
		{"smith", []string{"john.smith", "jane_99"}},
		{"smithers", []string{"jane_99"}},
		{"john smith", []string{"john.smith"}},
		{"smith john", []string{"john.smith"}},
		{"smi j", []string{"john.smith", "jane_99"}},
		{"john.smith", []string{"john.smith"}},
		{"john jones", nil},
		{"99", []string{"jane_99"}},
		{"zoe", []string{"zoe"}},
		{"ZOË", []string{"zoe"}},
		{"strasse", []string{"zoe"}},
		{"王", []string{"wang"}},
		{"小明", []string{"wang"}},
		{"", nil},
		{" ", nil},
		{"%", nil},
		{"_", nil},
		{"*", nil},
		{"a a a a a a a a", []string{"alice"}},
	} {
		t.Run("by ID and display name, whatever the case: "+tt.term, func(t *testing.T) {
			got := findUsers(t, alice, tt.term)
			if !slices.Equal(got, tt.want) && len(got)+len(tt.want) > 0 {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("names are found as they are now", func(t *testing.T) { // DIR-2
		bob := hs.User(t, "bob")
		rename(t, bob, "Robert")
		wantUsers(t, alice, "robert", "bob")
		rename(t, bob, "Bert")
		wantUsers(t, alice, "robert")
		wantUsers(t, alice, "bert", "bob")
		bob.MustDo(t, "DELETE", homeservertest.Path("/v3/profile/{}/displayname", bob.User), nil)
		wantUsers(t, alice, "bert")
		wantUsers(t, alice, "bob", "bob")
		if got := search(`{"search_term":"bob"}`).Get("results.0"); got.Raw != `{"user_id":"@bob:example.org"}` {
			t.Errorf("without a name: %s", got)
		}
		bob.Post(t, "/v3/account/deactivate", map[string]any{"auth": map[string]any{
			"type": "m.login.password", "identifier": map[string]any{"type": "m.id.user", "user": "bob"}, "password": homeservertest.Password,
		}})
		wantUsers(t, alice, "bob")
	})
	t.Run("the limit is 10 unless asked for; limited is true if it cut results", func(t *testing.T) { // DIR-1, DIR-5
		for i := range 12 {
			hs.User(t, fmt.Sprint("crowd.", i))
		}
		for _, tt := range []struct {
			body    string
			n       int
			limited bool
		}{
			{`{"search_term":"crowd"}`, 10, true},
			{`{"search_term":"crowd","limit":11}`, 11, true},
			{`{"search_term":"crowd","limit":12}`, 12, false},
			{`{"search_term":"crowd","limit":1000000}`, 12, false},
		} {
			got := search(tt.body)
			if len(got.Get("results").Array()) != tt.n || got.Get("limited").Bool() != tt.limited {
				t.Errorf("%s: %s", tt.body, got)
			}
		}
	})
	t.Run("what is malformed is refused", func(t *testing.T) {
		path := "/v3/user_directory/search"
		alice.Do(t, "POST", path, `{}`).WantError(400, "M_MISSING_PARAM")
		alice.Do(t, "POST", path, `{"search_term":7}`).WantError(400, "M_BAD_JSON")
		alice.Do(t, "POST", path, `{"search_term":"a","limit":-1}`).WantError(400, "M_INVALID_PARAM")
		hs.Anonymous().Do(t, "POST", path, `{"search_term":"a"}`).WantError(401, "M_MISSING_TOKEN")
	})
}

func TestUserSearchScope(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carl := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carl")

	t.Run("strangers are not found", func(t *testing.T) { // DIR-3
		wantUsers(t, alice, "bob")
	})
	t.Run("users sharing a room with the caller are, while they do", func(t *testing.T) { // DIR-3
		room := alice.CreateRoom(t, nil)
		alice.Invite(t, room, bob.User)
		wantUsers(t, alice, "bob")
		bob.Join(t, room)
		wantUsers(t, alice, "bob", "bob")
		wantUsers(t, bob, "alice", "alice")
		wantUsers(t, carl, "alice")
		wantUsers(t, carl, "bob")
		bob.Leave(t, room)
		wantUsers(t, alice, "bob")
	})
	for _, tt := range []struct{ typ, open, closed string }{ // DIR-3
		{"m.room.join_rules", `{"join_rule":"public"}`, `{"join_rule":"invite"}`},
		{"m.room.history_visibility", `{"history_visibility":"world_readable"}`, `{"history_visibility":"shared"}`},
	} {
		t.Run("members of rooms that are open by "+tt.typ, func(t *testing.T) {
			room := bob.CreateRoom(t, nil)
			wantUsers(t, alice, "bob")
			bob.SetState(t, room, tt.typ, "", tt.open)
			wantUsers(t, alice, "bob", "bob")
			bob.SetState(t, room, tt.typ, "", tt.closed)
			wantUsers(t, alice, "bob")
			bob.SetState(t, room, tt.typ, "", tt.open)
			bob.Leave(t, room)
			wantUsers(t, alice, "bob")
		})
	}
	t.Run("a room that is open in both ways stays open when one ends", func(t *testing.T) { // DIR-3
		room := bob.CreateRoom(t, `{"preset":"public_chat"}`)
		wantUsers(t, alice, "bob", "bob")
		bob.SetState(t, room, "m.room.history_visibility", "", `{"history_visibility":"world_readable"}`)
		bob.SetState(t, room, "m.room.join_rules", "", `{"join_rule":"invite"}`)
		wantUsers(t, alice, "bob", "bob")
		bob.SetState(t, room, "m.room.history_visibility", "", `{"history_visibility":"joined"}`)
		wantUsers(t, alice, "bob")
	})
	t.Run("names of rooms that the caller cannot see are neither matched nor shown", func(t *testing.T) { // DIR-4
		public := carl.CreateRoom(t, `{"preset":"public_chat"}`)
		private := carl.CreateRoom(t, nil)
		for _, room := range []events.RoomID{public, private} {
			carl.SetState(t, room, "m.room.member", string(carl.User), `{"membership":"join","displayname":"Secret"}`)
		}
		wantUsers(t, alice, "secret")
		got := alice.Post(t, "/v3/user_directory/search", `{"search_term":"carl"}`).Get("results.0.display_name").Str
		if got != "carl" {
			t.Errorf("display_name %q", got)
		}
	})
}

func mutualPath(user events.UserID, from string) string {
	return "/v1/mutual_rooms?" + url.Values{"user_id": {string(user)}, "from": {from}}.Encode()
}

func TestMutualRooms(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	clock := make(chan time.Time, 1)
	clock <- now
	hs := homeservertest.New(t, homeserver.WithClock(func() time.Time { at := <-clock; clock <- at; return at }))
	alice, bob, carl := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carl")
	share := func() events.RoomID {
		room := alice.CreateRoom(t, nil)
		alice.Invite(t, room, bob.User)
		bob.Join(t, room)
		return room
	}
	t.Run("200 {joined, count} of rooms both are joined to", func(t *testing.T) { // DIR-6, SPACE-17
		one, left, two := share(), share(), share()
		bob.Leave(t, left)
		invited := alice.CreateRoom(t, nil)
		alice.Invite(t, invited, bob.User)
		want := fmt.Sprintf(`{"joined":[%q,%q],"count":2}`, one, two)
		if got := alice.Get(t, "/v1/mutual_rooms?user_id="+string(bob.User)).Raw; got != want {
			t.Errorf("body %s, want %s", got, want)
		}
		if got := bob.Get(t, "/unstable/uk.half-shot.msc2666/user/mutual_rooms?user_id="+string(alice.User)).Raw; got != want { // CLIENT-16
			t.Errorf("unstable: body %s, want %s", got, want)
		}
		if !hs.Anonymous().Get(t, "/versions").Get(`unstable_features.uk\.half-shot\.msc2666\.query_mutual_rooms`).Bool() { // CLIENT-16
			t.Error("the unstable feature is not announced")
		}
	})
	t.Run("an unknown but valid user gives empty joined, count 0", func(t *testing.T) { // DIR-6, SPACE-17
		for _, user := range []events.UserID{carl.User, "@nobody:example.org", "@bob:example.com"} {
			if got := alice.Get(t, mutualPath(user, "")).Raw; got != `{"joined":[],"count":0}` {
				t.Errorf("%s: %s", user, got)
			}
		}
	})
	for name, query := range map[string]string{ // DIR-6, SPACE-18
		"missing":       "",
		"empty":         "?user_id=",
		"own":           "?user_id=@alice:example.org",
		"invalid":       "?user_id=bob",
		"non-compliant": "?user_id=@b%20ob:example.org",
		"no localpart":  "?user_id=@:example.org",
		"bad from":      "?user_id=@bob:example.org&from=x",
		"forged from":   "?user_id=@bob:example.org&from=1800000000000-1x",
	} {
		t.Run("400 M_INVALID_PARAM: "+name, func(t *testing.T) {
			alice.Do(t, "GET", "/v1/mutual_rooms"+query, nil).WantError(400, "M_INVALID_PARAM")
		})
	}
	t.Run("pages; count is the total over all; tokens live 10 minutes", func(t *testing.T) { // DIR-6, SPACE-18
		for range 101 {
			share()
		}
		first := alice.Get(t, mutualPath(bob.User, ""))
		next := first.Get("next_batch").Str
		second := alice.Get(t, mutualPath(bob.User, next))
		seen := map[string]bool{}
		for _, room := range slices.Concat(first.Get("joined").Array(), second.Get("joined").Array()) {
			seen[room.Str] = true
		}
		if len(seen) != 103 || first.Get("count").Int() != 103 || second.Get("count").Int() != 103 || second.Get("next_batch").Exists() {
			t.Errorf("%d rooms on pages of %s and %s", len(seen), first, second)
		}
		if !events.ValidOpaqueID(next) { // ID-8
			t.Errorf("token %q", next)
		}
		<-clock
		clock <- now.Add(10 * time.Minute)
		alice.Get(t, mutualPath(bob.User, next))
		<-clock
		clock <- now.Add(10*time.Minute + time.Second)
		alice.Do(t, "GET", mutualPath(bob.User, next), nil).WantError(400, "M_INVALID_PARAM")
	})
}
