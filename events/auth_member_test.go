package events

import (
	"crypto/ed25519"
	"encoding/base64"
	"testing"
)

const (
	join   = `{"membership":"join"}`
	invite = `{"membership":"invite"}`
	leave  = `{"membership":"leave"}`
	ban    = `{"membership":"ban"}`
	knock  = `{"membership":"knock"}`
)

// member is a case about a member event by sender about target.
func member(name, versions string, s scene, sender, target UserID, content, rule string) authCase {
	return authCase{name, versions, s, sender, TypeMember, ptr(string(target)), content, rule}
}

// TestAuthMember: rules 5.1, 5.2 and 5.8.
func TestAuthMember(t *testing.T) {
	t.Parallel()
	const via = `{"join_authorised_via_users_server":"@alice:hs.test","membership":"join"}`
	const viaOther = `{"join_authorised_via_users_server":"@eve:other.test","membership":"join"}`
	public := scene{rule: "public"}
	runAuth(t, []authCase{
		{"AUTHZ-8 no state key", "1-12", public, bob, TypeMember, nil, join, "5.1"},
		member("AUTHZ-8 no membership", "1-12", public, bob, bob, `{}`, "5.1"),
		member("AUTHZ-8 membership is no string", "1-12", public, bob, bob, `{"membership":7}`, "5.1"),
		member("AUTHZ-9 authorised by a local user", "8-12", public, bob, bob, via, ""),
		member("AUTHZ-9 authorised by a user of another server", "8-12", public, bob, bob, viaOther, "5.2.1"),
		member("AUTHZ-9 authorised by no user", "8-12", public, bob, bob, `{"join_authorised_via_users_server":7,"membership":"join"}`, "5.2.1"),
		member("AUTHZ-9 for every membership", "8-12", scene{members: "bob=join"}, bob, bob, `{"join_authorised_via_users_server":"x","membership":"leave"}`, "5.2.1"),
		member("AUTHZ-41 no rule 5.2", "1-7", public, bob, bob, viaOther, ""),
		member("AUTHZ-22 unknown membership", "1-12", public, alice, alice, `{"membership":"dance"}`, "5.8"),
		member("AUTHZ-42 knock is unknown", "1-6", scene{rule: "knock"}, bob, bob, knock, "5.8"),
	})
}

// TestAuthFirstJoin: AUTHZ-10 and AUTHZ-38, rule 5.3.1.
func TestAuthFirstJoin(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		r := newRoom(t, v, "")
		created := []Ref{{ID: r.create.ID}}
		for _, tt := range []struct {
			name   string
			target UserID
			prev   []Ref
			rule   string
		}{
			{"AUTHZ-10 creator after the create event", alice, created, ""},
			{"AUTHZ-10 another user", bob, created, "5.3.7"},
			{"AUTHZ-10 after another event", alice, []Ref{{ID: "$other"}}, "5.3.7"},
			{"AUTHZ-10 after two events", alice, []Ref{created[0], {ID: "$other"}}, "5.3.7"},
			{"AUTHZ-10 after nothing", alice, nil, "5.3.7"},
		} {
			e := r.build(Draft{Room: r.id, Sender: tt.target, Type: TypeMember, StateKey: ptr(string(tt.target)), Content: []byte(join), PrevEvents: tt.prev})
			t.Run(tt.name+" v"+v.ID, func(t *testing.T) { wantRule(t, Check(e, r), tt.rule) })
		}
	}
	// AUTHZ-38: before version 11 content.creator counts, later the sender of the create event.
	for _, v := range versions {
		raw := `{"content":{"creator":"@bob:hs.test"},"room_id":"!r:hs.test","sender":"@alice:hs.test","state_key":"","type":"m.room.create"}`
		create, err := v.Parse([]byte(raw), "$create")
		if err != nil {
			t.Fatal(err)
		}
		r := &testRoom{t: t, v: v, id: "!r:hs.test", state: map[StateKey]*Event{{TypeCreate, ""}: create}}
		for _, user := range []UserID{alice, bob} {
			e := r.build(Draft{Room: r.id, Sender: user, Type: TypeMember, StateKey: ptr(string(user)), Content: []byte(join), PrevEvents: []Ref{{ID: "$create"}}})
			rule := "5.3.7"
			if (user == bob) == v.CreatorInContent {
				rule = ""
			}
			t.Run("AUTHZ-38 "+string(user)+" v"+v.ID, func(t *testing.T) { wantRule(t, Check(e, r), rule) })
		}
	}
}

