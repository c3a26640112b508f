package homeserver_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store"
)

// atlas makes spaces and rooms by their names.
type atlas struct {
	*homeservertest.Client
	rooms map[string]events.RoomID
}

func newAtlas(c *homeservertest.Client) *atlas {
	return &atlas{c, map[string]events.RoomID{}}
}

// room makes rooms, those in capitals as spaces. All are public.
func (a *atlas) room(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		body := map[string]any{"preset": "public_chat", "name": name}
		if name == strings.ToUpper(name) {
			body["creation_content"] = map[string]any{"type": "m.space"}
		}
		a.rooms[name] = a.CreateRoom(t, body)
	}
}

// link puts a room into another one. more is what the event has beside via.
func (a *atlas) link(t testing.TB, from, to, more string) {
	t.Helper()
	a.SetState(t, a.rooms[from], "m.space.child", string(a.rooms[to]), `{"via":["example.org"]`+more+`}`)
}

// tree makes rooms and links "A b", in this order.
func (a *atlas) tree(t testing.TB, links ...string) {
	t.Helper()
	for i, l := range links {
		from, to, _ := strings.Cut(l, " ")
		for _, name := range []string{from, to} {
			if a.rooms[name] == "" {
				a.room(t, name)
			}
		}
		a.link(t, from, to, fmt.Sprintf(`,"order":"%02d"`, i+10))
	}
}

func (a *atlas) path(root, query string) string {
	return homeservertest.Path("/v1/rooms/{}/hierarchy", a.rooms[root]) + "?" + query
}

// nameOf is the name of a room by its ID.
func (a *atlas) nameOf(id string) string {
	for name, room := range a.rooms {
		if string(room) == id {
			return name
		}
	}
	return id
}

// seen is what a page of a hierarchy shows: rooms, each with its links in brackets.
func (a *atlas) seen(page gjson.Result) string {
	var list []string
	for _, r := range page.Get("rooms").Array() {
		name := a.nameOf(r.Get("room_id").Str)
		var links []string
		for _, l := range r.Get("children_state").Array() {
			links = append(links, a.nameOf(l.Get("state_key").Str))
		}
		if len(links) > 0 {
			name += "(" + strings.Join(links, " ") + ")"
		}
		list = append(list, name)
	}
	return strings.Join(list, " ")
}

func (a *atlas) want(t testing.TB, c *homeservertest.Client, root, query, want string) gjson.Result {
	t.Helper()
	page := c.Get(t, a.path(root, query))
	if got := a.seen(page); got != want {
		t.Errorf("%s?%s:\n got %s\nwant %s", root, query, got, want)
	}
	return page
}

// The walk is depth first, each room once, to the depth that is asked for (SPACE-6,
// SPACE-7, SPACE-13).
func TestHierarchyWalk(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := newAtlas(hs.User(t, "alice")), hs.User(t, "bob")
	alice.tree(t, "ROOT a", "ROOT B", "ROOT c", "B d", "B E", "E f", "E a", "B g", "c h",
		"E ROOT", "B B", "E B") // loops, and another way to a room
	all := "ROOT(a B c) a B(d E g B) d E(f a ROOT B) f g c"
	t.Run("the root first, a child space before its later siblings, each room once, loops broken", func(t *testing.T) { // SPACE-7
		alice.want(t, bob, "ROOT", "", all)
		alice.want(t, bob, "B", "", "B(d E g B) d E(f a ROOT B) f a ROOT(a B c) c g")
	})
	t.Run("a room that is no space has no children", func(t *testing.T) { // SPACE-8, SPACE-10
		if alice.State(t, alice.rooms["c"], "m.space.child", string(alice.rooms["h"])).Get("via.0").Str != "example.org" {
			t.Error("the link is missing")
		}
		page := alice.want(t, bob, "c", "", "c")
		if raw := page.Get("rooms.0.children_state").Raw; raw != "[]" {
			t.Errorf("children_state %s", raw)
		}
	})
	t.Run("max_depth", func(t *testing.T) { // SPACE-13
		alice.want(t, bob, "ROOT", "max_depth=0", "ROOT(a B c)")
		alice.want(t, bob, "ROOT", "max_depth=1", "ROOT(a B c) a B(d E g B) c")
		alice.want(t, bob, "ROOT", "max_depth=2", "ROOT(a B c) a B(d E g B) d E(f a ROOT B) g c")
		alice.want(t, bob, "ROOT", "max_depth=3", all)
		alice.want(t, bob, "ROOT", "max_depth=9007199254740991", all)
	})
	t.Run("parents do not matter", func(t *testing.T) { // SPACE-16
		alice.room(t, "orphan")
		alice.SetState(t, alice.rooms["orphan"], "m.space.parent", string(alice.rooms["ROOT"]), `{"via":["example.org"],"canonical":true}`)
		alice.want(t, bob, "ROOT", "", all)
		alice.want(t, bob, "orphan", "", "orphan")
	})
	for name, query := range map[string]string{ // SPACE-6
		"limit must be positive": "limit=0", "limit must not be negative": "limit=-1", "limit is a number": "limit=x",
		"max_depth must not be negative": "max_depth=-1", "max_depth is a number": "max_depth=x",
		"suggested_only is true or false": "suggested_only=7",
	} {
		t.Run(name, func(t *testing.T) {
			bob.Do(t, "GET", alice.path("ROOT", query), nil).WantError(400, "M_INVALID_PARAM")
		})
	}
	hs.Anonymous().Do(t, "GET", alice.path("ROOT", ""), nil).WantError(401, "M_MISSING_TOKEN")
}

