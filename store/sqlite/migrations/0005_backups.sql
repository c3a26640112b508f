-- Versions of a user's key backup. A deleted version stays as a row, without
-- its data, so that its number is not used again.

CREATE TABLE hs_backups (
    user_id   TEXT NOT NULL,
    version   INTEGER NOT NULL, -- counts from 1 for each user
    algorithm TEXT NOT NULL,
    auth_data BLOB NOT NULL,
    etag      INTEGER NOT NULL,
    sessions  INTEGER NOT NULL, -- rows of hs_backup_sessions
    deleted   INTEGER NOT NULL,
    PRIMARY KEY (user_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE hs_backup_sessions (
    user_id    TEXT NOT NULL,
    version    INTEGER NOT NULL,
    room_id    TEXT NOT NULL,
    session_id TEXT NOT NULL,
    json       BLOB NOT NULL,
    PRIMARY KEY (user_id, version, room_id, session_id)
) STRICT, WITHOUT ROWID;
