package events

import (
	"strings"
	"testing"
)

// scene is a room in which the creator alice is joined.
type scene struct {
	create  string // extra content of the create event
	members string // "bob=join carol=ban"
	rule    string // join rule
	levels  string // content of the power levels; "" for none
	put     func(*testRoom)
}

func (s scene) room(t *testing.T, v *RoomVersion) *testRoom {
	t.Helper()
	r := newRoom(t, v, s.create)
	r.member(alice, MembershipJoin)
	for m := range strings.FieldsSeq(s.members) {
		name, membership, _ := strings.Cut(m, "=")
		r.member(UserID("@"+name+":hs.test"), membership)
	}
	if s.rule != "" {
		r.put(alice, TypeJoinRules, "", `{"join_rule":"`+s.rule+`"}`)
	}
	if s.levels != "" {
		r.put(alice, TypePowerLevels, "", s.levels)
	}
	if s.put != nil {
		s.put(r)
	}
	return r
}

// authCase is one line of the rules: in these versions, this event meets this rule ("" is allowed).
type authCase struct {
	name, versions string
	scene          scene
	sender         UserID
	typ            string
	key            *string
	content        string
	rule           string
}

func runAuth(t *testing.T, tests []authCase) {
	t.Helper()
	for _, tt := range tests {
		for _, v := range versionSpan(t, tt.versions) {
			t.Run(tt.name+" v"+v.ID, func(t *testing.T) {
				t.Parallel()
				r := tt.scene.room(t, v)
				wantRule(t, Check(r.event(tt.sender, tt.typ, tt.key, tt.content), r), tt.rule)
			})
		}
	}
}

// TestAuthCreate: rule 1.
func TestAuthCreate(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, versions, event, rule string }{
		{"AUTHZ-4 plain", "12", `{"content":{"room_version":"12"}}`, ""},
		{"AUTHZ-4 without version", "12", `{"content":{}}`, ""},
		{"AUTHZ-4 prev_events", "12", `{"content":{},"prev_events":["$x"]}`, "1.1"},
		{"AUTHZ-37 prev_events", "1-11", `{"content":{"creator":"@alice:hs.test"},"prev_events":["$x"],"room_id":"!r:hs.test"}`, "1.1"},
		{"AUTHZ-4 room_id", "12", `{"content":{},"room_id":"!r:hs.test"}`, "1.2"},
		{"AUTHZ-4 unknown room_version", "12", `{"content":{"room_version":"13"}}`, "1.3"},
		{"AUTHZ-4 unknown room_version", "1-11", `{"content":{"creator":"@alice:hs.test","room_version":"99"},"room_id":"!r:hs.test"}`, "1.3"},
		{"AUTHZ-4 room_version is no string", "12", `{"content":{"room_version":12}}`, "1.3"},
		{"AUTHZ-4 additional_creators", "12", `{"content":{"additional_creators":["@b:hs.test","@c:other.test"]}}`, ""},
		{"AUTHZ-4 no additional_creators", "12", `{"content":{"additional_creators":[]}}`, ""},
		{"AUTHZ-4 additional_creators is a string", "12", `{"content":{"additional_creators":"@b:hs.test"}}`, "1.4"},
		{"AUTHZ-4 additional_creators is null", "12", `{"content":{"additional_creators":null}}`, "1.4"},
		{"AUTHZ-4 additional_creators of numbers", "12", `{"content":{"additional_creators":[1]}}`, "1.4"},
		{"AUTHZ-4 additional_creators of no user IDs", "12", `{"content":{"additional_creators":["@b:hs.test","b"]}}`, "1.4"},
		{"AUTHZ-4 additional_creators of bad servers", "12", `{"content":{"additional_creators":["@b:h_s"]}}`, "1.4"},
		{"RVER-20 additional_creators mean nothing", "1-11", `{"content":{"additional_creators":7,"creator":"@alice:hs.test"},"room_id":"!r:hs.test"}`, ""},
		{"AUTHZ-37 room ID of the sender's domain", "11", `{"content":{},"room_id":"!r:hs.test"}`, ""},
		{"AUTHZ-37 room ID of another domain", "1-11", `{"content":{"creator":"@alice:hs.test"},"room_id":"!r:other.test"}`, "v11:1.2"},
		{"AUTHZ-38 creator", "1-10", `{"content":{"creator":"@alice:hs.test"},"room_id":"!r:hs.test"}`, ""},
		{"AUTHZ-38 no creator", "1-10", `{"content":{},"room_id":"!r:hs.test"}`, "v10:1.4"},
	}
	for _, tt := range tests {
		for _, v := range versionSpan(t, tt.versions) {
			raw := withMember(withMember([]byte(tt.event), "sender", []byte(`"@alice:hs.test"`)), "type", []byte(`"m.room.create"`))
			e, err := v.Parse(raw, "$create:hs.test")
			if err != nil {
				t.Fatal(err)
			}
			t.Run(tt.name+" v"+v.ID, func(t *testing.T) { wantRule(t, Check(e, &testRoom{}), tt.rule) })
		}
	}
}

