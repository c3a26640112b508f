package homeserver_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/store/storetest"
)

// relation is a m.relates_to.
func relation(relType string, to events.EventID) string {
	return fmt.Sprintf(`{"rel_type":%q,"event_id":%q}`, relType, to)
}

// sendRelated sends a message that is related to another event.
func sendRelated(t *testing.T, c *homeservertest.Client, room events.RoomID, relType string, to events.EventID) events.EventID {
	t.Helper()
	return c.Send(t, room, "m.room.message", `{"msgtype":"m.text","body":"x","m.relates_to":`+relation(relType, to)+`}`)
}

// edit replaces a message.
func edit(t *testing.T, c *homeservertest.Client, room events.RoomID, to events.EventID, text string) events.EventID {
	t.Helper()
	return c.Send(t, room, "m.room.message", fmt.Sprintf(
		`{"msgtype":"m.text","body":"* %[1]s","m.new_content":{"msgtype":"m.text","body":%[1]q},"m.relates_to":%[2]s}`, text, relation("m.replace", to)))
}

func react(t *testing.T, c *homeservertest.Client, room events.RoomID, to events.EventID, key string) *homeservertest.Response {
	t.Helper()
	txn := strings.ReplaceAll(t.Name(), "/", "_") + key + string(to) + fmt.Sprint(c.User, len(key))
	return reactAs(t, c, room, to, key, txn)
}

func reactAs(t *testing.T, c *homeservertest.Client, room events.RoomID, to events.EventID, key, txn string) *homeservertest.Response {
	t.Helper()
	return c.Do(t, "PUT", homeservertest.Path("/v3/rooms/{}/send/m.reaction/{}", room, txn),
		fmt.Sprintf(`{"m.relates_to":{"rel_type":"m.annotation","event_id":%q,"key":%q}}`, to, key))
}

func relationsPath(room events.RoomID, to events.EventID, more ...string) string {
	path := homeservertest.Path("/v1/rooms/{}/relations/{}", room, to)
	for _, m := range more {
		path += homeservertest.Path("/{}", m)
	}
	return path
}

func eventIDs(list gjson.Result) []events.EventID {
	ids := []events.EventID{}
	for _, e := range list.Array() {
		ids = append(ids, events.EventID(e.Get("event_id").Str))
	}
	return ids
}

// bundle is what is told with an event.
func bundle(t *testing.T, c *homeservertest.Client, room events.RoomID, id events.EventID) gjson.Result {
	t.Helper()
	return c.Get(t, homeservertest.Path("/v3/rooms/{}/event/{}", room, id)).Get(`unsigned.m\.relations`)
}

