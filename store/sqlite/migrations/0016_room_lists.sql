-- What lists of rooms are filtered by, kept by the rows of the events that say it.

ALTER TABLE hs_rooms ADD COLUMN type TEXT NOT NULL DEFAULT '';          -- of the create event
ALTER TABLE hs_rooms ADD COLUMN encrypted INTEGER NOT NULL DEFAULT 0;   -- whether there is an m.room.encryption event
ALTER TABLE hs_members ADD COLUMN been INTEGER NOT NULL DEFAULT 0;      -- whether the user was ever joined
ALTER TABLE hs_members ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;   -- whether somebody else ended the membership

UPDATE hs_rooms SET
    type = coalesce((SELECT json_extract(CAST(e.json AS TEXT), '$.content.type') FROM hs_events e
        WHERE e.room = hs_rooms.num AND e.type = 'm.room.create' AND e.state_key = ''
            AND json_type(CAST(e.json AS TEXT), '$.content.type') = 'text'), ''),
    encrypted = EXISTS (SELECT 1 FROM hs_events e
        WHERE e.room = hs_rooms.num AND e.type = 'm.room.encryption' AND e.state_key = '');
UPDATE hs_members SET
    been = EXISTS (SELECT 1 FROM hs_events e
        WHERE e.room = hs_members.room AND e.type = 'm.room.member' AND e.state_key = hs_members.user_id
            AND json_extract(CAST(e.json AS TEXT), '$.content.membership') = 'join'),
    removed = membership IN ('leave', 'ban') AND EXISTS (SELECT 1 FROM hs_events e
        WHERE e.pos = hs_members.pos AND json_extract(CAST(e.json AS TEXT), '$.sender') <> hs_members.user_id);
