-- What devices encrypt with. Rows of a device go with the device.

CREATE TABLE hs_device_keys (
    user_id   TEXT NOT NULL,
    device_id TEXT NOT NULL,
    json      BLOB NOT NULL,
    PRIMARY KEY (user_id, device_id)
) STRICT, WITHOUT ROWID;

-- The one-time keys of a device and algorithm are numbered in the order of their
-- uploads, without gaps where they are not claimed. A claim writes nothing but
-- the pool: the keys before `first` are claimed. They stay for a while, so that
-- a repeated upload does not bring them back.
CREATE TABLE hs_key_pools (
    user_id   TEXT NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    first     INTEGER NOT NULL, -- number of the key that is claimed next
    next      INTEGER NOT NULL, -- number of the key that is added next
    claimed   INTEGER NOT NULL, -- position of the latest claim; 0: none yet
    PRIMARY KEY (user_id, device_id, algorithm)
) STRICT, WITHOUT ROWID;

CREATE TABLE hs_one_time_keys (
    user_id   TEXT NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    number    INTEGER NOT NULL,
    id        TEXT NOT NULL,
    json      BLOB NOT NULL,
    PRIMARY KEY (user_id, device_id, algorithm, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX hs_one_time_keys_id ON hs_one_time_keys (user_id, device_id, algorithm, id);

CREATE TABLE hs_fallback_keys (
    user_id   TEXT NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    id        TEXT NOT NULL,
    json      BLOB NOT NULL,
    claimed   INTEGER NOT NULL, -- position of the latest claim; 0: not used
    PRIMARY KEY (user_id, device_id, algorithm)
) STRICT, WITHOUT ROWID;

CREATE TABLE hs_cross_signing_keys (
    user_id TEXT NOT NULL,
    usage   TEXT NOT NULL,
    public  TEXT NOT NULL,
    json    BLOB NOT NULL,
    PRIMARY KEY (user_id, usage)
) STRICT, WITHOUT ROWID;

-- Signatures on other users' keys, which only the signer sees.
CREATE TABLE hs_user_signatures (
    signer_id  TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    key        TEXT NOT NULL, -- what is signed
    signer_key TEXT NOT NULL,
    signature  TEXT NOT NULL,
    PRIMARY KEY (signer_id, user_id, key, signer_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_user_signatures_user ON hs_user_signatures (user_id);

-- One row for each user and audience, however large the audience is.
CREATE TABLE hs_device_lists (
    audience TEXT NOT NULL, -- empty: whoever shares a room with the user; else one user
    user_id  TEXT NOT NULL,
    pos      INTEGER NOT NULL, -- of the latest change
    PRIMARY KEY (audience, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_device_lists_pos ON hs_device_lists (audience, pos);
