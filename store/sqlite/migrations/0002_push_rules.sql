-- What users have changed about their push rules, one JSON object for each of
-- them: rulesets are small, and always read as a whole.

CREATE TABLE hs_push_rules (
    user_id TEXT PRIMARY KEY,
    changes BLOB NOT NULL,
    pos     INTEGER NOT NULL -- of the latest change
) STRICT, WITHOUT ROWID;
