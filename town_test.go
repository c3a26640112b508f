package homeserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store"
)

// town is a server with users who do random things. In some, rooms and users are forgotten in the
// middle of conversations: there is hardly any memory for rooms, and time passes in leaps.
type town struct {
	*testing.T
	store     store.Store
	server    *homeservertest.Server
	rnd       *rand.Rand
	users     []*homeservertest.Client
	devices   []*homeservertest.Client // all, also those of the users
	rooms     []events.RoomID          // where they are; some were left behind
	senders   map[string]string        // of events other than state
	ignored   map[string]bool          // by who has ever ignored whom
	starts    int                      // of the server
	options   []homeserver.Option      // likewise
	forgetful bool                     // rooms and users are forgotten
	crowds    map[string]int           // of connections of a device
	later     atomic.Int64             // how far the clock is ahead of the real one
}

// inTowns runs a test in some towns, of which each has a seed, for so many steps.
// HOMESERVER_TEST_TOWNS and HOMESERVER_TEST_STEPS make it as long as one likes, HOMESERVER_TEST_SEED
// begins with another seed.
func inTowns(t *testing.T, first int, test func(w *town, steps int)) {
	set := func(name string, usual int) int {
		if n, err := strconv.Atoi(os.Getenv("HOMESERVER_TEST_" + name)); err == nil {
			return n
		}
		return usual
	}
	towns, steps := 8, 150
	if testing.Short() {
		towns = 2
	}
	towns, steps, first = set("TOWNS", towns), set("STEPS", steps), set("SEED", first)
	for seed := range towns {
		seed += first
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			test(newTown(t, seed), steps)
		})
	}
}

func newTown(t *testing.T, seed int) *town {
	w := &town{
		T: t, store: memory(t), rnd: rand.New(rand.NewPCG(uint64(seed), 1)), senders: map[string]string{}, ignored: map[string]bool{}, crowds: map[string]int{},
	}
	t.Cleanup(func() { _ = w.store.Close() })
	w.options = []homeserver.Option{
		homeserver.WithStore(unclosed{w.store}), quiet(),
		homeserver.WithClock(func() time.Time { return time.Now().Add(time.Duration(w.later.Load())) }),
	}
	if w.forgetful = seed%2 == 1; w.forgetful {
		w.options = append(w.options, homeserver.WithRoomMemory(1))
	}
	w.server = homeservertest.New(t, w.options...)
	for i := range 4 {
		w.users = append(w.users, w.server.User(t, fmt.Sprintf("u%d", i)))
	}
	w.devices = slices.Clone(w.users)
	for i := range 3 {
		preset := []string{"public_chat", "public_chat", "private_chat"}[i]
		w.rooms = append(w.rooms, w.users[i].CreateRoom(t, map[string]any{"preset": preset, "room_version": []string{"12", "6", "10"}[i]}))
	}
	return w
}

// device returns a device of a user: the first, or one of its own.
func (w *town) device(user int, own bool) *homeservertest.Client {
	if !own {
		return w.users[user]
	}
	c := w.server.Login(w, fmt.Sprintf("u%d", user))
	w.devices = append(w.devices, c)
	return c
}

// restart stops the server and starts it again with what is stored.
func (w *town) restart() {
	if err := w.server.Close(); err != nil {
		w.Error(err)
	}
	w.starts++
	w.server = homeservertest.New(w.T, w.options...)
	for _, c := range w.devices {
		again := w.server.Anonymous()
		again.User, again.Device, again.Token = c.User, c.Device, c.Token
		*c = *again
	}
}

// step is a moment in the town: somebody does something, and now and then the server is started anew.
func (w *town) step() {
	if w.rnd.IntN(100) == 0 {
		w.restart()
	}
	if w.forgetful && w.rnd.IntN(10) == 0 { // when somebody comes, those who were idle are forgotten
		leap := w.later.Add(int64(time.Hour))
		w.server.User(w, fmt.Sprint("stranger", leap)).Sync(w)
	}
	w.act()
}

// pick returns one of several.
func pick[T any](w *town, of ...T) T { return of[w.rnd.IntN(len(of))] }

