-- Tokens that are good for one purpose and a short time.

CREATE TABLE hs_tickets (
    hash       BLOB PRIMARY KEY,
    purpose    TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    expires_ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_tickets_user ON hs_tickets (user_id);
CREATE INDEX hs_tickets_expires ON hs_tickets (expires_ts);
