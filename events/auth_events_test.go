package events

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAuthKeys: EVT-18, EVT-19; EVT-17's limit of 10 is never reached.
func TestAuthKeys(t *testing.T) {
	t.Parallel()
	create, levels, rules := StateKey{TypeCreate, ""}, StateKey{TypePowerLevels, ""}, StateKey{TypeJoinRules, ""}
	who := func(u UserID) StateKey { return StateKey{TypeMember, string(u)} }
	const tpi = `{"membership":"invite","third_party_invite":{"signed":{"token":"tok"}}}`
	const via = `{"join_authorised_via_users_server":"@carol:hs.test","membership":"join"}`
	tests := []struct {
		name, versions, typ string
		key                 *string
		content             string
		want                []StateKey // of every version; the create event is added before version 12
	}{
		{"EVT-18 message", "1-12", "m.room.message", nil, `{}`, []StateKey{levels, who(bob)}},
		{"EVT-18 state", "1-12", "m.room.topic", ptr(""), `{}`, []StateKey{levels, who(bob)}},
		{"EVT-18 leave", "1-12", TypeMember, ptr(string(bob)), leave, []StateKey{levels, who(bob)}},
		{"EVT-18 kick", "1-12", TypeMember, ptr(string(alice)), leave, []StateKey{levels, who(bob), who(alice)}},
		{"EVT-18 ban", "1-12", TypeMember, ptr(string(alice)), ban, []StateKey{levels, who(bob), who(alice)}},
		{"EVT-18 malformed membership", "1-12", TypeMember, ptr(string(alice)), `{"membership":7}`, []StateKey{levels, who(bob), who(alice)}},
		{"EVT-18 member without key", "1-12", TypeMember, nil, join, []StateKey{levels, who(bob)}},
		{"EVT-19 join", "1-12", TypeMember, ptr(string(bob)), join, []StateKey{levels, who(bob), rules}},
		{"EVT-19 knock", "1-12", TypeMember, ptr(string(bob)), knock, []StateKey{levels, who(bob), rules}},
		{"EVT-19 invite", "1-12", TypeMember, ptr(string(alice)), invite, []StateKey{levels, who(bob), who(alice), rules}},
		{"EVT-19 third-party invite", "1-12", TypeMember, ptr(string(alice)), tpi, []StateKey{levels, who(bob), who(alice), rules, {TypeThirdPartyInvite, "tok"}}},
		{"EVT-19 restricted join", "8-12", TypeMember, ptr(string(bob)), via, []StateKey{levels, who(bob), rules, who(carol)}},
		{"EVT-19 no restricted joins before", "1-7", TypeMember, ptr(string(bob)), via, []StateKey{levels, who(bob), rules}},
	}
	for _, tt := range tests {
		for _, v := range versionSpan(t, tt.versions) {
			want := slices.Clone(tt.want)
			if !v.HashRoomID {
				want = append([]StateKey{create}, want...)
			}
			got := AuthKeys(v, tt.typ, bob, tt.key, []byte(tt.content))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (version %s): %s", tt.name, v.ID, diff)
			}
		}
	}
	for _, v := range versions {
		if got := AuthKeys(v, TypeCreate, alice, ptr(""), []byte(`{}`)); len(got) != 0 {
			t.Errorf("version %s: create event selects %v", v.ID, got)
		}
	}
}

// TestCheckAuthEvents: AUTHZ-6, AUTHZ-37.
func TestCheckAuthEvents(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		r := scene{rule: "public", levels: `{}`}.room(t, v)
		other := newRoom(t, v, `"other":1`)
		if !v.HashRoomID {
			other.id = "!other:hs.test"
		}
		e := r.event(alice, "m.x", nil, `{}`)
		all := []*Event{r.Event(TypePowerLevels, ""), r.Event(TypeMember, string(alice))}
		rule := "v11:2.4" // AUTHZ-37
		if v.HashRoomID {
			rule = ""
		}
		wantRule(t, CheckAuthEvents(e, all), rule)
		if v.HashRoomID { // AUTHZ-6: create is never selected
			wantRule(t, CheckAuthEvents(e, append(slices.Clone(all), r.create)), "3.2")
		} else {
			all = append(all, r.create)
			wantRule(t, CheckAuthEvents(e, all), "")
		}
		wantRule(t, CheckAuthEvents(e, append(slices.Clone(all), all[0])), "3.1")
		wantRule(t, CheckAuthEvents(e, append(slices.Clone(all), r.Event(TypeJoinRules, ""))), "3.2")
		wantRule(t, CheckAuthEvents(e, append(slices.Clone(all), e)), "3.2")
		foreign := slices.Clone(all)
		foreign[0] = other.put(alice, TypePowerLevels, "", `{}`)
		wantRule(t, CheckAuthEvents(e, foreign), "3.5")
		wantRule(t, CheckAuthEvents(r.create, nil), "")
	}
}