// TestAuthRoom: rules 2 and 4, and the create event that every other event needs.
func TestAuthRoom(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		r := scene{}.room(t, v)
		message := r.event(alice, "m.x", nil, `{}`)
		wantRule(t, Check(message, r), "")
		empty := &testRoom{state: map[StateKey]*Event{}}
		stranger := newRoom(t, v, `"other":1`)
		stranger.member(alice, MembershipJoin)
		if v.HashRoomID { // AUTHZ-5
			wantRule(t, Check(message, empty), "2")
			wantRule(t, Check(message, stranger), "2")
		} else { // AUTHZ-37
			wantRule(t, Check(message, empty), "v11:2.4")
		}
	}
	joined := func(r *testRoom) { r.member(foreign, MembershipJoin) }
	runAuth(t, []authCase{
		{"AUTHZ-7 federated", "1-12", scene{put: joined}, foreign, "m.x", nil, `{}`, ""},
		{"AUTHZ-7 m.federate true", "1-12", scene{create: `"m.federate":true`, put: joined}, foreign, "m.x", nil, `{}`, ""},
		{"AUTHZ-7 m.federate false", "1-12", scene{create: `"m.federate":false`, put: joined}, foreign, "m.x", nil, `{}`, "4"},
		{"AUTHZ-7 m.federate false, local sender", "1-12", scene{create: `"m.federate":false`}, alice, "m.x", nil, `{}`, ""},
		{"AUTHZ-7 m.federate is no boolean", "1-12", scene{create: `"m.federate":"false"`, put: joined}, foreign, "m.x", nil, `{}`, ""},
	})
}

// TestAuthAliases: AUTHZ-43, the rule of versions 1-5, and its absence later.
func TestAuthAliases(t *testing.T) {
	t.Parallel()
	runAuth(t, []authCase{
		{"AUTHZ-43 own domain, not a member", "1-5", scene{}, bob, TypeAliases, ptr("hs.test"), `{}`, ""},
		{"AUTHZ-43 other domain", "1-5", scene{}, alice, TypeAliases, ptr("other.test"), `{}`, "v5:4.2"},
		{"AUTHZ-43 no state key", "1-5", scene{}, alice, TypeAliases, nil, `{}`, "v5:4.1"},
		{"AUTHZ-43 no rule later", "6-12", scene{}, bob, TypeAliases, ptr("hs.test"), `{}`, "6"},
		{"AUTHZ-43 no rule later, any key", "6-12", scene{}, alice, TypeAliases, ptr("other.test"), `{}`, ""},
	})
}

