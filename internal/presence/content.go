package presence

import (
	"context"
	"errors"
	"strconv"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// Of returns a user's presence; false if nothing is known of them (PRES-2).
func (s *Service) Of(id events.UserID) (Presence, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.users[id]; u != nil && u.shown.Pos > 0 {
		return u.shown, true
	}
	return Presence{User: id}, false
}

// Status returns the content of m.presence for a user as another one sees it.
// M_FORBIDDEN if they share no room, M_NOT_FOUND if nothing is known of the user; one's
// own is always known (PRES-2).
func (s *Service) Status(ctx context.Context, viewer, id events.UserID) ([]byte, error) {
	p, ok := s.Of(id)
	p.Profile = "" // which has endpoints of its own
	if viewer == id {
		return s.appendContent(nil, p), nil
	}
	shared := false
	err := s.Memory.View(ctx, func(v store.View) error {
		if _, err := v.User(id); err != nil {
			return err
		}
		users, err := v.SharingRoom(viewer, []events.UserID{id})
		shared = len(users) > 0
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && shared && !ok:
		return nil, mxerr.NotFound("nothing is known of the presence of %s", id)
	case err != nil:
		return nil, err
	case !shared:
		return nil, mxerr.Forbidden("you share no room with %s", id)
	}
	return s.appendContent(nil, p), nil
}

// AppendJSON appends a user's presence as m.presence (PRES-3).
func (s *Service) AppendJSON(dst []byte, p Presence) []byte {
	dst = s.appendContent(append(dst, `{"content":`...), p)
	dst = events.AppendString(append(dst, `,"sender":`...), string(p.User))
	return append(dst, `,"type":"m.presence"}`...)
}

// appendContent appends the content of m.presence. Who is online is active: they
// become unavailable otherwise (PRES-9).
func (s *Service) appendContent(dst []byte, p Presence) []byte {
	dst = append(dst, '{')
	if p.State == Online {
		dst = append(dst, `"currently_active":true,`...)
	}
	if !p.LastActive.IsZero() {
		dst = append(dst, `"last_active_ago":`...)
		dst = strconv.AppendInt(dst, max(0, s.Now().Sub(p.LastActive).Milliseconds()), 10)
		dst = append(dst, ',')
	}
	dst = events.AppendString(append(dst, `"presence":`...), p.State.String())
	if p.Status != "" {
		dst = events.AppendString(append(dst, `,"status_msg":`...), p.Status)
	}
	return append(append(dst, p.Profile...), '}')
}

// ChangedSince returns the presence of all users for whom it changed after a position,
// the latest first; since 0 leaves out those who are offline (PRES-11).
func (s *Service) ChangedSince(since store.Pos) []Presence {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Presence
	for el := s.recent.Front(); el != nil; el = el.Next() {
		u := el.Value.(*user)
		if u.shown.Pos <= since {
			break
		}
		if since > 0 || u.shown.State != Offline {
			out = append(out, u.shown)
		}
	}
	return out
}

// visible is what presence tells of a profile.
func visible(fields []store.ProfileField) string {
	var members []byte
	for _, f := range fields {
		if f.Name == "displayname" || f.Name == "avatar_url" {
			members = append(events.AppendString(append(members, ','), f.Name), ':')
			members = append(members, f.Value...)
		}
	}
	return string(members)
}