func sameIDs(t *testing.T, what string, got []events.EventID, want ...events.EventID) {
	t.Helper()
	if diff := cmp.Diff(append([]events.EventID{}, want...), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestRelations(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	root := alice.Say(t, room, "root")
	one := sendRelated(t, bob, room, "m.thread", root)
	start := alice.Get(t, "/v3/sync").Get("next_batch").Str
	two := sendRelated(t, alice, room, "m.thread", root)
	three := bob.Send(t, room, "m.sticker", `{"body":"s","url":"mxc://x/y","info":{},"m.relates_to":`+relation("m.thread", root)+`}`)
	reference := sendRelated(t, bob, room, "org.example.rel", root)
	under := events.EventID(react(t, alice, room, one, "👍").Want(200).Get("event_id").Str)
	deeper := sendRelated(t, alice, room, "org.example.rel", under)
	tooDeep := sendRelated(t, alice, room, "org.example.rel", deeper)

	for name, tt := range map[string]struct {
		path string
		want []events.EventID
	}{
		"REL-5: newest first by default":            {relationsPath(room, root), []events.EventID{reference, three, two, one}},
		"REL-5: dir=b":                              {relationsPath(room, root) + "?dir=b", []events.EventID{reference, three, two, one}},
		"REL-5: dir=f is oldest first":              {relationsPath(room, root) + "?dir=f", []events.EventID{one, two, three, reference}},
		"REL-4: of a type":                          {relationsPath(room, root, "m.thread"), []events.EventID{three, two, one}},
		"REL-4: at the place of old, all":           {strings.Replace(relationsPath(room, root), "/v1/", "/unstable/", 1), []events.EventID{reference, three, two, one}},
		"REL-4: at the place of old, of a type":     {strings.Replace(relationsPath(room, root, "m.thread"), "/v1/", "/unstable/", 1), []events.EventID{three, two, one}},
		"REL-4: at the place of old, of types":      {strings.Replace(relationsPath(room, root, "m.thread", "m.room.message"), "/v1/", "/unstable/", 1), []events.EventID{two, one}},
		"REL-4: of a type, events of a type":        {relationsPath(room, root, "m.thread", "m.room.message"), []events.EventID{two, one}},
		"REL-6: nothing related":                    {relationsPath(room, two), nil},
		"REL-6: of a type nothing has":              {relationsPath(room, root, "m.reference"), nil},
		"REL-6: from a token of /sync, forwards":    {relationsPath(room, root) + "?dir=f&from=" + start, []events.EventID{two, three, reference}},
		"REL-6: from a token of /sync, backwards":   {relationsPath(room, root) + "?dir=b&from=" + start, []events.EventID{one}},
		"REL-6: to a token of /sync, backwards":     {relationsPath(room, root) + "?dir=b&to=" + start, []events.EventID{reference, three, two}},
		"REL-6: to a token of /sync, forwards":      {relationsPath(room, root) + "?dir=f&to=" + start, []events.EventID{one}},
		"REL-7: recurse":                            {relationsPath(room, root) + "?recurse=true&dir=f", []events.EventID{one, two, three, reference, under, deeper}},
		"REL-7: recurse is bounded":                 {relationsPath(room, one) + "?recurse=true&dir=f", []events.EventID{under, deeper, tooDeep}},
		"REL-8: recurse with a type":                {relationsPath(room, under, "org.example.rel") + "?recurse=true&dir=f", []events.EventID{deeper, tooDeep}},
		"REL-8: reachable through other types only": {relationsPath(room, root, "org.example.rel") + "?recurse=true", []events.EventID{reference}},
		"REL-8: recurse with an event type":         {relationsPath(room, under, "org.example.rel", "m.room.message") + "?recurse=true", []events.EventID{tooDeep, deeper}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := bob.Get(t, tt.path)
			sameIDs(t, tt.path, eventIDs(got.Get("chunk")), tt.want...)
			if got.Get("next_batch").Exists() {
				t.Error("the last page has next_batch") // REL-6
			}
			if !got.Get("chunk").IsArray() { // REL-6
				t.Errorf("chunk is %s", got.Get("chunk").Raw)
			}
			recursed := strings.Contains(tt.path, "recurse=true")
			if depth := got.Get("recursion_depth"); depth.Exists() != recursed || recursed && depth.Int() < 3 { // REL-7
				t.Errorf("recursion_depth is %s", depth.Raw)
			}
		})
	}

	t.Run("REL-6, CLIENT-12: pages, with tokens of /context", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{relationsPath(room, root), relationsPath(room, root, "m.thread"), relationsPath(room, root) + "?recurse=true"} {
			query := "?"
			if strings.Contains(path, "?") {
				query = "&"
			}
			all := eventIDs(bob.Get(t, path).Get("chunk"))
			var got []events.EventID
			next := url.QueryEscape(bob.Get(t, homeservertest.Path("/v3/rooms/{}/context/{}?limit=0", room, tooDeep)).Get("end").Str)
			for next != "" {
				page := bob.Get(t, path+query+"limit=1&from="+next)
				got = append(got, eventIDs(page.Get("chunk"))...)
				if page.Get("prev_batch").Str != next {
					t.Errorf("prev_batch %s", page.Get("prev_batch").Raw)
				}
				next = page.Get("next_batch").Str
			}
			sameIDs(t, path, got, all...)
			half := bob.Get(t, path+query+"limit=2").Get("next_batch").Str
			messages := bob.Get(t, homeservertest.Path("/v3/rooms/{}/messages?dir=b&from={}", room, half))
			if page := eventIDs(messages.Get("chunk")); slices.Contains(page, all[1]) || !slices.Contains(page, all[2]) {
				t.Errorf("%s: /messages goes on with %v", path, page)
			}
		}
	})
	t.Run("refusals", func(t *testing.T) {
		t.Parallel()
		other := alice.CreateRoom(t, nil)
		for path, want := range map[string]string{
			relationsPath(room, "$unknown"):            "404 M_NOT_FOUND", // REL-4
			relationsPath(other, root):                 "404 M_NOT_FOUND",
			relationsPath("!unknown:example.org", one): "404 M_NOT_FOUND",
			relationsPath(room, root) + "?dir=x":       "400 M_INVALID_PARAM", // REL-5
			relationsPath(room, root) + "?from=x":      "400 M_INVALID_PARAM",
			relationsPath(room, root) + "?to=1-999999": "400 M_INVALID_PARAM",
			relationsPath(room, root) + "?limit=-1":    "400 M_INVALID_PARAM",
		} {
			r := alice.Do(t, "GET", path, nil)
			if got := fmt.Sprint(r.Status, " ", r.JSON().Get("errcode").Str); got != want {
				t.Errorf("%s: %s, want %s", path, got, want)
			}
		}
		private := alice.CreateRoom(t, nil)
		hidden := alice.Say(t, private, "x")
		carol.Do(t, "GET", relationsPath(private, hidden), nil).WantError(404, "M_NOT_FOUND") // REL-4: hidden
	})
}

