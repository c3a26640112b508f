package api

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// report serves complaints.
func (a *API) report() []route {
	return []route{
		post("/rooms/{roomId}/report/{eventId}", byUser, a.reportEvent).body(maxReport).limit(ratelimit.Account),
		post("/rooms/{roomId}/report", byUser, a.reportRoom).at("v3").body(maxReport).limit(ratelimit.Account),
		post("/users/{userId}/report", byUser, a.reportUser).at("v3").body(maxReport).limit(ratelimit.Account),
	}
}

const maxReport = 64 << 10

// reportEventIn has no score, which is ignored since nobody says what it means (REP-2).
type reportEventIn struct {
	Room   events.RoomID  `path:"roomId"`
	Event  events.EventID `path:"eventId"`
	Reason string         `json:"reason"`
}

type reportRoomIn struct {
	Room   events.RoomID `path:"roomId"`
	Reason string        `json:"reason" required:"true"`
}

type reportUserIn struct {
	User   events.UserID `path:"userId"`
	Reason string        `json:"reason" required:"true"`
}

func (a *API) reportEvent(ctx context.Context, c *caller, in reportEventIn) (empty, error) {
	return empty{}, a.Rooms.ReportEvent(ctx, actor(c), in.Room, in.Event, in.Reason)
}

func (a *API) reportRoom(ctx context.Context, c *caller, in reportRoomIn) (empty, error) {
	return empty{}, a.Rooms.ReportRoom(ctx, actor(c), in.Room, in.Reason)
}

func (a *API) reportUser(ctx context.Context, c *caller, in reportUserIn) (empty, error) {
	return empty{}, a.Rooms.ReportUser(ctx, actor(c), in.User, in.Reason)
}
