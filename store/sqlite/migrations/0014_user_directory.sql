-- The words by which users are found: of their name and their ID, folded.
CREATE TABLE hs_user_words (
    word    TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (word, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_user_words_user ON hs_user_words (user_id, word);