// TestAuthJoin: rules 5.3.2 to 5.3.7, each join rule with each membership.
func TestAuthJoin(t *testing.T) {
	t.Parallel()
	tests := []authCase{
		member("AUTHZ-11 for another user", "1-12", scene{rule: "public"}, alice, bob, join, "5.3.2"),
		member("AUTHZ-11 banned", "1-12", scene{rule: "public", members: "bob=ban"}, bob, bob, join, "5.3.3"),
	}
	// Who gets in under a rule without further ado; AUTHZ-12 to AUTHZ-14, AUTHZ-40 to AUTHZ-42.
	for _, rule := range []struct{ name, id, versions, refusal string }{
		{"invite", "AUTHZ-12", "1-12", "5.3.4"},
		{"knock", "AUTHZ-12", "7-12", "5.3.4"},
		{"restricted", "AUTHZ-13", "8-12", "5.3.5.2"},
		{"knock_restricted", "AUTHZ-13", "10-12", "5.3.5.2"},
	} {
		for _, m := range []string{"none", "leave", "knock", "invite", "join"} {
			s := scene{rule: rule.name}
			if m != "none" {
				s.members = "bob=" + m
			}
			want := rule.refusal
			if m == "invite" || m == "join" {
				want = ""
			}
			tests = append(tests, member(rule.id+" "+rule.name+" with "+m, rule.versions, s, bob, bob, join, want))
		}
	}
	for name, unknown := range map[string]string{ // and not even with an invite
		"AUTHZ-14 private": "1-12", "AUTHZ-42 knock": "1-6", "AUTHZ-41 restricted": "1-7", "AUTHZ-40 knock_restricted": "1-9",
	} {
		rule := name[len("AUTHZ-14 "):]
		tests = append(tests, member(name+" is unknown", unknown, scene{rule: rule, members: "bob=invite"}, bob, bob, join, "5.3.7"))
	}
	tests = append(tests,
		member("AUTHZ-14 public", "1-12", scene{rule: "public"}, bob, bob, join, ""),
		member("AUTHZ-14 no join rules", "1-12", scene{members: "bob=invite"}, bob, bob, join, "5.3.7"),
		member("AUTHZ-14 join rule is no string", "1-12", scene{put: func(r *testRoom) { r.put(alice, TypeJoinRules, "", `{"join_rule":7}`) }}, bob, bob, join, "5.3.7"),
	)
	runAuth(t, tests)
}

// TestAuthRestricted: AUTHZ-13, who may authorise a join.
func TestAuthRestricted(t *testing.T) {
	t.Parallel()
	const levels = `{"users":{"@carol:hs.test":10,"@dave:hs.test":9},"invite":10}`
	by := func(name string) string {
		return `{"join_authorised_via_users_server":"@` + name + `:hs.test","membership":"join"}`
	}
	var tests []authCase
	for rule, from := range map[string]string{"restricted": "8-12", "knock_restricted": "10-12"} {
		s := scene{rule: rule, levels: levels, members: "carol=join dave=join"}
		gone := scene{rule: rule, levels: levels, members: "carol=leave"}
		tests = append(tests,
			member("AUTHZ-13 "+rule+" by a member who may invite", from, s, bob, bob, by("carol"), ""),
			member("AUTHZ-13 "+rule+" by a member who may not", from, s, bob, bob, by("dave"), "5.3.5.2"),
			member("AUTHZ-13 "+rule+" by one who left", from, gone, bob, bob, by("carol"), "5.3.5.2"),
			member("AUTHZ-13 "+rule+" by a stranger", from, s, bob, bob, by("nobody"), "5.3.5.2"),
			member("AUTHZ-13 "+rule+" by nobody", from, s, bob, bob, join, "5.3.5.2"),
			member("AUTHZ-11 "+rule+" banned all the same", from, scene{rule: rule, levels: levels, members: "carol=join bob=ban"}, bob, bob, by("carol"), "5.3.3"),
		)
	}
	tests = append(tests, member("AUTHZ-13 by a creator without an entry", "12", scene{rule: "restricted", levels: levels}, bob, bob, by("alice"), ""))
	runAuth(t, tests)
}

