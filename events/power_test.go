package events

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
)

// TestPowerLevelDefaults: AUTHZ-2, without an event and with an empty one; RVER-21 and RVER-17 for the creator.
func TestPowerLevelDefaults(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		r := newRoom(t, v, "")
		for _, event := range []bool{false, true} {
			creator := int64(100) // RVER-21
			if event {
				r.put(alice, TypePowerLevels, "", `{}`)
				creator = 0
			}
			if v.PrivilegedCreators {
				creator = CreatorLevel // RVER-17
			}
			p := v.PowerLevels(r)
			got := fmt.Sprint(p.User(bob), p.Required("m.x", false), p.Required("m.x", true), p.Invite(), p.Kick(), p.Ban(), p.Redact(), p.Notification("room"))
			if got != "0 0 50 0 50 50 50 50" {
				t.Errorf("AUTHZ-2 version %s, event %v: %s", v.ID, event, got)
			}
			if got := p.User(alice); got != creator {
				t.Errorf("RVER-17, RVER-21 version %s, event %v: creator has %d; want %d", v.ID, event, got, creator)
			}
		}
		if p := v.PowerLevels(&testRoom{state: map[StateKey]*Event{}}); p.User(alice) != 0 || p.Ban() != 50 {
			t.Errorf("version %s: levels without any event: %+v", v.ID, p)
		}
	}
}

// TestPowerLevelsRead: every key is read, AUTHZ-3.
func TestPowerLevelsRead(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		r := newRoom(t, v, "")
		r.put(alice, TypePowerLevels, "", `{"users":{"@bob:hs.test":7},"users_default":1,"events":{"m.x":8,"m.\"y\"":9},"events_default":2,
			"state_default":3,"invite":4,"kick":5,"ban":6,"redact":10,"notifications":{"room":11}}`)
		p := v.PowerLevels(r)
		got := fmt.Sprint(p.User(bob), p.User(carol), p.Required("m.x", true), p.Required(`m."y"`, false), p.Required("m.z", false),
			p.Required("m.z", true), p.Invite(), p.Kick(), p.Ban(), p.Redact(), p.Notification("room"), p.Notification("other"))
		if got != "7 1 8 9 2 3 4 5 6 10 11 50" {
			t.Errorf("AUTHZ-3 version %s: %s", v.ID, got)
		}
	}
}

// TestPowerLevelsMemo: the remembered levels follow the state, not the event alone.
func TestPowerLevelsMemo(t *testing.T) {
	t.Parallel()
	v := versions[11]
	r, other := newRoom(t, v, ""), newRoom(t, v, `"additional_creators":["@bob:hs.test"]`)
	levels := r.put(alice, TypePowerLevels, "", `{"users":{"@carol:hs.test":5}}`)
	first := v.PowerLevels(r)
	if again := v.PowerLevels(r); again != first {
		t.Error("levels are parsed again")
	}
	r.put(alice, TypePowerLevels, "", `{"users":{"@carol:hs.test":6}}`)
	if got := v.PowerLevels(r).User(carol); got != 6 {
		t.Errorf("after a change: carol has %d", got)
	}
	r.state[StateKey{TypePowerLevels, ""}] = levels
	other.state[StateKey{TypePowerLevels, ""}] = levels
	if got := v.PowerLevels(other).User(bob); got != CreatorLevel {
		t.Errorf("with another create event: bob has %d", got)
	}
	if got := v.PowerLevels(r); got.User(bob) != 0 || got.User(carol) != 5 {
		t.Errorf("back with the first: %+v", got)
	}
	delete(r.state, StateKey{TypePowerLevels, ""})
	if got := v.PowerLevels(r).User(carol); got != 0 {
		t.Errorf("without the event: carol has %d", got)
	}
}

// TestPowerLevelsConcurrent is for the race detector: an event is safe for concurrent reading.
func TestPowerLevelsConcurrent(t *testing.T) {
	t.Parallel()
	r := scene{levels: `{"users":{"@carol:hs.test":5}}`}.room(t, versions[11])
	e := r.event(alice, "m.x", nil, `{}`)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if r.v.PowerLevels(r).User(carol) != 5 || Check(e, r) != nil {
				t.Error("wrong levels")
			}
		})
	}
	group.Wait()
}

func TestCreators(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		r := newRoom(t, v, `"additional_creators":["@bob:hs.test","@alice:hs.test",7]`)
		want := "[@alice:hs.test]" // RVER-20
		if v.PrivilegedCreators {
			want = "[@alice:hs.test @bob:hs.test]" // RVER-17
		}
		if got := fmt.Sprint(v.Creators(r.create)); got != want {
			t.Errorf("version %s: %s; want %s", v.ID, got, want)
		}
	}
	v1 := versions[0]
	if got := v1.Creators(&Event{Sender: alice, Content: []byte(`{"creator":"@bob:hs.test"}`)}); got[0] != bob {
		t.Errorf("content.creator: %v", got)
	}
	if got := v1.Creators(&Event{Sender: alice, Content: []byte(`{"creator":7}`)}); got[0] != alice {
		t.Errorf("malformed creator: %v", got)
	}
}

