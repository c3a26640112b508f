package unread

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// What is remembered goes neither back to fewer events nor to older receipts, when several count at once, and is
// bounded.
func TestRemembered(t *testing.T) {
	t.Parallel()
	s := New(nil, nil, nil)
	k := key{"@alice:example.org", 1}
	for _, tt := range []struct{ told, kept entry }{
		{entry{upTo: 10, receipts: 5}, entry{upTo: 10, receipts: 5}},
		{entry{upTo: 9, receipts: 5}, entry{upTo: 10, receipts: 5}},
		{entry{upTo: 9, receipts: 6}, entry{upTo: 10, receipts: 5}},
		{entry{upTo: 11, receipts: 4}, entry{upTo: 10, receipts: 5}},
		{entry{upTo: 11, receipts: 5}, entry{upTo: 11, receipts: 5}},
		{entry{upTo: 11, receipts: 6}, entry{upTo: 11, receipts: 6}},
	} {
		s.remember(k, tt.told)
		if got, _ := s.remembered.Get(k); got.upTo != tt.kept.upTo || got.receipts != tt.kept.receipts {
			t.Errorf("after %+v: %+v is remembered", tt.told, got)
		}
	}
	for room := range store.RoomNum(maxRemembered + 1000) {
		s.remember(key{"@bob:example.org", room}, entry{upTo: 1})
	}
	if n := s.remembered.Len(); n != maxRemembered {
		t.Errorf("%d are remembered", n)
	}
}

// Counts that were given away do not change when it is counted on.
func TestCountsAreImmutable(t *testing.T) {
	t.Parallel()
	const read, more = events.EventID("$read"), events.EventID("$more")
	given := Counts{Main: Count{1, 0}, Threads: map[events.EventID]Count{read: {1, 1}, more: {2, 0}}}
	c := count{counts: given}
	c.add(map[events.EventID]Count{"": {3, 1}, more: {1, 1}}, map[events.EventID]bool{read: true})
	if diff := cmp.Diff(Counts{Main: Count{1, 0}, Threads: map[events.EventID]Count{read: {1, 1}, more: {2, 0}}}, given); diff != "" {
		t.Errorf("counts that were given away (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Counts{Main: Count{4, 1}, Threads: map[events.EventID]Count{more: {3, 1}}}, c.counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	c.add(nil, map[events.EventID]bool{"": true})
	if c.counts.Main != (Count{}) || c.counts.Total() != (Count{3, 1}) {
		t.Errorf("after an own message: %+v", c.counts)
	}
}
