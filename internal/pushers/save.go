package pushers

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// saveEvery is how long it may take until positions are stored. What was pushed
// since is pushed again after a crash.
const saveEvery = 10 * time.Second

// settingPushed is the setting with the position up to which all was put into lanes.
const settingPushed = "pushed"

// load makes the lanes of the pushers that are behind, and notes the rooms where
// something has happened that nobody was told of.
func (s *Service) load(ctx context.Context) error {
	var users []events.UserID
	var behind []Pusher
	var rooms []store.Room
	err := s.Memory.View(ctx, func(v store.View) (err error) {
		s.planned = v.Position()
		if users, err = v.UsersWithPushers(); err != nil || len(users) == 0 {
			return err
		}
		if behind, err = v.PushersBehind(); err != nil {
			return err
		}
		value, err := v.Setting(settingPushed)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		pos, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			return err
		}
		s.planned = store.Pos(pos)
		rooms, err = v.RoomsSince(s.planned)
		return err
	})
	if err != nil {
		return err
	}
	s.saved = s.planned
	s.audience = newAudience(users)
	for _, r := range rooms {
		s.audience.stirred[r.ID] = struct{}{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range behind {
		l := s.newLane(p, p.Behind)
		l.fallBehind(p.Behind, s.planned)
		s.ready(l)
	}
	return nil
}

// saveLater sees to it that positions are stored before long. s.mu is held.
func (s *Service) saveLater() {
	if s.saver == nil && !s.closed {
		s.saver = time.AfterFunc(saveEvery, func() { s.start(s.saveNow) })
	}
}

// saveNow stores positions, and lets be planned what could not be before.
func (s *Service) saveNow(ctx context.Context) {
	s.mu.Lock()
	s.saver = nil
	s.mu.Unlock()
	if err := s.save(ctx); err != nil && ctx.Err() == nil {
		s.Logger.WarnContext(ctx, "save what was pushed", slog.Any("error", err))
		s.mu.Lock()
		s.saveLater()
		s.mu.Unlock()
	}
	s.wake()
}

// save stores the position of all and those of the lanes that are not as far.
func (s *Service) save(ctx context.Context) error {
	s.mu.Lock()
	planned := s.planned
	changed := s.caughtUp
	s.caughtUp = map[store.PusherKey]store.Pos{}
	for key, l := range s.lanes {
		done := store.Pos(0)
		if len(l.queue) > 0 || l.behind {
			done = max(l.done, 1)
		}
		if done != l.saved {
			l.saved, changed[key] = done, done
		}
	}
	nothing := planned == s.saved && len(changed) == 0
	s.mu.Unlock()
	if nothing {
		return nil
	}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		for key, pos := range changed {
			if err := tx.SetPusherBehind(key, pos); err != nil {
				return err
			}
		}
		return tx.PutSetting(settingPushed, strconv.AppendInt(nil, int64(planned), 10))
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		for key, pos := range changed { // to be tried again, with what is true by then
			if l := s.lanes[key]; l != nil {
				l.saved = -1
			} else {
				s.caughtUp[key] = pos
			}
		}
		return err
	}
	s.saved = planned
	return nil
}
