package homeserver_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// TestClientsFollowTheirRooms lets several users do random things in several rooms
// while clients of different habits sync now and then. Whoever follows their tokens
// and fills the gaps has every event once and in order, and the state that the
// server has (SYNC-16 to SYNC-28, READ-10 to READ-16). HOMESERVER_TEST_STEPS makes
// it as long as one likes.
func TestClientsFollowTheirRooms(t *testing.T) {
	t.Parallel()
	steps, err := strconv.Atoi(os.Getenv("HOMESERVER_TEST_STEPS"))
	if err != nil {
		steps = 150
	}
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			newTown(t, seed).live(steps)
		})
	}
}

// town is a server with users who do random things.
type town struct {
	*testing.T
	server *homeservertest.Server
	rnd    *rand.Rand
	users  []*homeservertest.Client
	rooms  []events.RoomID
	watch  []*follower
}

func newTown(t *testing.T, seed uint64) *town {
	w := &town{T: t, server: homeservertest.New(t), rnd: rand.New(rand.NewPCG(seed, 1))}
	for i := range 4 {
		w.users = append(w.users, w.server.User(t, fmt.Sprintf("u%d", i)))
	}
	for i := range 3 {
		preset := []string{"public_chat", "public_chat", "private_chat"}[i]
		w.rooms = append(w.rooms, w.users[i].CreateRoom(t, map[string]any{"preset": preset, "room_version": []string{"12", "6", "10"}[i]}))
	}
	for i, u := range w.users {
		for _, habit := range []follower{
			{limit: 2}, {limit: 50}, {limit: 3, stateAfter: true}, {limit: 4, lazy: true}, {limit: 4, lazy: true, stateAfter: true},
		} {
			habit.town, habit.Client, habit.name = w, u, fmt.Sprintf("u%d limit=%d after=%v lazy=%v", i, habit.limit, habit.stateAfter, habit.lazy)
			habit.rooms = map[events.RoomID]*followed{}
			w.watch = append(w.watch, &habit)
		}
	}
	return w
}

func (w *town) live(steps int) {
	for range steps {
		w.act()
		if w.rnd.IntN(3) == 0 {
			w.watch[w.rnd.IntN(len(w.watch))].sync()
		}
	}
	for _, f := range w.watch {
		f.sync()
		f.check()
	}
}

// act does something that may well be refused.
func (w *town) act() {
	u, other := w.users[w.rnd.IntN(4)], w.users[w.rnd.IntN(4)]
	room := w.rooms[w.rnd.IntN(3)]
	post := func(verb string, body any) {
		u.Do(w, "POST", homeservertest.Path("/v3/rooms/{}/{}", room, verb), body)
	}
	about := map[string]any{"user_id": other.User}
	switch w.rnd.IntN(14) {
	case 0, 1:
		post("join", "{}")
	case 2:
		post("leave", "{}")
	case 3:
		post("invite", about)
	case 4:
		post([]string{"kick", "ban", "unban"}[w.rnd.IntN(3)], about)
	case 5:
		u.Put(w, homeservertest.Path("/v3/profile/{}/displayname", u.User), map[string]any{"displayname": fmt.Sprint("n", w.rnd.IntN(5))})
	case 6, 7:
		path := homeservertest.Path("/v3/rooms/{}/state/{}/{}", room, []string{"m.room.name", "m.room.topic", "x"}[w.rnd.IntN(3)], "")
		u.Do(w, "PUT", path, map[string]any{"name": fmt.Sprint(w.rnd.IntN(9)), "topic": fmt.Sprint(w.rnd.IntN(9))})
	default:
		path := homeservertest.Path("/v3/rooms/{}/send/m.room.message/{}", room, fmt.Sprint("t", w.rnd.Uint64()))
		u.Do(w, "PUT", path, map[string]any{"msgtype": "m.text", "body": fmt.Sprint(w.rnd.IntN(1000))})
	}
}

// follower is a client that knows nothing but what /sync and /messages told it.
type follower struct {
	*homeservertest.Client
	town       *town
	name       string
	limit      int
	stateAfter bool
	lazy       bool
	since      string
	rooms      map[events.RoomID]*followed
}

// followed is a room as the follower has it.
type followed struct {
	joined   bool
	timeline []string          // IDs since the follower came
	state    map[string]string // ID by type and key
}

