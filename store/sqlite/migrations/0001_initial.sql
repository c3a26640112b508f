-- Positions are the numbers of the one stream of changes; room numbers stand
-- for room IDs where rows are many. There are no foreign keys on purpose: the
-- statements keep references true. No partial index compares a column that
-- statements compare with a parameter: SQLite would look at the parameter to
-- see whether it may use the index, and prepare the statement again whenever it
-- changes.

CREATE TABLE hs_stream (
    pos INTEGER NOT NULL -- the newest position
) STRICT;
INSERT INTO hs_stream (pos) VALUES (0);

CREATE TABLE hs_settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE hs_users (
    id            TEXT PRIMARY KEY,
    folded        TEXT NOT NULL, -- the ID in lower case
    password_hash TEXT NOT NULL,
    created_ts    INTEGER NOT NULL,
    guest         INTEGER NOT NULL,
    admin         INTEGER NOT NULL,
    deactivated   INTEGER NOT NULL,
    locked        INTEGER NOT NULL,
    suspended     INTEGER NOT NULL,
    app_service   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_users_folded ON hs_users (folded);

CREATE TABLE hs_profiles (
    user_id TEXT NOT NULL,
    name    TEXT NOT NULL,
    value   BLOB NOT NULL,
    PRIMARY KEY (user_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE hs_devices (
    user_id      TEXT NOT NULL,
    id           TEXT NOT NULL,
    display_name TEXT NOT NULL,
    created_ts   INTEGER NOT NULL,
    last_seen_ts INTEGER NOT NULL,
    last_seen_ip TEXT NOT NULL,
    user_agent   TEXT NOT NULL,
    PRIMARY KEY (user_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE hs_tokens (
    hash       BLOB PRIMARY KEY,
    user_id    TEXT NOT NULL,
    device_id  TEXT NOT NULL,
    created_ts INTEGER NOT NULL,
    expires_ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_tokens_device ON hs_tokens (user_id, device_id);

CREATE TABLE hs_filters (
    user_id    TEXT NOT NULL,
    id         INTEGER NOT NULL, -- counts from 1 for each user
    hash       BLOB NOT NULL,    -- SHA-256 of the definition
    definition BLOB NOT NULL,
    PRIMARY KEY (user_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX hs_filters_hash ON hs_filters (user_id, hash);

CREATE TABLE hs_account_data (
    user_id TEXT NOT NULL,
    room_id TEXT NOT NULL, -- empty: global
    type    TEXT NOT NULL,
    content BLOB NOT NULL,
    pos     INTEGER NOT NULL,
    PRIMARY KEY (user_id, room_id, type)
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_account_data_pos ON hs_account_data (user_id, pos);

CREATE TABLE hs_rooms (
    num     INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    id      TEXT NOT NULL UNIQUE,
    version TEXT NOT NULL,
    open    INTEGER NOT NULL -- whether anybody may join or read
) STRICT;
-- SQLite's plans may depend on whether a parameter is 0 or 1, and a statement
-- is prepared again whenever that changes. So no room has number 1.
INSERT INTO sqlite_sequence (name, seq) VALUES ('hs_rooms', 1);

CREATE TABLE hs_aliases (
    alias   TEXT PRIMARY KEY,
    room_id TEXT NOT NULL,
    creator TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_aliases_room ON hs_aliases (room_id, alias);

CREATE TABLE hs_members (
    user_id    TEXT NOT NULL,
    room       INTEGER NOT NULL,
    membership TEXT NOT NULL,
    pos        INTEGER NOT NULL, -- of the member event
    forgotten  INTEGER NOT NULL,
    PRIMARY KEY (user_id, room)
) STRICT, WITHOUT ROWID;

CREATE TABLE hs_events (
    pos         INTEGER PRIMARY KEY,
    room        INTEGER NOT NULL,
    id          TEXT NOT NULL,
    device      TEXT,    -- of the request that sent it
    txn         TEXT,    -- its transaction ID
    txn_key     INTEGER, -- 64 bits of a hash of sender, device, path and transaction ID
    type        TEXT,    -- state events only, as the next four
    state_key   TEXT,
    member      INTEGER, -- whether the type is m.room.member
    replaces    INTEGER, -- position of the state event whose place it took
    ends        INTEGER, -- position of the one that took its place; 2^63-1 while it is current
    redacted_by INTEGER, -- position of the redaction
    json        BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX hs_events_id ON hs_events (id);
CREATE INDEX hs_events_room ON hs_events (room); -- and pos, as every index has
CREATE INDEX hs_events_txn ON hs_events (txn_key) WHERE txn_key IS NOT NULL;
CREATE UNIQUE INDEX hs_events_key ON hs_events (room, type, state_key, ends) WHERE type IS NOT NULL;
CREATE INDEX hs_events_state ON hs_events (room) WHERE type IS NOT NULL;
CREATE INDEX hs_events_ends ON hs_events (room, member, ends) WHERE type IS NOT NULL;