// What counts as a relation, and what is refused.
func TestRelationShapes(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	other := alice.CreateRoom(t, nil)
	root, foreign := alice.Say(t, room, "root"), alice.Say(t, other, "foreign")
	threaded := sendRelated(t, alice, room, "m.thread", root)
	reply := alice.Send(t, room, "m.room.message", fmt.Sprintf(`{"msgtype":"m.text","body":"x","m.relates_to":{"m.in_reply_to":{"event_id":%q}}}`, root))

	send := func(t *testing.T, content string) *homeservertest.Response {
		t.Helper()
		return alice.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/send/m.room.message", room), `{"msgtype":"m.text","body":"x",`+content+`}`)
	}
	for _, content := range []string{ // REL-1, REL-2
		`"m.relates_to":null`, `"m.relates_to":7`, `"m.relates_to":[]`, `"m.relates_to":{}`,
		fmt.Sprintf(`"m.relates_to":{"rel_type":7,"event_id":%q}`, root),
		fmt.Sprintf(`"m.relates_to":{"event_id":%q}`, root),
		`"m.relates_to":{"rel_type":"m.annotation","event_id":["x"]}`,
		fmt.Sprintf(`"m.relates_to":{"m.in_reply_to":{"event_id":%q}}`, root),
		`"m.relates_to":{"rel_type":"m.thread","event_id":"$unknown"}`,
		fmt.Sprintf(`"other":{"m.relates_to":{"rel_type":"m.reference","event_id":%q}}`, root),
	} {
		send(t, content).Want(200)
	}
	sameIDs(t, "REL-1, REL-2", eventIDs(alice.Get(t, relationsPath(room, root)).Get("chunk")), threaded)

	// SEND-7 for messages; state is not refused for it, and it is no relation (REL-3).
	send(t, `"m.relates_to":`+relation("m.reference", foreign)).WantError(400, "M_INVALID_PARAM")
	alice.SetState(t, room, "org.example", "", `{"m.relates_to":`+relation("m.reference", foreign)+`}`)
	sameIDs(t, "REL-3", eventIDs(alice.Get(t, relationsPath(other, foreign)).Get("chunk")))
	same(t, "REL-3", bundle(t, alice, other, foreign).Raw, "")

	// SEND-6, REL-21, THR-1: no thread starts inside another; a reply may be a root.
	send(t, `"m.relates_to":`+relation("m.thread", threaded)).WantError(400, "M_UNKNOWN")
	send(t, `"m.relates_to":`+relation("m.thread", reply)).Want(200)

	// REL-18
	send(t, `"m.relates_to":`+relation("m.annotation", root)).WantError(400, "M_INVALID_PARAM")
	send(t, `"m.relates_to":{"rel_type":"m.annotation","key":7,"event_id":"`+string(root)+`"}`).WantError(400, "M_INVALID_PARAM")
	react(t, alice, room, root, strings.Repeat("x", 513)).WantError(400, "M_INVALID_PARAM")

	// SEND-5, REL-17: same sender, target, type and key.
	first := events.EventID(reactAs(t, alice, room, root, "👍", "1").Want(200).Get("event_id").Str)
	same(t, "the same request", reactAs(t, alice, room, root, "👍", "1").Want(200).Get("event_id").Str, string(first))
	reactAs(t, alice, room, root, "👍", "2").WantError(400, "M_DUPLICATE_ANNOTATION")
	reactAs(t, alice, room, root, "👎", "3").Want(200)
	reactAs(t, alice, room, reply, "👍", "4").Want(200)
	reactAs(t, bob, room, root, "👍", "5").Want(200)
	send(t, fmt.Sprintf(`"m.relates_to":{"rel_type":"m.annotation","event_id":%q,"key":"👍"}`, root)).Want(200)
	alice.Redact(t, room, first)
	reactAs(t, alice, room, root, "👍", "6").Want(200) // REDACT-12
	reactAs(t, alice, room, root, "👍", "7").WantError(400, "M_DUPLICATE_ANNOTATION")

	// POLL-1: polls pass as any other event, their answers are references.
	poll := alice.Send(t, room, "org.matrix.msc3381.poll.start", `{"org.matrix.msc3381.poll.start":{"question":{"body":"?"}}}`)
	answer := bob.Send(t, room, "org.matrix.msc3381.poll.response", `{"m.relates_to":`+relation("m.reference", poll)+`}`)
	sameIDs(t, "POLL-1", eventIDs(alice.Get(t, relationsPath(room, poll, "m.reference")).Get("chunk")), answer)
}