// TestAuthInvite: rules 5.4.2 to 5.4.5.
func TestAuthInvite(t *testing.T) {
	t.Parallel()
	const levels = `{"users":{"@carol:hs.test":10},"invite":10}`
	s := func(members string) scene { return scene{levels: levels, members: "carol=join " + members} }
	runAuth(t, []authCase{
		member("AUTHZ-17 enough power", "1-12", s(""), carol, bob, invite, ""),
		member("AUTHZ-17 again", "1-12", s("bob=invite"), carol, bob, invite, ""),
		member("AUTHZ-17 after leaving", "1-12", s("bob=leave"), carol, bob, invite, ""),
		member("AUTHZ-17 after knocking", "7-12", s("bob=knock"), carol, bob, invite, ""),
		member("AUTHZ-17 sender not joined", "1-12", scene{levels: levels, members: "carol=invite"}, carol, bob, invite, "5.4.2"),
		member("AUTHZ-17 target joined", "1-12", s("bob=join"), carol, bob, invite, "5.4.3"),
		member("AUTHZ-17 target banned", "1-12", s("bob=ban"), carol, bob, invite, "5.4.3"),
		member("AUTHZ-17 oneself", "1-12", s(""), carol, carol, invite, "5.4.3"),
		member("AUTHZ-17 too little power", "1-12", s("dave=join"), dave, bob, invite, "5.4.4"),
		member("AUTHZ-2 default invite level of 0", "1-12", scene{members: "dave=join"}, dave, bob, invite, ""),
	})
}

// TestAuthLeave: rule 5.5.
func TestAuthLeave(t *testing.T) {
	t.Parallel()
	// carol can kick and not ban, dave can do both.
	const levels = `{"users":{"@bob:hs.test":5,"@carol:hs.test":10,"@dave:hs.test":20},"kick":10,"ban":20}`
	s := func(members string) scene { return scene{levels: levels, members: "carol=join dave=join " + members} }
	kickHigh := scene{levels: `{"users":{"@dave:hs.test":20},"kick":30,"ban":20}`, members: "dave=join bob=ban"}
	runAuth(t, []authCase{
		member("AUTHZ-18 from join", "1-12", s("bob=join"), bob, bob, leave, ""),
		member("AUTHZ-18 from invite", "1-12", s("bob=invite"), bob, bob, leave, ""),
		member("AUTHZ-18 from knock", "7-12", s("bob=knock"), bob, bob, leave, ""),
		member("AUTHZ-42 from knock", "1-6", s("bob=knock"), bob, bob, leave, "5.5.1"),
		member("AUTHZ-18 from ban", "1-12", s("bob=ban"), bob, bob, leave, "5.5.1"),
		member("AUTHZ-18 from leave", "1-12", s("bob=leave"), bob, bob, leave, "5.5.1"),
		member("AUTHZ-18 from nothing", "1-12", s(""), bob, bob, leave, "5.5.1"),
		member("AUTHZ-19 kick", "1-12", s("bob=join"), carol, bob, leave, ""),
		member("AUTHZ-19 revoke an invite", "1-12", s("bob=invite"), carol, bob, leave, ""),
		member("AUTHZ-19 deny a knock", "7-12", s("bob=knock"), carol, bob, leave, ""),
		member("AUTHZ-19 sender not joined", "1-12", scene{levels: levels, members: "carol=leave bob=join"}, carol, bob, leave, "5.5.2"),
		member("AUTHZ-19 below the kick level", "1-12", s("bob=join"), bob, UserID("@guest:hs.test"), leave, "5.5.4"),
		member("AUTHZ-19 an equal", "1-12", scene{levels: `{"users":{"@carol:hs.test":50,"@dave:hs.test":50}}`, members: "carol=join dave=join"}, carol, dave, leave, "5.5.4"),
		member("AUTHZ-19 a superior", "1-12", s(""), carol, dave, leave, "5.5.4"),
		member("AUTHZ-36 unban below the ban level", "1-12", s("bob=ban"), carol, bob, leave, "5.5.3"),
		member("AUTHZ-36 unban", "1-12", s("bob=ban"), dave, bob, leave, ""),
		member("AUTHZ-36 unban below the kick level", "1-12", kickHigh, dave, bob, leave, "5.5.4"),
		member("AUTHZ-36 unban an equal", "1-12", scene{levels: `{"users":{"@dave:hs.test":50,"@bob:hs.test":50}}`, members: "dave=join bob=ban"}, dave, bob, leave, "5.5.4"),
	})
}