// TestAuthEvent: rules 6 to 9, 11.
func TestAuthEvent(t *testing.T) {
	t.Parallel()
	const levels = `{"users":{"@bob:hs.test":30},"events":{"m.low":10,"m.high":31},"events_default":20,"state_default":40,"invite":30}`
	bobIn := scene{members: "bob=join carol=join", levels: levels}
	tpi := TypeThirdPartyInvite
	runAuth(t, []authCase{
		{"AUTHZ-23 joined", "1-12", scene{members: "bob=join"}, bob, "m.x", nil, `{}`, ""},
		{"AUTHZ-23 never joined", "1-12", scene{}, bob, "m.x", nil, `{}`, "6"},
		{"AUTHZ-23 invited", "1-12", scene{members: "bob=invite"}, bob, "m.x", nil, `{}`, "6"},
		{"AUTHZ-23 knocking", "1-12", scene{members: "bob=knock"}, bob, "m.x", nil, `{}`, "6"},
		{"AUTHZ-23 left", "1-12", scene{members: "bob=leave"}, bob, "m.x", nil, `{}`, "6"},
		{"AUTHZ-23 banned", "1-12", scene{members: "bob=ban"}, bob, "m.x", nil, `{}`, "6"},
		{"AUTHZ-24 invite level", "1-12", bobIn, bob, tpi, ptr("token"), `{}`, ""}, // though state_default is higher
		{"AUTHZ-24 below the invite level", "1-12", bobIn, carol, tpi, ptr("token"), `{}`, "7.1"},
		{"AUTHZ-24 not joined", "1-12", scene{levels: levels}, bob, tpi, ptr("token"), `{}`, "6"},
		{"AUTHZ-25 events_default reached", "1-12", bobIn, bob, "m.x", nil, `{}`, ""},
		{"AUTHZ-25 events_default not reached", "1-12", bobIn, carol, "m.x", nil, `{}`, "8"},
		{"AUTHZ-25 state_default not reached", "1-12", bobIn, bob, "m.x", ptr(""), `{}`, "8"},
		{"AUTHZ-25 events entry reached", "1-12", bobIn, bob, "m.low", ptr(""), `{}`, ""},
		{"AUTHZ-25 events entry not reached", "1-12", bobIn, bob, "m.high", nil, `{}`, "8"},
		{"AUTHZ-2 state_default of 50 without levels", "1-12", scene{members: "bob=join"}, bob, "m.x", ptr(""), `{}`, "8"},
		{"AUTHZ-26 own user ID as key", "1-12", scene{members: "bob=join", levels: `{"state_default":0}`}, bob, "m.x", ptr("@bob:hs.test"), `{}`, ""},
		{"AUTHZ-26 another's", "1-12", scene{members: "bob=join", levels: `{"state_default":0}`}, bob, "m.x", ptr("@alice:hs.test"), `{}`, "9"},
		{"AUTHZ-26 for the creator too", "1-12", scene{}, alice, "m.x", ptr("@bob:hs.test"), `{}`, "9"},
		{"AUTHZ-26 just an @", "1-12", scene{}, alice, "m.x", ptr("@"), `{}`, "9"},
		{"AUTHZ-26 an @ elsewhere", "1-12", scene{}, alice, "m.x", ptr("x@bob:hs.test"), `{}`, ""},
		{"AUTHZ-35 redaction below the redact level", "3-12", scene{members: "bob=join"}, bob, TypeRedaction, nil, `{"redacts":"$x:other.test"}`, ""},
		{"RVER-17 creator without an entry", "12", scene{levels: `{"events":{"m.high":9007199254740991}}`}, alice, "m.high", nil, `{}`, ""},
		{"RVER-21 creator without an entry", "1-11", scene{levels: `{"events":{"m.high":9007199254740991}}`}, alice, "m.high", nil, `{}`, "8"},
	})
}

// TestAuthRedaction: AUTHZ-44, the last rule of versions 1 and 2.
func TestAuthRedaction(t *testing.T) {
	t.Parallel()
	for _, v := range versions[:3] {
		for _, tt := range []struct {
			name    string
			sender  UserID
			redacts EventID
			allowed bool
		}{
			{"same domain", bob, "$x:hs.test", true},
			{"other domain", bob, "$x:other.test", !v.RedactionRule},
			{"no target", bob, "", !v.RedactionRule},
			{"other domain with the redact level", carol, "$x:other.test", true},
		} {
			r := scene{members: "bob=join carol=join", levels: `{"users":{"@carol:hs.test":50}}`}.room(t, v)
			e := r.build(Draft{Room: r.id, Sender: tt.sender, Type: TypeRedaction, Redacts: tt.redacts, Content: []byte(`{}`), PrevEvents: []Ref{{ID: "$p"}}})
			rule := ""
			if !tt.allowed {
				rule = "v2:11.3"
			}
			t.Run("AUTHZ-44 "+tt.name+" v"+v.ID, func(t *testing.T) { wantRule(t, Check(e, r), rule) })
		}
	}
}