// An m.replace counts if it is a valid edit.
func TestEdits(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	id := alice.Say(t, room, "first")
	edited := func(c *homeservertest.Client, id events.EventID) string {
		t.Helper()
		return bundle(t, c, room, id).Get(`m\.replace.event_id`).Str
	}
	same(t, "no edit", bundle(t, bob, room, id).Raw, "")
	one := edit(t, alice, room, id, "second")
	same(t, "REL-13", edited(bob, id), string(one))
	two := edit(t, alice, room, id, "third")
	got := bob.Get(t, homeservertest.Path("/v3/rooms/{}/event/{}", room, id))
	whole := got.Get(`unsigned.m\.relations.m\.replace`)
	direct := bob.Get(t, homeservertest.Path("/v3/rooms/{}/event/{}", room, two))
	for _, key := range []string{"event_id", "type", "sender", "origin_server_ts", "room_id", "content"} { // REL-13: the whole edit
		same(t, "REL-13: "+key, whole.Get(key).Raw, direct.Get(key).Raw)
	}
	same(t, "REL-15: the content stays", got.Get("content.body").Str, "first")

	// REL-14
	edit(t, bob, room, id, "by somebody else")
	edit(t, alice, room, two, "of an edit")
	alice.Send(t, room, "m.room.message", `{"msgtype":"m.text","body":"without content","m.relates_to":`+relation("m.replace", id)+`}`)
	alice.Send(t, room, "m.sticker", `{"body":"x","url":"mxc://x/y","info":{},"m.new_content":{},"m.relates_to":`+relation("m.replace", id)+`}`)
	alice.SetState(t, room, "m.room.message", "", `{"m.new_content":{},"m.relates_to":`+relation("m.replace", id)+`}`)
	same(t, "REL-14", edited(bob, id), string(two))
	same(t, "REL-14: an edit is not edited", edited(bob, two), "")
	topic := alice.SetState(t, room, "m.room.topic", "", `{"topic":"x"}`)
	alice.Send(t, room, "m.room.topic", `{"topic":"y","m.new_content":{"topic":"y"},"m.relates_to":`+relation("m.replace", topic)+`}`)
	sendRelated(t, alice, room, "m.reference", topic)
	same(t, "REL-10, REL-14: state has no bundle", bundle(t, bob, room, topic).Raw, "")
	secret := alice.Send(t, room, "m.room.encrypted", `{"algorithm":"a","ciphertext":"x"}`)
	secretEdit := alice.Send(t, room, "m.room.encrypted", `{"algorithm":"a","ciphertext":"y","m.relates_to":`+relation("m.replace", secret)+`}`)
	same(t, "REL-14: encrypted", edited(bob, secret), string(secretEdit))

	alice.Redact(t, room, two) // REDACT-12, REL-11
	same(t, "the edit before", edited(bob, id), string(one))
	alice.Redact(t, room, one)
	same(t, "no edit is left", bundle(t, bob, room, id).Raw, "")

	// REL-15, REDACT-13: of a redacted event only the edits vanish.
	last, answer := edit(t, alice, room, id, "last"), sendRelated(t, bob, room, "m.reference", id)
	alice.Redact(t, room, id)
	same(t, "redacted", bundle(t, bob, room, id).Raw, fmt.Sprintf(`{"m.reference":{"chunk":[{"event_id":%q}]}}`, answer))
	if children := eventIDs(bob.Get(t, relationsPath(room, id)).Get("chunk")); !slices.Contains(children, last) || !slices.Contains(children, answer) {
		t.Errorf("REDACT-13: the children are %v", children)
	}
}