// TestAuthBan: rule 5.6, and RVER-19 for the creators of version 12.
func TestAuthBan(t *testing.T) {
	t.Parallel()
	const levels = `{"users":{"@bob:hs.test":10,"@carol:hs.test":20,"@dave:hs.test":20},"ban":20}`
	s := func(members string) scene { return scene{levels: levels, members: "carol=join " + members} }
	const top = `{"users":{"@bob:hs.test":9007199254740991}}`
	twin := scene{create: `"additional_creators":["@dave:hs.test"]`, members: "bob=join dave=join", levels: top}
	runAuth(t, []authCase{
		member("AUTHZ-20 a member", "1-12", s("bob=join"), carol, bob, ban, ""),
		member("AUTHZ-20 a stranger", "1-12", s(""), carol, bob, ban, ""),
		member("AUTHZ-20 again", "1-12", s("bob=ban"), carol, bob, ban, ""),
		member("AUTHZ-20 sender not joined", "1-12", scene{levels: levels}, carol, bob, ban, "5.6.1"),
		member("AUTHZ-20 below the ban level", "1-12", s("bob=join"), bob, UserID("@guest:hs.test"), ban, "5.6.2"),
		member("AUTHZ-20 an equal", "1-12", s("dave=join"), carol, dave, ban, "5.6.2"),
		member("RVER-19 a creator bans PL 2^53-1", "12", twin, alice, bob, ban, ""),
		member("RVER-19 a creator kicks PL 2^53-1", "12", twin, dave, bob, leave, ""),
		member("RVER-19 PL 2^53-1 bans a creator", "12", twin, bob, alice, ban, "5.6.2"),
		member("RVER-19 PL 2^53-1 kicks a creator", "12", twin, bob, dave, leave, "5.5.4"),
		member("RVER-19 a creator bans a creator", "12", twin, alice, dave, ban, "5.6.2"),
		member("RVER-19 a creator kicks a creator", "12", twin, dave, alice, leave, "5.5.4"),
		member("RVER-20 no such creators before", "1-11", twin, bob, dave, ban, ""),
	})
}

// TestAuthKnock: rule 5.7, AUTHZ-21 with AUTHZ-40 and AUTHZ-42; AMB-1 for joins after knocking is in TestAuthJoin.
func TestAuthKnock(t *testing.T) {
	t.Parallel()
	var tests []authCase
	for rule, from := range map[string]string{"knock": "7-12", "knock_restricted": "10-12"} {
		for m, want := range map[string]string{"none": "", "leave": "", "knock": "", "invite": "5.7.3", "join": "5.7.3", "ban": "5.7.3"} {
			s := scene{rule: rule}
			if m != "none" {
				s.members = "bob=" + m
			}
			tests = append(tests, member("AUTHZ-21 "+rule+" from "+m, from, s, bob, bob, knock, want))
		}
		tests = append(tests, member("AUTHZ-21 "+rule+" for another", from, scene{rule: rule}, alice, bob, knock, "5.7.2"))
	}
	for _, rule := range []string{"public", "invite", "restricted", "private", ""} {
		tests = append(tests, member("AUTHZ-21 rule "+rule, "7-12", scene{rule: rule}, bob, bob, knock, "5.7.1"))
	}
	tests = append(tests, member("AUTHZ-40 knock_restricted is unknown", "7-9", scene{rule: "knock_restricted"}, bob, bob, knock, "5.7.1"))
	runAuth(t, tests)
}

