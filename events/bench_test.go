package events

import (
	"strings"
	"testing"
)

// benchRoom is a version 12 room with a hundred members and the usual power levels.
func benchRoom(t testing.TB) (*testRoom, Draft) {
	t.Helper()
	v, _ := LookupVersion("12")
	r := newRoom(t, v, "")
	r.member(alice, MembershipJoin)
	r.put(alice, TypeJoinRules, "", `{"join_rule":"invite"}`)
	levels := make([]string, 100)
	for i := range levels {
		levels[i] = `"@user` + strings.Repeat("x", i) + `:hs.test":50`
	}
	r.put(alice, TypePowerLevels, "", `{"ban":50,"events":{"m.room.name":50,"m.room.tombstone":150},"users":{`+strings.Join(levels, ",")+`}}`)
	return r, Draft{
		Room: r.id, Sender: alice, Type: "m.room.message", TS: 1700000000000, Depth: 1234,
		Content:    []byte(`{"body":"` + strings.Repeat("hello ", 18) + `","msgtype":"m.text"}`),
		PrevEvents: []Ref{{ID: r.create.ID}},
		AuthEvents: []Ref{{ID: r.Event(TypePowerLevels, "").ID}, {ID: r.Event(TypeMember, string(alice)).ID}},
	}
}

func BenchmarkBuild(b *testing.B) {
	r, d := benchRoom(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.v.Build(d, hs, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	r, d := benchRoom(b)
	e := r.build(d)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.v.Parse(e.Raw, e.ID); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	r, d := benchRoom(b)
	e := r.build(d)
	b.ReportAllocs()
	for b.Loop() {
		if err := Check(e, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendClient(b *testing.B) {
	r, d := benchRoom(b)
	e := r.build(d)
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		dst = e.AppendClient(dst[:0], ClientFormat{OmitRoomID: true, Unsigned: []byte(`{"age":1234}`)})
	}
}

func BenchmarkCanonical(b *testing.B) {
	_, d := benchRoom(b)
	spaced := []byte(strings.NewReplacer(`,`, `, `, `:`, `: `).Replace(`{"msgtype":"m.text","body":"` + strings.Repeat("hello ", 18) + `"}`))
	for name, raw := range map[string][]byte{"already": d.Content, "rewritten": spaced} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Canonical(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFilterMatch(b *testing.B) {
	r, d := benchRoom(b)
	e := r.build(d)
	f, err := ParseRoomEventFilter([]byte(`{"types":["m.reaction","m.room.*"],"not_senders":["@bob:hs.test"]}`))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		f.Match(e)
	}
}

// TestAllocations keeps the hot paths from growing. It measures the whole process, so it cannot run in parallel.
func TestAllocations(t *testing.T) {
	r, d := benchRoom(t)
	e := r.build(d)
	dst := make([]byte, 0, 4096)
	filter, err := ParseRoomEventFilter([]byte(`{"types":["m.reaction","*room.*"],"not_types":["x*"],"rooms":["*"],"senders":["@alice:hs.test"],"contains_url":false}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		most float64
		f    func()
	}{
		"Build":        {3, func() { r.v.Build(d, hs, nil) }}, // the event, its JSON, its ID
		"Parse":        {3, func() { r.v.Parse(e.Raw, e.ID) }},
		"Check":        {0, func() { Check(e, r) }},
		"AppendClient": {0, func() { e.AppendClient(dst, ClientFormat{}) }},
		"Canonical":    {0, func() { Canonical(d.Content) }},
		"Match":        {0, func() { filter.Match(e) }},
	} {
		if n := testing.AllocsPerRun(50, tt.f); n > tt.most {
			t.Errorf("%s allocates %v times; at most %v", name, n, tt.most)
		}
	}
	if !filter.Match(e) {
		t.Error("the filter refuses")
	}
}
