package account

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// The fields of a profile that the specification names.
const (
	fieldDisplayName = "displayname"
	fieldAvatarURL   = "avatar_url"
	fieldTimezone    = "m.tz"
)

const (
	maxFieldName = 255
	maxProfile   = 64 << 10
	// maxMemberField keeps what goes into member events well under the size of
	// an event (PROF-8, PROF-11).
	maxMemberField = 1 << 10
)

// Profile returns a user's whole profile as a JSON object. M_NOT_FOUND for
// users without an account here (PROF-1).
func (s *Service) Profile(ctx context.Context, user events.UserID) (json.RawMessage, error) {
	var fields []store.ProfileField
	err := s.Store.View(ctx, func(v store.View) (err error) {
		if _, err = v.User(user); err == nil {
			fields, err = v.Profile(user)
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerr.NotFound("no such user")
	}
	if err != nil {
		return nil, err
	}
	return appendProfile(nil, fields), nil
}

// ProfileField returns one field of a profile as an object of that one member.
// M_NOT_FOUND if the field or the user does not exist (PROF-2).
func (s *Service) ProfileField(ctx context.Context, user events.UserID, name string) (json.RawMessage, error) {
	var fields []store.ProfileField
	err := s.Store.View(ctx, func(v store.View) (err error) {
		fields, err = v.Profile(user)
		return err
	})
	if err != nil {
		return nil, err
	}
	i := indexField(fields, name)
	if i < 0 {
		return nil, mxerr.NotFound("this profile field is not set")
	}
	return appendProfile(nil, fields[i:i+1]), nil
}

// SetProfileField sets a field of a user's own profile to any JSON value, of
// which nil is none. An empty display name or avatar is one that is not set
// (PROF-4 to PROF-8).
func (s *Service) SetProfileField(ctx context.Context, user events.UserID, name string, value json.RawMessage) error {
	if err := checkFieldName(name); err != nil {
		return err
	}
	if value == nil {
		return mxerr.MissingParam(name)
	}
	if slices.Contains([]string{fieldDisplayName, fieldAvatarURL, fieldTimezone}, name) {
		text := gjson.ParseBytes(value)
		switch {
		case text.Type != gjson.String:
			return mxerr.BadJSON("%s must be a string", name)
		case text.Str == "":
			return s.changeProfile(ctx, user, name, nil)
		case len(text.Str) > maxMemberField:
			return mxerr.ProfileTooLarge("%s may have at most %d bytes", name, maxMemberField)
		}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, value); err != nil {
		return mxerr.NotJSON("%s is not JSON", name).Because(err)
	}
	return s.changeProfile(ctx, user, name, compact.Bytes())
}

// DeleteProfileField removes a field of a user's own profile; one that is not
// set is no error (PROF-9).
func (s *Service) DeleteProfileField(ctx context.Context, user events.UserID, name string) error {
	if err := checkFieldName(name); err != nil {
		return err
	}
	return s.changeProfile(ctx, user, name, nil)
}

// changeProfile sets a field, or removes it if value is nil, and tells the rooms
// if they show it.
func (s *Service) changeProfile(ctx context.Context, user events.UserID, name string, value []byte) error {
	shown := s.Rooms != nil && (name == fieldDisplayName || name == fieldAvatarURL)
	var change *store.ProfileChange // of what rooms show
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		account, err := tx.User(user)
		if err != nil {
			return err
		}
		switch { // PROF-10
		case s.ProfileFields != nil && !s.ProfileFields.MayEdit(name):
			return mxerr.Forbidden("%s cannot be changed here", name)
		case account.Suspended:
			return mxerr.UserSuspended("your account is suspended")
		case account.Guest && name != fieldDisplayName:
			return mxerr.GuestAccessForbidden("guests may only change their display name")
		}
		fields, err := tx.Profile(user)
		if err != nil {
			return err
		}
		i := indexField(fields, name)
		change = nil
		switch {
		case i < 0 && value == nil, i >= 0 && bytes.Equal(fields[i].Value, value):
			if unfinished, err := tx.ProfileChange(user, name); err == nil {
				change = &unfinished
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
			return nil
		case value == nil:
			fields = slices.Delete(fields, i, i+1)
		case i < 0:
			fields = append(fields, store.ProfileField{Name: name, Value: value})
		default:
			fields[i].Value = value
		}
		if len(appendProfile(nil, fields)) > maxProfile { // PROF-8
			return mxerr.ProfileTooLarge("a profile may have at most %d bytes", maxProfile)
		}
		if err := putProfileField(tx, user, name, value); err != nil || !shown {
			return err
		}
		change = &store.ProfileChange{User: user, Name: name, Pos: tx.Next()}
		return tx.PutProfileChange(*change)
	})
	if err != nil || change == nil {
		return err
	}
	return s.spread(context.WithoutCancel(ctx), *change) // whoever asked for it may go
}

// spread carries a change into the rooms and tells of it as presence (PROF-11, PROF-12).
func (s *Service) spread(ctx context.Context, c store.ProfileChange) error {
	if err := s.Rooms.ProfileChanged(ctx, c.User, c.Name); err != nil {
		return fmt.Errorf("spread profile of %s: %w", c.User, err)
	}
	if s.Presence != nil {
		if err := s.Presence.ProfileChanged(ctx, c.User); err != nil {
			return fmt.Errorf("tell of profile of %s: %w", c.User, err)
		}
	}
	return s.Store.Update(ctx, func(tx store.Tx) error { return tx.DeleteProfileChange(c) })
}

// changesAtOnce bounds what SpreadProfiles reads at once.
const changesAtOnce = 100

// SpreadProfiles carries into the rooms the changes of profiles with which an earlier
// call has not come to an end, because the store failed or the server was killed. The
// error joins those of all that fail again.
func (s *Service) SpreadProfiles(ctx context.Context) error {
	var faults []error
	for after := store.Pos(0); ; {
		var list []store.ProfileChange
		err := s.Store.View(ctx, func(v store.View) (err error) {
			list, err = v.ProfileChanges(after, changesAtOnce)
			return err
		})
		if err != nil || len(list) == 0 {
			return errors.Join(append(faults, err)...)
		}
		for _, c := range list {
			if err := s.spread(ctx, c); err != nil {
				faults = append(faults, err)
			}
			after = c.Pos
		}
	}
}

// putProfileField sets a field, or removes it if value is nil.
func putProfileField(tx store.Tx, user events.UserID, name string, value []byte) error {
	if name == fieldDisplayName {
		if err := indexUser(tx, user, value); err != nil {
			return err
		}
	}
	if value == nil {
		return tx.DeleteProfileField(user, name)
	}
	return tx.PutProfileField(user, store.ProfileField{Name: name, Value: value})
}

// checkFieldName accepts what the specification names and every other
// identifier outside of its own namespace (PROF-5, ID-9).
func checkFieldName(name string) error {
	if len(name) > maxFieldName {
		return mxerr.KeyTooLarge("the name of a profile field may have at most %d bytes", maxFieldName)
	}
	if !events.ValidNamespacedID(name) || strings.HasPrefix(name, "m.") && name != fieldTimezone {
		return mxerr.InvalidParam("keyName", "is neither a profile field of the specification nor a namespaced name")
	}
	return nil
}

func indexField(fields []store.ProfileField, name string) int {
	return slices.IndexFunc(fields, func(f store.ProfileField) bool { return f.Name == name })
}

func appendProfile(dst []byte, fields []store.ProfileField) []byte {
	dst = append(dst, '{')
	for i, f := range fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(events.AppendString(dst, f.Name), ':')
		dst = append(dst, f.Value...)
	}
	return append(dst, '}')
}
