-- What events say about earlier ones of their room. An event has a row for each
-- event that it leads to through at most three relations, so that all that hangs
-- on an event is found, in order, without following them.

CREATE TABLE hs_relations (
    target   INTEGER NOT NULL, -- position of the event that is led to
    pos      INTEGER NOT NULL, -- of the event that leads there
    depth    INTEGER NOT NULL, -- through how many relations; 1: its own
    rel_type TEXT NOT NULL,    -- of all relations on the way; empty: they differ
    type     TEXT NOT NULL,    -- of all events on the way but the target; empty: they differ
    sender   TEXT NOT NULL,
    PRIMARY KEY (target, rel_type, pos)
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_relations_pos ON hs_relations (pos);
CREATE INDEX hs_relations_all ON hs_relations (target, pos);
CREATE INDEX hs_relations_direct ON hs_relations (target, depth, pos);

-- Where a room's newest relation is that is told of with its target.
CREATE TABLE hs_related_rooms (
    room INTEGER PRIMARY KEY,
    pos  INTEGER NOT NULL
) STRICT;

CREATE TABLE hs_annotations (
    target INTEGER NOT NULL,
    sender TEXT NOT NULL,
    type   TEXT NOT NULL,
    key    TEXT NOT NULL,
    pos    INTEGER NOT NULL,
    PRIMARY KEY (target, sender, type, key)
) STRICT, WITHOUT ROWID;

-- Valid edits.
CREATE TABLE hs_edits (
    target INTEGER NOT NULL,
    ts     INTEGER NOT NULL,
    id     TEXT NOT NULL,
    pos    INTEGER NOT NULL,
    PRIMARY KEY (target, ts, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE hs_threads (
    root   INTEGER PRIMARY KEY, -- position
    room   INTEGER NOT NULL,
    latest INTEGER NOT NULL     -- position of the newest event in it
) STRICT;
CREATE INDEX hs_threads_latest ON hs_threads (room, latest);

CREATE TABLE hs_thread_participants (
    root    INTEGER NOT NULL,
    user_id TEXT NOT NULL,
    started INTEGER NOT NULL, -- whether they have sent the root
    events  INTEGER NOT NULL, -- that they have sent in the thread
    latest  INTEGER NOT NULL, -- position of the newest of these; 0: none
    PRIMARY KEY (root, user_id)
) STRICT, WITHOUT ROWID;
