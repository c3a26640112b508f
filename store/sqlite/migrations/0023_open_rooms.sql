-- The rooms that anybody may join or read, for finding who is in them.
CREATE INDEX hs_rooms_open ON hs_rooms (num) WHERE open = 1;
