-- Who users are elsewhere.

CREATE TABLE hs_identities (
    provider   TEXT NOT NULL, -- ID of the identity provider
    subject    TEXT NOT NULL, -- the user there
    user_id    TEXT NOT NULL,
    created_ts INTEGER NOT NULL,
    PRIMARY KEY (provider, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_identities_user ON hs_identities (user_id, provider, subject);

CREATE TABLE hs_threepids (
    medium       TEXT NOT NULL,
    address      TEXT NOT NULL, -- canonical
    user_id      TEXT NOT NULL,
    validated_ts INTEGER NOT NULL,
    added_ts     INTEGER NOT NULL,
    PRIMARY KEY (medium, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_threepids_user ON hs_threepids (user_id, medium, address);

CREATE TABLE hs_bindings (
    user_id   TEXT NOT NULL,
    medium    TEXT NOT NULL,
    address   TEXT NOT NULL,
    id_server TEXT NOT NULL,
    PRIMARY KEY (user_id, medium, address, id_server)
) STRICT, WITHOUT ROWID;

-- One is one attempt to show that an address is somebody's.
CREATE TABLE hs_validations (
    id           TEXT PRIMARY KEY,
    purpose      TEXT NOT NULL,
    medium       TEXT NOT NULL,
    address      TEXT NOT NULL,
    secret       BLOB NOT NULL, -- SHA-256 of what the client chose
    token        BLOB NOT NULL, -- SHA-256 of what the message said
    attempt      INTEGER NOT NULL,
    next_link    TEXT NOT NULL,
    tries        INTEGER NOT NULL, -- tokens that were wrong
    validated_ts INTEGER NOT NULL,
    expires_ts   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX hs_validations_secret ON hs_validations (secret, medium, address, purpose);
CREATE INDEX hs_validations_token ON hs_validations (token);
CREATE INDEX hs_validations_expires ON hs_validations (expires_ts);
