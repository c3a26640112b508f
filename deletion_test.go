package homeserver_test

import (
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// MEMB-34: where leaving is forgetting, clients are told, whoever is made to leave
// forgets, too, and the leave reaches all devices nevertheless (MEMB-33).
func TestForgetUponLeave(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t, homeserver.WithForgetting(homeserver.Forgetting{UponLeave: true}))
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	if got := bob.Get(t, "/v3/capabilities").Get(`capabilities.m\.forget_forced_upon_leave`).Raw; got != `{"enabled":true}` {
		t.Errorf("capability %s", got)
	}
	if got := homeservertest.New(t).User(t, "alice").Get(t, "/v3/capabilities").Get(`capabilities.m\.forget_forced_upon_leave.enabled`); got.Bool() {
		t.Error("the capability without the option")
	}
	for _, step := range []string{"leave", "kick", "ban"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			bob := *bob
			room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
			bob.Join(t, room)
			bob.Sync(t)
			act(t, alice, &bob, room, step, false).Want(200)
			if !homeservertest.HasRoom("leave", room)(bob.Sync(t)) {
				t.Error("the leave is not told")
			}
			bob.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/state", room), nil).WantError(403, "M_FORBIDDEN")
			bob.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/messages?dir=b", room), nil).WantError(403, "M_FORBIDDEN")
			if homeservertest.HasRoom("leave", room)(syncWith(t, &bob, "", `{"room":{"include_leave":true}}`)) {
				t.Error("the room is not forgotten")
			}
			if step != "ban" {
				bob.Join(t, room)
				bob.Get(t, homeservertest.Path("/v3/rooms/{}/state", room))
			}
		})
	}
}

// MEMB-35: a room that all have forgotten is deleted once nothing has happened there for
// long enough, and nothing is left of it; one that somebody has not forgotten stays, and
// so does everything where nobody has asked for it.
func TestForgottenRoomsAreDeleted(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/hs.db"
	open := func() homeserver.Option {
		st, err := sqlite.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		return homeserver.WithStore(st)
	}
	hs := homeservertest.New(t, open())
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	fill := func(name string) events.RoomID {
		room := alice.CreateRoom(t, map[string]any{"preset": "public_chat", "visibility": "public", "room_alias_name": name, "topic": "word", "invite": []any{carol.User}})
		bob.Join(t, room)
		root := alice.Say(t, room, "word")
		for _, relType := range []string{"m.thread", "m.reference"} {
			sendRelated(t, bob, room, relType, root)
		}
		edit(t, alice, room, root, "another word")
		react(t, bob, room, root, "+").Want(200)
		read(t, bob, room, "m.read", root, nil)
		read(t, bob, room, "m.fully_read", root, nil)
		alice.Redact(t, room, alice.Say(t, room, "taken back"))
		alice.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/tags/u.x", alice.User, room), `{}`)
		alice.Put(t, homeservertest.Path("/v3/rooms/{}/typing/{}", room, alice.User), `{"typing":true}`)
		alice.Post(t, homeservertest.Path("/v3/rooms/{}/ban", room), `{"user_id":"@never:example.org"}`)
		carol.Post(t, homeservertest.Path("/v3/rooms/{}/leave", room), nil)
		return room
	}
	gone, kept := fill("gone"), fill("kept")
	for _, room := range []events.RoomID{gone, kept} {
		for _, c := range []*homeservertest.Client{bob, alice} {
			c.Leave(t, room)
			if room == gone || c == bob {
				c.Post(t, homeservertest.Path("/v3/rooms/{}/forget", room), nil)
			}
		}
	}
	if err := hs.Close(); err != nil {
		t.Fatal(err)
	}
	goneTraces, keptTraces := tracesOf(t, file, gone), tracesOf(t, file, kept)
	left, other := goneTraces.rows(t), keptTraces.rows(t)
	for _, table := range []string{
		"hs_rooms", "hs_events", "hs_members", "hs_aliases", "hs_account_data", "hs_receipts", "hs_directory", "hs_relations", "hs_annotations",
		"hs_edits", "hs_threads", "hs_thread_participants", "hs_search", "hs_related_rooms", "hs_forgotten_rooms",
	} {
		if left[table] == 0 || other[table] == 0 {
			t.Errorf("%s has no rows of the rooms", table)
		}
	}

	const day = 24 * time.Hour
	began := time.Now()
	for _, step := range []struct {
		says    string
		after   time.Duration // on the clock of the server
		options []homeserver.Option
		gone    bool
	}{
		{"nobody has asked for it", 400 * day, nil, false},
		{"too early", 29 * day, []homeserver.Option{homeserver.WithForgetting(homeserver.Forgetting{DeleteAfter: 30 * day})}, false},
		{"due", 31 * day, []homeserver.Option{homeserver.WithForgetting(homeserver.Forgetting{DeleteAfter: 30 * day})}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := newServer(t, append(step.options, open(), homeserver.WithClock(func() time.Time { return began.Add(step.after) }),
				homeserver.WithLogger(slog.New(slog.DiscardHandler)))...)
			time.Sleep(2 * time.Hour) // the chores are done
			status := map[bool]int{true: 404, false: 200}[step.gone]
			if w := serve(srv, "GET", "/_matrix/client/v3/directory/room/"+url.PathEscape("#gone:example.org"), alice.Token, ""); w.Code != status {
				t.Errorf("%s: the alias: %d %s", step.says, w.Code, w.Body)
			}
			if w := serve(srv, "GET", "/_matrix/client/v3/sync?timeout=0", alice.Token, ""); w.Code != 200 {
				t.Errorf("%s: sync: %d %s", step.says, w.Code, w.Body)
			}
			if w := serve(srv, "POST", "/_matrix/client/v3/publicRooms", alice.Token, `{}`); int(gjson.GetBytes(w.Body.Bytes(), "total_room_count_estimate").Int()) != map[bool]int{true: 1, false: 2}[step.gone] {
				t.Errorf("%s: the directory: %d %s", step.says, w.Code, w.Body)
			}
			if err := srv.Close(); err != nil {
				t.Error(err)
			}
		})
		want := left
		if step.gone {
			want = map[string]int{}
		}
		if diff := cmp.Diff(want, goneTraces.rows(t)); diff != "" {
			t.Errorf("%s: rows of the forgotten room (-want +got)\n%s", step.says, diff)
		}
	}
	delete(other, "hs_forgotten_rooms") // alice has not forgotten it: there is nothing to wait for
	if diff := cmp.Diff(other, keptTraces.rows(t)); diff != "" {
		t.Errorf("rows of the room that stays (-want +got)\n%s", diff)
	}
}

