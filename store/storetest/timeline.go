package storetest

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func timeline() []rule {
	return []rule{
		{"Event returns an event by its ID. ErrNotFound", func(f *fixture) {
			room := f.room("r")
			rows := f.add(room, message("one"), stateEvent("m.room.name", "", "Room"))
			for _, want := range rows {
				f.view(func(v store.View) error {
					got, err := v.Event(want.ID)
					equal(f, got, want)
					return err
				})
			}
			f.missing(func(v store.View) error { _, err := v.Event("$other"); return err })
		}},
		{"EventsAt returns the events at the given positions, ordered by position; positions that hold no event are left out", func(f *fixture) {
			room := f.room("r")
			var rows []store.Event
			for i := range 40 {
				rows = append(rows, f.add(room, message(fmt.Sprint(i)))...)
				f.update(func(tx store.Tx) error { return put(tx, "gap") })
			}
			var ps []store.Pos
			for p := f.st.Position() + 3; p > 2; p-- {
				ps = append(ps, p)
			}
			ps = append(ps, rows[0].Pos, rows[0].Pos)
			f.view(func(v store.View) error {
				got, err := v.EventsAt(ps)
				equal(f, got, rows)
				f.is(err, nil)
				got, err = v.EventsAt(nil)
				equal(f, len(got), 0)
				return err
			})
		}},
		{"TimelineBefore: up to limit events of a room with after < Pos <= from, newest first; TimelineAfter: from < Pos <= until, oldest first", pages},
		{"MomentsBefore and MomentsAfter: the moments of up to limit events of a room, ordered by origin_server_ts and position", moments},
		{"RoomsSince returns the rooms that have an event after a position, ordered by number", func(f *fixture) {
			one, two, three := f.room("one"), f.room("two"), f.room("three")
			since := f.position()
			f.add(three, message("a"), message("b"))
			f.add(one, message("c"))
			for pos, want := range map[store.Pos][]store.RoomNum{
				0: {one, two, three}, since: {one, three}, since + 2: {one}, f.position(): nil, store.MaxPos: nil,
			} {
				f.view(func(v store.View) error {
					got, err := v.RoomsSince(pos)
					var nums []store.RoomNum
					for _, r := range got {
						nums = append(nums, r.Num)
						want, err := v.RoomByNum(r.Num)
						equal(f, r, want)
						f.is(err, nil)
					}
					equal(f, nums, want)
					return err
				})
			}
		}},
		{"SentBy returns the ID of the event that a user's request has sent", transactions},
		{"an event carries its transaction's device and ID", func(f *fixture) {
			room := f.room("r")
			f.update(func(tx store.Tx) error {
				return tx.Append(store.Append{
					Pos: tx.Next(), Room: room, Event: message("sent"), Txn: store.Txn{Device: "PHONE", ID: "t1", Path: "send"},
				})
			})
			f.view(func(v store.View) error {
				got, err := v.Event("$sent")
				equal(f, got.Txn, store.Txn{Device: "PHONE", ID: "t1"})
				return err
			})
		}},
		{"a Replaces that is not the current state of the key, an ID or a position that is taken, are faults", func(f *fixture) {
			room, other := f.room("r"), f.room("other")
			rows := f.add(room, stateEvent("m.room.name", "", "1"), stateEvent("m.room.name", "", "2"), message("m"))
			f.add(other, stateEvent("m.room.topic", "", "other"))
			old, current, last := rows[0].Pos, rows[1].Pos, rows[2].Pos
			for says, a := range map[string]store.Append{
				"the state before": {Event: stateEvent("m.room.name", "", "3"), Replaces: old},
				"none":             {Event: stateEvent("m.room.name", "", "3")},
				"a message":        {Event: stateEvent("m.room.name", "", "3"), Replaces: last},
				"another key":      {Event: stateEvent("m.room.name", "x", "3"), Replaces: current},
				"another type":     {Event: stateEvent("m.room.topic", "", "3"), Replaces: current},
				"another room":     {Event: stateEvent("m.room.topic", "", "3"), Replaces: last + 1},
				"a taken ID":       {Event: message("m")},
				"a taken position": {Event: message("new"), Pos: last},
			} {
				a.Room = room
				err := f.st.Update(f.Context(), func(tx store.Tx) error {
					if a.Pos == 0 {
						a.Pos = tx.Next()
					}
					return tx.Append(a)
				})
				if err == nil {
					f.Errorf("%s: no error", says)
				}
			}
			f.view(func(v store.View) error {
				got, err := v.TimelineAfter(room, old-1, store.MaxPos, 10)
				equal(f, got, rows)
				return err
			})
		}},
		{"Redact replaces the JSON of the event at a position by its redacted form, and remembers the position of the redaction", func(f *fixture) {
			room := f.room("r")
			rows := f.add(room, message("one"), message("two"), message("redaction"))
			redacted := message("one")
			redacted.Raw = []byte(`{"content":{},"type":"m.room.message"}`)
			f.update(func(tx store.Tx) error { return tx.Redact(rows[0].Pos, redacted, rows[2].Pos) })
			f.view(func(v store.View) error {
				got, err := v.TimelineAfter(room, 1, store.MaxPos, 10)
				rows[0].JSON, rows[0].RedactedBy = redacted.Raw, rows[2].Pos
				equal(f, got, rows)
				return err
			})
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.Redact(99, redacted, 100) })
		}},
		{"a redacted state event stays the state", func(f *fixture) {
			room := f.room("r")
			row := f.add(room, stateEvent("m.room.name", "", "Room"))[0]
			redacted := stateEvent("m.room.name", "", "Room")
			redacted.Raw = []byte(`{"content":{},"state_key":"","type":"m.room.name"}`)
			f.update(func(tx store.Tx) error { return tx.Redact(row.Pos, redacted, tx.Next()) })
			f.view(func(v store.View) error {
				got, err := v.StateEventAt(room, store.MaxPos, events.StateKey{Type: "m.room.name"})
				row.JSON, row.RedactedBy = redacted.Raw, row.Pos+1
				equal(f, got, row)
				return err
			})
		}},
		{"byte slices given to Append are not kept, those in results belong to the caller; large events are stored whole", func(f *fixture) {
			room := f.room("r")
			ev := message("large")
			ev.Raw = slices.Concat([]byte(`{"body":"`), bytes.Repeat([]byte("x"), 60_000), []byte(`"}`))
			want := string(ev.Raw)
			f.add(room, ev)
			clear(ev.Raw)
			for range 2 {
				f.view(func(v store.View) error {
					got, err := v.Event(ev.ID)
					if string(got.JSON) != want {
						f.Error("the event was changed")
					}
					clear(got.JSON)
					return err
				})
			}
		}},
	}
}

