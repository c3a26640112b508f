package store

import "github.com/ca4c8834/homeserver/events"

// Backup is a version of a user's backup of room keys.
type Backup struct {
	User      events.UserID
	Version   int64 // counts from 1 for each user
	Algorithm string
	AuthData  []byte // JSON
	Etag      int64
	Sessions  int64 // how many it holds, as its owner counts
}

// BackupSession is a key in a backup.
type BackupSession struct {
	Room, Session string // as the client calls them
	JSON          []byte
}

// Backups reads key backups.
type Backups interface {
	// Backup returns a version that was not deleted. ErrNotFound.
	Backup(user events.UserID, version int64) (Backup, error)

	// LatestBackup returns the newest version that was not deleted.
	// ErrNotFound if there is none.
	LatestBackup(user events.UserID) (Backup, error)

	// BackupDeleted reports whether a version was deleted.
	BackupDeleted(user events.UserID, version int64) (bool, error)

	// BackupSession returns one session of a version. ErrNotFound.
	BackupSession(user events.UserID, version int64, room, session string) (BackupSession, error)

	// BackupSessions returns the sessions of a version, ordered by room and
	// session: of one room or, with room empty, all.
	BackupSessions(user events.UserID, version int64, room string) ([]BackupSession, error)
}

// BackupWriter changes key backups.
type BackupWriter interface {
	// CreateBackup adds a version without sessions and returns its number,
	// which is higher than any that the user ever had. Version, Etag and
	// Sessions of b are ignored.
	CreateBackup(b Backup) (version int64, err error)

	// UpdateBackup replaces AuthData, Etag and Sessions of a version that was
	// not deleted. ErrNotFound.
	UpdateBackup(b Backup) error

	// DeleteBackup removes a version with its sessions. ErrNotFound.
	DeleteBackup(user events.UserID, version int64) error

	// DeleteBackups removes all that a user has, and the memory of deleted
	// versions, for users who go.
	DeleteBackups(user events.UserID) error

	// PutBackupSession adds a session to a version, which has to exist, or
	// replaces it.
	PutBackupSession(user events.UserID, version int64, s BackupSession) error

	// DeleteBackupSessions removes the sessions of a version: one, those of a
	// room (session empty), or all (room empty as well). It returns how many
	// there were.
	DeleteBackupSessions(user events.UserID, version int64, room, session string) (int64, error)
}
