package homeserver_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

func listedPath(room events.RoomID) string {
	return homeservertest.Path("/v3/directory/list/room/{}", room)
}

// names returns the names of the rooms in a page of the directory, in order.
func names(page gjson.Result) []string {
	list := []string{}
	for _, entry := range page.Get("chunk").Array() {
		list = append(list, entry.Get("name").Str)
	}
	return list
}

func wantNames(t *testing.T, page gjson.Result, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), names(page)); diff != "" {
		t.Errorf("%s\n%s", page, diff)
	}
}

func TestPublish(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	visibility := func() string { return hs.Anonymous().Get(t, listedPath(room)).Raw }

	t.Run("a room is private unless it is made public; GET needs no authentication", func(t *testing.T) { // RDIR-1, CREATE-27
		if got := visibility(); got != `{"visibility":"private"}` {
			t.Errorf("preset public_chat: %s", got)
		}
		public := alice.CreateRoom(t, `{"visibility":"public","preset":"private_chat","name":"Open secret"}`)
		if got := alice.Get(t, listedPath(public)).Get("visibility").Str; got != "public" {
			t.Errorf("visibility public: %s", got)
		}
		wantNames(t, alice.Get(t, "/v3/publicRooms"), "Open secret")
		alice.Put(t, listedPath(public), `{"visibility":"private"}`)
		wantNames(t, alice.Get(t, "/v3/publicRooms"))
	})
	t.Run("PUT: 200 {}, also when unchanged; the default is public", func(t *testing.T) { // RDIR-2
		for _, step := range []struct{ body, want string }{
			{`{"visibility":"public"}`, "public"},
			{`{"visibility":"public"}`, "public"},
			{`{"visibility":"private"}`, "private"},
			{`{"visibility":"private"}`, "private"},
			{`{}`, "public"},
		} {
			if got := alice.Put(t, listedPath(room), step.body).Raw; got != `{}` {
				t.Errorf("body %s", got)
			}
			if got := gjson.Get(visibility(), "visibility").Str; got != step.want {
				t.Errorf("after %s: %s", step.body, got)
			}
		}
		alice.Do(t, "PUT", listedPath(room), `{"visibility":"secret"}`).WantError(400, "M_INVALID_PARAM")
	})
	t.Run("an unknown room is 404 M_NOT_FOUND", func(t *testing.T) { // RDIR-1, RDIR-2
		alice.Do(t, "GET", listedPath("!none:example.org"), nil).WantError(404, "M_NOT_FOUND")
		alice.Do(t, "PUT", listedPath("!none:example.org"), `{}`).WantError(404, "M_NOT_FOUND")
	})
	t.Run("non-members and those below the canonical-alias power level get 403", func(t *testing.T) { // RDIR-3
		alice.Put(t, listedPath(room), `{"visibility":"private"}`)
		bob.Do(t, "PUT", listedPath(room), `{}`).WantError(403, "M_FORBIDDEN")
		bob.Join(t, room)
		bob.Do(t, "PUT", listedPath(room), `{}`).WantError(403, "M_FORBIDDEN")
		alice.SetState(t, room, "m.room.power_levels", "", map[string]any{
			"users": map[string]any{string(bob.User): 30}, "events": map[string]any{"m.room.canonical_alias": 30},
		})
		bob.Put(t, listedPath(room), `{}`)
		bob.Leave(t, room)
		bob.Do(t, "PUT", listedPath(room), `{"visibility":"private"}`).WantError(403, "M_FORBIDDEN")
		if got := visibility(); got != `{"visibility":"public"}` {
			t.Error(got)
		}
	})
	t.Run("lists of application services are theirs alone", func(t *testing.T) { // RDIR-4
		path := homeservertest.Path("/v3/directory/list/appservice/{}/{}", "irc", room)
		alice.Do(t, "PUT", path, `{"visibility":"public"}`).WantError(403, "M_FORBIDDEN")
	})
}

