package homeserver_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store"
)

// gate is who an endpoint lets into a room at all.
type gate int

const (
	open      gate = iota // everybody: what they see is decided for each event
	readers               // members, those who were, and all while the room is world-readable
	members               // members, and those who were
	syncing               // as members; for those who have left, the last that happened to them is the end
	leaving               // as syncing, but the end is when they left
	untilLeft             // as readers; for those who have left a room that is not open, leaving it is the end

	guestsNone gate = 8  // not for guests
	noState    gate = 16 // serves no state
	some       gate = 32 // may leave out what could be seen
)

// serving is an endpoint that serves events. All of them are asked by
// [TestVisibility] for the same events: whoever adds an endpoint adds it here.
var serving = []struct {
	name string
	gate gate
	// ids returns the IDs of the events of a room that it serves to somebody, and may
	// leave out those that are not asked for.
	ids func(t *testing.T, c *homeservertest.Client, room events.RoomID, asked []probe) []string
}{
	{"event", open, func(t *testing.T, c *homeservertest.Client, room events.RoomID, asked []probe) (ids []string) {
		for _, p := range asked {
			answer := c.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/event/{}", room, p.id), nil)
			if answer.Status == 200 {
				ids = append(ids, answer.JSON().Get("event_id").Str)
			} else {
				answer.WantError(404, "M_NOT_FOUND") // READ-1
			}
		}
		return ids
	}},
	{"event of any room", open | guestsNone, func(t *testing.T, c *homeservertest.Client, _ events.RoomID, asked []probe) (ids []string) {
		for _, p := range asked {
			answer := c.Do(t, "GET", homeservertest.Path("/v3/events/{}", p.id), nil)
			if answer.Status == 200 {
				ids = append(ids, answer.JSON().Get("event_id").Str)
			} else {
				answer.WantError(404, "M_NOT_FOUND") // LEG-5
			}
		}
		return ids
	}},
	{"messages backwards", readers, func(t *testing.T, c *homeservertest.Client, room events.RoomID, _ []probe) []string {
		return pages(t, c, room, "b", 3)
	}},
	{"messages forwards", readers, func(t *testing.T, c *homeservertest.Client, room events.RoomID, _ []probe) []string {
		return pages(t, c, room, "f", 4)
	}},
	{"context", readers, func(t *testing.T, c *homeservertest.Client, room events.RoomID, asked []probe) (ids []string) {
		for _, p := range asked {
			answer := c.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/context/{}?limit=0", room, p.id), nil)
			if answer.Status == 200 {
				ids = append(ids, answer.JSON().Get("event.event_id").Str)
			} else if answer.Status != 403 {
				answer.WantError(404, "M_NOT_FOUND") // READ-7
			}
		}
		return ids
	}},
	{"around each other", readers, func(t *testing.T, c *homeservertest.Client, room events.RoomID, asked []probe) (ids []string) {
		for _, p := range asked {
			answer := c.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/context/{}?limit=100", room, p.id), nil).JSON()
			for _, e := range append(answer.Get("events_before").Array(), answer.Get("events_after").Array()...) {
				ids = append(ids, e.Get("event_id").Str)
			}
			ids = append(ids, answer.Get("event.event_id").Str)
		}
		return ids
	}},
	{"timestamp_to_event", members | guestsNone, func(t *testing.T, c *homeservertest.Client, room events.RoomID, asked []probe) (ids []string) {
		for _, p := range asked {
			for _, dir := range []string{"f", "b"} {
				answer := c.Do(t, "GET", homeservertest.Path("/v1/rooms/{}/timestamp_to_event", room)+fmt.Sprintf("?dir=%s&ts=%d", dir, p.ts), nil).JSON()
				ids = append(ids, answer.Get("event_id").Str)
			}
		}
		return ids
	}},
	// With the state after the timeline, or else that begins after the last change of the state that is not seen (SYNC-19).
	{"sync", leaving, func(t *testing.T, c *homeservertest.Client, room events.RoomID, _ []probe) (ids []string) {
		filter := fmt.Sprintf(`{"room":{"include_leave":true,"rooms":[%q],"timeline":{"limit":100}}}`, room)
		rooms := syncWith(t, c, "", filter, "use_state_after", "true").Get("rooms")
		for _, section := range []string{"join", "leave"} {
			for _, e := range rooms.Get(section + "." + gjson.Escape(string(room)) + ".timeline.events").Array() {
				ids = append(ids, e.Get("event_id").Str)
			}
		}
		return ids
	}}, {"relations", open | guestsNone | noState, func(t *testing.T, c *homeservertest.Client, room events.RoomID, asked []probe) (ids []string) {
		answer := c.Do(t, "GET", homeservertest.Path("/v1/rooms/{}/relations/{}?limit=100", room, asked[0].root), nil)
		return idsOf(answer.JSON().Get("chunk"))
	}},
	{"bundled with the root of a thread", open | guestsNone | noState | some, func(t *testing.T, c *homeservertest.Client, room events.RoomID, asked []probe) []string {
		e := c.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/event/{}", room, asked[0].root), nil).JSON()
		return []string{e.Get(`unsigned.m\.relations.m\.thread.latest_event.event_id`).Str}
	}},
	{"threads", readers | guestsNone | noState | some, func(t *testing.T, c *homeservertest.Client, room events.RoomID, _ []probe) []string {
		answer := c.Do(t, "GET", homeservertest.Path("/v1/rooms/{}/threads", room), nil).JSON()
		return []string{answer.Get(`chunk.0.unsigned.m\.relations.m\.thread.latest_event.event_id`).Str}
	}},
	{"search", members | guestsNone, func(t *testing.T, c *homeservertest.Client, room events.RoomID, _ []probe) (ids []string) {
		body := fmt.Sprintf(`{"search_categories":{"room_events":{"search_term":"probe","filter":{"limit":100,"rooms":[%q]},"event_context":{"before_limit":20,"after_limit":20}}}}`, room)
		for _, result := range c.Post(t, "/v3/search", body).Get("search_categories.room_events.results").Array() {
			ids = append(ids, result.Get("result.event_id").Str)
			ids = append(ids, idsOf(result.Get("context.events_before"))...)
			ids = append(ids, idsOf(result.Get("context.events_after"))...)
		}
		return ids
	}},
	{"sliding sync", syncing | guestsNone | some, func(t *testing.T, c *homeservertest.Client, room events.RoomID, _ []probe) []string {
		body := map[string]any{
			"lists":              map[string]any{"all": map[string]any{"ranges": []any{[]int{0, 99}}, "timeline_limit": 50, "required_state": []any{}}},
			"room_subscriptions": map[events.RoomID]any{room: map[string]any{"timeline_limit": 50, "required_state": []any{}}},
		}
		answer := c.Post(t, "/unstable/org.matrix.simplified_msc3575/sync?timeout=0", body)
		return idsOf(answer.Get("rooms." + gjson.Escape(string(room)) + ".timeline"))
	}},
	{"initialSync of the room", untilLeft, func(t *testing.T, c *homeservertest.Client, room events.RoomID, _ []probe) []string {
		answer := c.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/initialSync?limit=100", room), nil)
		return idsOf(answer.JSON().Get("messages.chunk"))
	}},
	{"initialSync", leaving | guestsNone, func(t *testing.T, c *homeservertest.Client, room events.RoomID, _ []probe) []string {
		return idsOf(c.Get(t, "/v3/initialSync?archived=true&limit=100").Get(`rooms.#(room_id=="` + string(room) + `").messages.chunk`))
	}},
	{"events of the room", readers, func(t *testing.T, c *homeservertest.Client, room events.RoomID, _ []probe) []string {
		answer := c.Do(t, "GET", "/v3/events?timeout=0&from=1-1&room_id="+url.QueryEscape(string(room)), nil)
		return idsOf(answer.JSON().Get("chunk"))
	}},
	{"events", syncing | guestsNone, func(t *testing.T, c *homeservertest.Client, room events.RoomID, _ []probe) []string {
		return idsOf(c.Get(t, "/v3/events?timeout=0&from=1-1").Get("chunk"))
	}},
}

