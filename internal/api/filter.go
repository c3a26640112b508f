package api

import (
	"context"
	"encoding/json"

	"github.com/ca4c8834/homeserver/events"
)

// filter serves the filters that clients keep on the server.
func (a *API) filter() []route {
	return []route{
		post("/user/{userId}/filter", byUser, a.postFilter).own().body(64 << 10),
		get("/user/{userId}/filter/{filterId}", byUser, a.getFilter).own(),
	}
}

type postFilterIn struct {
	User       events.UserID   `path:"userId"`
	Definition json.RawMessage `body:""`
}

type filterOut struct {
	ID string `json:"filter_id"`
}

type filterIn struct {
	User events.UserID `path:"userId"`
	ID   string        `path:"filterId"`
}

func (a *API) postFilter(ctx context.Context, _ *caller, in postFilterIn) (filterOut, error) {
	id, err := a.Accounts.CreateFilter(ctx, in.User, in.Definition)
	return filterOut{id}, err
}

func (a *API) getFilter(ctx context.Context, _ *caller, in filterIn) (rawJSON, error) {
	definition, err := a.Accounts.Filter(ctx, in.User, in.ID)
	return rawJSON(definition), err
}
