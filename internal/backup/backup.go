package backup

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// Service is the service for key backups. Its methods may be called at once and
// from any goroutine; M_NOT_FOUND is returned by all that name a version, if the
// user has none of that name (KB-4, KB-14, KB-21, KB-23).
type Service struct{ store store.Store }

// New makes the service. It starts nothing that would have to be stopped.
func New(st store.Store) *Service { return &Service{st} }

// Version is a version of a backup.
type Version struct {
	Version   string
	Algorithm string
	AuthData  json.RawMessage // any JSON (KB-2)
	State
}

// State is what a version contains, in short.
type State struct {
	Etag  string // another one after every change (KB-20)
	Count int64  // of sessions
}

func newState(b store.Backup) State { return State{strconv.FormatInt(b.Etag, 10), b.Sessions} }

// Create begins a new version, empty and from now on the current one (KB-1,
// KB-9).
func (s *Service) Create(ctx context.Context, user events.UserID, algorithm string, authData json.RawMessage) (version string, err error) {
	err = s.store.Update(ctx, func(tx store.Tx) error {
		n, err := tx.CreateBackup(store.Backup{User: user, Algorithm: algorithm, AuthData: authData})
		version = strconv.FormatInt(n, 10)
		return err
	})
	return version, err
}

// Version returns a version, or the current one if version is empty (KB-3, KB-4,
// KB-7, KB-8).
func (s *Service) Version(ctx context.Context, user events.UserID, version string) (out Version, err error) {
	err = s.store.View(ctx, func(v store.View) error {
		var b store.Backup
		if version == "" {
			b, err = v.LatestBackup(user)
			err = notFound(err)
		} else {
			b, err = find(v, user, version)
		}
		out = Version{strconv.FormatInt(b.Version, 10), b.Algorithm, b.AuthData, newState(b)}
		return err
	})
	return out, err
}

// Update replaces the auth data of a version (KB-5). The algorithm must be the
// version's; M_INVALID_PARAM.
func (s *Service) Update(ctx context.Context, user events.UserID, version, algorithm string, authData json.RawMessage) error {
	return s.store.Update(ctx, func(tx store.Tx) error {
		b, err := find(tx, user, version)
		if err != nil {
			return err
		}
		if b.Algorithm != algorithm {
			return mxerr.InvalidParam("algorithm", "is not the one of this version")
		}
		b.AuthData = authData
		return tx.UpdateBackup(b)
	})
}

// Delete removes a version with its keys; one that was deleted is no error
// (KB-6).
func (s *Service) Delete(ctx context.Context, user events.UserID, version string) error {
	return s.store.Update(ctx, func(tx store.Tx) error {
		n, ok := number(version)
		if !ok {
			return notFound(store.ErrNotFound)
		}
		if deleted, err := tx.BackupDeleted(user, n); err != nil || deleted {
			return err
		}
		return notFound(tx.DeleteBackup(user, n))
	})
}

// find returns a version by its name.
func find(v store.View, user events.UserID, version string) (store.Backup, error) {
	n, ok := number(version)
	if !ok {
		return store.Backup{}, notFound(store.ErrNotFound)
	}
	b, err := v.Backup(user, n)
	return b, notFound(err)
}

// number is the version that a name stands for.
func number(version string) (int64, bool) {
	n, err := strconv.ParseInt(version, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == version
}

func notFound(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return mxerr.NotFound("no such backup")
	}
	return err
}