// pages walks over the whole history of a room.
func pages(t *testing.T, c *homeservertest.Client, room events.RoomID, dir string, limit int) (ids []string) {
	t.Helper()
	for from := ""; ; {
		answer := c.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/messages", room)+fmt.Sprintf("?dir=%s&limit=%d&from=%s", dir, limit, from), nil)
		if answer.Status != 200 {
			answer.WantError(403, "M_FORBIDDEN") // READ-17
			return nil
		}
		for _, e := range answer.JSON().Get("chunk").Array() {
			ids = append(ids, e.Get("event_id").Str)
		}
		if from = answer.JSON().Get("end").Str; from == "" {
			return ids
		}
	}
}

// probe is an event that somebody may see or not.
type probe struct {
	id, root   string // root of the thread that messages are in
	state      bool
	ts         int64
	visibility string
	act        int // how many acts of each person came before
}

// The rules of visibility hold on every endpoint that serves events, for everybody and
// across changes of the visibility (VIS-1, VIS-2, VIS-5, VIS-6, VIS-8, VIS-13).
func TestVisibility(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	clock.Store(1_700_000_000_000)
	hs, st := storeOf(t, homeserver.WithClock(func() time.Time { return time.UnixMilli(clock.Add(1)) }))
	alice := hs.User(t, "alice")
	people := map[string]string{ // what they do between the probes
		"member":    "join - -",
		"late":      "- join -",
		"latest":    "- - join",
		"left":      "join leave -",
		"early":     "join leave leave",
		"rejoined":  "join leave join",
		"banned":    "join ban -",
		"unbanned":  "join ban unban",
		"kicked":    "- join kick",
		"invited":   "invite - -",
		"accepting": "invite join -",
		"rejecting": "invite leave -",
		"reinvited": "join leave invite",
		"stranger":  "- - -",
		"outlaw":    "ban - -",
		"forgetful": "join leave forget",
		"guest":     "- - -",
		"visitor":   "join - -",
		"gone":      "- join leave",
	}
	for _, first := range []string{"joined", "invited", "shared", "world_readable"} {
		for _, second := range []string{"joined", "invited", "shared", "world_readable"} {
			t.Run(first+" then "+second, func(t *testing.T) {
				t.Parallel()
				room := alice.CreateRoom(t, `{"preset":"public_chat","initial_state":[{"type":"m.room.guest_access","content":{"guest_access":"can_join"}},
					{"type":"m.room.history_visibility","content":{"history_visibility":"world_readable"}}]}`)
				root := alice.Say(t, room, "what everybody sees")
				clients := map[string]*homeservertest.Client{}
				for name := range people {
					clients[name] = hs.User(t, name+first+second)
					if name == "guest" || name == "visitor" {
						clients[name] = change(t, hs, st, clients[name].User, func(u *store.User) { u.Guest = true })
					}
				}
				var probes []probe
				ask := func(act int, visibility string) {
					var id events.EventID
					if len(probes)%2 == 0 {
						id = alice.Send(t, room, "m.room.message", map[string]any{
							"msgtype": "m.text", "body": "probe", "m.relates_to": map[string]any{"rel_type": "m.thread", "event_id": root},
						})
					} else {
						id = alice.SetState(t, room, "m.room.topic", "", map[string]any{"topic": fmt.Sprint("probe ", act)})
					}
					probes = append(probes, probe{
						id: string(id), root: string(root), state: len(probes)%2 == 1,
						ts: eventOf(t, alice, room, id).Get("origin_server_ts").Int(), visibility: visibility, act: act,
					})
				}
				act := func(i int) {
					for name, acts := range people {
						whatHappens(t, alice, clients[name], room, strings.Fields(acts)[i])
					}
				}
				see := func(v string) {
					alice.SetState(t, room, "m.room.history_visibility", "", map[string]any{"history_visibility": v})
				}
				see(first)
				ask(0, first)
				act(0)
				ask(1, first)
				see(second)
				ask(1, second)
				act(1)
				ask(2, second)
				act(2)
				ask(3, second)
				for name, acts := range people {
					for _, endpoint := range serving {
						guest := name == "guest" || name == "visitor"
						if guest && endpoint.gate&guestsNone != 0 {
							continue
						}
						want := []string{}
						for _, p := range probes {
							if (endpoint.gate&noState == 0 || !p.state) && mayRead(strings.Fields(acts), second, endpoint.gate&7, p) {
								want = append(want, p.id)
							}
						}
						got := []string{}
						served := endpoint.ids(t, clients[name], room, probes)
						for _, p := range probes {
							if slices.Contains(served, p.id) {
								got = append(got, p.id)
							}
						}
						if endpoint.gate&some != 0 {
							want = slices.DeleteFunc(want, func(id string) bool { return !slices.Contains(got, id) })
						}
						if !slices.Equal(got, want) {
							t.Errorf("%s shows %s %v, want %v", endpoint.name, name, describe(probes, got), describe(probes, want))
						}
					}
				}
			})
		}
	}
}