// What is told of each room (SPACE-10).
func TestHierarchyEntry(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := newAtlas(hs.User(t, "alice")), hs.User(t, "bob")
	alice.tree(t, "ROOT a")
	alice.link(t, "ROOT", "a", `,"suggested":true,"order":"x"`)
	link := homeservertest.Timeline(alice.Sync(t), alice.rooms["ROOT"])
	page := bob.Get(t, alice.path("ROOT", ""))
	want := []any{
		map[string]any{
			"room_id": string(alice.rooms["ROOT"]), "num_joined_members": 1.0, "world_readable": false, "guest_can_join": false,
			"name": "ROOT", "join_rule": "public", "room_type": "m.space", "room_version": events.DefaultVersion,
			"children_state": []any{map[string]any{
				"type": "m.space.child", "state_key": string(alice.rooms["a"]), "sender": string(alice.User),
				"content":          map[string]any{"via": []any{"example.org"}, "suggested": true, "order": "x"},
				"origin_server_ts": link[len(link)-1].Get("origin_server_ts").Num,
			}},
		},
		map[string]any{
			"room_id": string(alice.rooms["a"]), "num_joined_members": 1.0, "world_readable": false, "guest_can_join": false,
			"name": "a", "join_rule": "public", "room_version": events.DefaultVersion, "children_state": []any{},
		},
	}
	if diff := cmp.Diff(want, page.Get("rooms").Value()); diff != "" {
		t.Error(diff)
	}
	if page.Get("next_batch").Exists() {
		t.Errorf("a next page of %s", page)
	}
}

// Which links count (SPACE-8), and which of them as suggestions (SPACE-12).
func TestHierarchyLinks(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := newAtlas(hs.User(t, "alice"))
	alice.room(t, "ROOT", "x")
	set := func(content string) {
		alice.SetState(t, alice.rooms["ROOT"], "m.space.child", string(alice.rooms["x"]), content)
	}
	for content, counts := range map[string]bool{ // SPACE-8
		`{"via":["example.org"]}`:           true,
		`{"via":["a.example","b.example"]}`: true,
		`{"via":[]}`:                        false,
		`{"via":"example.org"}`:             false,
		`{"via":{"0":"example.org"}}`:       false,
		`{"via":null}`:                      false,
		`{}`:                                false,
	} {
		set(content)
		want := "ROOT"
		if counts {
			want = "ROOT(x) x"
		}
		alice.want(t, alice.Client, "ROOT", "", want)
	}
	set(`{}`)
	alice.tree(t, "ROOT a", "ROOT B", "B c", "B d")
	for content, counts := range map[string]bool{ // SPACE-12
		`,"suggested":true`:   true,
		`,"suggested":false`:  false,
		`,"suggested":"true"`: false,
		`,"suggested":1`:      false,
		``:                    false,
	} {
		alice.link(t, "ROOT", "B", content)
		alice.link(t, "B", "d", content)
		want := "ROOT"
		if counts {
			want = "ROOT(B) B(d) d"
		}
		alice.want(t, alice.Client, "ROOT", "suggested_only=true", want)
		alice.want(t, alice.Client, "ROOT", "suggested_only=false", "ROOT(a B) a B(c d) c d")
	}
}

