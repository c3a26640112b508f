package homeserver_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store"
)

func upgradePath(room events.RoomID) string {
	return homeservertest.Path("/v3/rooms/{}/upgrade", room)
}

// upgrade upgrades a room; more is what the request has beside the version.
func upgrade(t testing.TB, c *homeservertest.Client, room events.RoomID, version, more string) events.RoomID {
	t.Helper()
	answer := c.Post(t, upgradePath(room), `{"new_version":"`+version+`"`+more+`}`)
	id := answer.Get("replacement_room").Str
	if want := `{"replacement_room":"` + id + `"}`; answer.Raw != want { // UPGR-1
		t.Errorf("answer %s, want %s", answer, want)
	}
	return events.RoomID(id)
}

// stateOf is the content of a state event, {} if there is none.
func stateOf(t testing.TB, c *homeservertest.Client, room events.RoomID, typ, key string) gjson.Result {
	t.Helper()
	r := c.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/state/{}/{}", room, typ, key), nil)
	if r.Status == 404 {
		return gjson.Parse("{}")
	}
	return r.Want(200)
}

// wantState checks the content of a state event.
func wantState(t testing.TB, c *homeservertest.Client, room events.RoomID, typ, want string) {
	t.Helper()
	got := stateOf(t, c, room, typ, "")
	if diff := cmp.Diff(gjson.Parse(want).Value(), got.Value()); diff != "" {
		t.Errorf("%s: %s", typ, diff)
	}
}

// Every version can be upgraded to every other one, and to itself (UPGR-1, UPGR-3).
func TestUpgradeVersions(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	for _, from := range events.Versions() {
		for _, to := range events.Versions() {
			t.Run(from+" to "+to, func(t *testing.T) {
				old := alice.CreateRoom(t, map[string]any{"room_version": from, "name": "Tea"})
				room := upgrade(t, alice, old, to, "")
				if room == old {
					t.Fatal("the room is its own replacement")
				}
				create := alice.State(t, room, "m.room.create", "")
				tombstone := everything(t, alice, old)
				i := slices.IndexFunc(tombstone, func(e gjson.Result) bool { return e.Get("type").Str == "m.room.tombstone" })
				if create.Get("room_version").Str != to || create.Get("predecessor.room_id").Str != string(old) { // UPGR-5
					t.Errorf("create event %s", create)
				}
				id := create.Get("predecessor.event_id")
				if to == "12" && id.Exists() || to != "12" && id.Str != tombstone[i].Get("event_id").Str { // UPGR-6
					t.Errorf("predecessor %s, the tombstone is %s", create.Get("predecessor"), tombstone[i])
				}
				content := tombstone[i].Get("content")
				if content.Get("replacement_room").Str != string(room) || content.Get("body").Str == "" { // UPGR-13
					t.Errorf("tombstone %s", content)
				}
				wantState(t, alice, room, "m.room.name", `{"name":"Tea"}`)
				for _, typ := range []string{"m.room.power_levels", "m.room.tombstone"} { // UPGR-11: what needs most power
					alice.SetState(t, room, typ, "", stateOf(t, alice, room, typ, "").Raw)
				}
			})
		}
	}
}

