package storetest

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// relate appends a message with a relation, in an Update of its own.
func (f *fixture) relate(name string, sender events.UserID, room store.RoomNum, target store.Event, typ string, change ...func(*store.Relation)) store.Event {
	f.Helper()
	ev := message(name)
	ev.Sender = sender
	row := store.Event{}
	f.update(func(tx store.Tx) (err error) {
		if row, err = add(tx, room, ev); err != nil {
			return err
		}
		r := store.Relation{Room: room, Pos: row.Pos, Event: ev, Target: target.Pos, Type: typ, Starter: alice}
		for _, c := range change {
			c(&r)
		}
		return tx.PutRelation(r)
	})
	return row
}

func (f *fixture) unrelate(pos store.Pos) {
	f.Helper()
	f.update(func(tx store.Tx) error { return tx.DeleteRelation(pos) })
}

// relatedTo wants the events that lead to a target, in both directions.
func (f *fixture) relatedTo(q store.RelatedQuery, want ...store.Event) {
	f.Helper()
	f.view(func(v store.View) error {
		got, err := v.RelationsAfter(q, 0, store.MaxPos, 100)
		f.is(err, nil)
		equal(f, names(got), names(want))
		got, err = v.RelationsBefore(q, store.MaxPos, 0, 100)
		reversed := make([]string, 0, len(want))
		for i := range want {
			reversed = append(reversed, string(want[len(want)-1-i].ID))
		}
		equal(f, names(got), reversed)
		return err
	})
}

func names(evs []store.Event) []string {
	out := make([]string, 0, len(evs))
	for _, e := range evs {
		out = append(out, string(e.ID))
	}
	return out
}

