package api

import (
	"context"
	"encoding/json"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/internal/room"
)

// createRoom serves the making of rooms.
func (a *API) createRoom() []route {
	return []route{
		post("/createRoom", byUser, a.postCreateRoom).limit(ratelimit.Rooms),
	}
}

type createRoomIn struct {
	Visibility      string           `json:"visibility"`
	Alias           string           `json:"room_alias_name"`
	Name            string           `json:"name"`
	Topic           string           `json:"topic"`
	Invite          []events.UserID  `json:"invite"`
	Invite3PID      []threePIDInvite `json:"invite_3pid"`
	Version         string           `json:"room_version"`
	CreationContent jsonObject       `json:"creation_content"`
	InitialState    []initialState   `json:"initial_state"`
	Preset          string           `json:"preset"`
	Direct          bool             `json:"is_direct"`
	PowerLevels     jsonObject       `json:"power_level_content_override"`
}

type initialState struct {
	Type    string     `json:"type" required:"true"`
	Key     string     `json:"state_key"`
	Content jsonObject `json:"content" required:"true"`
}

type roomIDOut struct {
	ID events.RoomID `json:"room_id"`
}

func (a *API) postCreateRoom(ctx context.Context, c *caller, in createRoomIn) (roomIDOut, error) {
	switch in.Visibility {
	case "", "public", "private":
	default:
		return roomIDOut{}, mxerr.BadJSON("visibility must be public or private")
	}
	if len(in.Invite3PID) > 0 {
		return roomIDOut{}, in.Invite3PID[0].refuse()
	}
	state := make([]room.StateChange, len(in.InitialState))
	for i, e := range in.InitialState {
		state[i] = room.StateChange{Type: e.Type, Key: e.Key, Content: json.RawMessage(e.Content)}
	}
	id, err := a.Rooms.Create(ctx, actor(c), room.NewRoom{
		Version: in.Version, Preset: in.Preset, Public: in.Visibility == "public",
		Alias: in.Alias, Name: in.Name, Topic: in.Topic, Invite: in.Invite, Direct: in.Direct,
		CreationContent: json.RawMessage(in.CreationContent), PowerLevels: json.RawMessage(in.PowerLevels), InitialState: state,
	})
	return roomIDOut{id}, err
}

// jsonObject is a JSON object as it was received.
type jsonObject json.RawMessage

// UnmarshalJSON implements json.Unmarshaler.
func (o *jsonObject) UnmarshalJSON(text []byte) error {
	if !gjson.ParseBytes(text).IsObject() {
		return &shapeError{want: "an object"}
	}
	*o = append((*o)[:0], text...)
	return nil
}
