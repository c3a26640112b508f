package homeserver_test

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// TestClientsFollowTheirRooms lets several users do random things in several rooms
// while clients of different habits sync now and then. Whoever follows their tokens
// and fills the gaps has every event once and in order, and the state, the account data,
// the receipts, the counts and who types as the server has them (SYNC-16 to SYNC-28,
// SYNC-34, SYNC-37, SYNC-41, SYNC-42, SYNC-44, SYNC-45, READ-10 to READ-16): also those that
// lose answers, go away, come back to an old token, ask in another way than before or drop
// rooms, and whatever becomes of the server in between.
func TestClientsFollowTheirRooms(t *testing.T) {
	t.Parallel()
	inTowns(t, 0, func(w *town, steps int) {
		var all []*follower
		for i := range w.users {
			for j, h := range []habit{
				{limit: 2}, {limit: 50}, {limit: 3, stateAfter: true, threads: true}, {limit: 4, lazy: true}, {limit: 4, lazy: true, stateAfter: true},
				{limit: 4, lazy: true, stateAfter: true, drops: true}, {limit: 3, drops: true}, {limit: 4, lazy: true, fickle: true},
			} {
				f := &follower{Client: w.device(i, w.rnd.IntN(2) == 0), town: w, habit: h, name: fmt.Sprintf("u%d.%d %+v", i, j, h)}
				f.rooms, f.global = map[events.RoomID]*followed{}, map[string]string{}
				all = append(all, f)
			}
		}
		for range steps {
			w.step()
			if w.rnd.IntN(2) == 0 {
				pick(w, all...).sync()
			}
		}
		for _, f := range all {
			f.take(f.Get(w, f.path(f.habit, false)), f.habit)
			f.check()
		}
	})
}

// follower is a client that knows nothing but what /sync and /messages told it.
type follower struct {
	*homeservertest.Client
	town *town
	name string
	habit
	knowledge
	saved *knowledge // what it wrote down some time ago
}

// habit is how a client syncs.
type habit struct {
	limit      int
	stateAfter bool
	lazy       bool
	threads    bool // counts what is unread by thread
	drops      bool // rooms that were left
	fickle     bool // asks now in this way and now in that
}

// knowledge is what a follower has learned up to a token.
type knowledge struct {
	since  string
	rooms  map[events.RoomID]*followed
	global map[string]string // account data by type
}

func (k knowledge) clone() knowledge {
	k.global, k.rooms = maps.Clone(k.global), maps.Clone(k.rooms)
	for id, r := range k.rooms {
		c := *r
		c.timeline, c.state, c.aside = slices.Clone(r.timeline), maps.Clone(r.state), r.aside.clone()
		k.rooms[id] = &c
	}
	return k
}

// followed is a room as the follower has it.
type followed struct {
	membership string
	timeline   []string          // IDs since the follower came
	state      map[string]string // ID by type and key
	joined     int64
	invited    int64
	unread     string
	aside
}

// path is the request of a sync.
func (f *follower) path(h habit, full bool) string {
	filter := fmt.Sprintf(`{"room":{"include_leave":%v,"timeline":{"limit":%d,"unread_thread_notifications":%v},"state":{"lazy_load_members":%v}}}`,
		f.town.rnd.IntN(4) == 0, h.limit, h.threads, h.lazy)
	query := url.Values{"filter": {filter}, "full_state": {fmt.Sprint(full)}, "use_state_after": {fmt.Sprint(h.stateAfter)}}
	if f.since != "" {
		query.Set("since", f.since)
	}
	return "/v3/sync?" + query.Encode()
}

func (f *follower) sync() {
	t, h := f.town, f.habit
	t.Helper()
	switch t.rnd.IntN(20) {
	case 0:
		saved := f.clone()
		f.saved = &saved
	case 1:
		if f.saved != nil { // it ended before it could write down what came after
			f.knowledge = f.saved.clone()
		}
	}
	if f.fickle {
		h.limit, h.lazy, h.stateAfter = 1+t.rnd.IntN(9), t.rnd.IntN(2) == 0, t.rnd.IntN(2) == 0
	}
	f.take(t.ask(f.Client, "GET", f.path(h, t.rnd.IntN(12) == 0), nil).Want(200), h)
}