// pages compares all ranges of two interleaved rooms with a slice.
func pages(f *fixture) {
	a, b := f.room("a"), f.room("b")
	var rows []store.Event
	f.view(func(v store.View) (err error) { rows, err = v.TimelineAfter(a, 0, store.MaxPos, 10); return err })
	for i := range 8 {
		rows = append(rows, f.add(a, message(fmt.Sprint("a", i)))...)
		f.add(b, message(fmt.Sprint("b", i)))
	}
	between := func(low, high store.Pos) (in []store.Event) {
		for _, r := range rows {
			if low < r.Pos && r.Pos <= high {
				in = append(in, r)
			}
		}
		return in
	}
	last := f.st.Position()
	f.view(func(v store.View) error {
		for low := range last + 2 {
			for _, high := range []store.Pos{0, 1, low, low + 3, last, store.MaxPos} {
				for _, limit := range []int{0, 1, 3, 100} {
					want := between(low, high)
					got, err := v.TimelineAfter(a, low, high, limit)
					if err != nil {
						return err
					}
					if !slices.EqualFunc(got, want[:min(limit, len(want))], sameEvent) {
						f.Errorf("after %d until %d limit %d: %v", low, high, limit, got)
					}
					slices.Reverse(want)
					if got, err = v.TimelineBefore(a, high, low, limit); err != nil {
						return err
					}
					if !slices.EqualFunc(got, want[:min(limit, len(want))], sameEvent) {
						f.Errorf("from %d after %d limit %d: %v", high, low, limit, got)
					}
				}
			}
		}
		return nil
	})
}

