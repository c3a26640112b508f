package reader

import (
	"context"
	"strconv"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

const (
	// maxReferences bounds how many references an event is told with.
	maxReferences = 500
	// maxEdits bounds among how many edits one is looked for that the user sees.
	maxEdits = 100
)

// Bundle reads what is related to some events, so that it is told with them when they
// are appended (REL-9 to REL-16, REL-19). The scope must know the events.
func (f *Form) Bundle(ctx context.Context, s *Scope, list ...*live.Event) error {
	related := s.Room.Related()
	var targets []*live.Event
	for _, e := range list {
		if e.Pos < related && !e.IsState() { // REL-10
			targets = append(targets, e)
		}
	}
	if targets == nil {
		return nil
	}
	return f.reader.Memory.View(ctx, func(v store.View) (err error) {
		b := bundler{form: f, view: v, scope: s, ignored: f.Ignored}
		if b.ignored == nil {
			list, err := Ignored(v, s.User)
			if err != nil {
				return err
			}
			b.ignored = list.Users
		}
		return b.bundle(targets, true)
	})
}

// bundler is the making of bundles for one scope.
type bundler struct {
	form    *Form
	view    store.View
	scope   *Scope
	ignored map[events.UserID]bool
}

// bundle makes the bundles of events: with their threads, unless they are themselves
// told of as the latest events of threads.
func (b *bundler) bundle(targets []*live.Event, withThreads bool) error {
	edits, err := b.edits(targets)
	if err != nil {
		return err
	}
	references, err := b.references(targets)
	if err != nil {
		return err
	}
	var told map[store.Pos]thread
	if withThreads {
		if told, err = threads(b.view, b.scope, b.ignored, targets); err != nil {
			return err
		}
	}
	shown, err := b.read(edits, told)
	if err != nil {
		return err
	}
	if len(told) > 0 {
		var latest []*live.Event
		for _, t := range told {
			if e := shown[t.latest]; e != nil {
				latest = append(latest, e)
			}
		}
		if err := b.bundle(latest, false); err != nil { // REL-20: with their own bundles
			return err
		}
	}
	for _, e := range targets {
		t, inThread := told[e.Pos]
		b.form.addBundle(b.scope, e.Pos, references[e.Pos], shown[edits[e.Pos]], t, inThread, shown[t.latest])
	}
	return nil
}

// edits returns the position of the latest valid edit for each of the events that
// have one that the user sees (REL-13, REL-15).
func (b *bundler) edits(targets []*live.Event) (map[store.Pos]store.Pos, error) {
	rows, err := b.view.LatestEdits(positionsOf(targets))
	if err != nil || rows == nil {
		return nil, err
	}
	latest := make(map[store.Pos]store.Pos, len(rows))
	for _, row := range rows {
		latest[row.Target] = row.Pos
	}
	for _, e := range targets {
		switch {
		case latest[e.Pos] == 0:
		case e.RedactedBy != 0 || b.ignored[e.Sender] || b.form.withoutErased(b.scope, e) != e:
			delete(latest, e.Pos)
		case !b.scope.SeesAll(e.Pos):
			if latest[e.Pos], err = b.visibleEdit(e.Pos); err != nil {
				return nil, err
			}
		}
	}
	return latest, nil
}

// visibleEdit returns the position of the latest edit that the user sees; 0 if there
// is none.
func (b *bundler) visibleEdit(target store.Pos) (store.Pos, error) {
	at, err := b.view.EditsOf(target, maxEdits)
	if err != nil {
		return 0, err
	}
	list, err := eventsAt(b.view, b.scope, at)
	if err != nil {
		return 0, err
	}
	for _, pos := range at {
		for _, e := range list {
			if e.Pos == pos {
				return pos, nil
			}
		}
	}
	return 0, nil
}

// references returns the IDs of the events that refer to others and that the user
// sees (REL-12).
func (b *bundler) references(targets []*live.Event) (map[store.Pos][]events.EventID, error) {
	rows, err := b.view.References(positionsOf(targets), maxReferences)
	if err != nil || rows == nil {
		return nil, err
	}
	hidden := map[store.Pos]bool{}
	for _, e := range targets {
		hidden[e.Pos] = !b.scope.SeesAll(e.Pos)
	}
	var unsure []store.Pos
	for _, row := range rows {
		if hidden[row.Target] {
			unsure = append(unsure, row.Pos)
		}
	}
	seen := map[store.Pos]bool{}
	if unsure != nil {
		list, err := eventsAt(b.view, b.scope, unsure)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			seen[e.Pos] = true
		}
	}
	found := map[store.Pos][]events.EventID{}
	for _, row := range rows {
		if !b.ignored[row.Sender] && (!hidden[row.Target] || seen[row.Pos]) {
			found[row.Target] = append(found[row.Target], row.ID)
		}
	}
	return found, nil
}

// read returns the events that are told with others, linked, by their positions.
func (b *bundler) read(edits map[store.Pos]store.Pos, told map[store.Pos]thread) (map[store.Pos]*live.Event, error) {
	var at []store.Pos
	for _, pos := range edits {
		at = append(at, pos)
	}
	for _, t := range told {
		at = append(at, t.latest)
	}
	if at == nil {
		return nil, nil
	}
	rows, err := b.view.EventsAt(at)
	if err != nil {
		return nil, err
	}
	list, err := live.ParseAll(b.scope.Room.Version, rows)
	if err != nil {
		return nil, err
	}
	if err := live.Link(b.view, b.scope.Room.Version, list); err != nil {
		return nil, err
	}
	shown := make(map[store.Pos]*live.Event, len(list))
	for _, e := range list {
		shown[e.Pos] = e
	}
	return shown, nil
}

// addBundle renders the bundle of the event at a position, if there is anything in
// it, keys in canonical order.
func (f *Form) addBundle(s *Scope, pos store.Pos, references []events.EventID, edit *live.Event, t thread, inThread bool, latest *live.Event) {
	dst := []byte{'{'}
	for i, id := range references {
		if i == 0 {
			dst = append(dst, `"m.reference":{"chunk":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = append(events.AppendString(append(dst, `{"event_id":`...), string(id)), '}')
	}
	if references != nil {
		dst = append(dst, `]},`...)
	}
	if edit != nil && f.withoutErased(s, edit) == edit {
		dst = f.appendWhole(append(dst, `"m.replace":`...), s, edit)
		dst = append(dst, ',')
	}
	if inThread && latest != nil {
		dst = strconv.AppendInt(append(dst, `"m.thread":{"count":`...), int64(t.count), 10)
		dst = strconv.AppendBool(append(dst, `,"current_user_participated":`...), t.participated)
		dst = f.appendWhole(append(dst, `,"latest_event":`...), s, latest)
		dst = append(dst, `},`...)
	}
	if len(dst) == 1 {
		return
	}
	if f.bundles == nil {
		f.bundles = map[store.Pos][]byte{}
	}
	dst[len(dst)-1] = '}'
	f.bundles[pos] = dst
}

// appendWhole appends an event that is told with another one: all of it, whatever the
// filter.
func (f *Form) appendWhole(dst []byte, s *Scope, e *live.Event) []byte {
	e = f.withoutErased(s, e)
	return e.AppendClient(dst, events.ClientFormat{Unsigned: f.appendUnsigned(nil, s, e)})
}
