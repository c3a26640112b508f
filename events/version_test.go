package events

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestVersions: the table of section 2.2, column by column, and RVER-1.
func TestVersions(t *testing.T) {
	t.Parallel()
	type row struct {
		ID           string
		Format       IDFormat
		HashRoom     bool
		Strict       bool
		Set          byte
		Form         LevelForm
		Notification bool
		Knock        bool
		Restricted   bool
		KnockRestr   bool
		Creator      bool
		RedactsIn    bool
		Privileged   bool
		Aliases      bool
		Redaction    bool
		MaxDepth     int64
	}
	const yes, no, long, short = true, false, 9223372036854775807, 9007199254740991
	want := []row{
		{"1", IDOpaque, no, no, 'A', LevelFloat, no, no, no, no, yes, no, no, yes, yes, long},
		{"2", IDOpaque, no, no, 'A', LevelFloat, no, no, no, no, yes, no, no, yes, yes, long},
		{"3", IDHash, no, no, 'A', LevelFloat, no, no, no, no, yes, no, no, yes, no, long},
		{"4", IDHashSafe, no, no, 'A', LevelFloat, no, no, no, no, yes, no, no, yes, no, long},
		{"5", IDHashSafe, no, no, 'A', LevelFloat, no, no, no, no, yes, no, no, yes, no, long},
		{"6", IDHashSafe, no, yes, 'B', LevelString, yes, no, no, no, yes, no, no, no, no, short},
		{"7", IDHashSafe, no, yes, 'B', LevelString, yes, yes, no, no, yes, no, no, no, no, short},
		{"8", IDHashSafe, no, yes, 'C', LevelString, yes, yes, yes, no, yes, no, no, no, no, short},
		{"9", IDHashSafe, no, yes, 'D', LevelString, yes, yes, yes, no, yes, no, no, no, no, short},
		{"10", IDHashSafe, no, yes, 'D', LevelInteger, yes, yes, yes, yes, yes, no, no, no, no, short},
		{"11", IDHashSafe, no, yes, 'E', LevelInteger, yes, yes, yes, yes, no, yes, no, no, no, short},
		{"12", IDHashSafe, yes, yes, 'E', LevelInteger, yes, yes, yes, yes, no, yes, yes, no, no, short},
	}
	var got []row
	for _, id := range Versions() {
		v, ok := LookupVersion(id)
		if !ok {
			t.Fatalf("version %s is listed and unknown", id)
		}
		if len(id) > 32 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
			t.Errorf("RVER-3: %q is no identifier of a version", id)
		}
		got = append(got, row{
			v.ID, v.EventIDFormat, v.HashRoomID, v.StrictJSON, v.RedactionSet, v.LevelForm, v.NotificationsPL, v.Knock,
			v.Restricted, v.KnockRestricted, v.CreatorInContent, v.RedactsInContent, v.PrivilegedCreators, v.AliasesRule,
			v.RedactionRule, v.MaxDepth,
		})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains(Versions(), DefaultVersion) || DefaultVersion != "12" { // RVER-2, AMB-13
		t.Errorf("default version is %s", DefaultVersion)
	}
	for _, id := range []string{"", "0", "13", "01", "1.0", "v1", "12 ", "org.matrix.msc3757.10"} { // RVER-3: opaque
		if _, ok := LookupVersion(id); ok {
			t.Errorf("RVER-3: version %q is known", id)
		}
	}
}

// TestNextDepth: EVT-17.
func TestNextDepth(t *testing.T) {
	t.Parallel()
	for _, v := range versions {
		for depth, want := range map[int64]int64{0: 1, 7: 8, v.MaxDepth - 1: v.MaxDepth, v.MaxDepth: v.MaxDepth} {
			if got := v.NextDepth(depth); got != want {
				t.Errorf("version %s: depth after %d is %d; want %d", v.ID, depth, got, want)
			}
		}
	}
}

// TestVersionOf: RVER-6.
func TestVersionOf(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		`{}`: "1", `{"room_version":"1"}`: "1", `{"room_version":"12"}`: "12", `{"room_version":"99"}`: "", `{"room_version":6}`: "",
		`{"room_version":null}`: "",
	} {
		v, ok := VersionOf([]byte(content))
		if ok != (want != "") || ok && v.ID != want {
			t.Errorf("%s: %v, %v; want %q", content, v, ok, want)
		}
	}
}