// Who may not upgrade, and what cannot be upgraded to: nothing happens (UPGR-2,
// UPGR-4).
func TestUpgradeRefused(t *testing.T) {
	t.Parallel()
	hs, st := storeOf(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat","room_version":"11","room_alias_name":"tea"}`)
	bob.Join(t, room)
	stranger := hs.User(t, "stranger")
	quiet := change(t, hs, st, hs.User(t, "quiet").User, suspended)
	for _, tt := range []struct {
		name   string
		client *homeservertest.Client
		room   events.RoomID
		body   string
		status int
		code   string
	}{
		{"unknown version", alice, room, `{"new_version":"99"}`, 400, "M_UNSUPPORTED_ROOM_VERSION"},
		{"empty version", alice, room, `{"new_version":""}`, 400, "M_UNSUPPORTED_ROOM_VERSION"},
		{"unknown version without permission", bob, room, `{"new_version":"99"}`, 400, "M_UNSUPPORTED_ROOM_VERSION"},
		{"no permission for m.room.tombstone", bob, room, `{"new_version":"12"}`, 403, "M_FORBIDDEN"},
		{"no permission, to a version without hashes", bob, room, `{"new_version":"10"}`, 403, "M_FORBIDDEN"},
		{"not in the room", stranger, room, `{"new_version":"12"}`, 403, "M_FORBIDDEN"},
		{"unknown room", alice, "!nothing:example.org", `{"new_version":"12"}`, 404, "M_NOT_FOUND"},
		{"missing new_version", alice, room, `{}`, 400, "M_MISSING_PARAM"},
		{"new_version that is no string", alice, room, `{"new_version":12}`, 400, "M_BAD_JSON"},
		{"creators that are no list", alice, room, `{"new_version":"12","additional_creators":"@bob:example.org"}`, 400, "M_BAD_JSON"},
		{"creators that are no users", alice, room, `{"new_version":"12","additional_creators":["bob"]}`, 400, "M_INVALID_PARAM"},
		{"suspended", quiet, room, `{"new_version":"12"}`, 403, "M_USER_SUSPENDED"},
		{"anonymous", hs.Anonymous(), room, `{"new_version":"12"}`, 401, "M_MISSING_TOKEN"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.client.Do(t, "POST", upgradePath(tt.room), tt.body).WantError(tt.status, tt.code)
		})
	}
	rooms := alice.Get(t, "/v3/joined_rooms").Get("joined_rooms").Array()
	if len(rooms) != 1 || stateOf(t, alice, room, "m.room.tombstone", "").Raw != "{}" {
		t.Errorf("after all refusals alice is in %s", rooms)
	}
	if got := alice.Get(t, aliasPath("#tea:example.org")).Get("room_id").Str; got != string(room) {
		t.Errorf("the alias names %s", got)
	}
}