// moments compares all ranges of two interleaved rooms with a slice.
func moments(f *fixture) {
	a, b := f.room("a"), f.room("b")
	all := []store.Moment{{TS: 0, Pos: 1}} // the create event
	for i, ts := range []int64{5, 7, 7, 3, -2, 7, 900, 8, 5} {
		for _, room := range []store.RoomNum{a, b} {
			ev := message(fmt.Sprint(room, i))
			ev.TS = ts
			if row := f.add(room, ev)[0]; room == a {
				all = append(all, store.Moment{TS: ts, Pos: row.Pos})
			}
		}
	}
	compare := func(x, y store.Moment) int { return cmp.Or(cmp.Compare(x.TS, y.TS), cmp.Compare(x.Pos, y.Pos)) }
	slices.SortFunc(all, compare)
	f.view(func(v store.View) error {
		for ts := int64(-3); ts < 10; ts++ {
			for _, pos := range []store.Pos{0, 1, 9, 14, store.MaxPos} {
				at := store.Moment{TS: ts, Pos: pos}
				for _, limit := range []int{0, 1, 3, 100} {
					after := slices.DeleteFunc(slices.Clone(all), func(m store.Moment) bool { return compare(m, at) <= 0 })
					got, err := v.MomentsAfter(a, at, limit)
					if err != nil || !slices.Equal(got, after[:min(limit, len(after))]) {
						f.Errorf("after %v limit %d: %v %v, want of %v", at, limit, got, err, after)
					}
					before := slices.DeleteFunc(slices.Clone(all), func(m store.Moment) bool { return compare(m, at) >= 0 })
					slices.Reverse(before)
					got, err = v.MomentsBefore(a, at, limit)
					if err != nil || !slices.Equal(got, before[:min(limit, len(before))]) {
						f.Errorf("before %v limit %d: %v %v, want of %v", at, limit, got, err, before)
					}
				}
			}
		}
		return nil
	})
}

func sameEvent(a, b store.Event) bool {
	return a.Pos == b.Pos && a.Room == b.Room && a.ID == b.ID && a.Replaces == b.Replaces && bytes.Equal(a.JSON, b.JSON)
}

func transactions(f *fixture) {
	room := f.room("r")
	ids := map[store.Txn]events.EventID{}
	for i, txn := range []store.Txn{
		{Device: "A", ID: "1", Path: "send"},
		{Device: "A", ID: "2", Path: "send"},
		{Device: "B", ID: "1", Path: "send"},
		{Device: "A", ID: "1", Path: "redact"},
		{Device: "", ID: "1", Path: "send"},
		{Device: "A1", ID: "", Path: "send"},
	} {
		ev := message(fmt.Sprint(i))
		ids[txn] = ev.ID
		f.update(func(tx store.Tx) error {
			return tx.Append(store.Append{Pos: tx.Next(), Room: room, Event: ev, Txn: txn})
		})
	}
	f.add(room, message("without"))
	for txn, want := range ids {
		f.view(func(v store.View) error {
			got, err := v.SentBy(alice, txn)
			equal(f, got, want)
			return err
		})
		f.missing(func(v store.View) error { _, err := v.SentBy(bob, txn); return err })
	}
	f.missing(func(v store.View) error {
		_, err := v.SentBy(alice, store.Txn{Device: "A", ID: "3", Path: "send"})
		return err
	})
	f.missing(func(v store.View) error { _, err := v.SentBy(alice, store.Txn{}); return err })
}