func relations() []rule {
	return []rule{
		{"RelationsBefore: up to limit events that q wants with after < Pos <= from, newest first; RelationsAfter: from < Pos <= until, oldest first", func(f *fixture) {
			room := f.room("r")
			target := f.add(room, message("target"), message("other"))
			var rows []store.Event
			for _, name := range []string{"a", "b", "c", "d"} {
				rows = append(rows, f.relate(name, alice, room, target[0], "m.thread"))
			}
			f.relate("e", alice, room, target[1], "m.thread")
			f.view(func(v store.View) error {
				for _, q := range []store.RelatedQuery{
					{Target: target[0].Pos}, {Target: target[0].Pos, Recurse: true}, {Target: target[0].Pos, Type: "m.thread"},
				} {
					got, err := v.RelationsBefore(q, rows[2].Pos, rows[0].Pos, 5)
					f.is(err, nil)
					equal(f, got, []store.Event{rows[2], rows[1]})
					got, err = v.RelationsBefore(q, store.MaxPos, 0, 1)
					f.is(err, nil)
					equal(f, got, []store.Event{rows[3]})
					got, err = v.RelationsAfter(q, rows[0].Pos, rows[2].Pos, 5)
					f.is(err, nil)
					equal(f, got, []store.Event{rows[1], rows[2]})
					got, err = v.RelationsAfter(q, 0, store.MaxPos, 1)
					f.is(err, nil)
					equal(f, got, []store.Event{rows[0]})
				}
				return nil
			})
		}},
		{"Type and EventType are what every relation and every event on the way have to be; Recurse follows RelationDepth relations", func(f *fixture) {
			room := f.room("r")
			root := f.add(room, message("root"))[0]
			note := func(r *store.Relation) { r.Event = message("note"); r.Event.Type = "note" }
			a := f.relate("a", alice, room, root, "x")
			b := f.relate("b", alice, room, root, "y")
			ax := f.relate("ax", alice, room, a, "x")
			ay := f.relate("ay", alice, room, a, "y")
			bx := f.relate("bx", alice, room, b, "x", note)
			axx := f.relate("axx", alice, room, ax, "x", note)
			f.relate("axxx", alice, room, axx, "x")
			q := store.RelatedQuery{Target: root.Pos}
			f.relatedTo(q, a, b)
			q.Type = "x"
			f.relatedTo(q, a)
			q.EventType = "note"
			f.relatedTo(q)
			q = store.RelatedQuery{Target: root.Pos, Recurse: true}
			f.relatedTo(q, a, b, ax, ay, bx, axx)
			q.Type = "x"
			f.relatedTo(q, a, ax, axx)
			q.EventType = "m.room.message"
			f.relatedTo(q, a, ax)
			f.relatedTo(store.RelatedQuery{Target: b.Pos, Type: "x", EventType: "note"}, bx)
		}},
		{"DeleteRelation: what is related to the event itself stays, and no longer leads beyond it", func(f *fixture) {
			room := f.room("r")
			root := f.add(room, message("root"))[0]
			a := f.relate("a", alice, room, root, "x")
			b := f.relate("b", alice, room, a, "x")
			c := f.relate("c", alice, room, b, "x")
			d := f.relate("d", alice, room, root, "x")
			f.unrelate(b.Pos)
			f.relatedTo(store.RelatedQuery{Target: root.Pos, Recurse: true}, a, d)
			f.relatedTo(store.RelatedQuery{Target: a.Pos, Recurse: true})
			f.relatedTo(store.RelatedQuery{Target: b.Pos, Recurse: true}, c)
			f.unrelate(b.Pos)
			f.unrelate(root.Pos)
		}},
		{"Annotation returns the position of an annotation. ErrNotFound", func(f *fixture) {
			room := f.room("r")
			rows := f.add(room, message("target"), message("other"))
			thumb := func(r *store.Relation) { r.Key = "+1" }
			one := f.relate("one", alice, room, rows[0], "m.annotation", thumb)
			f.view(func(v store.View) error {
				got, err := v.Annotation(rows[0].Pos, alice, "m.room.message", "+1")
				equal(f, got, one.Pos)
				return err
			})
			for _, find := range []func(v store.View) error{
				func(v store.View) error {
					_, err := v.Annotation(rows[1].Pos, alice, "m.room.message", "+1")
					return err
				},
				func(v store.View) error { _, err := v.Annotation(rows[0].Pos, bob, "m.room.message", "+1"); return err },
				func(v store.View) error { _, err := v.Annotation(rows[0].Pos, alice, "m.reaction", "+1"); return err },
				func(v store.View) error {
					_, err := v.Annotation(rows[0].Pos, alice, "m.room.message", "-1")
					return err
				},
			} {
				f.missing(find)
			}
			f.unrelate(one.Pos)
			f.missing(func(v store.View) error {
				_, err := v.Annotation(rows[0].Pos, alice, "m.room.message", "+1")
				return err
			})
		}},
		{"REL-13, LatestEdits: the valid edit with the latest origin_server_ts, of those the one with the largest ID; EditsOf: the latest first", func(f *fixture) {
			room := f.room("r")
			rows := f.add(room, message("one"), message("two"), message("three"))
			at := func(ts int64, valid bool) func(*store.Relation) {
				return func(r *store.Relation) { r.Edits, r.Event.TS = valid, ts }
			}
			b := f.relate("b", alice, room, rows[0], "m.replace", at(20, true))
			c := f.relate("c", alice, room, rows[0], "m.replace", at(10, true))
			a := f.relate("a", alice, room, rows[0], "m.replace", at(20, true))
			f.relate("z", alice, room, rows[0], "m.replace", at(30, false))
			two := f.relate("d", alice, room, rows[1], "m.replace", at(5, true))
			latest := func(want ...store.Edit) {
				f.Helper()
				f.view(func(v store.View) error {
					got, err := v.LatestEdits([]store.Pos{rows[0].Pos, rows[1].Pos, rows[2].Pos})
					equal(f, got, want)
					return err
				})
			}
			latest(store.Edit{Target: rows[0].Pos, Pos: b.Pos}, store.Edit{Target: rows[1].Pos, Pos: two.Pos})
			f.view(func(v store.View) error {
				got, err := v.EditsOf(rows[0].Pos, 5)
				equal(f, got, []store.Pos{b.Pos, a.Pos, c.Pos})
				f.is(err, nil)
				got, err = v.EditsOf(rows[0].Pos, 1)
				equal(f, got, []store.Pos{b.Pos})
				return err
			})
			f.unrelate(b.Pos)
			f.unrelate(two.Pos)
			latest(store.Edit{Target: rows[0].Pos, Pos: a.Pos})
		}},
		{"References returns the events with an m.reference to one of the targets: up to limit for each, the oldest, ordered by target and position", func(f *fixture) {
			room := f.room("r")
			rows := f.add(room, message("one"), message("two"), message("three"))
			var want []store.Reference
			refer := func(name string, by events.UserID, to store.Event) {
				e := f.relate(name, by, room, to, "m.reference")
				want = append(want, store.Reference{Target: to.Pos, Pos: e.Pos, ID: e.ID, Sender: by})
			}
			refer("a", alice, rows[0])
			refer("b", bob, rows[0])
			last := f.relate("c", alice, room, rows[0], "m.reference")
			f.relate("indirect", alice, room, last, "m.reference")
			f.relate("reaction", alice, room, rows[1], "m.annotation")
			refer("d", alice, rows[1])
			f.view(func(v store.View) error {
				got, err := v.References([]store.Pos{rows[2].Pos, rows[1].Pos, rows[0].Pos}, 2)
				equal(f, got, want)
				return err
			})
		}},
		{"NewestRelation returns the position of the newest event that was ever related by anything but an m.annotation; 0 if there was none", func(f *fixture) {
			room, other := f.room("r"), f.room("other")
			target := f.add(room, message("target"))[0]
			newest := func(room store.RoomNum, want store.Pos) {
				f.Helper()
				f.view(func(v store.View) error {
					got, err := v.NewestRelation(room)
					equal(f, got, want)
					return err
				})
			}
			f.relate("a", alice, room, target, "m.annotation")
			newest(room, 0)
			f.relate("b", alice, room, target, "m.reference")
			c := f.relate("c", alice, room, target, "m.replace")
			f.unrelate(c.Pos)
			newest(room, c.Pos)
			newest(other, 0)
		}},
	}
}
