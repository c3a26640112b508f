-- Rooms that somebody has forgotten, until it is found out whether all have.
CREATE TABLE hs_forgotten_rooms (
    room INTEGER PRIMARY KEY
) STRICT;
INSERT INTO hs_forgotten_rooms (room) SELECT DISTINCT room FROM hs_members WHERE forgotten = 1;

-- Rooms that were deleted, while there is something left of them.
CREATE TABLE hs_deleted_rooms (
    room INTEGER PRIMARY KEY,
    id   TEXT NOT NULL
) STRICT;