// Bundles are everywhere, and for everybody what they may see.
func TestBundles(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	carol.Join(t, room)
	id := alice.Say(t, room, "root")
	one := sendRelated(t, bob, room, "m.reference", id)
	two := sendRelated(t, carol, room, "m.reference", id)
	indirect := sendRelated(t, carol, room, "m.reference", two)
	alice.Say(t, room, "thumbs")
	react(t, bob, room, id, "👍").Want(200)
	want := fmt.Sprintf(`{"m.reference":{"chunk":[{"event_id":%q},{"event_id":%q}]}}`, one, two) // REL-12, REL-16: no annotations
	filter := url.QueryEscape(`{"room":{"timeline":{"limit":6}}}`)
	served := map[string]gjson.Result{ // REL-9
		"/event":     alice.Get(t, homeservertest.Path("/v3/rooms/{}/event/{}", room, id)),
		"/context":   alice.Get(t, homeservertest.Path("/v3/rooms/{}/context/{}", room, id)).Get("event"),
		"before":     alice.Get(t, homeservertest.Path("/v3/rooms/{}/context/{}", room, one)).Get("events_before.0"),
		"/messages":  alice.Get(t, homeservertest.Path("/v3/rooms/{}/messages?dir=b", room)).Get("chunk.5"),
		"/sync":      homeservertest.Timeline(alice.Get(t, "/v3/sync?filter="+filter), room)[0],
		"/search":    search(t, alice, `{"search_term":"root"}`, "").Get("results.0.result"),
		"found by":   search(t, alice, `{"search_term":"thumbs","event_context":{"before_limit":4}}`, "").Get("results.0.context.events_before.3"),
		"/relations": alice.Get(t, relationsPath(room, id)).Get(fmt.Sprintf(`chunk.#(event_id==%q)`, two)),
	}
	for name, e := range served {
		if name == "/relations" {
			same(t, name, e.Get(`unsigned.m\.relations`).Raw, fmt.Sprintf(`{"m.reference":{"chunk":[{"event_id":%q}]}}`, indirect))
			continue
		}
		same(t, name, e.Get("event_id").Str, string(id))
		same(t, name, e.Get(`unsigned.m\.relations`).Raw, want)
	}
	whole := homeservertest.Timeline(alice.Get(t, "/v3/sync?filter="+url.QueryEscape(`{"room":{"timeline":{"limit":50}}}`)), room)
	for _, e := range whole { // REL-9: with limited only
		if e.Get(`unsigned.m\.relations`).Exists() {
			t.Errorf("bundle in a timeline that is not limited: %s", e)
		}
	}

	// REL-11
	alice.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.ignored_user_list", alice.User),
		map[string]any{"ignored_users": map[events.UserID]json.RawMessage{bob.User: json.RawMessage(`{}`)}})
	onlyTwo := fmt.Sprintf(`{"m.reference":{"chunk":[{"event_id":%q}]}}`, two)
	same(t, "of an ignored user", bundle(t, alice, room, id).Raw, onlyTwo)
	same(t, "for the others", bundle(t, carol, room, id).Raw, want)
	bob.Redact(t, room, one)
	same(t, "redacted", bundle(t, carol, room, id).Raw, onlyTwo)
	bob.Leave(t, room)
	sendRelated(t, carol, room, "m.reference", id)
	edit(t, alice, room, id, "later")
	sendRelated(t, carol, room, "m.thread", id)
	same(t, "hidden from who has left", bundle(t, bob, room, id).Raw, onlyTwo)
	if got := bundle(t, carol, room, id); len(got.Map()) != 3 {
		t.Errorf("who has stayed is told %s", got)
	}
}