// take takes over an answer.
func (f *follower) take(answer gjson.Result, h habit) {
	f.town.Helper()
	answer.Get("rooms.join").ForEach(func(id, section gjson.Result) bool {
		f.join(events.RoomID(id.Str), section, h)
		return true
	})
	answer.Get("rooms.leave").ForEach(func(id, section gjson.Result) bool {
		f.leave(events.RoomID(id.Str), section, h)
		return true
	})
	for _, part := range []string{"invite", "knock"} { // perhaps left meanwhile, and asked back
		answer.Get("rooms." + part).ForEach(func(id, section gjson.Result) bool {
			f.stripped(events.RoomID(id.Str), section.Get(part+"_state.events"), part)
			return true
		})
	}
	for _, d := range answer.Get("account_data.events").Array() {
		f.global[d.Get("type").Str] = d.Get("content").Raw
	}
	f.since = answer.Get("next_batch").Str
}

// room returns a room as the follower has it.
func (f *follower) room(id events.RoomID) *followed {
	r := f.rooms[id]
	if r == nil {
		r = &followed{state: map[string]string{}, aside: newAside()}
		f.rooms[id] = r
	}
	return r
}

func (f *follower) join(id events.RoomID, section gjson.Result, h habit) {
	r := f.room(id)
	if r.membership != "join" { // the state that it had before stays, as with real clients (SYNC-31)
		r.membership, r.timeline, r.receipts, r.typing = "join", nil, map[string]string{}, ""
	}
	f.apply(r, id, section, h)
}

// leave takes over what is told of a room that was left. The follower knows then of its own going,
// which is the last that it is told (SYNC-23, SYNC-47).
func (f *follower) leave(id events.RoomID, section gjson.Result, h habit) {
	f.town.Helper()
	r := f.room(id)
	if r.membership != "join" {
		r.timeline = nil
	}
	f.apply(r, id, section, h)
	if n := len(r.timeline); n > 0 && r.state["m.room.member/"+string(f.User)] != r.timeline[n-1] {
		f.town.Errorf("%s: left %s with %s, and the follower knows itself by %s", f.name, id, r.timeline[n-1], r.state["m.room.member/"+string(f.User)])
	}
	r.membership = "leave"
	if f.drops {
		delete(f.rooms, id)
	}
}

// stripped takes over an invite or a knock (SYNC-44).
func (f *follower) stripped(id events.RoomID, state gjson.Result, membership string) {
	f.town.Helper()
	if f.drops {
		delete(f.rooms, id)
	}
	f.room(id).membership = membership
	own := state.Get(`#(type=="m.room.member")#|#(state_key=="` + string(f.User) + `").content.membership`)
	if own.Str != membership || !state.Get(`#(type=="m.room.create")`).Exists() {
		f.town.Errorf("%s: %s to %s: %s", f.name, membership, id, state)
	}
}

// apply takes over what a section tells.
func (f *follower) apply(r *followed, id events.RoomID, section gjson.Result, h habit) {
	t := f.town
	t.Helper()
	timeline := section.Get("timeline")
	added := t.ids(timeline.Get("events"))
	if timeline.Get("limited").Bool() && r.timeline != nil {
		if slices.ContainsFunc(added, func(id string) bool { return slices.Contains(r.timeline, id) }) { // left and come back: told anew (SYNC-25)
			r.timeline = nil
		} else {
			missed := f.gap(r, id, timeline.Get("prev_batch").Str)
			r.timeline = append(r.timeline, missed...)
		}
	}
	r.timeline = append(r.timeline, added...)
	parts := []string{"state.events", "timeline.events"}
	if h.stateAfter {
		parts = []string{"state_after.events"}
	}
	if h.stateAfter && section.Get("state").Exists() || h.stateAfter != section.Get("state_after").Exists() {
		t.Errorf("%s: state_after was asked for or not (SYNC-23, SYNC-24): %s", f.name, section)
	}
	for _, part := range parts {
		seen := map[string]bool{}
		for _, e := range section.Get(part).Array() {
			if key := e.Get("state_key"); key.Exists() {
				k := e.Get("type").Str + "/" + key.Str
				if seen[k] && part != "timeline.events" {
					t.Errorf("%s: %s is twice in %s (SYNC-21)", f.name, k, part)
				}
				seen[k] = true
				r.state[k] = e.Get("event_id").Str
			}
		}
	}
	if r.membership == "join" && (h.lazy || !f.lazy) { // of who sends an invite or takes it back nothing is known
		f.acquainted(r, timeline)
	}
	for name, to := range map[string]*int64{"joined": &r.joined, "invited": &r.invited} {
		if n := section.Get(`summary.m\.` + name + `_member_count`); n.Exists() {
			*to = n.Int()
		}
	}
	if section.Get("unread_notifications").Exists() && h.threads == f.threads {
		r.unread = unreadIn(section)
	}
	r.keep(section.Get("account_data.events"))
	for _, e := range section.Get("ephemeral.events").Array() {
		r.hear(e)
	}
}

