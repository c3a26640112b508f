-- Who is in a room, those who have been there longest first.
CREATE INDEX hs_members_room ON hs_members (room, membership, pos);