// whatHappens lets a user do something with a room, or have it done by alice.
func whatHappens(t testing.TB, alice, c *homeservertest.Client, room events.RoomID, what string) {
	t.Helper()
	switch what {
	case "-":
	case "join", "leave", "forget":
		c.Post(t, homeservertest.Path("/v3/rooms/{}/{}", room, what), `{}`)
	default:
		alice.Post(t, homeservertest.Path("/v3/rooms/{}/{}", room, what), map[string]any{"user_id": c.User})
	}
}

// mayRead decides by the words of the rules whether somebody who has done this is
// served a probe by an endpoint.
func mayRead(acts []string, visibilityNow string, g gate, p probe) bool {
	const no = "leave"
	memberships := []string{no}
	joined, changed, left := false, 0, 0
	for i, act := range acts {
		m := memberships[i]
		switch act {
		case "join", "leave", "ban", "invite":
			m = act
		case "kick", "unban":
			m = no
		case "forget": // what has been is no more
			memberships, m, joined = slices.Repeat([]string{no}, i+1), no, false
		}
		if m != memberships[i] {
			changed = i + 1
			if memberships[i] == "join" {
				left = i + 1
			}
		}
		memberships = append(memberships, m)
		joined = joined || m == "join"
	}
	now := memberships[len(memberships)-1]
	switch {
	case g == readers && now != "join" && !joined && visibilityNow != "world_readable",
		g == members && !joined,
		g == untilLeft && now != "join" && visibilityNow != "world_readable" && (!joined || p.act >= left),
		g == syncing && (!joined || now == "invite" || now != "join" && p.act >= changed),
		g == leaving && (!joined || now == "invite" || now != "join" && p.act >= left):
		return false
	}
	at := memberships[p.act]
	later := slices.Contains(memberships[p.act:], "join")
	return p.visibility == "world_readable" || at == "join" || p.visibility == "shared" && later || p.visibility == "invited" && at == "invite"
}