func TestDirectoryEntries(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	entry := func(t *testing.T, room events.RoomID) gjson.Result {
		t.Helper()
		for _, e := range hs.Anonymous().Get(t, "/v3/publicRooms").Get("chunk").Array() {
			if e.Get("room_id").Str == string(room) {
				return e
			}
		}
		t.Fatal("the room is not listed")
		return gjson.Result{}
	}

	t.Run("what is set is there and nothing else, not even aliases, and follows the room", func(t *testing.T) { // RDIR-8, RDIR-10
		room := alice.CreateRoom(t, `{"visibility":"public","room_alias_name":"tea","name":"Tea \u003c3","topic":"Leaves",
			"creation_content":{"type":"m.space"},"initial_state":[
				{"type":"m.room.avatar","content":{"url":"mxc://example.org/tea"}},
				{"type":"m.room.guest_access","content":{"guest_access":"can_join"}},
				{"type":"m.room.history_visibility","content":{"history_visibility":"world_readable"}}]}`)
		want := map[string]any{
			"room_id": string(room), "num_joined_members": 1.0, "world_readable": true, "guest_can_join": true,
			"name": "Tea <3", "topic": "Leaves", "canonical_alias": "#tea:example.org", "avatar_url": "mxc://example.org/tea",
			"join_rule": "public", "room_type": "m.space",
		}
		check := func(what string) {
			t.Helper()
			if diff := cmp.Diff(want, entry(t, room).Value()); diff != "" {
				t.Errorf("%s: %s", what, diff)
			}
		}
		check("as made")
		bob.Join(t, room)
		want["num_joined_members"] = 2.0
		check("joined")
		bob.Put(t, homeservertest.Path("/v3/profile/{}/displayname", bob.User), `{"displayname":"Bobby"}`)
		check("renamed")
		bob.Leave(t, room)
		want["num_joined_members"] = 1.0
		check("left")
		alice.Invite(t, room, bob.User)
		check("invited")
		for _, change := range []struct {
			typ, content, key string
			value             any
		}{
			{"m.room.name", `{"name":"Coffee"}`, "name", "Coffee"},
			{"m.room.topic", `{"topic":"Beans"}`, "topic", "Beans"},
			{"m.room.avatar", `{"url":"mxc://example.org/coffee"}`, "avatar_url", "mxc://example.org/coffee"},
			{"m.room.join_rules", `{"join_rule":"knock"}`, "join_rule", "knock"}, // RDIR-17
			{"m.room.guest_access", `{"guest_access":"forbidden"}`, "guest_can_join", false},
			{"m.room.history_visibility", `{"history_visibility":"shared"}`, "world_readable", false},
		} {
			alice.SetState(t, room, change.typ, "", change.content)
			want[change.key] = change.value
			check(change.typ)
		}
		alice.MustDo(t, "DELETE", aliasPath("#tea:example.org"), nil)
		delete(want, "canonical_alias")
		check("without alias")
		alice.Redact(t, room, alice.SetState(t, room, "m.room.name", "", `{"name":"Poison"}`))
		delete(want, "name")
		check("redacted")
	})
	t.Run("unset fields are omitted, malformed ones count as unset", func(t *testing.T) { // RDIR-8, EVT-12
		room := alice.CreateRoom(t, `{"visibility":"public","preset":"private_chat","creation_content":{"type":7},"initial_state":[
			{"type":"m.room.name","content":{"name":7}},{"type":"m.room.topic","content":{"topic":null}},
			{"type":"m.room.avatar","content":{"url":""}},{"type":"m.room.canonical_alias","content":{"alias":""}},
			{"type":"m.room.guest_access","content":{"guest_access":true}}]}`)
		want := map[string]any{
			"room_id": string(room), "num_joined_members": 1.0, "world_readable": false, "guest_can_join": false, "join_rule": "invite",
		}
		if diff := cmp.Diff(want, entry(t, room).Value()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("topic is the plain-text topic, omitted if there is none", func(t *testing.T) { // RDIR-9
		room := alice.CreateRoom(t, `{"visibility":"public"}`)
		for content, want := range map[string]string{
			`{"topic":"old","m.topic":{"m.text":[{"body":"new"}]}}`:                                                    "old",
			`{"m.topic":{"m.text":[{"body":"<b>x</b>","mimetype":"text/html"},{"body":"x"}]}}`:                         "x",
			`{"m.topic":{"m.text":[{"body":"<b>x</b>","mimetype":"text/html"},{"body":"y","mimetype":"text/plain"}]}}`: "y",
			`{"m.topic":{"m.text":[{"body":"<b>x</b>","mimetype":"text/html"}]}}`:                                      "",
			`{"m.topic":"x"}`: "",
		} {
			alice.SetState(t, room, "m.room.topic", "", content)
			got := entry(t, room).Get("topic")
			if got.Str != want || got.Exists() != (want != "") {
				t.Errorf("%s: topic %s", content, got.Raw)
			}
		}
	})
}

func TestDirectoryPages(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	users := make([]*homeservertest.Client, 4)
	for i := range users {
		users[i] = hs.User(t, fmt.Sprint("user", i))
	}
	alice := users[0]
	for i, members := range []int{2, 4, 1, 3, 1} {
		room := alice.CreateRoom(t, map[string]any{"visibility": "public", "name": fmt.Sprint(i, " of ", members)})
		for _, u := range users[1:members] {
			u.Join(t, room)
		}
	}
	all := []string{"1 of 4", "3 of 3", "0 of 2", "4 of 1", "2 of 1"}

	t.Run("the largest rooms come first; no token means no page that way", func(t *testing.T) { // RDIR-6, RDIR-11
		page := hs.Anonymous().Get(t, "/v3/publicRooms")
		wantNames(t, page, all...)
		if page.Get("next_batch").Exists() || page.Get("prev_batch").Exists() || page.Get("total_room_count_estimate").Int() != 5 {
			t.Errorf("page %s", page)
		}
	})
	get := func(query string) gjson.Result { return hs.Anonymous().Get(t, "/v3/publicRooms?"+query) }
	post := func(query string) gjson.Result {
		limit, since := int64(2), ""
		for part := range strings.SplitSeq(query, "&") {
			if s, ok := strings.CutPrefix(part, "since="); ok {
				since = s
			}
		}
		return alice.Post(t, "/v3/publicRooms", map[string]any{"limit": limit, "since": since})
	}
	for name, ask := range map[string]func(query string) gjson.Result{"GET": get, "POST": post} { // RDIR-5
		t.Run(name+": tokens lead through the pages, both ways", func(t *testing.T) { // RDIR-6, RDIR-7
			first := ask("limit=2")
			wantNames(t, first, all[:2]...)
			second := ask("limit=2&since=" + first.Get("next_batch").Str)
			wantNames(t, second, all[2:4]...)
			third := ask("limit=2&since=" + second.Get("next_batch").Str)
			wantNames(t, third, all[4])
			if third.Get("next_batch").Exists() || first.Get("prev_batch").Exists() {
				t.Errorf("pages beyond the ends: %s, %s", first, third)
			}
			back := ask("limit=2&since=" + third.Get("prev_batch").Str)
			wantNames(t, back, all[2:4]...)
			again := ask("limit=2&since=" + back.Get("prev_batch").Str)
			wantNames(t, again, all[:2]...)
			if again.Get("prev_batch").Exists() {
				t.Errorf("a page before the first: %s", again)
			}
			wantNames(t, ask("limit=2&since="+again.Get("next_batch").Str), all[2:4]...)
		})
	}
	t.Run("a bad token is 400 M_INVALID_PARAM", func(t *testing.T) { // RDIR-7
		for _, token := range []string{"x", "n", "n1", "n1-", "n1-1x", "N1-1", "p01-1", "n1-1-1", "n+1-1"} {
			alice.Do(t, "GET", "/v3/publicRooms?since="+token, nil).WantError(400, "M_INVALID_PARAM")
			alice.Do(t, "POST", "/v3/publicRooms", map[string]any{"since": token}).WantError(400, "M_INVALID_PARAM")
		}
	})
	t.Run("limit is capped; 0 or negative is 400", func(t *testing.T) { // RDIR-18
		for _, limit := range []string{"0", "-1", "x"} {
			alice.Do(t, "GET", "/v3/publicRooms?limit="+limit, nil).WantError(400, "M_INVALID_PARAM")
		}
		alice.Do(t, "POST", "/v3/publicRooms", `{"limit":0}`).WantError(400, "M_INVALID_PARAM")
		wantNames(t, get("limit=9007199254740991"), all...)
	})
	t.Run("the order is stable while rooms come and go", func(t *testing.T) { // RDIR-11
		first := get("limit=3")
		added := alice.CreateRoom(t, `{"visibility":"public","name":"new"}`)
		for _, u := range users[1:] {
			u.Join(t, added)
		}
		wantNames(t, get("limit=3&since="+first.Get("next_batch").Str), all[3:]...)
		alice.Put(t, listedPath(added), `{"visibility":"private"}`)
	})
	t.Run("server: the own name is like none, another is an empty result", func(t *testing.T) { // RDIR-14
		wantNames(t, get("server=example.org"), all...)
		wantNames(t, get("server="), all...)
		wantNames(t, alice.Post(t, "/v3/publicRooms?server=example.org", `{}`), all...)
		for _, page := range []gjson.Result{get("server=example.com"), alice.Post(t, "/v3/publicRooms?server=example.com", `{}`)} {
			if page.Raw != `{"chunk":[]}` {
				t.Error(page)
			}
		}
	})
	t.Run("POST needs authentication", func(t *testing.T) { // RDIR-5
		hs.Anonymous().Do(t, "POST", "/v3/publicRooms", `{}`).WantError(401, "M_MISSING_TOKEN")
	})
}

func TestDirectorySearch(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	create := func(name, topic, alias, typ string) {
		body := map[string]any{"visibility": "public", "name": name, "topic": topic, "room_alias_name": alias}
		if typ != "" {
			body["creation_content"] = map[string]any{"type": typ}
		}
		alice.CreateRoom(t, body)
	}
	create("Tee & Gebäck", "Straße der Kekse", "cookies", "")
	create("100% Coffee", "no_tea", "beans", "m.space")
	create("Games", "chess", "Play-Here", "org.example.game")

	for name, tt := range map[string]struct {
		filter string
		want   []string
	}{
		"no filter":                       {`{}`, []string{"Games", "100% Coffee", "Tee & Gebäck"}},
		"null":                            {`null`, []string{"Games", "100% Coffee", "Tee & Gebäck"}},
		"in the name":                     {`{"generic_search_term":"coff"}`, []string{"100% Coffee"}},
		"in the topic":                    {`{"generic_search_term":"CHESS"}`, []string{"Games"}},
		"in the canonical alias":          {`{"generic_search_term":"#play-here:EX"}`, []string{"Games"}},
		"in the middle of a word":         {`{"generic_search_term":"offe"}`, []string{"100% Coffee"}},
		"beyond ASCII":                    {`{"generic_search_term":"GEBÄCK"}`, []string{"Tee & Gebäck"}},
		"letters that fold to two":        {`{"generic_search_term":"STRASSE"}`, []string{"Tee & Gebäck"}},
		"several":                         {`{"generic_search_term":"te"}`, []string{"100% Coffee", "Tee & Gebäck"}},
		"wildcards are letters":           {`{"generic_search_term":"0%"}`, []string{"100% Coffee"}},
		"wildcards are letters, _":        {`{"generic_search_term":"e_s"}`, nil},
		"white space around":              {`{"generic_search_term":" chess "}`, []string{"Games"}},
		"nothing":                         {`{"generic_search_term":"beer"}`, nil},
		"one type":                        {`{"room_types":["m.space"]}`, []string{"100% Coffee"}},
		"two types":                       {`{"room_types":["m.space","org.example.game"]}`, []string{"Games", "100% Coffee"}},
		"without type":                    {`{"room_types":[null]}`, []string{"Tee & Gebäck"}},
		"without type or one":             {`{"room_types":["m.space",null]}`, []string{"100% Coffee", "Tee & Gebäck"}},
		"a type that no room has":         {`{"room_types":["m.none"]}`, nil},
		"types that are null are absent":  {`{"room_types":null}`, []string{"Games", "100% Coffee", "Tee & Gebäck"}},
		"a term and a type that disagree": {`{"generic_search_term":"coffee","room_types":[null]}`, nil},
		"a term and a type that agree":    {`{"generic_search_term":"coffee","room_types":["m.space"]}`, []string{"100% Coffee"}},
	} {
		t.Run(name, func(t *testing.T) { // RDIR-12, RDIR-13
			wantNames(t, alice.Post(t, "/v3/publicRooms", `{"filter":`+tt.filter+`}`), tt.want...)
		})
	}
	t.Run("pages of what is found", func(t *testing.T) { // RDIR-6, RDIR-12
		body := `{"limit":1,"filter":{"generic_search_term":"te"}}`
		first := alice.Post(t, "/v3/publicRooms", body)
		wantNames(t, first, "100% Coffee")
		since := fmt.Sprintf(`{"since":%q,`, first.Get("next_batch").Str)
		second := alice.Post(t, "/v3/publicRooms", since+body[1:])
		wantNames(t, second, "Tee & Gebäck")
		if second.Get("next_batch").Exists() {
			t.Error(second)
		}
	})
	for name, body := range map[string]string{
		"a term that is no string":   `{"filter":{"generic_search_term":7}}`,
		"a type that is no string":   `{"filter":{"room_types":[7]}}`,
		"types that are no array":    `{"filter":{"room_types":"m.space"}}`,
		"a filter that is no object": `{"filter":7}`,
	} {
		t.Run(name, func(t *testing.T) { // API-3
			alice.Do(t, "POST", "/v3/publicRooms", body).WantError(400, "M_BAD_JSON")
		})
	}
	t.Run("more types than anybody needs", func(t *testing.T) {
		types := `"a"` + strings.Repeat(`,"a"`, 32)
		alice.Do(t, "POST", "/v3/publicRooms", `{"filter":{"room_types":[`+types+`]}}`).WantError(400, "M_INVALID_PARAM")
	})
	t.Run("all networks or one, not both", func(t *testing.T) { // RDIR-15
		alice.Do(t, "POST", "/v3/publicRooms", `{"include_all_networks":true,"third_party_instance_id":"irc"}`).WantError(400, "M_INVALID_PARAM")
	})
}