// TestAuthThirdPartyInvite: AUTHZ-15 and AUTHZ-16, rule 5.4.1.
func TestAuthThirdPartyInvite(t *testing.T) {
	t.Parallel()
	_, key := readSigningVectors(t)
	other := ed25519.NewKeyFromSeed(make([]byte, 32))
	b64 := func(k ed25519.PrivateKey) string { return base64.StdEncoding.EncodeToString(publicKey(k)) }
	signed := func(payload string, k ed25519.PrivateKey) string {
		s, err := SignJSON([]byte(payload), "identity.test", "ed25519:0", k)
		if err != nil {
			t.Fatal(err)
		}
		return `{"membership":"invite","third_party_invite":{"display_name":"b","signed":` + string(s) + `}}`
	}
	const payload = `{"mxid":"@bob:hs.test","token":"tok"}`
	bySelf := `{"public_key":"` + b64(key) + `"}`
	byList := `{"public_key":"` + b64(other) + `","public_keys":[7,{"public_key":"bad"},{"public_key":"` + b64(key) + `"}]}`
	pending := func(content string) scene {
		return scene{members: "carol=join", put: func(r *testRoom) { r.put(carol, TypeThirdPartyInvite, "tok", content) }}
	}
	banned := pending(bySelf)
	banned.members += " bob=ban"
	gone := pending(bySelf)
	gone.members = "carol=leave" // 5.4.1 does not ask for the sender's membership
	high := pending(bySelf)
	high.levels = `{"invite":50}`
	good := signed(payload, key)
	runAuth(t, []authCase{
		member("AUTHZ-16 public_key", "1-12", pending(bySelf), carol, bob, good, ""),
		member("AUTHZ-16 public_keys", "1-12", pending(byList), carol, bob, good, ""),
		member("AUTHZ-16 whoever sent the token may, whatever the invite level", "1-12", high, carol, bob, good, ""),
		member("AUTHZ-16 and wherever they are", "1-12", gone, carol, bob, good, ""),
		member("AUTHZ-15 target banned", "1-12", banned, carol, bob, good, "5.4.1.1"),
		member("AUTHZ-15 no signed", "1-12", pending(bySelf), carol, bob, `{"membership":"invite","third_party_invite":{}}`, "5.4.1.2"),
		member("AUTHZ-15 signed is no object", "1-12", pending(bySelf), carol, bob, `{"membership":"invite","third_party_invite":{"signed":7}}`, "5.4.1.2"),
		member("AUTHZ-15 third_party_invite is no object", "1-12", pending(bySelf), carol, bob, `{"membership":"invite","third_party_invite":null}`, "5.4.1.2"),
		member("AUTHZ-15 no mxid", "1-12", pending(bySelf), carol, bob, signed(`{"token":"tok"}`, key), "5.4.1.3"),
		member("AUTHZ-15 no token", "1-12", pending(bySelf), carol, bob, signed(`{"mxid":"@bob:hs.test"}`, key), "5.4.1.3"),
		member("AUTHZ-15 for another user", "1-12", pending(bySelf), carol, dave, good, "5.4.1.4"),
		member("AUTHZ-15 unknown token", "1-12", pending(bySelf), carol, bob, signed(`{"mxid":"@bob:hs.test","token":"x"}`, key), "5.4.1.5"),
		member("AUTHZ-15 by another sender", "1-12", pending(bySelf), alice, bob, good, "5.4.1.6"),
		member("AUTHZ-16 another key", "1-12", pending(bySelf), carol, bob, signed(payload, other), "5.4.1.7"),
		member("AUTHZ-16 no keys", "1-12", pending(`{}`), carol, bob, good, "5.4.1.7"),
		member("AUTHZ-16 no signatures", "1-12", pending(bySelf), carol, bob, `{"membership":"invite","third_party_invite":{"signed":`+payload+`}}`, "5.4.1.7"),
	})
}

// TestInviteCheckBound: the work for one invite is bounded however many keys and signatures there are.
func TestInviteCheckBound(t *testing.T) {
	t.Parallel()
	_, key := readSigningVectors(t)
	keys := make([]InviteKey, maxInviteChecks+1)
	for i := range keys {
		keys[i].Key = publicKey(ed25519.NewKeyFromSeed(make([]byte, 32)))
	}
	keys[maxInviteChecks].Key = publicKey(key)
	signed, err := SignJSON([]byte(`{"a":1}`), "x", "ed25519:0", key)
	if err != nil {
		t.Fatal(err)
	}
	if InviteSigner(signed, keys) != nil || InviteSigner(signed, keys[1:]) != &keys[maxInviteChecks] {
		t.Error("the bound is not where it should be")
	}
}
