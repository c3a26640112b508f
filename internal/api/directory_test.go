package api

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/internal/room"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// The lists of application services stand beside the server's own.
func TestServiceLists(t *testing.T) {
	t.Parallel()
	st, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	memory := live.New(st, live.DefaultLimit, fixedClock)
	version, _ := events.LookupVersion(events.DefaultVersion)
	a := newTestAPI(Config{Rooms: room.New(room.Config{
		Memory: memory, Reader: &reader.Reader{Memory: memory, Now: fixedClock}, Server: "example.org", Now: fixedClock, DefaultVersion: version,
	})})
	create := func(visibility, name string) string {
		w := do(a, "POST", "/_matrix/client/v3/createRoom", "alice", fmt.Sprintf(`{"visibility":%q,"name":%q}`, visibility, name))
		want(t, w, 200, "")
		return gjson.GetBytes(w.Body.Bytes(), "room_id").Str
	}
	list := func(network, id, visibility string) {
		t.Helper()
		w := do(a, "PUT", "/_matrix/client/v3/directory/list/appservice/"+network+"/"+id, "service", fmt.Sprintf(`{"visibility":%q}`, visibility))
		want(t, w, 200, "")
	}
	search := func(body string) []string {
		t.Helper()
		w := do(a, "POST", "/_matrix/client/v3/publicRooms", "alice", body)
		want(t, w, 200, "")
		var names []string
		for _, name := range gjson.GetBytes(w.Body.Bytes(), "chunk.#.name").Array() {
			names = append(names, name.Str)
		}
		slices.Sort(names)
		return names
	}
	check := func(body string, want ...string) {
		t.Helper()
		if got := search(body); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
	create("public", "plain")
	both, bridged := create("public", "both"), create("private", "bridged")
	list("irc", both, "public") // RDIR-4: not a member, and none of its business
	list("irc", bridged, "public")
	list("xmpp", bridged, "public")

	check(`{}`, "both", "plain")                                                                   // RDIR-15: only the plain directory
	check(`{"include_all_networks":false}`, "both", "plain")                                       // RDIR-15
	check(`{"include_all_networks":true}`, "both", "bridged", "plain")                             // RDIR-15: each room once
	check(`{"third_party_instance_id":"bridge|irc"}`, "both", "bridged")                           // RDIR-16
	check(`{"third_party_instance_id":"bridge|xmpp"}`, "bridged")                                  // RDIR-16
	check(`{"third_party_instance_id":"other|irc"}`)                                               // RDIR-16
	check(`{"include_all_networks":true,"filter":{"generic_search_term":"b"}}`, "both", "bridged") // RDIR-12

	list("irc", both, "private")
	list("irc", bridged, "private")
	check(`{"third_party_instance_id":"bridge|irc"}`)
	check(`{}`, "both", "plain")
	check(`{"include_all_networks":true}`, "both", "bridged", "plain")

	// RDIR-4: visibility is required; application services only, else 403.
	path := "/_matrix/client/v3/directory/list/appservice/irc/" + both
	want(t, do(a, "PUT", path, "service", `{}`), 400, "M_MISSING_PARAM")
	want(t, do(a, "PUT", path, "service", `{"visibility":"secret"}`), 400, "M_INVALID_PARAM")
	want(t, do(a, "PUT", path, "alice", `{"visibility":"public"}`), 403, "M_FORBIDDEN")
	want(t, do(a, "PUT", "/_matrix/client/v3/directory/list/appservice/irc/!none:example.org", "service", `{"visibility":"public"}`), 404, "M_NOT_FOUND")
}

// RATE-4: what searches and what complains is limited.
func TestDirectoryClasses(t *testing.T) {
	t.Parallel()
	limited := map[string]ratelimit.Class{
		"POST /_matrix/client/v3/user_directory/search":           ratelimit.Search,
		"GET /_matrix/client/v1/mutual_rooms":                     ratelimit.Search,
		"GET /_matrix/client/v3/publicRooms":                      ratelimit.Search,
		"POST /_matrix/client/v3/publicRooms":                     ratelimit.Search,
		"POST /_matrix/client/v3/rooms/{roomId}/report":           ratelimit.Account,
		"POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}": ratelimit.Account,
		"POST /_matrix/client/v3/users/{userId}/report":           ratelimit.Account,
	}
	for _, row := range newTestAPI(Config{}).Table() {
		name := row.Method + " " + row.Template
		if class, ok := limited[name]; ok && class != row.Class {
			t.Errorf("%s has class %v, want %v", name, row.Class, class)
		}
		delete(limited, name)
	}
	if len(limited) > 0 {
		t.Errorf("not served: %v", limited)
	}
}
