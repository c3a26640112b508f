-- Every blob that the media store holds, or that is about to be put there.
CREATE TABLE hs_media_blobs (
    key        TEXT PRIMARY KEY,
    hash       BLOB,             -- SHA-256 of the content, while it may be shared
    created_ts INTEGER NOT NULL,
    refs       INTEGER NOT NULL  -- media and thumbnails
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX hs_media_blobs_hash ON hs_media_blobs (hash) WHERE hash IS NOT NULL;
CREATE INDEX hs_media_blobs_unused ON hs_media_blobs (created_ts) WHERE refs = 0;

CREATE TABLE hs_media (
    id          TEXT PRIMARY KEY,
    owner       TEXT NOT NULL, -- empty: the server
    type        TEXT NOT NULL,
    name        TEXT NOT NULL,
    blob        TEXT,          -- its key; NULL: not uploaded yet
    size        INTEGER NOT NULL,
    stored_ts   INTEGER NOT NULL,
    accessed_ts INTEGER NOT NULL,
    expires_ts  INTEGER NOT NULL,
    quarantined INTEGER NOT NULL,
    broken      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_media_owner ON hs_media (owner, stored_ts, id) WHERE blob IS NOT NULL;
CREATE INDEX hs_media_idle ON hs_media (accessed_ts) WHERE blob IS NOT NULL;
CREATE INDEX hs_media_pending ON hs_media (owner) WHERE blob IS NULL;
CREATE INDEX hs_media_expiry ON hs_media (expires_ts) WHERE blob IS NULL;

CREATE TABLE hs_media_usage (
    owner TEXT PRIMARY KEY,
    files INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE hs_media_thumbnails (
    media    TEXT NOT NULL,
    width    INTEGER NOT NULL,
    height   INTEGER NOT NULL,
    crop     INTEGER NOT NULL,
    animated INTEGER NOT NULL,
    type     TEXT NOT NULL,
    size     INTEGER NOT NULL,
    blob     TEXT NOT NULL,
    PRIMARY KEY (media, width, height, crop, animated)
) STRICT, WITHOUT ROWID;

CREATE TABLE hs_previews (
    url        TEXT NOT NULL,
    fetched_ts INTEGER NOT NULL,
    content    BLOB NOT NULL,
    image      TEXT NOT NULL,
    PRIMARY KEY (url, fetched_ts)
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_previews_age ON hs_previews (fetched_ts);
