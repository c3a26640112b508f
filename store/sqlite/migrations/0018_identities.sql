-- Who users are elsewhere.

CREATE TABLE hs_identities (
    provider   TEXT NOT NULL, -- ID of the identity provider
    subject    TEXT NOT NULL, -- the user there
    user_id    TEXT NOT NULL,
    created_ts INTEGER NOT NULL,
    PRIMARY KEY (provider, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_identities_user ON hs_identities (user_id, provider, subject);