// What goes along to the new room, in which order, and what does not.
func TestUpgradeState(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	inner := alice.CreateRoom(t, nil)
	state := map[string]string{ // UPGR-8
		"m.room.server_acl":         `{"allow":["*"],"deny":["evil.example"]}`,
		"m.room.encryption":         `{"algorithm":"m.megolm.v1.aes-sha2","rotation_period_ms":7}`,
		"m.room.name":               `{"name":"Tea"}`,
		"m.room.avatar":             `{"url":"mxc://example.org/tea"}`,
		"m.room.topic":              `{"topic":"Leaves","m.topic":{"m.text":[{"body":"Leaves"}]}}`,
		"m.room.guest_access":       `{"guest_access":"can_join"}`,
		"m.room.history_visibility": `{"history_visibility":"joined"}`,
		"m.room.join_rules":         fmt.Sprintf(`{"join_rule":"restricted","allow":[{"type":"m.room_membership","room_id":%q}]}`, inner),
	}
	build := func(t *testing.T, typ string) events.RoomID {
		t.Helper()
		old := alice.CreateRoom(t, `{"preset":"public_chat","room_version":"11","creation_content":{`+typ+`"org.example.colour":"red"}}`)
		bob.Join(t, old)
		carol.Join(t, old)
		alice.Post(t, homeservertest.Path("/v3/rooms/{}/ban", old), map[string]any{"user_id": carol.User, "reason": "rude"})
		for typ, content := range state {
			alice.SetState(t, old, typ, "", content)
		}
		alice.SetState(t, old, "m.room.pinned_events", "", `{"pinned":["$x"]}`)
		alice.SetState(t, old, "org.example.clock", "", `{"time":7}`)
		alice.SetState(t, old, "m.space.child", string(inner), `{"via":["example.org"],"order":"a"}`)
		alice.SetState(t, old, "m.space.child", "!left:example.org", `{}`)
		return old
	}
	t.Run("of a space", func(t *testing.T) {
		old := build(t, `"type":"m.space","m.federate":false,`)
		levels := alice.State(t, old, "m.room.power_levels", "")
		room := upgrade(t, alice, old, "11", "")
		for typ, content := range state { // UPGR-8
			wantState(t, alice, room, typ, content)
		}
		wantState(t, alice, room, "m.room.power_levels", levels.Raw)
		create := alice.State(t, room, "m.room.create", "") // UPGR-5
		if create.Get("type").Str != "m.space" || create.Get(`m\.federate`).Raw != "false" || create.Get(`org\.example\.colour`).Exists() {
			t.Errorf("create event %s", create)
		}
		got := kinds(everything(t, alice, room))
		slices.Sort(got[2:])
		want := []string{"create", "member @alice",
			"avatar", "encryption", "guest_access", "history_visibility", "join_rules",
			"m.space.child " + strings.TrimSuffix(string(inner), ":example.org"), "member @carol", "name", "power_levels", "server_acl", "topic"}
		if diff := cmp.Diff(want, got); diff != "" { // UPGR-4, UPGR-8, UPGR-9: that and nothing else
			t.Error(diff)
		}
		child := stateOf(t, alice, room, "m.space.child", string(inner))
		if child.Raw != alice.State(t, old, "m.space.child", string(inner)).Raw { // UPGR-8
			t.Errorf("child %s", child)
		}
		ban := stateOf(t, alice, room, "m.room.member", string(carol.User)) // UPGR-9
		if ban.Get("membership").Str != "ban" || ban.Get("reason").Str != "rude" {
			t.Errorf("carol: %s", ban)
		}
		if membershipOf(t, alice, room, alice.User) != "join" {
			t.Error("alice is not in the new room")
		}
		if bans := kinds(everything(t, alice, old)); !slices.Equal(bans[len(bans)-2:], []string{"tombstone", "power_levels"}) { // UPGR-4
			t.Errorf("the old room ends with %s", bans)
		}
	})
	t.Run("of a room that is no space", func(t *testing.T) {
		room := upgrade(t, alice, build(t, ""), "12", "")
		create := alice.State(t, room, "m.room.create", "") // UPGR-5
		if create.Get("type").Exists() || create.Get(`m\.federate`).Exists() {
			t.Errorf("create event %s", create)
		}
		if child := stateOf(t, alice, room, "m.space.child", string(inner)); child.Raw != "{}" { // UPGR-8
			t.Errorf("child %s", child)
		}
	})
	t.Run("of an empty room", func(t *testing.T) { // UPGR-8
		old := alice.CreateRoom(t, `{"room_version":"11"}`)
		room := upgrade(t, alice, old, "11", "")
		want := []string{"create", "member @alice", "join_rules", "history_visibility", "guest_access", "power_levels"}
		if diff := cmp.Diff(want, kinds(everything(t, alice, room))); diff != "" {
			t.Error(diff)
		}
	})
	for rule, versions := range map[string]map[string]string{ // UPGR-3: those who are invited can come in
		"knock_restricted": {"12": "knock_restricted", "9": "restricted", "7": "knock", "6": "invite"},
		"restricted":       {"8": "restricted", "7": "invite", "1": "invite"},
		"knock":            {"7": "knock", "6": "invite"},
	} {
		for version, want := range versions {
			t.Run("of a room with the rule "+rule+" to "+version, func(t *testing.T) {
				old := alice.CreateRoom(t, `{"room_version":"10"}`)
				setRule(t, alice, old, `{"join_rule":"`+rule+`"}`)
				room := upgrade(t, alice, old, version, "")
				wantState(t, alice, room, "m.room.join_rules", `{"join_rule":"`+want+`"}`)
				alice.Invite(t, room, bob.User)
				bob.Join(t, room)
			})
		}
	}
	t.Run("of a room with what the new version cannot have", func(t *testing.T) { // UPGR-3
		old := alice.CreateRoom(t, `{"preset":"public_chat","room_version":"5","creation_content":{"type":"m.space"},"power_level_content_override":{
			"events":{"m.space.child":0}}}`)
		bob.Join(t, old)
		alice.SetState(t, old, "m.room.topic", "", `{"topic":"Leaves","x":1.5}`)
		bob.SetState(t, old, "m.space.child", string(bob.User), `{"via":["example.org"]}`)
		room := upgrade(t, alice, old, "6", "")
		wantState(t, alice, room, "m.room.topic", `{"topic":"Leaves"}`)
		if child := stateOf(t, alice, room, "m.space.child", string(bob.User)); child.Raw != "{}" {
			t.Errorf("child of bob's %s", child)
		}
	})
}

