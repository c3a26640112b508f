CREATE TABLE hs_receipts (
    room      INTEGER NOT NULL,
    user_id   TEXT NOT NULL,
    type      TEXT NOT NULL,
    thread    TEXT NOT NULL, -- empty: unthreaded
    event_id  TEXT NOT NULL,
    event_pos INTEGER NOT NULL,
    ts        INTEGER NOT NULL,
    pos       INTEGER NOT NULL,
    PRIMARY KEY (room, user_id, type, thread)
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_receipts_pos ON hs_receipts (room, pos);

CREATE TABLE hs_typing (
    room_id TEXT PRIMARY KEY -- somebody is typing there
) STRICT, WITHOUT ROWID;
