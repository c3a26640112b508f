package events

import (
	"strconv"
	"strings"
	"testing"
)

// levelCase is a change of power levels by dave, who has 50 of the room's levels.
func levelCase(name, versions, was, is, rule string) authCase {
	s := scene{members: "dave=join bob=join", levels: was}
	return authCase{name, versions, s, dave, TypePowerLevels, ptr(""), is, rule}
}

// TestAuthPowerLevelForms: rules 10.1 to 10.5.
func TestAuthPowerLevelForms(t *testing.T) {
	t.Parallel()
	first := func(name, versions, content, rule string) authCase {
		return authCase{name, versions, scene{}, alice, TypePowerLevels, ptr(""), content, rule}
	}
	var tests []authCase
	for s := range scalarCount {
		for _, bad := range []string{`"50"`, "null", "true", "{}", "[]", `"x"`} {
			content := `{"` + s.name() + `":` + bad + `}`
			tests = append(tests, first("AUTHZ-27 "+content, "10-12", content, "10.1"), first("AUTHZ-39 "+content, "1-9", content, ""))
		}
		tests = append(tests, first("RVER-12 beyond a double in "+s.name(), "1-5", `{"`+s.name()+`":1e400}`, "10.1"))
	}
	for _, key := range []string{"events", "notifications"} {
		for _, bad := range []string{`{"x":"50"}`, `{"x":null}`, "7", "null", "[]", `{"x":1,"y":[]}`} {
			content := `{"` + key + `":` + bad + `}`
			tests = append(tests, first("AUTHZ-28 "+content, "10-12", content, "10.2"), first("AUTHZ-39 "+content, "1-9", content, ""))
		}
	}
	for _, bad := range []string{`{"@b:hs.test":true}`, `{"@b:hs.test":null}`, `{"@b:hs.test":"x"}`, `{"b":1}`, `{"@b":1}`, `{"@b:h_s":1}`, "7", "null", "[]"} {
		content := `{"users":` + bad + `}`
		tests = append(tests, first("AUTHZ-28 "+content, "1-12", content, "10.3"))
	}
	for _, content := range []string{`{"events":{"m.x":1e400}}`, `{"notifications":{"room":-1e400}}`} {
		tests = append(tests, first("RVER-12 beyond a double "+content, "1-5", content, "10.2"))
	}
	tests = append(tests, first("RVER-12 beyond a double in users", "1-5", `{"users":{"@b:hs.test":1e400}}`, "10.3"))
	const everything = `{"users_default":0,"events_default":0,"state_default":50,"ban":50,"redact":50,"kick":50,"invite":0,` +
		`"events":{"m.x":1},"notifications":{"room":20},"users":{"@bob:hs.test":-1,"@É x:hs.test":1},"other":{"a":"b"}}`
	two := scene{create: `"additional_creators":["@bob:hs.test"]`}
	runAuth(t, append(tests,
		first("AUTHZ-27, AUTHZ-28 well-formed", "1-12", everything, ""),
		first("AUTHZ-27, AUTHZ-28 nothing present", "1-12", `{}`, ""),
		first("AUTHZ-39 strings of users", "1-9", `{"users":{"@bob:hs.test":" +050 "}}`, ""),
		first("AUTHZ-28 strings of users", "10-12", `{"users":{"@bob:hs.test":"50"}}`, "10.3"),
		first("RVER-12 floats of users", "1-5", `{"users":{"@bob:hs.test":50.7}}`, ""),
		first("AUTHZ-30 no event yet, whatever the levels", "1-12", `{"users":{"@bob:hs.test":1000},"ban":1000}`, ""),
		first("AUTHZ-29 names the creator", "12", `{"users":{"@alice:hs.test":100}}`, "10.4"),
		first("AUTHZ-29 not before", "1-11", `{"users":{"@alice:hs.test":100}}`, ""),
		authCase{"AUTHZ-29, RVER-18 names an additional creator", "12", two, alice, TypePowerLevels, ptr(""), `{"users":{"@bob:hs.test":1}}`, "10.4"},
		authCase{"RVER-20 not before", "1-11", two, alice, TypePowerLevels, ptr(""), `{"users":{"@bob:hs.test":1}}`, ""},
	))
}

