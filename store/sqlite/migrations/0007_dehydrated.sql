CREATE TABLE hs_dehydrated_devices (
    user_id   TEXT PRIMARY KEY,
    device_id TEXT NOT NULL,
    data      BLOB NOT NULL
) STRICT, WITHOUT ROWID;
