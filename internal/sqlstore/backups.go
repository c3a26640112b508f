package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

const selectBackup = `SELECT version, algorithm, auth_data, etag, sessions FROM hs_backups `

func scanBackup(user events.UserID) func(r row) store.Backup {
	return func(r row) store.Backup {
		return store.Backup{
			User: user, Version: r.int(0), Algorithm: r.text(1), AuthData: r.blob(2), Etag: r.int(3), Sessions: r.int(4),
		}
	}
}

// Backup implements store.Backups.
func (v *view) Backup(user events.UserID, version int64) (store.Backup, error) {
	return one(v, scanBackup(user), selectBackup+`WHERE user_id = ? AND version = ? AND deleted = 0`, string(user), version)
}

// LatestBackup implements store.Backups.
func (v *view) LatestBackup(user events.UserID) (store.Backup, error) {
	return one(v, scanBackup(user), selectBackup+`WHERE user_id = ? AND deleted = 0 ORDER BY version DESC LIMIT 1`, string(user))
}

// BackupDeleted implements store.Backups.
func (v *view) BackupDeleted(user events.UserID, version int64) (deleted bool, err error) {
	err = v.query(`SELECT deleted FROM hs_backups WHERE user_id = ? AND version = ?`,
		func(r row) { deleted = r.bool(0) }, string(user), version)
	return deleted, err
}

const selectBackupSession = `SELECT room_id, session_id, json FROM hs_backup_sessions WHERE user_id = ? AND version = ? `

func scanBackupSession(r row) store.BackupSession {
	return store.BackupSession{Room: r.text(0), Session: r.text(1), JSON: r.blob(2)}
}

// BackupSession implements store.Backups.
func (v *view) BackupSession(user events.UserID, version int64, room, session string) (store.BackupSession, error) {
	return one(v, scanBackupSession, selectBackupSession+`AND room_id = ? AND session_id = ?`, string(user), version, room, session)
}

// BackupSessions implements store.Backups.
func (v *view) BackupSessions(user events.UserID, version int64, room string) ([]store.BackupSession, error) {
	if room == "" {
		return all(v, scanBackupSession, selectBackupSession+`ORDER BY room_id, session_id`, string(user), version)
	}
	return all(v, scanBackupSession, selectBackupSession+`AND room_id = ? ORDER BY session_id`, string(user), version, room)
}

// CreateBackup implements store.BackupWriter.
func (t *tx) CreateBackup(b store.Backup) (int64, error) {
	return t.insert(`INSERT INTO hs_backups (user_id, version, algorithm, auth_data, etag, sessions, deleted)
		SELECT ?1, coalesce(max(version), 0) + 1, ?2, ?3, 0, 0, 0 FROM hs_backups WHERE user_id = ?1
		ON CONFLICT (user_id, version) DO NOTHING RETURNING version`, string(b.User), b.Algorithm, bytes(b.AuthData))
}

// UpdateBackup implements store.BackupWriter.
func (t *tx) UpdateBackup(b store.Backup) error {
	return t.mustChange(`UPDATE hs_backups SET auth_data = ?, etag = ?, sessions = ? WHERE user_id = ? AND version = ? AND deleted = 0`,
		bytes(b.AuthData), b.Etag, b.Sessions, string(b.User), b.Version)
}

// DeleteBackup implements store.BackupWriter.
func (t *tx) DeleteBackup(user events.UserID, version int64) error {
	err := t.mustChange(`UPDATE hs_backups SET deleted = 1, auth_data = x'', sessions = 0 WHERE user_id = ? AND version = ? AND deleted = 0`,
		string(user), version)
	if err != nil {
		return err
	}
	_, err = t.DeleteBackupSessions(user, version, "", "")
	return err
}

// DeleteBackups implements store.BackupWriter.
func (t *tx) DeleteBackups(user events.UserID) error {
	return t.deleteAll(string(user), `DELETE FROM hs_backup_sessions WHERE user_id = ?`, `DELETE FROM hs_backups WHERE user_id = ?`)
}

// PutBackupSession implements store.BackupWriter.
func (t *tx) PutBackupSession(user events.UserID, version int64, s store.BackupSession) error {
	_, err := t.exec(`INSERT INTO hs_backup_sessions (user_id, version, room_id, session_id, json) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (user_id, version, room_id, session_id) DO UPDATE SET json = excluded.json`,
		string(user), version, s.Room, s.Session, bytes(s.JSON))
	return err
}

// DeleteBackupSessions implements store.BackupWriter.
func (t *tx) DeleteBackupSessions(user events.UserID, version int64, room, session string) (int64, error) {
	const query = `DELETE FROM hs_backup_sessions WHERE user_id = ? AND version = ?`
	switch {
	case room == "":
		return t.exec(query, string(user), version)
	case session == "":
		return t.exec(query+` AND room_id = ?`, string(user), version, room)
	}
	return t.exec(query+` AND room_id = ? AND session_id = ?`, string(user), version, room, session)
}