// Wherever the storage fails under a reading of what is related, the answer is 500.
func TestStorageFailsUnderRelations(t *testing.T) {
	t.Parallel()
	inner, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	st := storetest.Faulty(inner)
	hs := homeservertest.New(t, homeserver.WithStore(st), homeserver.WithLogger(slog.New(slog.DiscardHandler)))
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	root := alice.Say(t, room, "root")
	edit(t, alice, room, root, "edited")
	sendRelated(t, bob, room, "m.reference", root)
	edit(t, bob, room, sendRelated(t, bob, room, "m.thread", root), "edited")
	bob.Leave(t, room)
	sendRelated(t, alice, room, "m.thread", root)
	for _, c := range []*homeservertest.Client{alice, bob} {
		for _, path := range []string{
			relationsPath(room, root), homeservertest.Path("/v1/rooms/{}/threads", room), homeservertest.Path("/v3/rooms/{}/event/{}", room, root),
			homeservertest.Path("/v3/rooms/{}/context/{}", room, root), homeservertest.Path("/v3/rooms/{}/messages?dir=b", room),
		} {
			n := 1
			for ; ; n++ {
				st.FailAt(n, errors.New("disk on fire"))
				answer := c.Do(t, "GET", path, nil)
				st.FailAt(0, nil)
				if answer.Status == 200 {
					break
				}
				answer.WantError(500, "M_UNKNOWN")
			}
			if n < 4 {
				t.Errorf("%s fails at %d calls only", path, n-1)
			}
		}
	}
}

// BenchmarkRelations measures pages of a large room with one large thread, HTTP and
// all.
func BenchmarkRelations(b *testing.B) {
	const size = 200_000
	path := filepath.Join(b.TempDir(), "hs.db")
	st, err := sqlite.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	hs := homeservertest.New(b, homeserver.WithStore(st))
	alice := hs.User(b, "alice")
	room := alice.CreateRoom(b, `{"preset":"public_chat"}`)
	root := alice.Say(b, room, "root")
	if err := hs.Server.Close(); err != nil {
		b.Fatal(err)
	}
	fill(b, path, string(root), size)
	if st, err = sqlite.Open(path); err != nil {
		b.Fatal(err)
	}
	hs = homeservertest.New(b, homeserver.WithStore(st))
	alice = hs.Login(b, "alice")
	for name, path := range map[string]string{
		"page":    relationsPath(room, root) + "?limit=50",
		"typed":   relationsPath(room, root, "m.thread", "m.room.message") + "?limit=50",
		"recurse": relationsPath(room, root) + "?limit=50&recurse=true",
		"first":   relationsPath(room, root) + "?limit=50&dir=f",
		"threads": homeservertest.Path("/v1/rooms/{}/threads?limit=50", room),
		"root":    homeservertest.Path("/v3/rooms/{}/event/{}", room, root),
	} {
		if n := len(alice.Get(b, path).Get("chunk").Array()); name != "root" && n == 0 {
			b.Fatal(name)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				alice.Get(b, path)
			}
		})
	}
}

// fill repeats the last event of a room: every tenth time as an event in its thread,
// every twentieth as a reaction to one of these.
func fill(b *testing.B, path, root string, size int) {
	b.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // for a benchmark
	for _, statement := range []string{
		`CREATE TEMP TABLE root AS SELECT pos, room, ts, json FROM hs_events WHERE id = '` + root + `'`,
		`WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ` + fmt.Sprint(size) + `)
			INSERT INTO hs_events (pos, room, id, ts, json) SELECT pos + i, room, '$' || i, ts + i, json FROM n, root`,
		`INSERT INTO hs_relations (target, pos, depth, rel_type, type, sender)
			SELECT root.pos, e.pos, 1, 'm.thread', 'm.room.message', '@alice:example.org' FROM hs_events e, root WHERE e.pos > root.pos AND e.pos % 10 = 0`,
		`INSERT INTO hs_relations (target, pos, depth, rel_type, type, sender)
			SELECT root.pos, e.pos + 1, 2, '', '', '@alice:example.org' FROM hs_events e, root WHERE e.pos > root.pos AND e.pos % 20 = 0`,
		`INSERT INTO hs_threads (root, room, latest) SELECT root.pos, room, (SELECT max(pos) FROM hs_relations WHERE depth = 1) FROM root`,
		`INSERT INTO hs_thread_participants (root, user_id, started, events, latest) SELECT root, '@alice:example.org', 1, 1, latest FROM hs_threads`,
		`INSERT INTO hs_related_rooms (room, pos) SELECT room, latest FROM hs_threads`,
		`UPDATE hs_stream SET pos = (SELECT max(pos) FROM hs_events)`,
	} {
		if _, err := db.ExecContext(b.Context(), statement); err != nil {
			b.Fatal(statement, err)
		}
	}
}
