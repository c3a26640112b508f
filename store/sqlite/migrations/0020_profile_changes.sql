-- Fields of profiles that have changed and that not all rooms show yet.
CREATE TABLE hs_profile_changes (
    user_id TEXT NOT NULL,
    name    TEXT NOT NULL,
    pos     INTEGER NOT NULL, -- of the latest change
    PRIMARY KEY (user_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_profile_changes_pos ON hs_profile_changes (pos);
