package room

import (
	"context"
	"fmt"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

const (
	mutualPage = 100
	// mutualTokenLife is how long the token of a next page is good (SPACE-18).
	mutualTokenLife = 10 * time.Minute
)

// MutualPage is a page of the rooms that two users are both in.
type MutualPage struct {
	Rooms []events.RoomID
	Count int    // over all pages
	Next  string // token; empty: this is the last page
}

// MutualRooms returns the rooms that a user and another one are both joined to,
// from a token of an earlier page on. There are none with users who do not exist
// (DIR-6, SPACE-17, SPACE-18).
func (s *Service) MutualRooms(ctx context.Context, user, other events.UserID, from string) (MutualPage, error) {
	switch {
	case !other.Compliant():
		return MutualPage{}, mxerr.InvalidParam("user_id", "is not a user ID")
	case user == other:
		return MutualPage{}, mxerr.InvalidParam("user_id", "is your own")
	}
	after, err := s.mutualStart(from)
	if err != nil {
		return MutualPage{}, err
	}
	var rooms []store.Room
	err = s.Memory.View(ctx, func(v store.View) (err error) {
		rooms, err = v.SharedRooms(user, other)
		return err
	})
	page := MutualPage{Count: len(rooms)}
	for _, r := range rooms {
		switch {
		case r.Num <= after:
		case len(page.Rooms) == mutualPage:
			page.Next = mutualToken(s.Now().Add(mutualTokenLife).UnixMilli(), after)
			return page, err
		default:
			page.Rooms, after = append(page.Rooms, r.ID), r.Num
		}
	}
	return page, err
}

// mutualToken says until when it is good and which room came last.
func mutualToken(expires int64, last store.RoomNum) string {
	return fmt.Sprintf("%d-%d", expires, last)
}

func (s *Service) mutualStart(token string) (after store.RoomNum, err error) {
	if token == "" {
		return 0, nil
	}
	var expires int64
	_, err = fmt.Sscanf(token, "%d-%d", &expires, &after)
	if err != nil || token != mutualToken(expires, after) || expires < s.Now().UnixMilli() {
		return 0, mxerr.InvalidParam("from", "is not a token of this server, or too old")
	}
	return after, nil
}