// Who has which power in the new room.
func TestUpgradeLevels(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	levels := func(t *testing.T, room events.RoomID) gjson.Result {
		return alice.State(t, room, "m.room.power_levels", "")
	}
	build := func(t *testing.T, version, override string) events.RoomID {
		t.Helper()
		room := alice.CreateRoom(t, `{"preset":"public_chat","room_version":"`+version+`","power_level_content_override":`+override+`}`)
		bob.Join(t, room)
		carol.Join(t, room)
		return room
	}
	const some = `{"users":{"@alice:example.org":200,"@bob:example.org":150,"@carol:example.org":5},"users_default":3,"notifications":{"room":70},"x":[1]}`
	t.Run("levels above 100 stay", func(t *testing.T) { // UPGR-10
		old := build(t, "10", some)
		was := levels(t, old)
		room := upgrade(t, alice, old, "11", "")
		if got := levels(t, room); got.Raw != was.Raw {
			t.Errorf("levels %s, were %s", got, was)
		}
	})
	t.Run("creators of the new room are not named", func(t *testing.T) { // UPGR-10, UPGR-7
		room := upgrade(t, alice, build(t, "10", some), "12", `,"additional_creators":["@carol:example.org","@nobody:example.org"]`)
		if got := levels(t, room).Get("users").Raw; got != `{"@bob:example.org":150}` {
			t.Errorf("users %s", got)
		}
		create := alice.State(t, room, "m.room.create", "")
		if got := create.Get("additional_creators").Raw; got != `["@carol:example.org","@nobody:example.org"]` {
			t.Errorf("additional creators %s", got)
		}
		carol.Join(t, room)
		carol.SetState(t, room, "m.room.tombstone", "", `{}`) // has the power of a creator
	})
	t.Run("additional creators mean nothing to other versions", func(t *testing.T) { // UPGR-7
		old := build(t, "12", `{}`)
		room := upgrade(t, alice, old, "11", `,"additional_creators":["@carol:example.org"]`)
		if create := alice.State(t, room, "m.room.create", ""); create.Get("additional_creators").Exists() {
			t.Errorf("create event %s", create)
		}
		upgrade(t, alice, room, "10", `,"additional_creators":7`)
	})
	t.Run("creators of the old room are not copied", func(t *testing.T) { // UPGR-7, UPGR-10
		old := alice.CreateRoom(t, `{"preset":"public_chat","room_version":"12","creation_content":{"additional_creators":["@carol:example.org"]},
			"power_level_content_override":{"users":{"@bob:example.org":150}}}`)
		bob.Join(t, old)
		carol.Join(t, old)
		room := upgrade(t, bob, old, "12", "")
		alice.Join(t, room)
		carol.Join(t, room)
		create := bob.State(t, room, "m.room.create", "")
		if users := levels(t, room).Get("users").Raw; users != "{}" || create.Get("additional_creators").Exists() {
			t.Errorf("users %s, create event %s", users, create)
		}
		for _, c := range []*homeservertest.Client{alice, carol} {
			c.Do(t, "PUT", homeservertest.Path("/v3/rooms/{}/state/m.room.name/", room), `{"name":"x"}`).WantError(403, "M_FORBIDDEN")
		}
	})
	t.Run("a creator who upgrades keeps being above all", func(t *testing.T) { // UPGR-11
		old := alice.CreateRoom(t, `{"preset":"public_chat","room_version":"12","creation_content":{"additional_creators":["@carol:example.org"]},
			"power_level_content_override":{"ban":120,"users":{"@bob:example.org":150},"events":{"org.example.x":180}}}`)
		bob.Join(t, old)
		carol.Join(t, old)
		room := upgrade(t, carol, old, "11", "")
		if users := carol.State(t, room, "m.room.power_levels", "").Get("users").Raw; users != `{"@bob:example.org":150,"@carol:example.org":180}` {
			t.Errorf("users %s", users)
		}
		carol.SetState(t, room, "org.example.x", "", `{}`)
	})
	t.Run("who has little power may upgrade, and has no more of it", func(t *testing.T) { // UPGR-11
		old := build(t, "10", `{"users":{"@alice:example.org":100},"users_default":10,"events":{"m.room.tombstone":10,"m.room.power_levels":100}}`)
		alice.SetState(t, old, "m.room.name", "", `{"name":"Tea"}`)
		was := levels(t, old)
		room := upgrade(t, bob, old, "11", "")
		alice.Join(t, room)
		if got := levels(t, room); got.Raw != was.Raw {
			t.Errorf("levels %s, were %s", got, was)
		}
		wantState(t, alice, room, "m.room.name", `{"name":"Tea"}`)
		if got := levels(t, old); got.Raw != was.Raw { // UPGR-14: failing is no failure
			t.Errorf("old levels %s, were %s", got, was)
		}
	})
	t.Run("tombstones need more than other state", func(t *testing.T) { // UPGR-12
		for override, want := range map[string]int64{
			`{"events":{"m.room.tombstone":50,"m.room.name":1}}`: 150,
			`{"events":{"m.room.name":1}}`:                       150,
			`{"events":{"m.room.name":1},"state_default":100,"users":{"@alice:example.org":400},"notifications":{}}`: 150,
			`{"events":{"m.room.name":1},"state_default":300,"users":{"@alice:example.org":400}}`:                    301,
			`{"events":{"m.room.tombstone":60,"m.room.name":1}}`:                                                     60,
			`{"events":{"m.room.tombstone":100,"m.room.name":1}}`:                                                    100,
		} {
			got := levels(t, upgrade(t, alice, build(t, "11", override), "12", "")).Get("events")
			if got.Get(`m\.room\.tombstone`).Int() != want || got.Get(`m\.room\.name`).Int() != 1 {
				t.Errorf("%s: %s", override, got)
			}
		}
	})
	t.Run("in the old room only moderators speak and invite", func(t *testing.T) { // UPGR-14
		for override, want := range map[string]string{
			`{}`:                                `50 50`,
			`{"users_default":49}`:              `50 50`,
			`{"users_default":60}`:              `61 61`,
			`{"invite":70}`:                     `50 70`,
			`{"events_default":80}`:             `80 50`,
			`{"events_default":80,"invite":90}`: `80 90`,
		} {
			for _, version := range []string{"1", "11", "12"} {
				old := build(t, version, override)
				before := levels(t, old)
				upgrade(t, alice, old, "12", "")
				after := levels(t, old)
				if got := after.Get("events_default").Raw + " " + after.Get("invite").Raw; got != want {
					t.Errorf("version %s, %s: %s", version, override, got)
				}
				if after.Get("users").Raw != before.Get("users").Raw || after.Get("ban").Raw != before.Get("ban").Raw {
					t.Errorf("levels %s, were %s", after, before)
				}
				if want != "80 90" {
					continue
				}
				if names := kinds(everything(t, alice, old)); names[len(names)-1] != "tombstone" {
					t.Errorf("a change that is none: %s", names)
				}
			}
		}
	})
}

