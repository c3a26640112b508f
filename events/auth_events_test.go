package events

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAuthKeys: EVT-18, EVT-19; EVT-17's limit of 10 is never reached. What is chosen is exactly the selection, so that no
// event breaks the rules about auth_events: no two for one state key, the create event in none or in all (AUTHZ-6, AUTHZ-37).
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
			for i, key := range got {
				if slices.Contains(got[:i], key) { // AUTHZ-6
					t.Errorf("%s (version %s): %v twice", tt.name, v.ID, key)
				}
			}
			if slices.Contains(got, create) == v.HashRoomID { // AUTHZ-6 from version 12 on, AUTHZ-37 before
				t.Errorf("%s (version %s): %v", tt.name, v.ID, got)
			}
		}
	}
	for _, v := range versions {
		if got := AuthKeys(v, TypeCreate, alice, ptr(""), []byte(`{}`)); len(got) != 0 {
			t.Errorf("version %s: create event selects %v", v.ID, got)
		}
	}
}
