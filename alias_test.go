package homeserver_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

func aliasPath(alias string) string { return homeservertest.Path("/v3/directory/room/{}", alias) }

// aliasesOf returns what GET aliases tells a client, in order.
func aliasesOf(t *testing.T, c *homeservertest.Client, room events.RoomID) (list []string) {
	t.Helper()
	for _, alias := range c.Get(t, homeservertest.Path("/v3/rooms/{}/aliases", room)).Get("aliases").Array() {
		list = append(list, alias.Str)
	}
	return list
}

func TestAliases(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	body := map[string]any{"room_id": room}

	t.Run("PUT: 200 {}; GET: without authentication, 200 {room_id, servers} with this server", func(t *testing.T) { // ALIAS-1, ALIAS-4
		if got := alice.Put(t, aliasPath("#tea:example.org"), body).Raw; got != `{}` {
			t.Errorf("body %s", got)
		}
		got := hs.Anonymous().Get(t, aliasPath("#tea:example.org"))
		if got.Get("room_id").Str != string(room) || got.Get("servers").Raw != `["example.org"]` {
			t.Errorf("body %s", got)
		}
	})
	t.Run("a taken alias is 409 M_UNKNOWN, whatever it names", func(t *testing.T) { // ALIAS-1
		alice.Put(t, aliasPath("#taken:example.org"), body)
		alice.Do(t, "PUT", aliasPath("#taken:example.org"), body).WantError(409, "M_UNKNOWN")
		other := bob.CreateRoom(t, nil)
		bob.Do(t, "PUT", aliasPath("#taken:example.org"), map[string]any{"room_id": other}).WantError(409, "M_UNKNOWN")
	})
	for name, alias := range map[string]string{ // ALIAS-1, ALIAS-2, ALIAS-4
		"no sigil":       "tea:example.org",
		"no server":      "#tea",
		"no localpart":   "#:example.org",
		"too long":       "#" + strings.Repeat("a", 243) + ":example.org",
		"another server": "#tea:example.com",
		"white space":    "#te a:example.org",
		"two colons":     "#t:ea:example.org",
	} {
		t.Run("a bad alias is 400 M_INVALID_PARAM: "+name, func(t *testing.T) {
			alice.Do(t, "PUT", aliasPath(alias), body).WantError(400, "M_INVALID_PARAM")
		})
	}
	t.Run("GET: 400 M_INVALID_PARAM, 404 M_NOT_FOUND, also for other servers", func(t *testing.T) { // ALIAS-4
		alice.Do(t, "GET", aliasPath("tea:example.org"), nil).WantError(400, "M_INVALID_PARAM")
		alice.Do(t, "GET", aliasPath("#coffee:example.org"), nil).WantError(404, "M_NOT_FOUND")
		alice.Do(t, "GET", aliasPath("#tea:example.com"), nil).WantError(404, "M_NOT_FOUND")
	})
	t.Run("comparison is exact; any Unicode will do", func(t *testing.T) { // ALIAS-9, EVT-34
		alice.Put(t, aliasPath("#Straße☕:example.org"), body)
		for _, other := range []string{"#straße☕:example.org", "#Strasse☕:example.org"} {
			alice.Do(t, "GET", aliasPath(other), nil).WantError(404, "M_NOT_FOUND")
		}
		alice.Get(t, aliasPath("#Straße☕:example.org"))
	})
	t.Run("members need no power level, others get 403; an unknown room is 400", func(t *testing.T) { // ALIAS-3
		bob.Do(t, "PUT", aliasPath("#bob:example.org"), body).WantError(403, "M_FORBIDDEN")
		bob.Join(t, room)
		bob.Put(t, aliasPath("#bob:example.org"), body)
		bob.Do(t, "PUT", aliasPath("#b2:example.org"), `{"room_id":"!none:example.org"}`).WantError(400, "M_INVALID_PARAM")
		bob.Do(t, "PUT", aliasPath("#b2:example.org"), `{}`).WantError(400, "M_MISSING_PARAM")
	})
	t.Run("no m.room.aliases are written; those there are plain state", func(t *testing.T) { // ALIAS-10
		for _, e := range alice.Get(t, homeservertest.Path("/v3/rooms/{}/state", room)).Array() {
			if e.Get("type").Str == "m.room.aliases" {
				t.Errorf("event %s", e)
			}
		}
		alice.SetState(t, room, "m.room.aliases", "example.org", `{"aliases":["#old:example.org"]}`)
		alice.Do(t, "GET", aliasPath("#old:example.org"), nil).WantError(404, "M_NOT_FOUND")
	})
}