// act does something that may well be refused.
func (w *town) act() {
	u, other := pick(w, w.users...), pick(w, w.users...)
	place := w.rnd.IntN(len(w.rooms))
	room := w.rooms[place]
	try := func(method, path string, body any) gjson.Result {
		if strings.HasPrefix(path, "/") {
			return gjson.ParseBytes(u.Do(w, method, path, body).Body)
		}
		return gjson.ParseBytes(u.Do(w, method, homeservertest.Path("/v3/rooms/{}/", room)+path, body).Body)
	}
	last := func(n int) (id string) { // of the newest events
		if list := try("GET", fmt.Sprint("messages?dir=b&limit=", n), nil).Get("chunk.#.event_id").Array(); len(list) > 0 {
			id = pick(w, list...).Str
		}
		return id
	}
	about := map[string]any{"user_id": other.User}
	switch w.rnd.IntN(30) {
	case 0, 1, 2:
		try("POST", "join", "{}")
	case 3, 4:
		try("POST", "leave", "{}")
	case 5, 6:
		try("POST", "invite", about)
	case 7, 8:
		try("POST", pick(w, "kick", "ban", "unban", "unban"), about)
	case 9:
		u.Put(w, homeservertest.Path("/v3/profile/{}/displayname", u.User), map[string]any{"displayname": fmt.Sprint("n", w.rnd.IntN(5))})
	case 10, 11:
		try("PUT", "state/"+pick(w, "m.room.name", "m.room.topic", "x")+"/", map[string]any{"name": fmt.Sprint(w.rnd.IntN(9)), "topic": fmt.Sprint(w.rnd.IntN(9))})
	case 12:
		try("POST", homeservertest.Path("/v3/knock/{}", room), "{}")
	case 13:
		if w.rnd.IntN(2) == 0 {
			try("PUT", "state/m.room.join_rules/", map[string]any{"join_rule": pick(w, "public", "public", "invite", "knock")})
		} else {
			try("PUT", "state/m.room.history_visibility/", map[string]any{"history_visibility": pick(w, "shared", "joined", "invited", "world_readable")})
		}
	case 14:
		if id := last(8); id != "" {
			try("PUT", homeservertest.Path("redact/{}/{}", id, fmt.Sprint("r", w.rnd.Uint64())), "{}")
		}
	case 15:
		try("POST", "forget", "{}")
	case 16:
		w.keep(u, room)
	case 17, 18:
		if id := last(3); id != "" {
			body := pick(w, `{}`, `{}`, `{"thread_id":"main"}`)
			try("POST", homeservertest.Path("receipt/{}/{}", pick(w, "m.read", "m.read", "m.read.private"), id), body)
		}
	case 19:
		if w.forgetful { // a leap of the clock ends it, but not the timer that would tell so
			return
		}
		try("PUT", homeservertest.Path("typing/{}", u.User), map[string]any{"typing": w.rnd.IntN(2) == 0, "timeout": 60000})
	case 20:
		switch w.rnd.IntN(6) {
		case 0:
			if next := try("POST", "upgrade", `{"new_version":"11"}`).Get("replacement_room").Str; next != "" {
				w.rooms[place] = events.RoomID(next)
			}
		case 1:
			w.rooms[place] = u.CreateRoom(w, map[string]any{"preset": pick(w, "public_chat", "private_chat")})
		}
	default:
		content := map[string]any{"msgtype": "m.text", "body": fmt.Sprint(w.rnd.IntN(1000))}
		if w.rnd.IntN(5) == 0 {
			content["m.mentions"] = map[string]any{"user_ids": []events.UserID{other.User}}
		}
		if w.rnd.IntN(8) == 0 {
			content["m.relates_to"] = map[string]any{"rel_type": "m.thread", "event_id": last(3)}
		}
		try("PUT", fmt.Sprint("send/m.room.message/t", w.rnd.Uint64()), content)
	}
}

