package api

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// userDirectory serves the finding of people, and where one meets them.
func (a *API) userDirectory() []route {
	return []route{
		post("/user_directory/search", byUser, a.postUserSearch).limit(ratelimit.Search),
		get("/mutual_rooms", byUser, a.getMutualRooms).at("v1").
			unstable("/uk.half-shot.msc2666/user/mutual_rooms").limit(ratelimit.Search), // CLIENT-16
	}
}

type userSearchIn struct {
	Term  string `json:"search_term" required:"true"`
	Limit int64  `json:"limit"`
}

type userSearchOut struct {
	Results []account.FoundUser `json:"results"`
	Limited bool                `json:"limited"`
}

func (a *API) postUserSearch(ctx context.Context, c *caller, in userSearchIn) (userSearchOut, error) {
	found, limited, err := a.Accounts.SearchUsers(ctx, c.User, in.Term, in.Limit)
	return userSearchOut{append([]account.FoundUser{}, found...), limited}, err
}

type mutualRoomsIn struct {
	User string `query:"user_id"`
	From string `query:"from"`
}

type mutualRoomsOut struct {
	Joined []events.RoomID `json:"joined"`
	Count  int             `json:"count"`
	Next   string          `json:"next_batch,omitempty"`
}

func (a *API) getMutualRooms(ctx context.Context, c *caller, in mutualRoomsIn) (mutualRoomsOut, error) {
	other, err := events.ParseUserID(in.User) // not by its type: a missing one is M_INVALID_PARAM, too (DIR-6)
	if err != nil {
		return mutualRoomsOut{}, mxerr.InvalidParam("user_id", "is invalid: %v", err)
	}
	page, err := a.Rooms.MutualRooms(ctx, c.User, other, in.From)
	return mutualRoomsOut{append([]events.RoomID{}, page.Rooms...), page.Count, page.Next}, err
}
