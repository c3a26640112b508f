package api

import (
	"context"
	"encoding/json"

	"github.com/ca4c8834/homeserver/internal/backup"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// backup serves the backups of room keys.
func (a *API) backup() []route {
	const (
		versions = "/room_keys/version"
		version  = "/room_keys/version/{version}"
		rooms    = "/room_keys/keys"
		room     = "/room_keys/keys/{roomId}"
		session  = "/room_keys/keys/{roomId}/{sessionId}"
		large    = 8 << 20
	)
	return []route{
		post(versions, byUser, a.postBackup),
		get(version, byUser, a.getBackup).also(versions),
		put(version, byUser, a.putBackup),
		delete_(version, byUser, a.deleteBackup),
		put(rooms, byUser, a.putBackupRooms).body(large),
		put(room, byUser, a.putBackupRoom).body(large),
		put(session, byUser, a.putBackupSession),
		get(session, byUser, a.getBackupKeys).also(room, rooms),
		delete_(session, byUser, a.deleteBackupKeys).also(room, rooms),
	}
}

type postBackupIn struct {
	Algorithm string          `json:"algorithm" required:"true"`
	AuthData  json.RawMessage `json:"auth_data" required:"true"`
}

type postBackupOut struct {
	Version string `json:"version"`
}

func (a *API) postBackup(ctx context.Context, c *caller, in postBackupIn) (postBackupOut, error) {
	version, err := a.Backups.Create(ctx, c.User, in.Algorithm, in.AuthData)
	return postBackupOut{version}, err
}

type backupIn struct {
	Version string `path:"version"`
}

type backupOut struct {
	Algorithm string          `json:"algorithm"`
	AuthData  json.RawMessage `json:"auth_data"`
	Count     int64           `json:"count"`
	Etag      string          `json:"etag"`
	Version   string          `json:"version"`
}

func (a *API) getBackup(ctx context.Context, c *caller, in backupIn) (backupOut, error) {
	v, err := a.Backups.Version(ctx, c.User, in.Version)
	return backupOut{v.Algorithm, v.AuthData, v.Count, v.Etag, v.Version}, err
}

type putBackupIn struct {
	Version string `path:"version"`
	postBackupIn
	Same *string `json:"version"`
}

func (a *API) putBackup(ctx context.Context, c *caller, in putBackupIn) (empty, error) {
	if in.Same != nil && *in.Same != in.Version {
		return empty{}, mxerr.InvalidParam("version", "is not the one of the path") // KB-5
	}
	return empty{}, a.Backups.Update(ctx, c.User, in.Version, in.Algorithm, in.AuthData)
}

func (a *API) deleteBackup(ctx context.Context, c *caller, in backupIn) (empty, error) {
	return empty{}, a.Backups.Delete(ctx, c.User, in.Version)
}

// backupKeysIn says which keys are meant, as precisely as the path does.
type backupKeysIn struct {
	Version string `query:"version" required:"true"`
	Room    string `path:"roomId"`
	Session string `path:"sessionId"`
}

type backupStateOut struct {
	Etag  string `json:"etag"`
	Count int64  `json:"count"`
}

type backupRoom struct {
	Sessions map[string]json.RawMessage `json:"sessions" required:"true"`
}

type putBackupRoomsIn struct {
	Version string                `query:"version" required:"true"`
	Rooms   map[string]backupRoom `json:"rooms" required:"true"`
}

func (a *API) putBackupRooms(ctx context.Context, c *caller, in putBackupRoomsIn) (backupStateOut, error) {
	keys := make(backup.Rooms, len(in.Rooms))
	for room, r := range in.Rooms {
		keys[room] = r.Sessions
	}
	state, err := a.Backups.Put(ctx, c.User, in.Version, keys)
	return backupStateOut(state), err
}

type putBackupRoomIn struct {
	Version string `query:"version" required:"true"`
	Room    string `path:"roomId"`
	backupRoom
}

func (a *API) putBackupRoom(ctx context.Context, c *caller, in putBackupRoomIn) (backupStateOut, error) {
	state, err := a.Backups.Put(ctx, c.User, in.Version, backup.Rooms{in.Room: in.Sessions})
	return backupStateOut(state), err
}

type putBackupSessionIn struct {
	backupKeysIn
	Key json.RawMessage `body:"" required:"true"`
}

func (a *API) putBackupSession(ctx context.Context, c *caller, in putBackupSessionIn) (backupStateOut, error) {
	state, err := a.Backups.Put(ctx, c.User, in.Version, backup.Rooms{in.Room: {in.Session: in.Key}})
	return backupStateOut(state), err
}

func (a *API) getBackupKeys(ctx context.Context, c *caller, in backupKeysIn) (rawJSON, error) {
	var keys json.RawMessage
	var err error
	switch {
	case in.Room == "":
		keys, err = a.Backups.All(ctx, c.User, in.Version)
	case in.Session == "":
		keys, err = a.Backups.Room(ctx, c.User, in.Version, in.Room)
	default:
		keys, err = a.Backups.Session(ctx, c.User, in.Version, in.Room, in.Session)
	}
	return rawJSON(keys), err
}

func (a *API) deleteBackupKeys(ctx context.Context, c *caller, in backupKeysIn) (backupStateOut, error) {
	state, err := a.Backups.Remove(ctx, c.User, in.Version, in.Room, in.Session)
	return backupStateOut(state), err
}
