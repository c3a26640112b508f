-- A session that is renewed counts the generations of its tokens from 0; the
-- tag of a device is part of all its tokens and no secret.

ALTER TABLE hs_tokens ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

CREATE TABLE hs_refresh_tokens (
    hash       BLOB PRIMARY KEY,
    user_id    TEXT NOT NULL,
    device_id  TEXT NOT NULL,
    generation INTEGER NOT NULL,
    created_ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_refresh_tokens_device ON hs_refresh_tokens (user_id, device_id, generation);

ALTER TABLE hs_devices ADD COLUMN tag TEXT NOT NULL DEFAULT '';
CREATE INDEX hs_devices_tag ON hs_devices (tag);