// Children come in the order that the space gives them, then by age, then by ID
// (SPACE-9).
func TestHierarchyOrder(t *testing.T) {
	t.Parallel()
	now := stoppedClock()()
	hs := homeservertest.New(t, homeserver.WithClock(func() time.Time { return now }))
	alice := newAtlas(hs.User(t, "alice"))
	alice.room(t, "ROOT", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8")
	long := strings.Repeat("x", 50)
	for _, l := range []struct{ room, more string }{
		{"r1", `,"order":"b"`},
		{"r2", `,"order":"B"`},             // by code point, not by letter
		{"r3", ``},                         // the oldest without
		{"r4", `,"order":"` + long + `y"`}, // too long: none
		{"r5", `,"order":"é"`},             // beyond ASCII: none
		{"r6", `,"order":"` + long + `"`},  // just right
		{"r7", `,"order":" "`},             // the first one
		{"r8", `,"order":7`},               // no string: none
	} {
		now = now.Add(time.Second)
		alice.link(t, "ROOT", l.room, l.more)
	}
	alice.want(t, alice.Client, "ROOT", "max_depth=0", "ROOT(r7 r2 r1 r6 r3 r4 r5 r8)")
	for _, order := range []string{`,"order":""`, `,"order":"a\u001f"`, `,"order":"a\u007f"`} { // none: now the newest
		now = now.Add(time.Second)
		alice.link(t, "ROOT", "r7", order)
		alice.want(t, alice.Client, "ROOT", "max_depth=0", "ROOT(r2 r1 r6 r3 r4 r5 r8 r7)")
	}
	for _, more := range []string{``, `,"order":"same"`} { // all at one moment: by ID
		names := []string{"r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8"}
		for _, name := range names {
			alice.link(t, "ROOT", name, more+`,"new":true`)
		}
		slices.SortFunc(names, func(a, b string) int { return strings.Compare(string(alice.rooms[a]), string(alice.rooms[b])) })
		alice.want(t, alice.Client, "ROOT", "", "ROOT("+strings.Join(names, " ")+") "+strings.Join(names, " "))
		now = now.Add(time.Second)
	}
	// Those with an equal order by age.
	for _, name := range []string{"r5", "r3", "r4"} {
		now = now.Add(time.Second)
		alice.link(t, "ROOT", name, `,"order":"!"`)
	}
	if page := alice.seen(alice.Get(t, alice.path("ROOT", "max_depth=0"))); !strings.HasPrefix(page, "ROOT(r5 r3 r4 ") {
		t.Error(page)
	}
}

// Rooms that somebody may not be told of are left out, with what is behind them; the
// links to them stay (SPACE-11).
func TestHierarchyAccess(t *testing.T) {
	t.Parallel()
	hs, st := storeOf(t)
	alice, bob, carol := newAtlas(hs.User(t, "alice")), hs.User(t, "bob"), hs.User(t, "carol")
	alice.room(t, "ROOT", "hall")
	carol.Join(t, alice.rooms["hall"])
	root := "ROOT("
	want := map[string]string{}
	for i, a := range accesses() {
		name := fmt.Sprint("x", i)
		alice.rooms[name] = accessRoom(t, alice.Client, a, alice.rooms["hall"])
		alice.link(t, "ROOT", name, fmt.Sprintf(`,"order":"%02d"`, i))
		root += name + " "
		want["alice"] += " " + name
		if a.outsider {
			want["bob"] += " " + name
		}
		if a.fellow {
			want["carol"] += " " + name
		}
	}
	alice.rooms["gone"] = "!gone:example.org"
	alice.link(t, "ROOT", "gone", "")
	root += "gone)"
	for _, c := range []*homeservertest.Client{alice.Client, bob, carol} { // SPACE-4, SPACE-11
		alice.want(t, c, "ROOT", "", root+want[c.User.Localpart()])
	}
	t.Run("what is behind a room that is left out is too", func(t *testing.T) { // SPACE-11
		alice.tree(t, "OTHER SECRET", "SECRET open", "OTHER last")
		setRule(t, alice.Client, alice.rooms["SECRET"], `{"join_rule":"invite"}`)
		alice.want(t, alice.Client, "OTHER", "", "OTHER(SECRET last) SECRET(open) open last")
		alice.want(t, bob, "OTHER", "", "OTHER(SECRET last) last")
		alice.Invite(t, alice.rooms["SECRET"], bob.User)
		alice.want(t, bob, "OTHER", "", "OTHER(SECRET last) SECRET(open) open last")
	})
	t.Run("a root that is not viewable, unknown or closed to the banned is 403 M_FORBIDDEN", func(t *testing.T) { // SPACE-15
		alice.rooms["UNKNOWN"] = "!nothing:example.org"
		carol.Do(t, "GET", alice.path("SECRET", ""), nil).WantError(403, "M_FORBIDDEN")
		carol.Do(t, "GET", alice.path("UNKNOWN", ""), nil).WantError(403, "M_FORBIDDEN")
		carol.Get(t, alice.path("OTHER", ""))
		alice.Post(t, homeservertest.Path("/v3/rooms/{}/ban", alice.rooms["OTHER"]), map[string]any{"user_id": carol.User})
		carol.Do(t, "GET", alice.path("OTHER", ""), nil).WantError(403, "M_FORBIDDEN")
	})
	t.Run("guests may not", func(t *testing.T) { // GUEST-1
		guest := change(t, hs, st, hs.User(t, "guest").User, func(u *store.User) { u.Guest = true })
		guest.Do(t, "GET", alice.path("ROOT", ""), nil).WantError(403, "M_GUEST_ACCESS_FORBIDDEN")
	})
}

// Pages follow one another without gap or repetition (SPACE-14).
func TestHierarchyPages(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := newAtlas(hs.User(t, "alice")), hs.User(t, "bob")
	alice.tree(t, "ROOT a", "ROOT B", "B c", "B SECRET", "SECRET d", "B e", "ROOT f", "ROOT hidden")
	setRule(t, alice.Client, alice.rooms["SECRET"], `{"join_rule":"invite"}`)
	setRule(t, alice.Client, alice.rooms["hidden"], `{"join_rule":"invite"}`)
	all := []string{"ROOT(a B f hidden)", "a", "B(c SECRET e)", "c", "e", "f"}
	for limit := 1; limit <= len(all)+1; limit++ {
		from := ""
		for rest := all; ; {
			n := min(limit, len(rest))
			page := alice.want(t, bob, "ROOT", fmt.Sprintf("limit=%d&from=%s", limit, from), strings.Join(rest[:n], " "))
			rest, from = rest[n:], page.Get("next_batch").Str
			if (from != "") != (len(rest) > 0) {
				t.Fatalf("limit %d: token %q before %q", limit, from, rest)
			}
			if from == "" {
				break
			}
		}
	}
	alice.link(t, "ROOT", "B", `,"suggested":true,"order":"11"`) // there with either value of suggested_only
	alice.link(t, "B", "c", `,"suggested":true,"order":"12"`)
	token := bob.Get(t, alice.path("ROOT", "limit=3&suggested_only=false&max_depth=2")).Get("next_batch").Str
	t.Run("a token works again, and with another limit", func(t *testing.T) {
		for range 2 {
			alice.want(t, bob, "ROOT", "limit=1&max_depth=2&from="+token, "c")
			alice.want(t, bob, "ROOT", "max_depth=2&from="+token, "c e f")
		}
	})
	for name, query := range map[string]string{
		"unknown":                "from=x",
		"of another shape":       "max_depth=2&from=" + token + "x",
		"no room":                "max_depth=2&from=" + token[:strings.LastIndex(token, "-")+1] + "999",
		"changed suggested_only": "max_depth=2&suggested_only=true&from=" + token,
		"changed max_depth":      "max_depth=3&from=" + token,
		"omitted max_depth":      "from=" + token,
	} {
		t.Run("from: "+name, func(t *testing.T) {
			bob.Do(t, "GET", alice.path("ROOT", query), nil).WantError(400, "M_INVALID_PARAM")
		})
	}
	t.Run("from: of another space", func(t *testing.T) {
		bob.Do(t, "GET", alice.path("B", "max_depth=2&from="+token), nil).WantError(400, "M_INVALID_PARAM")
	})
	t.Run("the tree changes between two pages", func(t *testing.T) {
		alice.room(t, "new", "newer")
		alice.link(t, "B", "new", `,"order":"0"`) // comes at once after the last room of the page
		alice.link(t, "ROOT", "newer", `,"order":"0"`)
		alice.want(t, bob, "ROOT", "max_depth=2&from="+token, "new c e f")
		alice.SetState(t, alice.rooms["ROOT"], "m.space.child", string(alice.rooms["B"]), `{}`)
		bob.Do(t, "GET", alice.path("ROOT", "max_depth=2&from="+token), nil).WantError(400, "M_INVALID_PARAM") // stale: B is gone
	})
}

// Neither a page nor the walk to it goes on for ever, whatever clients ask for and put
// into spaces.
func TestHierarchyBounds(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := newAtlas(hs.User(t, "alice"))
	space := func(name string, children int, child func(i int) events.RoomID) {
		links := make([]any, children)
		for i := range links {
			links[i] = map[string]any{"type": "m.space.child", "state_key": child(i), "content": map[string]any{"via": []string{"x"}}}
		}
		alice.rooms[name] = alice.CreateRoom(t, map[string]any{"initial_state": links, "creation_content": map[string]any{"type": "m.space"}})
	}
	t.Run("limit is capped", func(t *testing.T) { // SPACE-6
		space("LARGE", 500, func(int) events.RoomID { return alice.CreateRoom(t, nil) })
		page := alice.Get(t, alice.path("LARGE", "limit=9007199254740991"))
		if n := len(page.Get("rooms").Array()); n != 500 || !page.Get("next_batch").Exists() {
			t.Errorf("%d rooms", n)
		}
		page = alice.Get(t, alice.path("LARGE", "limit=9007199254740991&from="+page.Get("next_batch").Str))
		if n := len(page.Get("rooms").Array()); n != 1 || page.Get("next_batch").Exists() {
			t.Errorf("then %d rooms", n)
		}
		if n := len(alice.Get(t, alice.path("LARGE", "")).Get("rooms").Array()); n != 50 {
			t.Errorf("%d rooms without a limit", n)
		}
	})
	t.Run("links are followed for a while", func(t *testing.T) { // SPACE-7
		alice.room(t, "ROOT", "first", "last")
		alice.link(t, "ROOT", "first", `,"order":"00"`)
		for i := range 11 {
			name := fmt.Sprint("SPACE", i)
			space(name, 1000, func(j int) events.RoomID { return events.RoomID(fmt.Sprintf("!%d-%d:example.org", i, j)) })
			alice.link(t, "ROOT", name, `,"order":"1"`)
		}
		alice.link(t, "ROOT", "last", `,"order":"2"`)
		page := alice.Get(t, alice.path("ROOT", "")).Get("rooms.#.room_id").String()
		if !strings.Contains(page, string(alice.rooms["first"])) || strings.Contains(page, string(alice.rooms["last"])) {
			t.Errorf("rooms %s", page)
		}
	})
}

// A large space, all of it on one page or in many.
func BenchmarkHierarchy(b *testing.B) {
	hs := homeservertest.New(b)
	alice := newAtlas(hs.User(b, "alice"))
	alice.room(b, "ROOT")
	for i := range 500 {
		name := fmt.Sprint("r", i)
		alice.room(b, name)
		alice.link(b, "ROOT", name, "")
	}
	for _, limit := range []int{50, 500} {
		b.Run(fmt.Sprint("limit=", limit), func(b *testing.B) {
			for b.Loop() {
				alice.Get(b, alice.path("ROOT", fmt.Sprint("limit=", limit)))
			}
		})
	}
}
