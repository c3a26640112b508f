package events

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRedactTopLevel: RVER-7.
func TestRedactTopLevel(t *testing.T) {
	t.Parallel()
	const raw = `{"age":1,"auth_events":[],"content":{"body":"x"},"custom":1,"depth":1,"event_id":"$e","hashes":{},"membership":"join",` +
		`"origin":"hs","origin_server_ts":1,"prev_events":[],"prev_state":[],"redacts":"$t","room_id":"!r:hs","sender":"@a:hs",` +
		`"signatures":{"hs":{}},"state_key":"","type":"m.test","unsigned":{}}`
	kept := []string{
		"auth_events", "content", "depth", "event_id", "hashes", "origin_server_ts", "prev_events", "room_id", "sender", "signatures",
		"state_key", "type",
	}
	for _, v := range versions {
		want := slices.Clone(kept)
		if v.RedactionSet < 'E' {
			want = append(want, "membership", "origin", "prev_state")
			slices.Sort(want)
		}
		got, err := v.Redact([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, jsonKeys(t, got)); diff != "" {
			t.Errorf("RVER-7 version %s: %s", v.ID, diff)
		}
		if c, err := Canonical(got); err != nil || !bytes.Equal(c, got) {
			t.Errorf("version %s: not canonical: %s", v.ID, got)
		}
	}
}

// TestRedactContent: RVER-8, RVER-9 and RVER-10, each set with each type.
func TestRedactContent(t *testing.T) {
	t.Parallel()
	const levels = `"ban":1,"events":{"a":1},"events_default":1,"invite":1,"kick":1,"notifications":{"room":1},"redact":1,"state_default":1,"users":{"@a:hs":1},"users_default":1,"x":1`
	const keptLevels = `"ban":1,"events":{"a":1},"events_default":1,"kick":1,"redact":1,"state_default":1,"users":{"@a:hs":1},"users_default":1`
	const keptLevelsE = `"ban":1,"events":{"a":1},"events_default":1,"invite":1,"kick":1,"redact":1,"state_default":1,"users":{"@a:hs":1},"users_default":1`
	tests := []struct {
		typ, content string
		want         map[byte]string // by set; a set that is absent is as the one before
	}{
		{
			TypeMember,
			`"avatar_url":"x","displayname":"x","join_authorised_via_users_server":"@a:hs","membership":"join","third_party_invite":{"display_name":"x","signed":{"mxid":"@b:hs","token":"t"}}`,
			map[byte]string{
				'A': `"membership":"join"`,
				'D': `"join_authorised_via_users_server":"@a:hs","membership":"join"`,
				'E': `"join_authorised_via_users_server":"@a:hs","membership":"join","third_party_invite":{"signed":{"mxid":"@b:hs","token":"t"}}`,
			},
		},
		{TypeMember, `"third_party_invite":"x"`, map[byte]string{'A': ``}},
		{TypeCreate, `"creator":"@a:hs","m.federate":false,"room_version":"6"`, map[byte]string{'A': `"creator":"@a:hs"`, 'E': `"creator":"@a:hs","m.federate":false,"room_version":"6"`}},
		{TypeJoinRules, `"allow":[{"type":"x"}],"join_rule":"restricted","x":1`, map[byte]string{'A': `"join_rule":"restricted"`, 'C': `"allow":[{"type":"x"}],"join_rule":"restricted"`}},
		{TypeAliases, `"aliases":["#a:hs"],"x":1`, map[byte]string{'A': `"aliases":["#a:hs"]`, 'B': ``}},
		{TypeHistoryVisibility, `"history_visibility":"joined","x":1`, map[byte]string{'A': `"history_visibility":"joined"`}},
		{TypePowerLevels, levels, map[byte]string{'A': keptLevels, 'E': keptLevelsE}},
		{TypeRedaction, `"reason":"x","redacts":"$t"`, map[byte]string{'A': ``, 'E': `"redacts":"$t"`}}, // REDACT-11: the reason goes
		{"m.room.message", `"body":"x","membership":"join","creator":"x"`, map[byte]string{'A': ``}},
		{"m.room.topic", `"topic":"x"`, map[byte]string{'A': ``}}, // REDACT-10: no topic left
	}
	for _, v := range versions {
		for _, tt := range tests {
			want := ""
			for set := byte('A'); set <= v.RedactionSet; set++ {
				if w, ok := tt.want[set]; ok {
					want = w
				}
			}
			raw, err := CanonicalLoose([]byte(`{"content":{` + tt.content + `},"type":"` + tt.typ + `"}`))
			if err != nil {
				t.Fatal(err)
			}
			got, err := v.Redact(raw)
			if wantRaw := `{"content":{` + want + `},"type":"` + tt.typ + `"}`; err != nil || string(got) != wantRaw {
				t.Errorf("version %s (set %c) %s:\ngot  %s, %v\nwant %s", v.ID, v.RedactionSet, tt.typ, got, err, wantRaw)
			}
			if again, _ := v.Redact(got); !bytes.Equal(again, got) {
				t.Errorf("version %s %s: redacting twice changes the event", v.ID, tt.typ)
			}
		}
	}
}

func TestRedacted(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		r := newRoom(t, v, "")
		join := r.put(alice, TypeMember, string(alice), `{"displayname":"Alice","membership":"join"}`)
		before := string(join.Raw)
		got, err := join.Redacted()
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != join.ID || got.ReferenceHash() != join.ReferenceHash() || got.Membership() != MembershipJoin { // REDACT-10
			t.Errorf("version %s: redacted join %s is %s", v.ID, join.ID, got.Raw)
		}
		if bytes.Contains(got.Raw, []byte("Alice")) || string(join.Raw) != before { // REDACT-9
			t.Errorf("REDACT-9 version %s: %s", v.ID, got.Raw)
		}
		create, err := r.create.Redacted()
		if err != nil || create.Room != r.id {
			t.Errorf("version %s: redacted create event is of room %v, %v", v.ID, create, err)
		}
	}
	for _, bad := range []string{"", "[]", "{", `{"a"}`} {
		if _, err := versions[0].Redact([]byte(bad)); err == nil {
			t.Errorf("Redact(%s) accepted", bad)
		}
	}
	if got, _ := versions[0].Redact([]byte(`{"content":"x","type":"t"}`)); string(got) != `{"content":{},"type":"t"}` {
		t.Errorf("content that is no object: %s", got)
	}
}

func FuzzRedact(f *testing.F) {
	f.Add([]byte(`{"content":{"membership":"join","third_party_invite":{"signed":{}}},"type":"m.room.member"}`))
	f.Add([]byte(`{"type":"m.room.power_levels","content":{"users":{"@a":1}},"x":[1,{"y":"\""}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, v := range versions {
			v.Redact(raw)
			c, err := v.Canonical(raw)
			if err != nil {
				continue
			}
			got, err := v.Redact(c)
			if err != nil {
				continue
			}
			if again, err := v.Canonical(got); err != nil || !bytes.Equal(again, got) {
				t.Errorf("version %s: %s becomes %s, which is not canonical: %v", v.ID, c, got, err)
			}
		}
	})
}