func TestListAliases(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, nil)
	path := homeservertest.Path("/v3/rooms/{}/aliases", room)

	// ALIAS-8: 200 {aliases: []} of local aliases for members.
	if got := alice.Get(t, path).Raw; got != `{"aliases":[]}` {
		t.Errorf("body %s", got)
	}
	for _, alias := range []string{"#b:example.org", "#a:example.org"} {
		alice.Put(t, aliasPath(alias), map[string]any{"room_id": room})
	}
	want := []string{"#a:example.org", "#b:example.org"}
	if diff := cmp.Diff(want, aliasesOf(t, alice, room)); diff != "" {
		t.Error(diff)
	}
	if got := alice.Get(t, homeservertest.Path("/unstable/org.matrix.msc2432/rooms/{}/aliases", room)).Get("aliases.#").Int(); got != 2 {
		t.Errorf("%d aliases at the place of old", got) // ALIAS-8
	}
	// ALIAS-8: else 403 M_FORBIDDEN, also for those who are invited or have left.
	bob.Do(t, "GET", path, nil).WantError(403, "M_FORBIDDEN")
	alice.Invite(t, room, bob.User)
	bob.Do(t, "GET", path, nil).WantError(403, "M_FORBIDDEN")
	bob.Join(t, room)
	bob.Get(t, path)
	bob.Leave(t, room)
	bob.Do(t, "GET", path, nil).WantError(403, "M_FORBIDDEN")
	bob.Do(t, "GET", "/v3/rooms/!none:example.org/aliases", nil).WantError(403, "M_FORBIDDEN")
	// ALIAS-8: or anyone if world_readable.
	alice.SetState(t, room, "m.room.history_visibility", "", `{"history_visibility":"world_readable"}`)
	if diff := cmp.Diff(want, aliasesOf(t, bob, room)); diff != "" {
		t.Error(diff)
	}
}

