package homeserver_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"testing"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// A room of very many events (HOMESERVER_BENCH_EVENTS, 100,000 if it is not set) and
// 10,000 members, on disk.
func BenchmarkLargeRoom(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("HOMESERVER_BENCH_EVENTS"))
	if err != nil {
		n = 100_000
	}
	file := b.TempDir() + "/hs.db"
	open := func() store.Store {
		st, err := sqlite.Open(file)
		if err != nil {
			b.Fatal(err)
		}
		return st
	}
	serve := func(st store.Store) *direct {
		srv, err := homeserver.New("example.org", homeserver.WithStore(st), homeserver.WithRegistration(homeserver.RegistrationOpen),
			homeserver.WithoutRateLimits(), homeserver.WithInsecurePasswordHashing(), quiet())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { srv.Close() })
		return &direct{b, srv}
	}
	d := serve(open())
	alice := d.user("alice")
	room, small := d.room(alice), d.room(alice)
	for i := range 9 {
		d.do("POST", homeservertest.Path("/v3/rooms/{}/join", small), d.user(fmt.Sprint("small", i)), `{}`)
	}
	d.srv.Close()
	st := open()
	f := &filling{TB: b, st: st, room: events.RoomID(room)}
	f.fill(10_000, n)
	info, err := os.Stat(file)
	if err != nil {
		b.Fatal(err)
	}
	d = serve(st)

	middle := fmt.Sprintf("1-%d", f.middle)
	run := func(name string, request func(i int) (method, path, body string)) {
		b.Run(name, func(b *testing.B) {
			for i := range b.N {
				method, path, body := request(i)
				d.do(method, path, alice, body)
			}
		})
	}
	get := func(template string, parts ...any) func(int) (string, string, string) {
		path := homeservertest.Path(template, parts...)
		return func(int) (string, string, string) { return "GET", path, "" }
	}
	const lazy = "&filter=%7B%22lazy_load_members%22%3Atrue%7D"
	run("messages", get("/v3/rooms/{}/messages?dir=b&limit=100&from="+middle, room))
	run("context", get("/v3/rooms/{}/context/{}?limit=10"+lazy, room, f.event))
	run("timestamp", get("/v1/rooms/{}/timestamp_to_event?dir=f&ts="+fmt.Sprint(f.ts/2), room))
	search := func(term string) func(int) (string, string, string) {
		return func(int) (string, string, string) {
			return "POST", "/v3/search", `{"search_categories":{"room_events":{"search_term":"` + url.QueryEscape(term) + `","order_by":"recent"}}}`
		}
	}
	run("search/every", search("message"))
	run("search/one", search(fmt.Sprint("w", n/2)))
	send := func(room string) func(int) (string, string, string) {
		path := homeservertest.Path("/v3/rooms/{}/send/m.room.message", room)
		return func(int) (string, string, string) { return "POST", path, `{"msgtype":"m.text","body":"hello"}` }
	}
	run("send/large", send(room))
	run("send/small", send(small))
	b.Run("state at an old event", func(b *testing.B) {
		for range b.N {
			err := st.View(b.Context(), func(v store.View) error {
				row, err := v.Room(events.RoomID(room))
				if err != nil {
					return err
				}
				_, err = v.StateAt(row.Num, f.middle, true)
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	d.srv.Close()
	b.Run("New", func(b *testing.B) {
		for range b.N {
			srv, err := homeserver.New("example.org", homeserver.WithStore(open()), quiet())
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			srv.Close()
			b.StartTimer()
		}
	})
	b.Run("disk", func(b *testing.B) {
		for range b.N {
			b.ReportMetric(float64(info.Size())/float64(f.bytes), "file/JSON")
		}
	})
}

// filling adds many events to a room, past the services.
type filling struct {
	testing.TB
	st     store.Store
	room   events.RoomID
	bytes  int64          // of all events' JSON
	middle store.Pos      // in the middle of the messages
	event  events.EventID // likewise
	ts     int64          // of the last event
}

func (f *filling) fill(members, messages int) {
	f.Helper()
	total := members + messages
	for done := 0; done < total; {
		err := f.st.Update(context.Background(), func(tx store.Tx) error {
			row, err := tx.Room(f.room)
			if err != nil {
				return err
			}
			newest, err := tx.TimelineBefore(row.Num, store.MaxPos, 0, 1)
			if err != nil {
				return err
			}
			v, _ := events.LookupVersion(row.Version)
			tip, err := v.Parse(newest[0].JSON, newest[0].ID)
			if err != nil {
				return err
			}
			for range min(1000, total-done) {
				draft := events.Draft{
					Room: f.room, Sender: events.UserID(fmt.Sprintf("@member%d:example.org", done%members)), TS: int64(done+1) * 1000,
					Depth: tip.Depth + 1, PrevEvents: []events.Ref{{ID: tip.ID}}, AuthEvents: []events.Ref{{ID: tip.ID}, {ID: tip.ID}},
				}
				if done < members {
					draft.Type, draft.StateKey = events.TypeMember, new(string(draft.Sender))
					draft.Content = []byte(fmt.Sprintf(`{"displayname":"Member %d","membership":"join"}`, done))
				} else {
					draft.Type = "m.room.message"
					draft.Content = []byte(fmt.Sprintf(`{"body":"w%d is message number %d of a conversation that goes on and on","msgtype":"m.text"}`, done-members, done))
				}
				e, err := v.Build(draft, "example.org", nil)
				if err != nil {
					return err
				}
				pos := tx.Next()
				if err := tx.Append(store.Append{Pos: pos, Room: row.Num, Event: e}); err != nil {
					return err
				}
				if !e.IsState() {
					text := store.Text{Pos: pos, Room: row.Num, Body: fmt.Sprintf("w%d is message number %d of a conversation that goes on and on", done-members, done)}
					if err := tx.PutText(text); err != nil {
						return err
					}
				}
				if done == members+messages/2 {
					f.middle, f.event = pos, e.ID
				}
				tip, f.ts = e, draft.TS
				f.bytes += int64(len(e.Raw))
				done++
			}
			return nil
		})
		if err != nil {
			f.Fatal(err)
		}
	}
}