// TestRedactionAllowed: REDACT-2 to REDACT-4, AMB-7.
func TestRedactionAllowed(t *testing.T) {
	t.Parallel()
	const levels = `{"users":{"@bob:hs.test":50,"@carol:hs.test":10},"events":{"m.room.redaction":10},"redact":50}`
	for _, v := range versions {
		r := scene{members: "bob=join carol=join dave=join", levels: levels}.room(t, v)
		p := v.PowerLevels(r)
		for _, tt := range []struct {
			name       string
			sender, of UserID
			want       bool
		}{
			{"REDACT-2 another's event with the redact level", bob, carol, true},
			{"REDACT-2 another's event without it", carol, bob, false},
			{"REDACT-3 same domain is not ownership", carol, dave, false},
			{"REDACT-4 own event without the redact level", carol, carol, true},
			{"REDACT-2 own event without the level of the type", dave, dave, false},
			{"REDACT-2 another's event without either", dave, bob, false},
		} {
			target := r.event(tt.of, "m.room.message", nil, `{}`)
			if got := RedactionAllowed(tt.sender, target, p); got != tt.want {
				t.Errorf("%s (version %s): %v", tt.name, v.ID, got)
			}
		}
	}
}

// FuzzCheck: rules about any content in any place never panic, and answer the same twice.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"membership":"invite","third_party_invite":{"signed":{"mxid":"@bob:hs.test","token":"t","signatures":{"x":{"ed25519:1":"AA"}}}}}`), []byte(`{"public_key":"AA","public_keys":[{"public_key":"AA"},7]}`))
	f.Add([]byte(`{"users":{"@bob:hs.test":1},"events":{"a":"1"},"ban":1e5}`), []byte(`{"users":{"@alice:hs.test":100},"notifications":{"room":"x"}}`))
	f.Add([]byte(`{"membership":"join","join_authorised_via_users_server":"@alice:hs.test"}`), []byte(`{"join_rule":"restricted","membership":"join"}`))
	f.Add([]byte(`{"creator":7,"room_version":[],"additional_creators":{}}`), []byte(`{"m.federate":false,"creator":{}}`))
	types := []string{TypeCreate, TypeMember, TypePowerLevels, TypeJoinRules, TypeThirdPartyInvite, TypeRedaction, TypeAliases, "m.x"}
	f.Fuzz(func(t *testing.T, content, stored []byte) {
		for _, v := range versions {
			c, err := v.Canonical(content)
			s, err2 := v.Canonical(stored)
			if err != nil || err2 != nil || !isObject(c) || !isObject(s) {
				continue
			}
			r := newRoom(t, v, "")
			for _, k := range []StateKey{{TypeJoinRules, ""}, {TypePowerLevels, ""}, {TypeThirdPartyInvite, "t"}, {TypeMember, string(bob)}} {
				r.put(alice, k.Type, k.Key, string(s))
			}
			for _, typ := range types {
				for _, key := range []*string{nil, ptr(""), ptr(string(bob))} {
					d := Draft{Room: r.id, Sender: alice, Type: typ, StateKey: key, Content: c, PrevEvents: []Ref{{ID: r.create.ID}}}
					if v.HashRoomID && typ == TypeCreate {
						d.Room = ""
					}
					e := r.build(d)
					first := Check(e, r)
					if second := Check(e, r); (first == nil) != (second == nil) {
						t.Fatalf("%s: %v, then %v", e.Raw, first, second)
					}
					if keys := AuthKeys(v, typ, alice, key, c); len(keys) > MaxAuthEvents {
						t.Fatalf("too many auth events: %v", keys)
					}
				}
			}
		}
	})
}