// TestLevelForms: RVER-12 and the column "PL value forms".
func TestLevelForms(t *testing.T) {
	t.Parallel()
	const no = math.MinInt64 // not a level
	tests := []struct {
		name, value                string
		float, stringly, integer64 int64 // versions 1-5, 6-9, 10-12
	}{
		{"integer", "50", 50, 50, 50},
		{"negative", "-1", -1, -1, -1},
		{"string", `"100"`, 100, 100, no},
		{"leading zeros", `"000100"`, 100, 100, no},
		{"plus", `"+100"`, 100, 100, no},
		{"minus", `"-100"`, -100, -100, no},
		{"spaces", `" \t 00100\n"`, 100, 100, no},
		{"spaces and sign", `" +100 "`, 100, 100, no},
		{"float", "50.57", 50, no, no},
		{"negative float", "-50.57", -50, no, no},
		{"exponent", "5.114698E4", 51146, no, no},
		{"just beyond 64 bits", "9223372036854775808", maxLevel, maxLevel, no},
		{"just beyond 64 bits below", "-9223372036854775809", -maxLevel, -maxLevel, no},
		{"beyond 64 bits", "1e30", maxLevel, no, no},
		{"beyond 64 bits below", "-1e30", -maxLevel, no, no},
		{"string beyond 64 bits", `"99999999999999999999999"`, maxLevel, maxLevel, no},
		{"beyond a double", "1e400", no, no, no},
		{"float in a string", `"50.5"`, no, no, no},
		{"exponent in a string", `"1e2"`, no, no, no},
		{"two signs", `"+-1"`, no, no, no},
		{"space after the sign", `"- 1"`, no, no, no},
		{"empty string", `""`, no, no, no},
		{"sign alone", `"+"`, no, no, no},
		{"hexadecimal", `"0x10"`, no, no, no},
		{"underscore", `"1_0"`, no, no, no},
		{"word", `"Infinity"`, no, no, no},
		{"true", "true", no, no, no},
		{"null", "null", no, no, no},
		{"array", "[1]", no, no, no},
		{"object", "{}", no, no, no},
	}
	for _, v := range versions {
		for _, tt := range tests {
			want := map[LevelForm]int64{LevelFloat: tt.float, LevelString: tt.stringly, LevelInteger: tt.integer64}[v.LevelForm]
			got, form := v.level([]byte(tt.value))
			if (form == wellFormed) != (want != no) || form == wellFormed && got != want {
				t.Errorf("RVER-12 version %s: %s %s gives %d, %d; want %d", v.ID, tt.name, tt.value, got, form, want)
			}
		}
		for value, from := range map[string]LevelForm{"1e400": LevelFloat, `"1` + strings.Repeat("0", 400) + `"`: LevelString} {
			if _, form := v.level([]byte(value)); (form == outOfRange) != (v.LevelForm >= from) {
				t.Errorf("RVER-12 version %s: %.9s is %d", v.ID, value, form)
			}
		}
	}
}

// TestMalformedLevels: EVT-12, malformed values in a stored event count as absent.
func TestMalformedLevels(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		r := newRoom(t, v, "")
		r.put(alice, TypePowerLevels, "", `{"ban":"x","kick":null,"invite":[],"users":{"@bob:hs.test":"y","@carol:hs.test":5},"events":7,"users_default":{}}`)
		p := v.PowerLevels(r)
		if got := fmt.Sprint(p.Ban(), p.Kick(), p.Invite(), p.User(bob), p.User(carol), p.Required("m.x", true)); got != "50 50 0 0 5 50" {
			t.Errorf("version %s: %s", v.ID, got)
		}
	}
}

// TestValidPowerLevels: RVER-13, strings and floats from clients are refused whatever the version.
func TestValidPowerLevels(t *testing.T) {
	t.Parallel()
	for content, ok := range map[string]bool{
		`{}`: true,
		`{"ban":50,"users":{"@a:hs":-1},"events":{"m.x":0},"notifications":{"room":20},"custom":"x"}`: true,
		`{"ban":"50"}`:                   false,
		`{"users_default":0.5}`:          false,
		`{"users":{"@a:hs":"100"}}`:      false,
		`{"users":{"a":100}}`:            false,
		`{"users":[]}`:                   false,
		`{"events":{"m.x":"0"}}`:         false,
		`{"events":null}`:                false,
		`{"notifications":{"room":1.5}}`: false,
		`{"kick":null}`:                  false,
	} {
		err := ValidPowerLevels([]byte(content))
		var e *FieldError
		if (err == nil) != ok || err != nil && !errors.As(err, &e) {
			t.Errorf("%s: %v", content, err)
		}
	}
}
