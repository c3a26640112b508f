package homeserver_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	inTowns(t, 100, func(w *town, steps int) {
		var all []*viewer
		for i := range w.users {
			for j := range 3 {
				c := w.device(i, w.rnd.IntN(2) == 0)
				all = append(all, &viewer{Client: c, town: w, v4: j == 2, name: fmt.Sprintf("u%d.%d", i, j)})
			}
		}
		for range steps {
			w.step()
			if w.rnd.IntN(2) == 0 {
				pick(w, all...).look()
			}
		}
		for _, v := range all {
			for everything := v.body(true); v.take(v.answer(everything, false), everything); {
				everything = v.body(true)
			}
			v.check()
		}
	})
}

// viewer is a client that knows nothing but what sliding sync and /messages told it.
type viewer struct {
	*homeservertest.Client
	town *town
	name string
	v4   bool // speaks the form that was accepted
	pos  string
	from epoch // when the connection began
	// opened is set until the connection is used again: it may have been begun twice.
	opened bool

	rooms  map[events.RoomID]*viewed
	global map[string]string // account data by type
}

// epoch tells times apart between which connections may be forgotten.
type epoch struct{ start, crowd int }

func (v *viewer) now() epoch { return epoch{v.town.starts, v.town.crowds[v.Device]} }

// viewed is a room as the viewer has it.
type viewed struct {
	membership string
	timeline   []string
	state      map[string]string // ID by type and key
	name       string
	direct     bool
	joined     int64
	unread     int64
	bump       int64
	aside
}

// look asks for what is new in a window of the viewer's whim.
func (v *viewer) look() {
	t := v.town
	t.Helper()
	switch t.rnd.IntN(40) {
	case 0, 1, 2:
		v.pos = "" // begins anew
	case 3: // so many others that the connection is forgotten
		for i := range 16 {
			v.Post(t, slidingPath, map[string]any{"conn_id": fmt.Sprint(i)})
		}
		t.crowds[v.Device]++
	}
	body := v.body(false)
	answer := v.answer(body, true)
	for t.rnd.IntN(4) == 0 { // the answer is lost
		if v.pos == "" || t.rnd.IntN(2) == 0 {
			body = v.body(false)
		}
		if t.rnd.IntN(3) == 0 {
			t.act()
		}
		answer = v.answer(body, true)
	}
	v.take(answer, body)
}

// answer asks for what is new, from the beginning if the position is not known any more.
func (v *viewer) answer(body map[string]any, anyhow bool) gjson.Result {
	t := v.town
	t.Helper()
	first := v.pos == ""
	if first {
		v.rooms, v.global, v.from = map[events.RoomID]*viewed{}, map[string]string{}, v.now()
	}
	path := slidingPath + "?pos=" + v.pos
	if delete(body, "pos"); v.v4 {
		if path = slidingV4Path + "?"; !first {
			body["pos"] = v.pos
		}
	}
	ask := v.Do
	if anyhow {
		ask = func(_ testing.TB, method, path string, body any) *homeservertest.Response {
			return t.ask(v.Client, method, path, body)
		}
	}
	answer := ask(t, "POST", path, body)
	if first {
		v.opened = true
	}
	if !first && answer.Status == 400 {
		answer.WantError(400, "M_UNKNOWN_POS")
		if v.from == v.now() && !v.opened {
			t.Errorf("%s: the position is not known any more", v.name)
		}
		v.pos = ""
		return v.answer(body, anyhow)
	}
	if !first {
		v.opened = false
	}
	return answer.Want(200)
}