// traces is what a room can be found by in the tables.
type traces struct {
	file      string
	id        events.RoomID
	num       int64
	positions string // of its events, as a list in SQL
}

// database opens a database that no server has open.
func database(t *testing.T, file string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// tracesOf finds out what a room that is there is found by.
func tracesOf(t *testing.T, file string, room events.RoomID) traces {
	t.Helper()
	tr := traces{file: file, id: room}
	err := database(t, file).QueryRowContext(t.Context(), `SELECT room, group_concat(pos) FROM hs_events
		WHERE room = (SELECT num FROM hs_rooms WHERE id = ?) GROUP BY room`, string(room)).Scan(&tr.num, &tr.positions)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// rows counts the rows of each table that have to do with the room.
func (tr traces) rows(t *testing.T) map[string]int {
	t.Helper()
	db := database(t, tr.file)
	columns, err := db.QueryContext(t.Context(), `SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c
		WHERE t.type = 'table' AND t.name LIKE 'hs\_%' ESCAPE '\' AND t.name NOT LIKE 'hs\_search\_%' ESCAPE '\'`)
	if err != nil {
		t.Fatal(err)
	}
	defer columns.Close() //nolint:errcheck // only read
	where := map[string][]string{"hs_search": {"rowid IN (" + tr.positions + ")"}}
	for columns.Next() {
		var table, column string
		if err := columns.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		switch {
		case table == "hs_search":
			continue
		case column == "room" || table == "hs_rooms" && column == "num":
			where[table] = append(where[table], fmt.Sprintf("%s = %d", column, tr.num))
		case slices.Contains([]string{"pos", "target", "root", "latest", "event_pos", "replaces", "ends", "redacted_by"}, column):
			where[table] = append(where[table], column+" IN ("+tr.positions+")")
		}
		where[table] = append(where[table], fmt.Sprintf("instr(%s, '%s') > 0", column, tr.id))
	}
	if err := columns.Err(); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for table, conditions := range where {
		var n int
		query := `SELECT count(*) FROM ` + table + ` WHERE ` + strings.Join(conditions, " OR ")
		if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if n > 0 {
			counts[table] = n
		}
	}
	return counts
}
