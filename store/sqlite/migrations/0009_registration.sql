-- Registration and the end of accounts.

ALTER TABLE hs_users ADD COLUMN erased INTEGER NOT NULL DEFAULT 0; -- the position at which it happened
CREATE INDEX hs_users_erased ON hs_users (erased) WHERE erased > 0;
CREATE INDEX hs_users_admin ON hs_users (id) WHERE admin > 0;

CREATE TABLE hs_registration_tokens (
    hash       BLOB PRIMARY KEY,
    name       TEXT NOT NULL, -- by which the host knows it
    created_ts INTEGER NOT NULL,
    expires_ts INTEGER NOT NULL, -- 0: never
    uses       INTEGER NOT NULL, -- how many are allowed; 0: any number
    used       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_registration_tokens_name ON hs_registration_tokens (name, hash);

CREATE TABLE hs_consents (
    user_id TEXT NOT NULL,
    policy  TEXT NOT NULL,
    version TEXT NOT NULL,
    ts      INTEGER NOT NULL,
    PRIMARY KEY (user_id, policy, version)
) STRICT, WITHOUT ROWID;