// keep sets account data of a user.
func (w *town) keep(u *homeservertest.Client, room events.RoomID) {
	path := homeservertest.Path("/v3/user/{}", u.User)
	switch other := pick(w, w.users...); w.rnd.IntN(4) {
	case 0:
		u.Put(w, path+"/account_data/m.direct", fmt.Sprintf(`{"%s":["%s"]}`, w.users[0].User, pick(w, w.rooms...)))
	case 1:
		list := map[events.UserID]any{}
		if w.rnd.IntN(3) == 0 {
			w.ignored[string(u.User+other.User)] = u != other
			list[other.User] = map[string]any{}
		}
		u.Put(w, path+"/account_data/m.ignored_user_list", map[string]any{"ignored_users": list})
	default:
		u.Put(w, path+homeservertest.Path("/rooms/{}/account_data/m.tag", room), fmt.Sprintf(`{"tags":{"t%d":{}}}`, w.rnd.IntN(3)))
	}
}

// ask sends a request of which the query is not empty, in one of the ways that clients do: they lose
// answers, go away while they wait, wait while something happens, and ask twice at once.
func (w *town) ask(c *homeservertest.Client, method, path string, body any) *homeservertest.Response {
	inBackground := func(f func()) (wait func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			f()
		}()
		return func() { <-done }
	}
	var answer *homeservertest.Response
	switch w.rnd.IntN(16) {
	case 0, 1:
		c.Do(w, method, path, body)
	case 2:
		sent, err := json.Marshal(body)
		if err != nil {
			w.Fatal(err)
		}
		ctx, cancel := context.WithCancel(w.Context())
		r := httptest.NewRequestWithContext(ctx, method, "/_matrix/client"+path+"&timeout=60000", bytes.NewReader(sent))
		r.Header.Set("Authorization", "Bearer "+c.Token)
		wait := inBackground(func() { w.server.ServeHTTP(httptest.NewRecorder(), r) })
		w.act()
		cancel()
		wait()
	case 3:
		wait := inBackground(func() { answer = c.Do(w, method, path+"&timeout=10", body) })
		w.act()
		wait()
		return answer
	case 4:
		wait := inBackground(func() { answer = c.Do(w, method, path, body) })
		other := c.Do(w, method, path, body)
		wait()
		return pick(w, answer, other)
	}
	return c.Do(w, method, path, body)
}

// ids lists the IDs of events and remembers their senders.
func (w *town) ids(list gjson.Result) []string {
	for _, e := range list.Array() {
		if !e.Get("state_key").Exists() {
			w.senders[e.Get("event_id").Str] = e.Get("sender").Str
		}
	}
	return ids(list)
}

// heard leaves out what comes from those whom a user has ever ignored: it depends on when one asks.
func (w *town) heard(u *homeservertest.Client, list []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(id string) bool { return w.ignored[string(u.User)+w.senders[id]] })
}

// ignores reports whether a user has ever ignored somebody.
func (w *town) ignores(user events.UserID) bool {
	return slices.ContainsFunc(w.users, func(u *homeservertest.Client) bool { return w.ignored[string(user+u.User)] })
}

// history is all that a user may read of a room.
func (w *town) history(u *homeservertest.Client, room events.RoomID) (all []string) {
	for from := ""; ; {
		page := u.Get(w, homeservertest.Path("/v3/rooms/{}/messages", room)+"?dir=f&limit=100"+from)
		all = append(all, w.ids(page.Get("chunk"))...)
		if from = "&from=" + page.Get("end").Str; from == "&from=" {
			return all
		}
	}
}

// sameTimeline checks that a client has all that its user may read of a room since some event.
func (w *town) sameTimeline(name string, u *homeservertest.Client, room events.RoomID, has []string) {
	w.Helper()
	all, has := w.heard(u, w.history(u, room)), w.heard(u, has)
	if len(has) == 0 {
		return
	}
	from := slices.Index(all, has[0])
	if from < 0 {
		w.Errorf("%s: %s is not in %s", name, has[0], room)
		return
	}
	if diff := cmp.Diff(all[from:], has); diff != "" {
		w.Errorf("%s: timeline of %s (-server +client):\n%s", name, room, diff)
	}
}

func ids(list gjson.Result) []string {
	var out []string
	for _, e := range list.Array() {
		out = append(out, e.Get("event_id").Str)
	}
	return out
}