// The names of a room become those of the new one (UPGR-15).
func TestUpgradeNames(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	for _, to := range []string{"11", "12"} {
		t.Run("to "+to, func(t *testing.T) {
			main, other := "#main"+to+":example.org", "#other"+to+":example.org"
			old := alice.CreateRoom(t, `{"preset":"public_chat","visibility":"public","room_version":"10","name":"Tea","room_alias_name":"main`+to+`"}`)
			bob.Join(t, old)
			bob.Put(t, aliasPath(other), map[string]any{"room_id": old})
			alice.SetState(t, old, "m.room.canonical_alias", "", `{"alias":"`+main+`","alt_aliases":["`+other+`"]}`)
			room := upgrade(t, alice, old, to, "")
			for _, alias := range []string{main, other} { // UPGR-4, UPGR-15
				if got := bob.Get(t, aliasPath(alias)).Get("room_id").Str; got != string(room) {
					t.Errorf("%s names %s", alias, got)
				}
			}
			if got := aliasesOf(t, alice, old); len(got) != 0 {
				t.Errorf("the old room keeps %s", got)
			}
			wantState(t, alice, room, "m.room.canonical_alias", `{"alias":"`+main+`","alt_aliases":["`+other+`"]}`)
			wantState(t, alice, old, "m.room.canonical_alias", `{}`)
			bob.MustDo(t, "DELETE", aliasPath(other), nil) // still belongs to bob
			listed := func(room events.RoomID) string { return bob.Get(t, listedPath(room)).Get("visibility").Str }
			if listed(old) != "private" || listed(room) != "public" { // UPGR-15
				t.Errorf("the old room is %s, the new one %s", listed(old), listed(room))
			}
			rooms := hs.Anonymous().Get(t, "/v3/publicRooms").Get(`chunk.#(room_id=="` + string(room) + `")`)
			if rooms.Get("name").Str != "Tea" || rooms.Get("canonical_alias").Str != main {
				t.Errorf("entry %s", rooms)
			}
		})
	}
	t.Run("what was not listed is not", func(t *testing.T) { // UPGR-15
		old := alice.CreateRoom(t, `{"preset":"public_chat"}`)
		room := upgrade(t, alice, old, "12", "")
		if got := alice.Get(t, listedPath(room)).Get("visibility").Str; got != "private" {
			t.Error(got)
		}
		if names := kinds(everything(t, alice, room)); slices.Contains(names, "canonical_alias") {
			t.Errorf("events %s", names)
		}
	})
}

