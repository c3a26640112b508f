package events

import (
	"testing"
)

// TestVisible is the table of section 2.14 in full: VIS-1, VIS-5.
func TestVisible(t *testing.T) {
	t.Parallel()
	memberships := []string{MembershipJoin, MembershipInvite, MembershipKnock, MembershipLeave, MembershipBan, "", "nonsense"}
	allowed := func(v Visibility, membership string, later bool) bool {
		switch v {
		case WorldReadable:
			return true
		case VisibilityShared:
			return membership == "join" || later
		case VisibilityInvited:
			return membership == "join" || membership == "invite"
		default:
			return membership == "join"
		}
	}
	for _, v := range []Visibility{WorldReadable, VisibilityShared, VisibilityInvited, VisibilityJoined} {
		for _, m := range memberships {
			for _, later := range []bool{false, true} {
				if got, want := Visible(v, m, later), allowed(v, m, later); got != want {
					t.Errorf("VIS-1 %s, %q, joined later %v: %v; want %v", v, m, later, got, want)
				}
				for _, after := range []Visibility{WorldReadable, VisibilityShared, VisibilityInvited, VisibilityJoined} {
					want := allowed(v, m, later) || allowed(after, m, later)
					if got := VisibleChange(v, after, m, later); got != want {
						t.Errorf("VIS-3 %s to %s, %q, joined later %v: %v; want %v", v, after, m, later, got, want)
					}
				}
				for _, after := range memberships {
					want := allowed(v, m, later) || allowed(v, after, later)
					if got := VisibleOwnMember(v, m, after, later); got != want {
						t.Errorf("VIS-4 %s, %q to %q, joined later %v: %v; want %v", v, m, after, later, got, want)
					}
				}
			}
		}
	}
}

// TestVisibleOwnMemberAlways: VIS-4, what happens to a member is visible to them under any visibility.
func TestVisibleOwnMemberAlways(t *testing.T) {
	t.Parallel()
	for _, v := range []Visibility{WorldReadable, VisibilityShared, VisibilityInvited, VisibilityJoined} {
		for name, change := range map[string][2]string{
			"own join": {"invite", "join"}, "first join": {"", "join"}, "leave": {"join", "leave"}, "ban": {"join", "ban"},
		} {
			if !VisibleOwnMember(v, change[0], change[1], false) {
				t.Errorf("VIS-4 %s: own %s is hidden", v, name)
			}
		}
	}
}

// TestHistoryVisibility: VIS-2 and EVT-12, missing and unknown values mean shared; VIS-8, never world_readable.
func TestHistoryVisibility(t *testing.T) {
	t.Parallel()
	r := newRoom(t, versions[11], "")
	if got := HistoryVisibility(r); got != VisibilityShared {
		t.Errorf("without an event: %s", got)
	}
	for content, want := range map[string]Visibility{
		`{"history_visibility":"world_readable"}`: WorldReadable,
		`{"history_visibility":"shared"}`:         VisibilityShared,
		`{"history_visibility":"invited"}`:        VisibilityInvited,
		`{"history_visibility":"joined"}`:         VisibilityJoined,
		`{}`:                                      VisibilityShared,
		`{"history_visibility":"nonsense"}`:       VisibilityShared,
		`{"history_visibility":"WORLD_READABLE"}`: VisibilityShared,
		`{"history_visibility":null}`:             VisibilityShared,
		`{"history_visibility":["joined"]}`:       VisibilityShared,
	} {
		e := r.put(alice, TypeHistoryVisibility, "", content)
		if got := HistoryVisibility(r); got != want || e.Visibility() != want {
			t.Errorf("%s: got %s; want %s", content, got, want)
		}
	}
}
