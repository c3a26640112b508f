package homeserver_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// TestClientsFollowTheirWindows is TestClientsFollowTheirRooms for sliding sync:
// clients look at changing windows of their rooms, in changing detail, lose answers
// and ask again, and begin anew now and then. Whoever follows their positions and
// fills the gaps ends with every event once and in order, and with the state, the
// memberships and the account data that the server has (SLIDE-5, SLIDE-6, SLIDE-19,
// SLIDE-20, SLIDE-27, SLIDE-31, SLIDE-33 to SLIDE-35, SLIDE-45, CLIENT-22 to
// CLIENT-24). HOMESERVER_TEST_STEPS makes it as long as one likes.
func TestClientsFollowTheirWindows(t *testing.T) {
	t.Parallel()
	steps, err := strconv.Atoi(os.Getenv("HOMESERVER_TEST_STEPS"))
	if err != nil {
		steps = 150
	}
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := newTown(t, 100+seed)
			var all []*viewer
			for i, u := range w.users {
				for j := range 3 {
					all = append(all, &viewer{Client: u, town: w, name: fmt.Sprintf("u%d.%d", i, j)})
				}
			}
			for range steps {
				w.actMore()
				if w.rnd.IntN(3) == 0 {
					all[w.rnd.IntN(len(all))].look(false)
				}
			}
			for _, v := range all {
				for v.look(true) {
				}
				v.check()
			}
		})
	}
}