// unreadIn are the counts that a section tells.
func unreadIn(section gjson.Result) string {
	return section.Get("unread_notifications").Raw + section.Get("unread_thread_notifications").Raw
}

// acquainted checks that a client that loads members lazily knows whose events it has been
// sent (SYNC-29), whatever was left out because it was sent before (SYNC-32).
func (f *follower) acquainted(r *followed, timeline gjson.Result) {
	f.town.Helper()
	for _, sender := range timeline.Get("events.#.sender").Array() {
		if r.state["m.room.member/"+sender.Str] == "" {
			f.town.Errorf("%s: %s is a stranger in %s", f.name, sender.Str, timeline)
		}
	}
}

// gap reads what lies between what the follower has and the start of a timeline.
func (f *follower) gap(r *followed, id events.RoomID, from string) []string {
	t := f.town
	t.Helper()
	var missed []string
	for from != "" {
		answer := f.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/messages", id)+"?dir=b&limit=3&from="+from+"&to="+f.since, nil)
		if answer.Status == 403 { // forgotten meanwhile
			r.timeline = nil
			return nil
		}
		page := answer.Want(200)
		missed = append(missed, t.ids(page.Get("chunk"))...)
		from = page.Get("end").Str
	}
	slices.Reverse(missed)
	return missed
}

// check compares what the follower has with what the server says now.
func (f *follower) check() {
	t := f.town
	t.Helper()
	whole := f.Get(t, "/v3/sync?filter="+url.QueryEscape(fmt.Sprintf(`{"room":{"timeline":{"unread_thread_notifications":%v}}}`, f.threads)))
	ignores := t.ignores(f.User)
	for id, r := range f.rooms {
		if !homeservertest.Room(whole, r.membership, id).Exists() && r.membership != "leave" && !(ignores && r.membership == "invite") {
			t.Errorf("%s: the client thinks that %s is %s", f.name, id, r.membership)
		}
	}
	for _, part := range []string{"join", "invite", "knock"} {
		whole.Get("rooms." + part).ForEach(func(key, section gjson.Result) bool {
			id := events.RoomID(key.Str)
			r := f.rooms[id]
			switch {
			case part == "invite" && ignores && (r == nil || r.membership == "leave"): // by somebody who was ignored then
			case r == nil || r.membership != part:
				t.Errorf("%s: %s is %s, and the client has %+v", f.name, id, part, r)
			case part == "join":
				f.checkRoom(id, r, section, ignores)
			}
			return true
		})
	}
	want := map[string]string{}
	for _, d := range whole.Get("account_data.events").Array() {
		want[d.Get("type").Str] = d.Get("content").Raw
	}
	if diff := cmp.Diff(want, f.global); diff != "" {
		t.Errorf("%s: account data (-server +client):\n%s", f.name, diff)
	}
}

// checkRoom compares a room that the user is in with what a first sync tells of it.
func (f *follower) checkRoom(id events.RoomID, r *followed, section gjson.Result, ignores bool) {
	t := f.town
	t.Helper()
	t.sameTimeline(f.name, f.Client, id, r.timeline)
	state := map[string]string{}
	for _, e := range f.Get(t, homeservertest.Path("/v3/rooms/{}/state", id)).Array() {
		k := e.Get("type").Str + "/" + e.Get("state_key").Str
		if _, known := r.state[k]; known || !f.lazy || e.Get("type").Str != "m.room.member" {
			state[k] = e.Get("event_id").Str
		}
	}
	if diff := cmp.Diff(state, r.state); diff != "" {
		t.Errorf("%s: state of %s (-server +client):\n%s", f.name, id, diff)
	}
	if diff := asideOf(section).diff(r.aside); diff != "" {
		t.Errorf("%s: beside %s (-server +client):\n%s", f.name, id, diff)
	}
	got, want := fmt.Sprint(r.joined, r.invited), section.Get(`summary.m\.joined_member_count`).Raw+" "+section.Get(`summary.m\.invited_member_count`).Raw
	if !ignores { // what is ignored is not counted from then on
		got, want = got+r.unread, want+unreadIn(section)
	}
	if got != want {
		t.Errorf("%s: counts of %s: %s, not %s", f.name, id, got, want)
	}
}
