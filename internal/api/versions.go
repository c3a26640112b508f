package api

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// versions serves what clients ask before anything else: which specification, and what they may do.
func (a *API) versions() []route {
	return []route{
		get("/_matrix/client/versions", open, a.getVersions),
		get("/capabilities", byUser, a.getCapabilities).limit(ratelimit.Account),
	}
}

// specVersions is every version of the specification that is served: clients test for exact members (DISC-8).
func specVersions() []string {
	return []string{
		"r0.0.0", "r0.0.1", "r0.1.0", "r0.2.0", "r0.3.0", "r0.4.0", "r0.5.0", "r0.6.0", "r0.6.1",
		"v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10",
		"v1.11", "v1.12", "v1.13", "v1.14", "v1.15", "v1.16", "v1.17", "v1.18", "v1.19",
	}
}

type versionsOut struct {
	Versions         []string        `json:"versions"`
	UnstableFeatures map[string]bool `json:"unstable_features,omitempty"`
}

func (a *API) getVersions(context.Context, *caller, empty) (versionsOut, error) {
	return versionsOut{specVersions(), a.UnstableFeatures}, nil
}

type capabilitiesOut struct {
	Capabilities map[string]any `json:"capabilities"`
}

type enabled struct {
	Enabled bool `json:"enabled"`
}

type roomVersions struct {
	Default   string            `json:"default"`
	Available map[string]string `json:"available"`
}

func (a *API) getCapabilities(ctx context.Context, c *caller, _ empty) (capabilitiesOut, error) {
	var is account.Capabilities
	if a.Capabilities != nil {
		var err error
		if is, err = a.Capabilities(ctx, c); err != nil {
			return capabilitiesOut{}, err
		}
	}
	rooms := roomVersions{events.DefaultVersion, make(map[string]string)}
	if is.DefaultRoomVersion != "" {
		rooms.Default = is.DefaultRoomVersion
	}
	for _, version := range events.Versions() {
		rooms.Available[version] = "stable"
	}
	fields := account.ProfileFields{Enabled: true}
	if is.ProfileFields != nil {
		fields = *is.ProfileFields
	}
	all := map[string]any{
		"m.room_versions":   rooms,
		"m.change_password": enabled{!is.NoPasswordChange},
		"m.3pid_changes":    enabled{!is.NoThreePIDChanges},
		"m.get_login_token": enabled{is.LoginTokens},
		"m.profile_fields":  fields,
		"m.set_displayname": enabled{fields.MayEdit("displayname")},
		"m.set_avatar_url":  enabled{fields.MayEdit("avatar_url")},
	}
	if is.ForgetUponLeave {
		all["m.forget_forced_upon_leave"] = enabled{true}
	}
	if is.MaySuspend || is.MayLock {
		all["m.account_moderation"] = map[string]bool{"suspend": is.MaySuspend, "lock": is.MayLock}
	}
	return capabilitiesOut{all}, nil
}
