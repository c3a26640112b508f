package unread

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/push"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// defaults are the rules of everybody.
type defaults struct{ *push.Defaults }

func (d defaults) Rules(_ context.Context, user events.UserID) (*push.Ruleset, error) {
	return d.Ruleset(user, nil)
}

// NOTIF-1: next_token is absent at the end and nowhere else, however much there is before it that notifies nobody.
func TestNotificationsGoOnToTheEnd(t *testing.T) {
	t.Parallel()
	st, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close() //nolint:errcheck // in memory
	const alice, bob = events.UserID("@alice:test"), events.UserID("@bob:test")
	version, _ := events.LookupVersion("10")
	memory := live.New(st, live.DefaultLimit, time.Now)
	s := New(memory, &reader.Reader{Memory: memory, Now: time.Now}, defaults{push.NewDefaults(push.Options{})})
	s.scan = pageSize
	var d *live.Draft
	add := func(tx *live.Tx, sender events.UserID, typ string, key *string, content string) error {
		draft := events.Draft{Room: d.ID, Sender: sender, Type: typ, StateKey: key, Content: []byte(content), TS: 1, Depth: 1}
		if tip := d.Tip(); tip != nil {
			draft.Depth, draft.PrevEvents = tip.Depth+1, []events.Ref{{ID: tip.ID}}
		}
		e, err := version.Build(draft, "test", nil)
		if err == nil {
			_, err = tx.Append(d, e, store.Txn{})
		}
		return err
	}
	rooms := []events.RoomID{"!oldest:test", "!old:test", "!new:test"}
	var want []string
	for _, id := range rooms {
		err = memory.Update(t.Context(), func(tx *live.Tx) (err error) {
			if d, err = tx.CreateRoom(id, version); err != nil {
				return err
			}
			for _, e := range []struct {
				sender       events.UserID
				typ, content string
				key          *string
			}{
				{alice, events.TypeCreate, `{"creator":"@alice:test"}`, new("")},
				{alice, events.TypeMember, `{"membership":"join"}`, new(string(alice))},
				{bob, events.TypeMember, `{"membership":"join"}`, new(string(bob))},
				{alice, "m.room.message", fmt.Sprintf(`{"body":%q,"msgtype":"m.text"}`, id), nil},
			} {
				if err := add(tx, e.sender, e.typ, e.key, e.content); err != nil {
					return err
				}
			}
			for range 3 * pageSize {
				if err := add(tx, alice, "m.room.message", nil, `{"body":"notice","msgtype":"m.notice"}`); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want = append([]string{fmt.Sprintf(`{"body":%q,"msgtype":"m.text"}`, id)}, want...)
	}
	var got []string
	pages, from := 0, ""
	for {
		list, next, err := s.Notifications(t.Context(), bob, NotificationsRequest{From: from})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			got = append(got, string(n.Event.Content))
		}
		if pages++; next == "" || pages > 30 {
			break
		}
		from = next
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notifications (-want +got):\n%s", diff)
	}
	if pages < 3 || pages > 30 {
		t.Errorf("%d pages", pages)
	}
}
