package account

import (
	"context"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Capabilities is what a user may do, as clients are told. It describes what is
// enforced (CAP-10).
type Capabilities struct {
	DefaultRoomVersion  string // what createRoom uses (CAP-3); empty: events.DefaultVersion
	NoPasswordChange    bool   // CAP-2
	NoThreePIDChanges   bool   // CAP-6
	LoginTokens         bool   // CAP-7
	ForgetUponLeave     bool   // CAP-8
	MaySuspend, MayLock bool   // CAP-9, for this user
	// ProfileFields restricts which profile fields may be changed (CAP-4); nil:
	// none is restricted.
	ProfileFields *ProfileFields
}

// ProfileFields is the capability m.profile_fields: Allowed overrides Disallowed,
// and both are for Enabled only.
type ProfileFields struct {
	Enabled    bool     `json:"enabled"`
	Allowed    []string `json:"allowed,omitempty"`
	Disallowed []string `json:"disallowed,omitempty"`
}

// MayEdit reports whether users may change the profile field.
func (f ProfileFields) MayEdit(field string) bool {
	switch {
	case !f.Enabled:
		return false
	case len(f.Allowed) > 0:
		return slices.Contains(f.Allowed, field)
	default:
		return !slices.Contains(f.Disallowed, field)
	}
}

// Capabilities returns what a user may do with the account, from what this
// service enforces.
func (s *Service) Capabilities(ctx context.Context, user events.UserID) (Capabilities, error) {
	is := Capabilities{
		NoPasswordChange:  !s.CanChangePasswords(),
		NoThreePIDChanges: s.FixedThreePIDs,
		LoginTokens:       s.LoginTokens,
		ProfileFields:     s.ProfileFields,
	}
	err := s.Store.View(ctx, func(v store.View) error {
		account, err := v.User(user)
		is.MaySuspend, is.MayLock = account.Admin, account.Admin
		return err
	})
	return is, err
}
