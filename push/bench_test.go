package push

import (
	"fmt"
	"testing"

	"github.com/ca4c8834/homeserver/events"
)

// modern is a message of a client that says whom it means, legacy one of a client that does not.
var (
	modern = event("m.room.message", `{"body":"good morning everybody, shall we meet at the usual place today?","m.mentions":{"user_ids":["@user7:example.org"]},"msgtype":"m.text"}`)
	older  = message("good morning everybody, shall we meet at the usual place today?")
)

// ofMany are the rulesets and member events of n users, of whom each tenth has some rules of their own.
func ofMany(t testing.TB, n int) (all []*Ruleset, members []*events.Event) {
	t.Helper()
	d := NewDefaults(Options{})
	for i := range n {
		s, err := d.Ruleset(events.UserID(fmt.Sprintf("@user%d:example.org", i)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			for j := range 10 {
				s = put(t, s, "override", fmt.Sprint("mute", j), fmt.Sprintf(
					`{"actions":[],"conditions":[{"kind":"event_match","key":"room_id","pattern":"!muted%d:example.org"}]}`, j), Place{})
				s = put(t, s, "room", fmt.Sprintf("!quiet%d:example.org", j), plain, Place{})
			}
			s = put(t, s, "content", "keyword", `{"pattern":"keyword","actions":["notify"]}`, Place{})
		}
		all = append(all, s)
		members = append(members, state("m.room.member", "", fmt.Sprintf(`{"avatar_url":"mxc://example.org/abc","displayname":"User %d","membership":"join"}`, i)))
	}
	return all, members
}

// BenchmarkRoom is one message in a room of a thousand.
func BenchmarkRoom(b *testing.B) {
	all, members := ofMany(b, 1000)
	for name, e := range map[string]*events.Event{"modern": modern, "older": older} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ev := NewEvent(e, crowd)
				for i, s := range all {
					s.Evaluate(ev, members[i])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/member")
		})
	}
}

// BenchmarkPair is one message to one person.
func BenchmarkPair(b *testing.B) {
	s := rules(b)
	b.ReportAllocs()
	for b.Loop() {
		s.Evaluate(NewEvent(modern, Room{Joined: 2}), nil)
	}
}

func BenchmarkRuleset(b *testing.B) {
	all, _ := ofMany(b, 1)
	stored := all[0].Changes()
	d := NewDefaults(Options{})
	b.ReportAllocs()
	b.SetBytes(int64(len(stored)))
	for b.Loop() {
		if _, err := d.Ruleset(alice, stored); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	s := rules(b)
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		dst = s.AppendJSON(dst[:0])
	}
}

// TestAllocations keeps evaluation from allocating. It measures the whole process, so it cannot run in parallel.
func TestAllocations(t *testing.T) {
	all, members := ofMany(t, 20)
	for _, tt := range []struct {
		name string
		e    *events.Event
		most float64 // for the 20 users
	}{{"modern", modern, 0}, {"older", older, 20}} { // which needs their names
		ev := NewEvent(tt.e, crowd)
		ask := func() {
			for i, s := range all {
				s.Evaluate(ev, members[i])
			}
		}
		ask() // looks everything up
		if n := testing.AllocsPerRun(50, ask); n > tt.most {
			t.Errorf("%s: %v allocations", tt.name, n)
		}
	}
}