// describe names probes by when they were.
func describe(probes []probe, ids []string) (list []string) {
	for _, p := range probes {
		if slices.Contains(ids, p.id) {
			list = append(list, fmt.Sprint(p.act, " ", p.visibility))
		}
	}
	return list
}

// What a filter asks for is visible or not as if there were none (VIS-6).
func TestVisibilityWithFilters(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat","initial_state":[{"type":"m.room.history_visibility","content":{"history_visibility":"joined"}}]}`)
	alice.Say(t, room, "hidden")
	alice.SetState(t, room, "m.room.topic", "", `{"topic":"hidden"}`)
	bob.Join(t, room)
	topic := alice.SetState(t, room, "m.room.topic", "", `{"topic":"seen"}`)
	filter := url.QueryEscape(`{"types":["m.room.topic","m.room.message"],"senders":["@alice:example.org"]}`)
	answer := bob.Get(t, homeservertest.Path("/v3/rooms/{}/messages", room)+"?dir=b&filter="+filter)
	if chunk := answer.Get("chunk").Array(); len(chunk) != 1 || chunk[0].Get("event_id").Str != string(topic) || chunk[0].Get("unsigned.prev_content").Exists() ||
		!chunk[0].Get("unsigned.replaces_state").Exists() || answer.Get("end").Exists() {
		t.Errorf("%s", answer)
	}
}