// take takes over an answer and reports whether there was anything in it.
func (v *viewer) take(answer gjson.Result, body map[string]any) bool {
	t := v.town
	t.Helper()
	answer.Get("rooms").ForEach(func(id, entry gjson.Result) bool {
		v.apply(events.RoomID(id.Str), entry, body["lazy"] == true)
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
	each("account_data", func(r *viewed, list gjson.Result) { r.keep(list) })
	each("typing", func(r *viewed, e gjson.Result) { r.hear(e) })
	each("receipts", func(r *viewed, e gjson.Result) { r.hear(e) })
	if body["everything"] == true {
		present := 0 // of the others some may be forgotten
		for _, r := range v.rooms {
			if r.membership != "leave" && r.membership != "ban" {
				present++
			}
		}
		if got := int(answer.Get("lists.a.count").Int()); (got < present || got > len(v.rooms)) && !t.ignores(v.User) {
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

// body makes a request. Some of what it says is for the viewer itself.
func (v *viewer) body(everything bool) map[string]any {
	w := v.town
	lazy := !everything && w.rnd.IntN(2) == 0
	var state any
	switch own := string(v.User); {
	case v.v4 && lazy:
		state = pick(w,
			fmt.Sprintf(`{"include":[{"type":"m.room.member","state_key":%q},{"type":"m.room.name"}],"lazy_members":true}`, own),
			fmt.Sprintf(`{"include":[{},{"type":"m.room.member","state_key":%q}],"exclude":[{"type":"m.room.topic"}],"lazy_members":true}`, own))
	case v.v4:
		state = `{"include":[{}]}`
	case lazy:
		state = pick(w, `[["m.room.member","$ME"],["m.room.member","$LAZY"],["m.room.name",""]]`, `[["m.room.member","$LAZY"],["m.room.member","$ME"],["*",""]]`)
	default:
		state = `[["*","*"]]`
	}
	state = json.RawMessage(state.(string))
	list := map[string]any{"timeline_limit": pick(w, 1, 2, 5, 50), "required_state": state, "ranges": [][]int{{0, 99}}}
	if !everything && w.rnd.IntN(2) == 0 {
		list["ranges"] = pick(w, [][]int{{0, 0}}, [][]int{{0, 1}}, [][]int{{1, 2}}, [][]int{{0, 0}, {2, 2}})
		list["range"] = list["ranges"].([][]int)[0]
	}
	body := map[string]any{"conn_id": v.name, "lists": map[string]any{"a": list}, "lazy": lazy, "everything": everything}
	if everything || w.rnd.IntN(3) > 0 {
		on := map[string]any{"enabled": true}
		body["extensions"] = map[string]any{"account_data": on, "typing": on, "receipts": on}
	}
	if w.rnd.IntN(3) == 0 {
		body["room_subscriptions"] = map[events.RoomID]any{pick(w, w.rooms...): map[string]any{"timeline_limit": 3, "required_state": state}}
	}
	return body
}

// apply takes over what is told of a room.
func (v *viewer) apply(id events.RoomID, entry gjson.Result, lazy bool) {
	t := v.town
	t.Helper()
	r := v.rooms[id]
	initial := entry.Get("initial").Bool()
	if r == nil && !initial {
		t.Fatalf("%s: %s is told of without initial (SLIDE-31): %s", v.name, id, entry)
	}
	if initial {
		old := r
		r = &viewed{state: map[string]string{}, aside: newAside()}
		if old != nil {
			r.data = old.data
		}
		v.rooms[id] = r
	}
	if v.v4 {
		r.membership = entry.Get("membership").Str
	}
	if invite := entry.Get(v.word("invite_state", "stripped_state")); invite.Exists() {
		if entry.Get(v.word("timeline", "timeline_events")).Exists() || entry.Get("required_state").Exists() {
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
	for _, sender := range entry.Get(v.word("timeline", "timeline_events") + ".#.sender").Array() {
		if lazy && r.state["m.room.member/"+sender.Str] == "" {
			t.Errorf("%s: %s is a stranger in %s (SLIDE-25): %s", v.name, sender, id, entry)
		}
	}
}

// word chooses the name that something has in the form that the viewer speaks.
func (v *viewer) word(before, v4 string) string {
	if v.v4 {
		return v4
	}
	return before
}

func (v *viewer) applyTimeline(r *viewed, id events.RoomID, entry gjson.Result, initial bool) {
	t := v.town
	t.Helper()
	timeline, expanded := entry.Get(v.word("timeline", "timeline_events")), entry.Get(v.word("unstable_expanded_timeline", "expanded_timeline")).Bool()
	if !timeline.Exists() {
		return
	}
	added := t.ids(timeline)
	if initial {
		r.timeline = added
		return
	}
	switch {
	case len(added) > 0 && slices.Contains(r.timeline, added[0]):
		if !expanded {
			t.Errorf("%s: %s is repeated in %s", v.name, added[0], id)
		}
		r.timeline = r.timeline[:slices.Index(r.timeline, added[0])]
	case expanded && slices.ContainsFunc(added, func(id string) bool { return slices.Contains(r.timeline, id) }):
		r.timeline = nil // the new one reaches further back, or begins with somebody who is not ignored any more
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
		for _, e := range t.ids(page.Get("chunk")) {
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
	t.sameTimeline(v.name, v.Client, id, r.timeline)
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
	whole := asideOf(section)
	for key, event := range whole.receipts { // of the others those of the timeline are told
		if !strings.Contains(key, string(v.User)) && r.receipts[key] == "" {
			delete(whole.receipts, key)
			if r.receipts[key+"main"] == event { // told later, at the same event; a first sync tells one of the two (RCPT-8)
				delete(r.receipts, key+"main")
			}
		} else if strings.Contains(key, string(v.User)) && r.receipts[key] != event {
			t.Errorf("%s: own receipt %s in %s: %s, not %s (SLIDE-46)", v.name, key, id, r.receipts[key], event)
		}
	}
	if diff := whole.diff(r.aside); diff != "" {
		t.Errorf("%s: beside %s (-server +client):\n%s", v.name, id, diff)
	}
	direct := slices.ContainsFunc(slices.Collect(maps.Values(gjson.Parse(v.global["m.direct"]).Map())), func(rooms gjson.Result) bool {
		return slices.ContainsFunc(rooms.Array(), func(r gjson.Result) bool { return r.Str == string(id) })
	})
	unread := section.Get("unread_notifications.notification_count").Int()
	if v.v4 {
		unread = 0
	}
	got := fmt.Sprint(r.name, r.direct, r.joined, r.unread)
	want := fmt.Sprint(name, direct, section.Get(`summary.m\.joined_member_count`).Int(), unread)
	if got != want && !t.ignores(v.User) {
		t.Errorf("%s: what %s is: %s, not %s", v.name, id, got, want)
	}
}
