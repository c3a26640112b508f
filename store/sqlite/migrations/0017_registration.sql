-- Registration and the end of accounts.

ALTER TABLE hs_users ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;