func (f *follower) sync() {
	t := f.town
	t.Helper()
	filter := fmt.Sprintf(`{"room":{"timeline":{"limit":%d},"state":{"lazy_load_members":%v}}}`, f.limit, f.lazy)
	path := "/v3/sync?filter=" + strings.NewReplacer(`"`, "%22", "{", "%7B", "}", "%7D").Replace(filter)
	if f.since != "" {
		path += "&since=" + f.since
	}
	if f.stateAfter {
		path += "&use_state_after=true"
	}
	answer := f.Get(t, path)
	if t.rnd.IntN(4) == 0 && f.since != "" { // the answer is lost and asked for again (SYNC-6)
		answer = f.Get(t, path)
	}
	answer.Get("rooms.join").ForEach(func(id, section gjson.Result) bool {
		f.join(events.RoomID(id.Str), section)
		return true
	})
	answer.Get("rooms.leave").ForEach(func(id, section gjson.Result) bool {
		if r := f.rooms[events.RoomID(id.Str)]; r != nil {
			f.apply(r, events.RoomID(id.Str), section)
			r.joined = false
			f.isOut(events.RoomID(id.Str), r)
		}
		return true
	})
	for _, part := range []string{"invite", "knock"} { // left meanwhile, and asked back
		answer.Get("rooms." + part).ForEach(func(id, _ gjson.Result) bool {
			if r := f.rooms[events.RoomID(id.Str)]; r != nil {
				r.joined = false
			}
			return true
		})
	}
	f.since = answer.Get("next_batch").Str
}

// isOut checks that a follower knows of its own going, which is the last that it is told
// (SYNC-23, SYNC-47).
func (f *follower) isOut(id events.RoomID, r *followed) {
	f.town.Helper()
	if known, told := r.state["m.room.member/"+string(f.User)], r.timeline[len(r.timeline)-1]; known != told {
		f.town.Errorf("%s: left %s with %s, and the follower knows itself by %s", f.name, id, told, known)
	}
}

func (f *follower) join(id events.RoomID, section gjson.Result) {
	r := f.rooms[id]
	if r == nil {
		r = &followed{state: map[string]string{}}
		f.rooms[id] = r
	}
	if !r.joined { // the state that it had before stays, as with real clients (SYNC-31)
		r.joined, r.timeline = true, nil
	}
	f.apply(r, id, section)
}

// apply takes over what a section tells.
func (f *follower) apply(r *followed, id events.RoomID, section gjson.Result) {
	t := f.town
	t.Helper()
	timeline := section.Get("timeline")
	added := ids(timeline.Get("events"))
	if timeline.Get("limited").Bool() && r.timeline != nil {
		if len(added) > 0 && slices.Contains(r.timeline, added[0]) { // left and come back: told anew (SYNC-25)
			r.timeline = nil
		} else {
			r.timeline = append(r.timeline, f.gap(id, timeline.Get("prev_batch").Str)...)
		}
	}
	r.timeline = append(r.timeline, added...)
	parts := []string{"state.events", "timeline.events"}
	if f.stateAfter {
		parts = []string{"state_after.events"}
		if section.Get("state").Exists() || !section.Get("state_after").Exists() {
			t.Errorf("%s: state_after was asked for (SYNC-23): %s", f.name, section)
		}
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
	f.acquainted(r, timeline)
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
func (f *follower) gap(id events.RoomID, from string) []string {
	t := f.town
	t.Helper()
	var missed []string
	for from != "" {
		page := f.Get(t, homeservertest.Path("/v3/rooms/{}/messages", id)+"?dir=b&limit=3&from="+from+"&to="+f.since)
		missed = append(missed, ids(page.Get("chunk"))...)
		from = page.Get("end").Str
	}
	slices.Reverse(missed)
	return missed
}

// check compares what the follower has with what the server says now.
func (f *follower) check() {
	t := f.town
	t.Helper()
	in := f.Get(t, "/v3/joined_rooms").Get("joined_rooms").Array()
	for id, r := range f.rooms {
		joined := slices.ContainsFunc(in, func(j gjson.Result) bool { return j.Str == string(id) })
		if joined != r.joined {
			t.Errorf("%s: joined to %s: the client thinks %v, the server %v", f.name, id, r.joined, joined)
		}
		if !joined {
			continue
		}
		var all []string
		for from := ""; ; {
			page := f.Get(t, homeservertest.Path("/v3/rooms/{}/messages", id)+"?dir=f&limit=100"+from)
			all = append(all, ids(page.Get("chunk"))...)
			if from = "&from=" + page.Get("end").Str; from == "&from=" {
				break
			}
		}
		if len(r.timeline) == 0 || !slices.Contains(all, r.timeline[0]) {
			t.Fatalf("%s: no timeline of %s", f.name, id)
		}
		if diff := cmp.Diff(all[slices.Index(all, r.timeline[0]):], r.timeline); diff != "" {
			t.Errorf("%s: timeline of %s (-server +client):\n%s", f.name, id, diff)
		}
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
	}
	for _, id := range in {
		if r := f.rooms[events.RoomID(id.Str)]; r == nil || !r.joined {
			t.Errorf("%s: never told of %s", f.name, id.Str)
		}
	}
}

func ids(list gjson.Result) []string {
	var out []string
	for _, e := range list.Array() {
		out = append(out, e.Get("event_id").Str)
	}
	return out
}