func TestDeleteAlias(t *testing.T) {
	t.Parallel()
	st, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	hs := homeservertest.New(t, homeserver.WithStore(st))
	alice, bob, admin := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "admin")
	err = st.Update(t.Context(), func(tx store.Tx) error {
		u, err := tx.User(admin.User)
		u.Admin = true
		if err == nil {
			err = tx.UpdateUser(u)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	gone := func(t *testing.T, alias string) {
		t.Helper()
		alice.Do(t, "GET", aliasPath(alias), nil).WantError(404, "M_NOT_FOUND")
	}

	t.Run("an unknown alias is 404 M_NOT_FOUND", func(t *testing.T) { // ALIAS-5
		alice.Do(t, "DELETE", aliasPath("#none:example.org"), nil).WantError(404, "M_NOT_FOUND")
	})
	for name, tt := range map[string]struct{ creator, deleter *homeservertest.Client }{ // ALIAS-5, ALIAS-6
		"the creator may":                                   {bob, bob},
		"administrators of the server may":                  {alice, admin},
		"those with the power to set a canonical alias may": {bob, alice},
	} {
		t.Run(name, func(t *testing.T) {
			alias := "#" + strings.ReplaceAll(name, " ", "") + ":example.org"
			tt.creator.Put(t, aliasPath(alias), map[string]any{"room_id": room})
			if got := tt.deleter.MustDo(t, "DELETE", aliasPath(alias), nil).Raw; got != `{}` {
				t.Errorf("body %s", got)
			}
			gone(t, alias)
		})
	}
	t.Run("others get 403 M_FORBIDDEN", func(t *testing.T) { // ALIAS-5, ALIAS-6
		alice.Put(t, aliasPath("#mine:example.org"), map[string]any{"room_id": room})
		bob.Do(t, "DELETE", aliasPath("#mine:example.org"), nil).WantError(403, "M_FORBIDDEN")
		alice.Get(t, aliasPath("#mine:example.org"))
	})
	t.Run("the power counts only in the room", func(t *testing.T) { // ALIAS-6
		carl := hs.User(t, "carl")
		carl.Join(t, room)
		alice.SetState(t, room, "m.room.power_levels", "", map[string]any{
			"users": map[string]any{string(carl.User): 50}, "events": map[string]any{"m.room.canonical_alias": 50},
		})
		alice.Put(t, aliasPath("#power:example.org"), map[string]any{"room_id": room})
		carl.Leave(t, room)
		carl.Do(t, "DELETE", aliasPath("#power:example.org"), nil).WantError(403, "M_FORBIDDEN")
		carl.Join(t, room)
		carl.MustDo(t, "DELETE", aliasPath("#power:example.org"), nil)
		gone(t, "#power:example.org")
	})
	t.Run("the alias leaves m.room.canonical_alias when the caller may send that, else it is deleted all the same", func(t *testing.T) { // ALIAS-7
		for _, alias := range []string{"#c1:example.org", "#c2:example.org"} {
			alice.Put(t, aliasPath(alias), map[string]any{"room_id": room})
		}
		bob.Put(t, aliasPath("#c3:example.org"), map[string]any{"room_id": room})
		set := alice.SetState(t, room, "m.room.canonical_alias", "",
			`{"alias":"#c1:example.org","alt_aliases":["#c2:example.org","#c3:example.org"],"x":1}`)
		canonical := func() string { return alice.State(t, room, "m.room.canonical_alias", "").Raw }

		bob.MustDo(t, "DELETE", aliasPath("#c3:example.org"), nil)
		gone(t, "#c3:example.org")
		if got := canonical(); !strings.Contains(got, "#c3:example.org") {
			t.Errorf("somebody without power has changed the canonical alias to %s", got)
		}
		alice.MustDo(t, "DELETE", aliasPath("#c2:example.org"), nil)
		if got := canonical(); gjson.Get(got, "alt_aliases").Raw != `["#c3:example.org"]` || gjson.Get(got, "alias").Str != "#c1:example.org" {
			t.Errorf("after an alternative alias: %s", got)
		}
		alice.MustDo(t, "DELETE", aliasPath("#c1:example.org"), nil)
		if got := canonical(); gjson.Get(got, "alias").Exists() || gjson.Get(got, "x").Int() != 1 {
			t.Errorf("after the main alias: %s", got)
		}
		before := alice.Get(t, homeservertest.Path("/v3/rooms/{}/state/m.room.canonical_alias/", room)+"?format=event").Get("event_id").Str
		if before == string(set) {
			t.Error("there was no new event")
		}
		alice.MustDo(t, "DELETE", aliasPath("#mine:example.org"), nil)
		after := alice.Get(t, homeservertest.Path("/v3/rooms/{}/state/m.room.canonical_alias/", room)+"?format=event").Get("event_id").Str
		if before != after {
			t.Error("deleting an alias that is not canonical has made an event")
		}
	})
}

func TestCanonicalAlias(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room, other := alice.CreateRoom(t, nil), alice.CreateRoom(t, nil)
	alice.Put(t, aliasPath("#here:example.org"), map[string]any{"room_id": room})
	alice.Put(t, aliasPath("#there:example.org"), map[string]any{"room_id": other})
	path := homeservertest.Path("/v3/rooms/{}/state/m.room.canonical_alias", room)

	for _, tt := range []struct { // STATE-10, STATE-11
		content string
		status  int
		code    string
	}{
		{`{"alias":"here"}`, 400, "M_INVALID_PARAM"},
		{`{"alias":7}`, 400, "M_INVALID_PARAM"},
		{`{"alt_aliases":["here"]}`, 400, "M_INVALID_PARAM"},
		{`{"alt_aliases":[""]}`, 400, "M_INVALID_PARAM"},
		{`{"alias":"#none:example.org"}`, 400, "M_BAD_ALIAS"},
		{`{"alias":"#there:example.org"}`, 400, "M_BAD_ALIAS"},
		{`{"alias":"#here:example.org","alt_aliases":["#there:example.org"]}`, 400, "M_BAD_ALIAS"},
		{`{"alias":"#here:example.com"}`, 400, "M_BAD_ALIAS"},
		{`{"alt_aliases":["#here:example.org"]}`, 200, ""},
		{`{"alias":""}`, 200, ""},
		{`{"alias":null}`, 200, ""},
		{`{}`, 200, ""},
		{`{"alias":"#here:example.org"}`, 200, ""},
	} {
		answer := alice.Do(t, "PUT", path, tt.content)
		if answer.Status != tt.status || answer.JSON().Get("errcode").Str != tt.code {
			t.Errorf("%s: %v", tt.content, answer)
		}
	}
	// STATE-10: kept or removed ones are not checked, in another place too.
	alice.MustDo(t, "DELETE", aliasPath("#there:example.org"), nil)
	alice.Put(t, aliasPath("#there:example.org"), map[string]any{"room_id": room})
	alice.Put(t, path, `{"alias":"#here:example.org","alt_aliases":["#there:example.org"]}`)
	bob := hs.User(t, "bob")
	alice.Invite(t, room, bob.User)
	bob.Join(t, room)
	bob.Put(t, aliasPath("#bob:example.org"), map[string]any{"room_id": room})
	alice.Put(t, path, `{"alias":"#bob:example.org","alt_aliases":["#there:example.org"]}`)
	bob.MustDo(t, "DELETE", aliasPath("#bob:example.org"), nil) // stays in the event
	alice.Put(t, path, `{"alias":"#there:example.org","alt_aliases":["#bob:example.org"]}`)
	alice.Put(t, path, `{"alias":"#there:example.org"}`)
	alice.Do(t, "PUT", path, `{"alias":"#bob:example.org"}`).WantError(400, "M_BAD_ALIAS")
}
