package room

import (
	"context"
	"errors"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

const typeEncryption = "m.room.encryption"

// Summary returns what a user, or somebody unknown ("" for the user), may be told of
// a room that they are perhaps not in, as a JSON object. M_NOT_FOUND for rooms that
// do not exist or are none of their business (SPACE-1); whoever is unknown gets
// M_MISSING_TOKEN for both (SPACE-5).
func (s *Service) Summary(ctx context.Context, user events.UserID, room events.RoomID) ([]byte, error) {
	look := s.look(user)
	r, err := look.at(ctx, room)
	switch {
	case err != nil:
		return nil, err
	case r == nil && user == "":
		return nil, mxerr.MissingToken("an access token is needed to see this room")
	case r == nil:
		return nil, noRoom(room)
	}
	out := appendDetails([]byte{'{'}, r)
	if user != "" { // SPACE-3
		out = events.AppendString(append(out, `,"membership":`...), r.Membership(user))
	}
	return append(out, '}'), nil
}

// appendDetails appends a summary of a room, as the members of a JSON object
// (SPACE-2).
func appendDetails(dst []byte, r *live.Room) []byte {
	dst = appendSummary(dst, r.ID, r)
	dst = events.AppendString(append(dst, `,"room_version":`...), r.Version.ID)
	if algorithm := textOf(r, typeEncryption, "algorithm"); algorithm != "" {
		dst = events.AppendString(append(dst, `,"encryption":`...), algorithm)
	}
	for i, id := range allowedRooms(r) { // SPACE-3
		if i == 0 {
			dst = append(dst, `,"allowed_room_ids":[`...)
		}
		dst = append(events.AppendString(dst, string(id)), ',')
	}
	if n := len(dst) - 1; dst[n] == ',' {
		dst[n] = ']'
	}
	return dst
}

// allowedRooms returns the rooms whose members may join a room, if its join rule is
// about such.
func allowedRooms(r *live.Room) []events.RoomID {
	switch textOf(r, events.TypeJoinRules, "join_rule") {
	case "restricted", "knock_restricted":
		return conditions(r.StateEvent(events.TypeJoinRules, "").Content)
	}
	return nil
}

// onlooker is somebody who looks at rooms from outside. It belongs to one request.
type onlooker struct {
	*Service
	user events.UserID          // "": nobody knows
	in   map[events.RoomID]bool // of the rooms asked for
}

func (s *Service) look(user events.UserID) *onlooker {
	return &onlooker{s, user, map[events.RoomID]bool{}}
}

// at returns a room if the onlooker may be told of it, nil otherwise, also if there
// is none or none that this library implements.
func (o *onlooker) at(ctx context.Context, id events.RoomID) (*live.Room, error) {
	r, err := o.Memory.Room(ctx, id)
	if _, foreign := errors.AsType[*live.UnknownVersionError](err); foreign || isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if may, err := o.maySee(ctx, r); err != nil || !may {
		return nil, err
	}
	return r, nil
}

// maySee reports whether a summary of the room may be given to the onlooker: to
// those who are in it or could come in or ask to, and to all if it can be read from
// outside (SPACE-4).
func (o *onlooker) maySee(ctx context.Context, r *live.Room) (bool, error) {
	if o.user != "" {
		switch r.Membership(o.user) {
		case events.MembershipJoin, events.MembershipInvite:
			return true, nil
		}
	}
	if events.HistoryVisibility(r) == events.WorldReadable {
		return true, nil
	}
	switch textOf(r, events.TypeJoinRules, "join_rule") {
	case "public":
		return true, nil
	case "knock":
		return r.Version.Knock, nil
	case "knock_restricted":
		return r.Version.KnockRestricted, nil
	case "restricted":
		return o.meets(ctx, r)
	}
	return false, nil
}

// meets reports whether the onlooker is in one of the rooms that a restricted room
// is open to. Many rooms name the same ones, so what is known is kept.
func (o *onlooker) meets(ctx context.Context, r *live.Room) (bool, error) {
	if o.user == "" || !r.Version.Restricted {
		return false, nil
	}
	for _, id := range allowedRooms(r) {
		in, known := o.in[id]
		if !known {
			err := o.Memory.View(ctx, func(v store.View) (err error) {
				in, err = joined(v, o.user, id)
				return err
			})
			if err != nil {
				return false, err
			}
			o.in[id] = in
		}
		if in {
			return true, nil
		}
	}
	return false, nil
}