// What users have set for a room is so for the new one, from when they join it
// (UPGR-16).
func TestUpgradeSettings(t *testing.T) {
	t.Parallel()
	hs, st := storeOf(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	old := alice.CreateRoom(t, `{"preset":"public_chat","room_version":"10"}`)
	other := alice.CreateRoom(t, nil)
	bob.Join(t, old)
	tagPath := func(c *homeservertest.Client, room events.RoomID, name string) string {
		return homeservertest.Path("/v3/user/{}/rooms/{}/tags", c.User, room) + name
	}
	direct := func(c *homeservertest.Client) string {
		return homeservertest.Path("/v3/user/{}/account_data/m.direct", c.User)
	}
	rule := func(room events.RoomID) string { return homeservertest.Path("/v3/pushrules/global/room/{}", room) }
	for _, c := range []*homeservertest.Client{alice, bob} {
		c.Put(t, tagPath(c, old, "/u.work"), `{"order":0.5}`)
		c.Put(t, direct(c), map[string]any{"@a:example.org": []any{other, old}, "@b:example.org": []any{other}, "x": 7})
		c.Put(t, rule(old), `{"actions":["notify"]}`)
		c.Sync(t)
	}
	check := func(c *homeservertest.Client, room events.RoomID) {
		t.Helper()
		if got := c.Get(t, tagPath(c, room, "")).Get("tags").Raw; got != `{"u.work":{"order":0.5}}` {
			t.Errorf("%s has tags %s", c, got)
		}
		want := map[string]any{"@a:example.org": []any{string(other), string(old), string(room)}, "@b:example.org": []any{string(other)}, "x": 7.0}
		if diff := cmp.Diff(want, c.Get(t, direct(c)).Value()); diff != "" {
			t.Errorf("%s has direct chats %s", c, diff)
		}
		if got := c.Get(t, rule(room)).Get("actions").Raw; got != `["notify"]` {
			t.Errorf("%s has actions %s", c, got)
		}
	}
	// news checks that a sync tells of all of it.
	news := func(c *homeservertest.Client, room events.RoomID) {
		t.Helper()
		sync := c.Sync(t)
		account := sync.Get("account_data.events")
		if !strings.Contains(account.Get(`#(type=="m.direct").content`).Raw, string(room)) ||
			!strings.Contains(account.Get(`#(type=="m.push_rules").content`).Raw, string(room)) ||
			!homeservertest.Room(sync, "join", room).Get(`account_data.events.#(type=="m.tag").content.tags.u\.work`).Exists() {
			t.Errorf("%s hears %s", c, sync)
		}
	}
	room := upgrade(t, alice, old, "12", "")
	check(alice, room) // who upgrades joins
	news(alice, room)
	if got := bob.Get(t, tagPath(bob, room, "")).Get("tags").Raw; got != `{}` {
		t.Errorf("bob has tags %s before he has joined", got)
	}
	bob.Join(t, room)
	check(bob, room)
	news(bob, room)
	bob.Leave(t, room)
	bob.Join(t, room)
	check(bob, room) // once

	t.Run("syncs hear of tags alone, too", func(t *testing.T) {
		erin := hs.User(t, "erin")
		erin.Put(t, tagPath(erin, old, "/u.work"), `{}`)
		erin.Sync(t)
		erin.Join(t, room)
		if sync := erin.Sync(t); !homeservertest.Room(sync, "join", room).Get(`account_data.events.#(type=="m.tag").content.tags.u\.work`).Exists() {
			t.Errorf("sync %s", sync)
		}
	})
	t.Run("what is set for the new room stays", func(t *testing.T) {
		carol := hs.User(t, "carol")
		carol.Join(t, old)
		carol.Put(t, tagPath(carol, old, "/u.work"), `{}`)
		carol.Put(t, tagPath(carol, room, "/u.fun"), `{}`)
		carol.Put(t, rule(old), `{"actions":["notify"]}`)
		carol.Put(t, rule(room), `{"actions":[]}`)
		carol.Join(t, room)
		if got := carol.Get(t, tagPath(carol, room, "")).Get("tags").Raw; got != `{"u.fun":{}}` {
			t.Errorf("tags %s", got)
		}
		if got := carol.Get(t, rule(room)).Get("actions").Raw; got != `[]` {
			t.Errorf("actions %s", got)
		}
	})
	t.Run("a room that only says that it replaces another one gets nothing", func(t *testing.T) {
		for _, predecessor := range []events.RoomID{old, other, "!nothing:example.org", "x"} {
			claimant := alice.CreateRoom(t, map[string]any{"preset": "public_chat",
				"creation_content": map[string]any{"predecessor": map[string]any{"room_id": predecessor}}})
			bob.Join(t, claimant)
			if got := bob.Get(t, tagPath(bob, claimant, "")).Get("tags").Raw; got != `{}` {
				t.Errorf("tags %s", got)
			}
		}
	})
	t.Run("who has set nothing gets nothing", func(t *testing.T) {
		dave := hs.User(t, "dave")
		dave.Join(t, old)
		dave.Join(t, room)
		dave.Do(t, "GET", direct(dave), nil).WantError(404, "M_NOT_FOUND")
		err := st.View(t.Context(), func(v store.View) error {
			data, err := v.AccountDataSince(dave.User, 0)
			if len(data) > 0 {
				t.Errorf("account data %+v", data)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// UPGR-3: a ban that has no place in an event of the new version stays behind.
func TestUpgradeFullBan(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	ban := func(size int) int {
		return alice.Do(t, "PUT", homeservertest.Path("/v3/rooms/{}/state/m.room.member/@x:example.org", room), map[string]any{
			"membership": "ban", "reason": strings.Repeat("x", size),
		}).Status
	}
	size := 65536
	for ban(size) != 200 {
		size -= 10
	}
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/ban", room), `{"user_id":"@y:example.org"}`)
	next := upgrade(t, alice, room, "1", "")
	if got := stateOf(t, alice, next, "m.room.member", "@y:example.org").Get("membership").Str; got != "ban" {
		t.Errorf("the other ban is %q", got)
	}
}
