package api

import (
	"context"
	"encoding/json"

	"github.com/ca4c8834/homeserver/events"
)

// accountData serves what clients keep on the server for their user alone.
func (a *API) accountData() []route {
	const global, ofRoom = "/user/{userId}/account_data/{type}", "/user/{userId}/rooms/{roomId}/account_data/{type}"
	return []route{
		get(global, byUser, a.getAccountData).also(ofRoom).own(),
		put(global, byUser, a.putAccountData).also(ofRoom).own(),
	}
}

type accountDataIn struct {
	User events.UserID `path:"userId"`
	Room events.RoomID `path:"roomId"` // empty: global
	Type string        `path:"type"`
}

type putAccountDataIn struct {
	User    events.UserID   `path:"userId"`
	Room    events.RoomID   `path:"roomId"`
	Type    string          `path:"type"`
	Content json.RawMessage `body:"" required:"true"`
}

func (a *API) getAccountData(ctx context.Context, _ *caller, in accountDataIn) (rawJSON, error) {
	content, err := a.Accounts.AccountData(ctx, in.User, in.Room, in.Type)
	return rawJSON(content), err
}

func (a *API) putAccountData(ctx context.Context, _ *caller, in putAccountDataIn) (empty, error) {
	return empty{}, a.Accounts.SetAccountData(ctx, in.User, in.Room, in.Type, in.Content)
}
