-- How users are notified. Rows of a device go with the device.

CREATE TABLE hs_pushers (
    user_id             TEXT NOT NULL,
    app_id              TEXT NOT NULL,
    pushkey             TEXT NOT NULL,
    device_id           TEXT NOT NULL, -- empty: none
    kind                TEXT NOT NULL,
    app_display_name    TEXT NOT NULL,
    device_display_name TEXT NOT NULL,
    profile_tag         TEXT NOT NULL,
    lang                TEXT NOT NULL,
    data                BLOB NOT NULL,
    enabled             INTEGER NOT NULL,
    pushkey_ts          INTEGER NOT NULL,
    behind              INTEGER NOT NULL DEFAULT 0, -- position that was pushed last; 0: as far as the others
    PRIMARY KEY (user_id, app_id, pushkey)
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_pushers_key ON hs_pushers (app_id, pushkey);
CREATE INDEX hs_pushers_behind ON hs_pushers (behind) WHERE behind > 0;
