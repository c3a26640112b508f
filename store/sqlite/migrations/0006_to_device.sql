-- Messages that wait for a device, and the requests that sent messages. Rows of
-- a device go with the device.

CREATE TABLE hs_to_device (
    user_id   TEXT NOT NULL,
    device_id TEXT NOT NULL,
    pos       INTEGER NOT NULL,
    json      BLOB NOT NULL,
    PRIMARY KEY (user_id, device_id, pos)
) STRICT, WITHOUT ROWID;

CREATE TABLE hs_to_device_txns (
    user_id   TEXT NOT NULL, -- the sender
    device_id TEXT NOT NULL, -- empty: an application service without a device
    txn_key   INTEGER NOT NULL, -- as in hs_events
    sent_ts   INTEGER NOT NULL,
    PRIMARY KEY (user_id, device_id, txn_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX hs_to_device_txns_sent ON hs_to_device_txns (user_id, device_id, sent_ts);