// actMore does what town.act does, and what concerns one user alone.
func (w *town) actMore() {
	u, room := w.users[w.rnd.IntN(4)], w.rooms[w.rnd.IntN(3)]
	switch w.rnd.IntN(12) {
	case 0:
		u.Do(w, "POST", homeservertest.Path("/v3/rooms/{}/forget", room), "{}")
	case 1:
		u.Put(w, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/m.tag", u.User, room), fmt.Sprintf(`{"tags":{"t%d":{}}}`, w.rnd.IntN(3)))
	case 2:
		direct := fmt.Sprintf(`{"%s":["%s"]}`, w.users[0].User, w.rooms[w.rnd.IntN(3)])
		u.Put(w, homeservertest.Path("/v3/user/{}/account_data/m.direct", u.User), direct)
	case 3:
		page := u.Do(w, "GET", homeservertest.Path("/v3/rooms/{}/messages", room)+"?dir=b&limit=1", nil)
		if id := page.JSON().Get("chunk.0.event_id").Str; id != "" {
			kind := []string{"m.read", "m.read.private"}[w.rnd.IntN(2)]
			u.Do(w, "POST", homeservertest.Path("/v3/rooms/{}/receipt/{}/{}", room, kind, id), "{}")
		}
	case 4:
		u.Do(w, "PUT", homeservertest.Path("/v3/rooms/{}/typing/{}", room, u.User), fmt.Sprintf(`{"typing":%v,"timeout":60000}`, w.rnd.IntN(2) == 0))
	default:
		w.act()
	}
}

// viewer is a client that knows nothing but what sliding sync and /messages told it.
type viewer struct {
	*homeservertest.Client
	town *town
	name string
	pos  string

	rooms  map[events.RoomID]*viewed
	global map[string]string // account data by type
}

// viewed is a room as the viewer has it.
type viewed struct {
	membership string
	timeline   []string
	state      map[string]string // ID by type and key
	all        bool              // all of the state was asked for
	name       string
	direct     bool
	joined     int64
	unread     int64
	bump       int64
	data       map[string]string
	typing     string
	receipts   map[string]string // event by user and type, unthreaded
}

// look asks for what is new, in a window of the viewer's whim or all there is, and
// reports whether there was anything.
func (v *viewer) look(everything bool) bool {
	t := v.town
	t.Helper()
	if !everything && t.rnd.IntN(12) == 0 {
		v.pos = "" // begins anew
	}
	if v.pos == "" {
		v.rooms, v.global = map[events.RoomID]*viewed{}, map[string]string{}
	}
	body := v.body(everything)
	path := "/unstable/org.matrix.simplified_msc3575/sync"
	if v.pos != "" {
		path += "?pos=" + v.pos
	}
	answer := v.Post(t, path, body)
	for t.rnd.IntN(4) == 0 { // the answer is lost
		if v.pos == "" || t.rnd.IntN(2) == 0 {
			body = v.body(everything)
		}
		if t.rnd.IntN(3) == 0 {
			t.actMore()
		}
		answer = v.Post(t, path, body)
	}
	full := body["full"] == true
	answer.Get("rooms").ForEach(func(id, entry gjson.Result) bool {
		v.apply(events.RoomID(id.Str), entry, full)
		return true
	})
	for _, d := range answer.Get("extensions.account_data.global").Array() {
		v.global[d.Get("type").Str] = d.Get("content").Raw
	}
	each := func(extension string, f func(r *viewed, value gjson.Result)) {
		answer.Get("extensions." + extension + ".rooms").ForEach(func(id, value gjson.Result) bool {
			if r := v.rooms[events.RoomID(id.Str)]; r != nil {
				f(r, value)
			} else {
				t.Errorf("%s: %s of an unknown room", v.name, extension)
			}
			return true
		})
	}
	each("account_data", func(r *viewed, list gjson.Result) {
		for _, d := range list.Array() {
			r.data[d.Get("type").Str] = d.Get("content").Raw
		}
	})
	each("typing", func(r *viewed, e gjson.Result) { r.typing = e.Get("content.user_ids").Raw })
	each("receipts", func(r *viewed, e gjson.Result) { readReceipts(r.receipts, e) })
	if everything {
		present := 0 // of the others some may be forgotten
		for _, r := range v.rooms {
			if r.membership != "leave" && r.membership != "ban" {
				present++
			}
		}
		if got := int(answer.Get("lists.a.count").Int()); got < present || got > len(v.rooms) {
			t.Errorf("%s: %d rooms in the list, the client knows %d to %d (SLIDE-29, CLIENT-20)", v.name, got, present, len(v.rooms))
		}
	}
	v.pos = answer.Get("pos").Str
	extensions := answer.Get("extensions")
	some := len(answer.Get("rooms").Map()) > 0 || extensions.Get("account_data.global.#").Int() > 0
	for _, x := range []string{"account_data", "typing", "receipts"} {
		some = some || len(extensions.Get(x+".rooms").Map()) > 0
	}
	return some
}

// readReceipts takes over an m.receipt event.
func readReceipts(to map[string]string, e gjson.Result) {
	e.Get("content").ForEach(func(event, kinds gjson.Result) bool {
		kinds.ForEach(func(kind, users gjson.Result) bool {
			users.ForEach(func(user, _ gjson.Result) bool {
				to[kind.Str+user.Str] = event.Str
				return true
			})
			return true
		})
		return true
	})
}

// body makes a request.
func (v *viewer) body(everything bool) map[string]any {
	rnd := v.town.rnd
	full := everything || rnd.IntN(2) == 0
	state := [][]string{{"m.room.member", "$ME"}, {"m.room.member", "$LAZY"}, {"m.room.name", ""}}
	if full {
		state = [][]string{{"*", "*"}}
	}
	list := map[string]any{"timeline_limit": []int{1, 2, 5, 50}[rnd.IntN(4)], "required_state": state}
	if !everything && rnd.IntN(2) == 0 {
		list["ranges"] = [][][]int{{{0, 0}}, {{0, 1}}, {{1, 2}}, {{0, 0}, {2, 2}}}[rnd.IntN(4)]
	} else {
		list["ranges"] = [][]int{{0, 99}}
	}
	body := map[string]any{"conn_id": v.name, "lists": map[string]any{"a": list}, "full": full}
	if everything || rnd.IntN(3) > 0 {
		on := map[string]any{"enabled": true}
		body["extensions"] = map[string]any{"account_data": on, "typing": on, "receipts": on}
	}
	if rnd.IntN(3) == 0 {
		body["room_subscriptions"] = map[string]any{
			string(v.town.rooms[rnd.IntN(3)]): map[string]any{"timeline_limit": 3, "required_state": state},
		}
	}
	return body
}

// apply takes over what is told of a room.
func (v *viewer) apply(id events.RoomID, entry gjson.Result, full bool) {
	t := v.town
	t.Helper()
	r := v.rooms[id]
	initial := entry.Get("initial").Bool()
	if r == nil && !initial {
		t.Fatalf("%s: %s is told of without initial (SLIDE-31): %s", v.name, id, entry)
	}
	if initial {
		old := r
		r = &viewed{state: map[string]string{}, data: map[string]string{}, receipts: map[string]string{}}
		if old != nil {
			r.data = old.data
		}
		v.rooms[id] = r
	}
	if invite := entry.Get("invite_state"); invite.Exists() {
		if entry.Get("timeline").Exists() || entry.Get("required_state").Exists() {
			t.Errorf("%s: more than invite_state of %s (SLIDE-39): %s", v.name, id, entry)
		}
		for _, e := range invite.Array() {
			if e.Get("state_key").Str == string(v.User) {
				r.membership = e.Get("content.membership").Str
			}
		}
		return
	}
	v.applyTimeline(r, id, entry, initial)
	for _, e := range entry.Get("required_state").Array() {
		key := e.Get("type").Str + "/" + e.Get("state_key").Str
		r.state[key] = e.Get("event_id").Str
		if key == "m.room.member/"+string(v.User) {
			r.membership = e.Get("content.membership").Str
		}
	}
	for field, to := range map[string]*int64{"joined_count": &r.joined, "notification_count": &r.unread, "bump_stamp": &r.bump} {
		if n := entry.Get(field); n.Exists() {
			*to = n.Int()
		}
	}
	if name := entry.Get("name"); name.Exists() {
		r.name = name.Str
	}
	if direct := entry.Get("is_dm"); direct.Exists() {
		r.direct = direct.Bool()
	}
	r.all = full
}

func (v *viewer) applyTimeline(r *viewed, id events.RoomID, entry gjson.Result, initial bool) {
	t := v.town
	t.Helper()
	added := ids(entry.Get("timeline"))
	if !entry.Get("timeline").Exists() {
		return
	}
	if initial {
		r.timeline = added
		return
	}
	switch {
	case len(added) > 0 && slices.Contains(r.timeline, added[0]):
		if !entry.Get("unstable_expanded_timeline").Bool() {
			t.Errorf("%s: %s is repeated in %s", v.name, added[0], id)
		}
		r.timeline = r.timeline[:slices.Index(r.timeline, added[0])]
	case entry.Get("unstable_expanded_timeline").Bool() && len(r.timeline) > 0 && slices.Contains(added, r.timeline[0]):
		r.timeline = nil // the new one reaches further back
	case entry.Get("limited").Bool():
		r.timeline = append(r.timeline, v.missed(id, r.timeline, entry.Get("prev_batch").Str)...)
	}
	r.timeline = append(r.timeline, added...)
}

// missed reads back from the start of a timeline to what the viewer has.
func (v *viewer) missed(id events.RoomID, have []string, from string) []string {
	t := v.town
	t.Helper()
	var missed []string
	for from != "" {
		answer := v.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/messages", id)+"?dir=b&limit=3&from="+from, nil)
		if answer.Status == 403 { // forgotten meanwhile
			return nil
		}
		page := answer.Want(200)
		for _, e := range ids(page.Get("chunk")) {
			if slices.Contains(have, e) {
				slices.Reverse(missed)
				return missed
			}
			missed = append(missed, e)
		}
		from = page.Get("end").Str
	}
	slices.Reverse(missed)
	return missed
}

// check compares what the viewer has with what the server says now.
func (v *viewer) check() {
	t := v.town
	t.Helper()
	sync := v.Get(t, "/v3/sync")
	for part, membership := range map[string]string{"join": "join", "invite": "invite", "knock": "knock"} {
		sync.Get("rooms." + part).ForEach(func(id, _ gjson.Result) bool {
			if r := v.rooms[events.RoomID(id.Str)]; r == nil || r.membership != membership {
				t.Errorf("%s: %s is %s, the client has %+v", v.name, id.Str, membership, r)
			}
			return true
		})
	}
	for id, r := range v.rooms {
		section := homeservertest.Room(sync, r.membership, id)
		switch r.membership {
		case "join", "invite", "knock":
			if !section.Exists() {
				t.Errorf("%s: the client thinks that %s is %s", v.name, id, r.membership)
				continue
			}
		}
		if r.membership == "join" {
			v.checkRoom(id, r, section)
		}
	}
	want := map[string]string{}
	for _, d := range sync.Get("account_data.events").Array() {
		want[d.Get("type").Str] = d.Get("content").Raw
	}
	if diff := cmp.Diff(want, v.global); diff != "" {
		t.Errorf("%s: account data (-server +client):\n%s", v.name, diff)
	}
}

func (v *viewer) checkRoom(id events.RoomID, r *viewed, section gjson.Result) {
	t := v.town
	t.Helper()
	var all []string
	for from := ""; ; {
		page := v.Get(t, homeservertest.Path("/v3/rooms/{}/messages", id)+"?dir=f&limit=100"+from)
		all = append(all, ids(page.Get("chunk"))...)
		if from = "&from=" + page.Get("end").Str; from == "&from=" {
			break
		}
	}
	if len(r.timeline) == 0 || !slices.Contains(all, r.timeline[0]) {
		t.Fatalf("%s: no timeline of %s", v.name, id)
	}
	if diff := cmp.Diff(all[slices.Index(all, r.timeline[0]):], r.timeline); diff != "" {
		t.Errorf("%s: timeline of %s (-server +client):\n%s", v.name, id, diff)
	}
	state, name := map[string]string{}, ""
	for _, e := range v.Get(t, homeservertest.Path("/v3/rooms/{}/state", id)).Array() {
		state[e.Get("type").Str+"/"+e.Get("state_key").Str] = e.Get("event_id").Str
		if e.Get("type").Str == "m.room.name" {
			name = e.Get("content.name").Str
		}
	}
	if diff := cmp.Diff(state, r.state); diff != "" {
		t.Errorf("%s: state of %s (-server +client):\n%s", v.name, id, diff)
	}
	data := map[string]string{}
	for _, d := range section.Get("account_data.events").Array() {
		data[d.Get("type").Str] = d.Get("content").Raw
	}
	if diff := cmp.Diff(data, r.data); diff != "" {
		t.Errorf("%s: account data of %s (-server +client):\n%s", v.name, id, diff)
	}
	receipts, typing := map[string]string{}, ""
	for _, e := range section.Get("ephemeral.events").Array() {
		if e.Get("type").Str == "m.receipt" {
			readReceipts(receipts, e)
		} else {
			typing = e.Get("content.user_ids").Raw
		}
	}
	for key, event := range r.receipts {
		if receipts[key] != event {
			t.Errorf("%s: %s in %s: %s, not %s", v.name, key, id, receipts[key], event)
		}
	}
	if own := "m.read" + string(v.User); receipts[own] != r.receipts[own] { // SLIDE-46
		t.Errorf("%s: own receipt in %s: %q, not %q", v.name, id, receipts[own], r.receipts[own])
	}
	got := fmt.Sprint(r.name, r.direct, r.joined, r.unread, r.typing)
	direct := slices.ContainsFunc(slices.Collect(maps.Values(gjson.Parse(v.global["m.direct"]).Map())), func(rooms gjson.Result) bool {
		return slices.ContainsFunc(rooms.Array(), func(r gjson.Result) bool { return r.Str == string(id) })
	})
	if r.typing == "[]" {
		got = fmt.Sprint(r.name, r.direct, r.joined, r.unread, "")
	}
	want := fmt.Sprint(name, direct, section.Get(`summary.m\.joined_member_count`).Int(),
		section.Get("unread_notifications.notification_count").Int(), typing)
	if got != want {
		t.Errorf("%s: what %s is: %s, not %s", v.name, id, got, want)
	}
}
