-- What the room directory shows of each room, once for each list that the room
-- is in: '' is the server's own, others are of application services.
CREATE TABLE hs_directory (
    room   INTEGER NOT NULL,
    list   TEXT NOT NULL,
    joined INTEGER NOT NULL,
    type   TEXT NOT NULL,
    search TEXT NOT NULL, -- folded
    entry  BLOB NOT NULL,
    PRIMARY KEY (room, list)
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_directory_list ON hs_directory (list, joined, room);
CREATE INDEX hs_directory_joined ON hs_directory (joined, room);

-- How many rooms a list has.
CREATE TABLE hs_directory_lists (
    list  TEXT PRIMARY KEY,
    rooms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
