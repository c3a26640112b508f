-- Events by the clock: almost in the order of their positions, but application
-- services may choose the time.

ALTER TABLE hs_events ADD COLUMN ts INTEGER NOT NULL DEFAULT 0; -- origin_server_ts
UPDATE hs_events SET ts = coalesce(json_extract(CAST(json AS TEXT), '$.origin_server_ts'), 0);
CREATE INDEX hs_events_ts ON hs_events (room, ts); -- and pos
