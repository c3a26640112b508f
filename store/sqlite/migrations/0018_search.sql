-- The rowid is the position of the event. The text itself is not kept here. The
-- room is a word of its own, so that an index look-up finds the matches in it.
CREATE VIRTUAL TABLE hs_search USING fts5 (
    body, name, topic, room,
    content = '', contentless_delete = 1, detail = 'column',
    tokenize = 'unicode61 remove_diacritics 2'
);
