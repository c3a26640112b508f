package room

import (
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
)

// guestsMayJoin reports whether a room is open to guests. By itself it is not
// (GUEST-5).
func guestsMayJoin(d *live.Draft) bool {
	e := d.StateEvent(typeGuestAccess, "")
	return e != nil && gjson.GetBytes(e.Content, "guest_access").Str == "can_join"
}

// expelGuests makes the guests leave a room that is not open to them any more, in
// the transaction that closed it (MEMB-41, GUEST-6).
func (s *Service) expelGuests(tx *live.Tx, d *live.Draft) error {
	if guestsMayJoin(d) {
		return nil
	}
	var members []events.UserID
	d.Joined(func(e *live.Event) bool {
		members = append(members, events.UserID(*e.StateKey))
		return true
	})
	guests, err := tx.Guests(members)
	if err != nil {
		return err
	}
	for _, guest := range guests {
		if _, err := s.setMember(tx, d, Actor{User: guest}, memberChange{target: guest, membership: events.MembershipLeave}); err != nil {
			return err
		}
	}
	return nil
}