// TestAuthPowerLevelChanges: rules 10.6 to 10.11.
func TestAuthPowerLevelChanges(t *testing.T) {
	t.Parallel()
	base := func(extra string) string {
		return `{"events":{"m.room.power_levels":50},"users":{"@dave:hs.test":50}` + extra + `}`
	}
	var tests []authCase
	change := func(id, what, versions, was, is, rule string) {
		tests = append(tests, levelCase(id+" "+what, versions, base(was), base(is), rule))
	}
	for s := range scalarCount { // AUTHZ-31
		level := func(n int) string { return `,"` + s.name() + `":` + strconv.Itoa(n) }
		change("AUTHZ-31", s.name()+" unchanged above", "1-12", level(99), level(99), "")
		change("AUTHZ-31", s.name()+" raised to the own level", "1-12", level(10), level(50), "")
		change("AUTHZ-31", s.name()+" lowered from the own level", "1-12", level(50), level(10), "")
		change("AUTHZ-31", s.name()+" added above", "1-12", "", level(51), "10.6")
		change("AUTHZ-31", s.name()+" added", "1-12", "", level(50), "")
		change("AUTHZ-31", s.name()+" changed to above", "1-12", level(10), level(51), "10.6")
		change("AUTHZ-31", s.name()+" removed", "1-12", level(10), "", "")
		if s != eventsDefault && s != stateDefault { // those would forbid dave to send the event at all
			change("AUTHZ-31", s.name()+" changed from above", "1-12", level(51), level(10), "10.6")
			change("AUTHZ-31", s.name()+" removed from above", "1-12", level(51), "", "10.6")
		}
	}
	for _, key := range []string{"events", "notifications"} { // AUTHZ-32
		entry := func(n int) string {
			if key == "events" {
				return `{"events":{"m.room.power_levels":50,"m.x":` + strconv.Itoa(n) + `},"users":{"@dave:hs.test":50}}`
			}
			return base(`,"notifications":{"room":` + strconv.Itoa(n) + `}`)
		}
		versions, id := "1-12", "AUTHZ-32 "
		if key == "notifications" {
			versions = "6-12"
		}
		none := base("")
		cases := []struct{ name, was, is, rule string }{
			{"unchanged above", entry(99), entry(99), ""},
			{"changed from above", entry(51), entry(10), "10.7"},
			{"removed from above", entry(51), none, "10.7"},
			{"added above", none, entry(51), "10.8"},
			{"changed to above", entry(10), entry(51), "10.8"},
			{"changed within", entry(10), entry(50), ""},
			{"changed from the own level", entry(50), entry(10), ""},
			{"removed", entry(50), none, ""},
		}
		for _, c := range cases {
			tests = append(tests, levelCase(id+key+" "+c.name, versions, c.was, c.is, c.rule))
			if key == "notifications" { // AUTHZ-43
				tests = append(tests, levelCase("AUTHZ-43 notifications are ignored: "+c.name, "1-5", c.was, c.is, ""))
			}
		}
	}
	runAuth(t, tests)
}

// TestAuthPowerLevelUsers: AUTHZ-33, rules 10.9 and 10.10, with the level of bob.
func TestAuthPowerLevelUsers(t *testing.T) {
	t.Parallel()
	users := func(dave, bob string) string {
		u := []string{`"@dave:hs.test":` + dave}
		if bob != "" {
			u = append(u, `"@bob:hs.test":`+bob)
		}
		return `{"users":{` + strings.Join(u, ",") + `}}`
	}
	tests := []authCase{
		levelCase("AUTHZ-33 unchanged above", "1-12", users("50", "99"), users("50", "99"), ""),
		levelCase("AUTHZ-33 an inferior raised to the own level", "1-12", users("50", "49"), users("50", "50"), ""),
		levelCase("AUTHZ-33 an inferior raised above", "1-12", users("50", "49"), users("50", "51"), "10.10"),
		levelCase("AUTHZ-33 an inferior removed", "1-12", users("50", "49"), users("50", ""), ""),
		levelCase("AUTHZ-33 an equal lowered", "1-12", users("50", "50"), users("50", "49"), "10.9"),
		levelCase("AUTHZ-33 an equal removed", "1-12", users("50", "50"), users("50", ""), "10.9"),
		levelCase("AUTHZ-33 a superior lowered", "1-12", users("50", "51"), users("50", "1"), "10.9"),
		levelCase("AUTHZ-33 a user added", "1-12", users("50", ""), users("50", "50"), ""),
		levelCase("AUTHZ-33 a user added above", "1-12", users("50", ""), users("50", "51"), "10.10"),
		levelCase("AUTHZ-33 own level lowered", "1-12", users("50", ""), users("49", ""), ""),
		levelCase("AUTHZ-33 own level removed", "1-12", users("50", ""), `{"users":{}}`, ""),
		levelCase("AUTHZ-33 own level raised", "1-12", users("50", ""), users("51", ""), "10.10"),
		levelCase("AUTHZ-34 nothing changed", "1-12", users("50", "99"), users("50", "99"), ""),
		levelCase("AUTHZ-25 too little power for any change", "1-12", users("49", ""), users("49", ""), "8"),
	}
	top := `{"users":{"@bob:hs.test":9007199254740991},"ban":9007199254740991}`
	tests = append(tests, authCase{"RVER-17 a creator may lower PL 2^53-1", "12", scene{levels: top}, alice, TypePowerLevels, ptr(""), `{"users":{"@bob:hs.test":0},"ban":0}`, ""})
	runAuth(t, tests)
}
