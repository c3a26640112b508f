package backup

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// maxSessions is how many keys a request may bring; clients bring up to 200
// (KB-26).
const maxSessions = 2000

// Rooms holds keys, by room and session as the client calls them (KB-24).
type Rooms map[string]map[string]json.RawMessage

// Put adds keys to the current version. Where there is one for the session, the
// better of the two stays (KB-10 to KB-19). M_WRONG_ROOM_KEYS_VERSION for a
// version that is not the current one.
func (s *Service) Put(ctx context.Context, user events.UserID, version string, keys Rooms) (state State, err error) {
	fresh, err := parse(keys)
	if err != nil {
		return State{}, err
	}
	err = s.store.Update(ctx, func(tx store.Tx) error {
		b, err := current(tx, user, version)
		if err != nil {
			return err
		}
		changed, count := false, b.Sessions
		for _, k := range fresh {
			old, err := tx.BackupSession(user, b.Version, k.Room, k.Session)
			switch {
			case errors.Is(err, store.ErrNotFound):
				count++
			case err != nil:
				return err
			case !k.betterThan(old.JSON):
				continue
			}
			if err := tx.PutBackupSession(user, b.Version, k.BackupSession); err != nil {
				return err
			}
			changed = true
		}
		state, err = save(tx, b, changed, count)
		return err
	})
	return state, err
}

// current returns a version that may be written to (KB-13, KB-14).
func current(v store.View, user events.UserID, version string) (store.Backup, error) {
	b, err := find(v, user, version)
	if err != nil {
		return b, err
	}
	latest, err := v.LatestBackup(user)
	if err == nil && latest.Version != b.Version {
		err = mxerr.WrongRoomKeysVersion(strconv.FormatInt(latest.Version, 10))
	}
	return b, err
}

// save keeps the etag and count of a version (KB-20).
func save(tx store.Tx, b store.Backup, changed bool, count int64) (State, error) {
	if !changed {
		return newState(b), nil
	}
	b.Etag++
	b.Sessions = count
	return newState(b), tx.UpdateBackup(b)
}

// session is a key with what counts when there are two.
type session struct {
	store.BackupSession
	firstIndex, forwarded int64
	verified              bool
}

func parse(keys Rooms) ([]session, error) {
	var all []session
	for room, sessions := range keys {
		for id, raw := range sessions {
			k, err := newSession(room, id, raw)
			if err != nil {
				return nil, err
			}
			all = append(all, k)
		}
	}
	if len(all) > maxSessions {
		return nil, mxerr.TooLarge("at most %d keys may be stored at once", maxSessions)
	}
	return all, nil
}

// newSession checks the form of a key (KB-15).
func newSession(room, id string, raw json.RawMessage) (k session, err error) {
	k.BackupSession = store.BackupSession{Room: room, Session: id, JSON: raw}
	o := gjson.ParseBytes(raw)
	if !o.IsObject() {
		return k, mxerr.BadJSON("the key of session %s must be an object", id)
	}
	for name, to := range map[string]*int64{"first_message_index": &k.firstIndex, "forwarded_count": &k.forwarded} {
		v := o.Get(name)
		if !v.Exists() {
			return k, mxerr.MissingParam(name)
		}
		if *to, err = strconv.ParseInt(v.Raw, 10, 64); err != nil {
			return k, mxerr.BadJSON("%s must be an integer", name)
		}
	}
	verified := o.Get("is_verified")
	switch {
	case !verified.Exists():
		return k, mxerr.MissingParam("is_verified")
	case !verified.IsBool():
		return k, mxerr.BadJSON("is_verified must be a boolean")
	case !o.Get("session_data").Exists():
		return k, mxerr.MissingParam("session_data")
	}
	k.verified = verified.Bool()
	return k, nil
}

// betterThan reports whether a key replaces one that is stored (KB-16 to KB-18).
func (k session) betterThan(stored []byte) bool {
	old, err := newSession(k.Room, k.Session, stored)
	switch {
	case err != nil: // stored before keys were checked like this
		return true
	case k.verified != old.verified:
		return k.verified
	}
	return cmp.Or(cmp.Compare(k.firstIndex, old.firstIndex), cmp.Compare(k.forwarded, old.forwarded)) < 0
}

// All returns the keys of a version as the JSON of {"rooms": …}.
func (s *Service) All(ctx context.Context, user events.UserID, version string) (json.RawMessage, error) {
	sessions, err := s.sessions(ctx, user, version, "")
	if err != nil {
		return nil, err
	}
	out := []byte(`{"rooms":{`)
	for i, k := range sessions {
		switch {
		case i > 0 && sessions[i-1].Room == k.Room:
			out = append(out, ',')
		case i > 0:
			out = append(out, "}},"...)
			fallthrough
		default:
			out = append(events.AppendString(out, k.Room), `:{"sessions":{`...)
		}
		out = append(append(events.AppendString(out, k.Session), ':'), k.JSON...)
	}
	if len(sessions) > 0 {
		out = append(out, "}}"...)
	}
	return append(out, "}}"...), nil
}

// Room returns the keys of one room as the JSON of {"sessions": …}.
func (s *Service) Room(ctx context.Context, user events.UserID, version, room string) (json.RawMessage, error) {
	sessions, err := s.sessions(ctx, user, version, room)
	if err != nil {
		return nil, err
	}
	out := []byte(`{"sessions":{`)
	for i, k := range sessions {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(events.AppendString(out, k.Session), ':'), k.JSON...)
	}
	return append(out, "}}"...), nil
}

// sessions returns the keys of one room or, with room empty, all (KB-21, KB-22).
func (s *Service) sessions(ctx context.Context, user events.UserID, version, room string) (sessions []store.BackupSession, err error) {
	err = s.store.View(ctx, func(v store.View) error {
		b, err := find(v, user, version)
		if err != nil {
			return err
		}
		sessions, err = v.BackupSessions(user, b.Version, room)
		return err
	})
	return sessions, err
}

// Session returns one key. M_NOT_FOUND (KB-21).
func (s *Service) Session(ctx context.Context, user events.UserID, version, room, session string) (key json.RawMessage, err error) {
	err = s.store.View(ctx, func(v store.View) error {
		b, err := find(v, user, version)
		if err != nil {
			return err
		}
		k, err := v.BackupSession(user, b.Version, room, session)
		if errors.Is(err, store.ErrNotFound) {
			err = mxerr.NotFound("there is no key for this session")
		}
		key = k.JSON
		return err
	})
	return key, err
}

// Remove deletes keys from a version, current or not: one, those of a room
// (session empty) or all (room empty as well) (KB-23).
func (s *Service) Remove(ctx context.Context, user events.UserID, version, room, session string) (state State, err error) {
	err = s.store.Update(ctx, func(tx store.Tx) error {
		b, err := find(tx, user, version)
		if err != nil {
			return err
		}
		n, err := tx.DeleteBackupSessions(user, b.Version, room, session)
		if err != nil {
			return err
		}
		state, err = save(tx, b, n > 0, b.Sessions-n)
		return err
	})
	return state, err
}
