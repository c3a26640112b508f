package api

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// body decodes a successful answer.
func body[T any](t *testing.T, a *API, path, token string) (got T) {
	t.Helper()
	w := do(a, "GET", path, token, "")
	want(t, w, 200, "")
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return got
}

func TestVersions(t *testing.T) {
	t.Parallel()
	a := newTestAPI(Config{UnstableFeatures: map[string]bool{"org.example.x": true}})
	for _, token := range []string{"", "alice", "wrong", "soft"} { // DISC-7, AUTH-6, CLIENTA-8, CLIENTA-9; DISC-9: all features are open to all
		got := body[versionsOut](t, a, "/_matrix/client/versions?user_id=@ghost:example.org", token) // CLIENTA-14
		for _, version := range got.Versions {
			if !regexp.MustCompile(`^(v\d+\.\d+|r\d+\.\d+\.\d+)$`).MatchString(version) { // DISC-8
				t.Errorf("version %q", version)
			}
		}
		for _, version := range []string{ // DISC-8, CLIENTA-6
			"r0.0.0", "r0.6.1", "v1.1", "v1.9", "v1.18", "v1.19",
			"v1.3", "v1.4", "v1.7", "v1.10", "v1.11", "v1.15", "v1.16", // CLIENT-1
			"r0.5.0", "v1.13", // CLIENT-2
			"v1.7", "v1.16", "v1.18", // CLIENTA-24: with these nobody needs the flags of what they made stable
		} {
			if !slices.Contains(got.Versions, version) {
				t.Errorf("version %s is missing", version)
			}
		}
		if diff := cmp.Diff(map[string]bool{"org.example.x": true}, got.UnstableFeatures); diff != "" { // DISC-10
			t.Error(diff)
		}
	}
	if w := do(newTestAPI(Config{}), "GET", "/_matrix/client/versions", "", ""); regexp.MustCompile("unstable|null").Match(w.Body.Bytes()) { // API-5
		t.Error(w.Body)
	}
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	available := map[string]any{}
	for _, version := range events.Versions() {
		available[version] = "stable"
	}
	on, off := map[string]any{"enabled": true}, map[string]any{"enabled": false}
	tests := []struct {
		name string
		is   account.Capabilities
		want map[string]any // what differs from the default
	}{
		{"CAP-1 to CAP-8: default", account.Capabilities{}, nil},
		{"CAP-3: the host's room version", account.Capabilities{DefaultRoomVersion: "10"},
			map[string]any{"m.room_versions": map[string]any{"default": "10", "available": available}}},
		{"CAP-2, CAP-6: what is closed", account.Capabilities{NoPasswordChange: true, NoThreePIDChanges: true},
			map[string]any{"m.change_password": off, "m.3pid_changes": off}},
		{"CAP-7, CAP-8: what is offered", account.Capabilities{LoginTokens: true, ForgetUponLeave: true},
			map[string]any{"m.get_login_token": on, "m.forget_forced_upon_leave": on}},
		{"CAP-4, CAP-5: no profile changes", account.Capabilities{ProfileFields: &account.ProfileFields{}},
			map[string]any{"m.profile_fields": off, "m.set_displayname": off, "m.set_avatar_url": off}},
		{"CAP-4, CAP-5: one field closed", account.Capabilities{ProfileFields: &account.ProfileFields{Enabled: true, Disallowed: []string{"avatar_url"}}},
			map[string]any{"m.profile_fields": map[string]any{"enabled": true, "disallowed": []any{"avatar_url"}}, "m.set_avatar_url": off}},
		{"CAP-4, CAP-5: allowed overrides disallowed", account.Capabilities{ProfileFields: &account.ProfileFields{Enabled: true, Allowed: []string{"avatar_url"}, Disallowed: []string{"avatar_url"}}},
			map[string]any{"m.profile_fields": map[string]any{"enabled": true, "allowed": []any{"avatar_url"}, "disallowed": []any{"avatar_url"}}, "m.set_displayname": off}},
		{"CAP-9: an administrator", account.Capabilities{MayLock: true},
			map[string]any{"m.account_moderation": map[string]any{"lock": true, "suspend": false}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantAll := map[string]any{
				"m.room_versions":   map[string]any{"default": events.DefaultVersion, "available": available}, // CAP-3
				"m.change_password": on, "m.3pid_changes": on, "m.profile_fields": on, "m.set_displayname": on, "m.set_avatar_url": on,
				"m.get_login_token": off,
			}
			for name, value := range tt.want {
				wantAll[name] = value
			}
			a := newTestAPI(Config{Capabilities: func(_ context.Context, c *Caller) (account.Capabilities, error) {
				if c.User != "@alice:example.org" {
					t.Errorf("asked for %s", c.User)
				}
				return tt.is, nil
			}})
			for _, version := range []string{"v3", "r0"} {
				got := body[map[string]map[string]any](t, a, "/_matrix/client/"+version+"/capabilities", "alice")
				if diff := cmp.Diff(map[string]map[string]any{"capabilities": wantAll}, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
	a := newTestAPI(Config{})
	want(t, do(a, "GET", "/_matrix/client/v3/capabilities", "", ""), 401, mxerr.MMissingToken) // CAP-1
	body[capabilitiesOut](t, a, "/_matrix/client/v3/capabilities", "alice")
}

func TestWellKnown(t *testing.T) {
	t.Parallel()
	type doc = map[string]any
	full := Discovery{
		BaseURL:     "https://example.org/chat",
		Extra:       map[string]json.RawMessage{"org.example.x": json.RawMessage(`5`)},
		Contacts:    []Contact{{Role: "m.role.admin", MatrixID: "@admin:example.org"}, {Role: "m.role.security", EmailAddress: "s@example.org"}},
		SupportPage: "https://example.org/help",
	}
	tests := []struct {
		name, path string
		d          Discovery
		want       doc // nil: 404
	}{
		{"DISC-1: unknown address", "client", Discovery{}, nil},
		{"DISC-1, DISC-2", "client", Discovery{BaseURL: "https://example.org/"}, doc{"m.homeserver": doc{"base_url": "https://example.org/"}}},
		{"DISC-1, DISC-2: everything", "client", full, doc{
			"m.homeserver": doc{"base_url": "https://example.org/chat"}, "org.example.x": 5.0,
		}},
		{"DISC-4: no support", "support", Discovery{}, nil},
		{"DISC-4: page only", "support", Discovery{SupportPage: "https://h"}, doc{"support_page": "https://h"}},
		{"DISC-4, DISC-5: everything", "support", full, doc{
			"support_page": "https://example.org/help",
			"contacts": []any{
				doc{"role": "m.role.admin", "matrix_id": "@admin:example.org"},
				doc{"role": "m.role.security", "email_address": "s@example.org"},
			},
		}},
		{"DISC-6: no policy server", "policy_server", full, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newTestAPI(Config{Discovery: tt.d})
			if tt.want == nil {
				want(t, do(a, "GET", "/.well-known/matrix/"+tt.path, "", ""), 404, mxerr.MNotFound) // DISC-3: never a 200 that is not JSON
				return
			}
			if diff := cmp.Diff(tt.want, body[doc](t, a, "/.well-known/matrix/"+tt.path, "")); diff != "" {
				t.Error(diff)
			}
		})
	}
}
