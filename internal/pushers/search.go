package pushers

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/push"
	"github.com/ca4c8834/homeserver/store"
)

const (
	// giveUpAfter is how old an event may be when it is pushed (GW-11).
	giveUpAfter = 24 * time.Hour
	// searchPage is how many events of a room are looked at in one search.
	searchPage = 100
)

// search finds the next events that notify a user, with from < Pos <= until, in
// order and not more than fit into a lane, and up to where there are no others. What
// is too old to be pushed is left out.
func (s *Service) search(ctx context.Context, user events.UserID, from, until store.Pos) ([]notice, store.Pos, error) {
	var places []store.Member
	var newest map[store.RoomNum]store.Pos
	var rules *push.Ruleset
	err := s.Memory.View(ctx, func(v store.View) (err error) {
		if places, err = v.RoomsOf(user); err != nil {
			return err
		}
		if newest, err = v.NewestEvents(user); err != nil {
			return err
		}
		all, err := s.Rules.RulesOf(v, []events.UserID{user})
		if err == nil {
			rules = all[0]
		}
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	var found []notice
	upTo := until
	oldest := s.Now().Add(-giveUpAfter).UnixMilli()
	for _, place := range places {
		isInvite := place.Membership == events.MembershipInvite && place.Pos > from
		isActive := place.Membership == events.MembershipJoin && newest[place.Room] > from
		if !isInvite && !isActive {
			continue
		}
		room, err := s.Memory.Room(ctx, place.RoomID)
		if errors.Is(err, store.ErrNotFound) { // deleted by now
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		scope := reader.NewScope(room, user)
		page, err := s.news(ctx, scope, from, until)
		if err != nil {
			return nil, 0, err
		}
		if page.More {
			upTo = min(upTo, page.Next)
		}
		about := aspects(room)
		for _, e := range page.Events {
			if e.RedactedBy != 0 || e.TS < oldest {
				continue
			}
			if out := rules.Evaluate(push.NewEvent(e.Event, about), scope.Member().Event); out.Notify {
				found = append(found, newNotice(room.ID, e, out))
			}
		}
	}
	slices.SortFunc(found, func(a, b notice) int { return cmp.Compare(a.pos, b.pos) })
	if i := slices.IndexFunc(found, func(n notice) bool { return n.pos > upTo }); i >= 0 {
		found = found[:i]
	}
	if len(found) > maxQueue {
		found = found[:maxQueue]
		upTo = found[maxQueue-1].pos
	}
	return found, upTo, nil
}

// news returns the first events of a room with from < Pos <= until that may notify a
// member, or the invite of whoever is invited.
func (s *Service) news(ctx context.Context, scope *reader.Scope, from, until store.Pos) (reader.Page, error) {
	member := scope.Member()
	switch scope.Membership() {
	case events.MembershipInvite:
		if member.Pos <= from || member.Pos > until {
			return reader.Page{}, nil
		}
		return reader.Page{Events: []*live.Event{member}}, nil
	case events.MembershipJoin:
		if member.Pos > from { // perhaps they have come only now
			if err := s.Memory.View(ctx, scope.Load); err != nil {
				return reader.Page{}, err
			}
			from = max(from, scope.JoinedAt())
		}
		return s.Reader.Forward(ctx, scope, from, until, searchPage, nil)
	}
	return reader.Page{}, nil
}

// event returns the event of a notice as its user sees it now; nil if there is
// nothing to be pushed any more.
func (s *Service) event(ctx context.Context, scope *reader.Scope, n notice) (*live.Event, error) {
	page, err := s.news(ctx, scope, n.pos-1, n.pos)
	if err != nil || len(page.Events) == 0 || page.Events[0].RedactedBy != 0 {
		return nil, err
	}
	return page.Events[0], nil
}
