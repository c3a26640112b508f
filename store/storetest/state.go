package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func state() []rule {
	name := events.StateKey{Type: "m.room.name"}
	return []rule{
		{"a state event becomes the current state of its type and key, from its position on, and what it replaces ends there", func(f *fixture) {
			room := f.room("r")
			one := f.add(room, stateEvent("m.room.name", "", "one"))[0]
			two := f.add(room, stateEvent("m.room.name", "", "two"))[0]
			equal(f, two.Replaces, one.Pos)
			for at, want := range map[store.Pos]store.Event{
				one.Pos: one, two.Pos - 1: one, two.Pos: two, two.Pos + 5: two, store.MaxPos: two,
			} {
				f.view(func(v store.View) error {
					got, err := v.StateEventAt(room, at, name)
					equal(f, got, want)
					return err
				})
			}
		}},
		{"StateEventAt: ErrNotFound", func(f *fixture) {
			room, other := f.room("r"), f.room("other")
			row := f.add(room, stateEvent("m.room.name", "", "one"), message("m.room.topic"))[0]
			f.missing(func(v store.View) error { _, err := v.StateEventAt(room, row.Pos-1, name); return err })
			f.missing(func(v store.View) error { _, err := v.StateEventAt(other, store.MaxPos, name); return err })
			f.missing(func(v store.View) error {
				_, err := v.StateEventAt(room, store.MaxPos, events.StateKey{Type: "m.room.name", Key: "x"})
				return err
			})
			f.missing(func(v store.View) error {
				_, err := v.StateEventAt(room, store.MaxPos, events.StateKey{Type: "m.room.message"})
				return err
			})
		}},
		{"StateHistory returns every event that ever was the state of a key, ordered by position", func(f *fixture) {
			room := f.room("r")
			rows := f.add(room, stateEvent("m.room.name", "", "1"), stateEvent("m.room.topic", "", "x"), stateEvent("m.room.name", "", "2"))
			f.view(func(v store.View) error {
				got, err := v.StateHistory(room, name)
				equal(f, got, []store.Interval{
					{From: rows[0].Pos, To: rows[2].Pos, Event: rows[0]},
					{From: rows[2].Pos, To: store.MaxPos, Event: rows[2]},
				})
				none, err2 := v.StateHistory(room, events.StateKey{Type: "m.room.avatar"})
				equal(f, len(none), 0)
				f.is(err2, nil)
				return err
			})
		}},
		{"state at every position, changes over every range and history agree with a model", func(f *fixture) {
			m := newModel(f)
			for range 14 {
				m.step()
			}
			f.view(m.check)
		}},
	}
}

// model grows two rooms at random and remembers all of it.
type model struct {
	f      *fixture
	rand   *rand.Rand
	rooms  []store.RoomNum
	events []modelEvent // by position
}

type modelEvent struct {
	store.Event
	key *events.StateKey
}

func newModel(f *fixture) *model {
	const seed = 20 // any will do; fixed, so that a failure can be repeated
	m := &model{f: f, rand: rand.New(rand.NewPCG(seed, seed))}
	for _, name := range []string{"one", "two"} {
		room := f.room(name)
		m.rooms = append(m.rooms, room)
		f.view(func(v store.View) error {
			rows, err := v.TimelineAfter(room, 0, store.MaxPos, 1)
			m.events = append(m.events, modelEvent{rows[0], &events.StateKey{Type: "m.room.create"}})
			return err
		})
	}
	return m
}

var modelKeys = []events.StateKey{
	{Type: "m.room.member", Key: "@a:x"}, {Type: "m.room.member", Key: "@b:x"}, {Type: "m.room.member", Key: "@c:x"},
	{Type: "m.room.name"}, {Type: "m.room.topic"}, {Type: "m.space.child", Key: "!s:x"}, {Type: "m.space.child", Key: "!t:x"},
	{Type: "m.room.create"},
}

// step appends a few events in one Update.
func (m *model) step() {
	m.f.update(func(tx store.Tx) error {
		for range 1 + m.rand.IntN(3) {
			room := m.rooms[m.rand.IntN(len(m.rooms))]
			ev, key := message(fmt.Sprint("m", len(m.events))), (*events.StateKey)(nil)
			if m.rand.IntN(3) > 0 {
				key = &modelKeys[m.rand.IntN(len(modelKeys)-1)]
				ev = stateEvent(key.Type, key.Key, []string{"join", "leave", "ban"}[m.rand.IntN(3)])
				ev.ID = events.EventID(fmt.Sprint("$s", len(m.events)))
			}
			row, err := add(tx, room, ev)
			if err != nil {
				return err
			}
			m.events = append(m.events, modelEvent{row, key})
		}
		return nil
	})
}

// at returns the state of a room as the model has it.
func (m *model) at(room store.RoomNum, at store.Pos) map[events.StateKey]store.Event {
	s := map[events.StateKey]store.Event{}
	for _, ev := range m.events {
		if ev.Room == room && ev.Pos <= at && ev.key != nil {
			s[*ev.key] = ev.Event
		}
	}
	return s
}

func (m *model) check(v store.View) error {
	places := []store.Pos{0, store.MaxPos}
	for _, ev := range m.events {
		places = append(places, ev.Pos)
	}
	for _, room := range m.rooms {
		for _, at := range places {
			if err := m.checkAt(v, room, at); err != nil {
				return fmt.Errorf("room %d at %d: %w", room, at, err)
			}
			for _, until := range places {
				if err := m.checkChanges(v, room, at, until); err != nil {
					return fmt.Errorf("room %d from %d until %d: %w", room, at, until, err)
				}
			}
		}
	}
	return nil
}

func (m *model) checkAt(v store.View, room store.RoomNum, at store.Pos) error {
	want := m.at(room, at)
	var all, others []store.Event
	for key, ev := range want {
		all = append(all, ev)
		if key.Type != events.TypeMember {
			others = append(others, ev)
		}
	}
	for members, want := range map[bool][]store.Event{true: all, false: others} {
		got, err := v.StateAt(room, at, members)
		if err != nil {
			return err
		}
		equal(m.f, sorted(got), sorted(want))
	}
	got, err := v.StateEventsAt(room, at, modelKeys)
	if err != nil {
		return err
	}
	equal(m.f, sorted(got), sorted(all))
	for _, key := range modelKeys {
		if got, err := v.StateEventAt(room, at, key); err == nil || len(want[key].ID) > 0 {
			m.f.is(err, nil)
			equal(m.f, got, want[key])
		}
	}
	return nil
}

func (m *model) checkChanges(v store.View, room store.RoomNum, from, until store.Pos) error {
	var want []store.Event
	for _, ev := range m.at(room, until) {
		if ev.Pos > from {
			want = append(want, ev)
		}
	}
	got, err := v.StateChanges(room, from, until)
	if err == nil && !slices.EqualFunc(got, sorted(want), sameEvent) {
		err = fmt.Errorf("changes are %v, want %v", got, want)
	}
	return err
}

// sorted orders by position; nil if there are none.
func sorted(evs []store.Event) []store.Event {
	if len(evs) == 0 {
		return nil
	}
	slices.SortFunc(evs, func(a, b store.Event) int { return int(a.Pos - b.Pos) })
	return evs
}
