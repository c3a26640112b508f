package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// claimedKept is how many claimed keys of a device are remembered.
const claimedKept = 200

// KeyPools implements store.OneTimeKeys.
func (v *view) KeyPools(user events.UserID, device string) ([]store.KeyPool, error) {
	return all(v, func(r row) store.KeyPool {
		p := store.KeyPool{
			Algorithm:    r.text(0),
			OneTime:      r.int(1),
			FallbackUsed: r.bool(4),
			Claimed:      store.Pos(r.int(5)),
		}
		if id := r.text(2); id != "" {
			p.Fallback = store.OneTimeKey{Algorithm: p.Algorithm, ID: id, JSON: r.blob(3)}
		}
		return p
	}, `SELECT algorithm, one_time, fallback_id, fallback, fallback_used, claimed FROM hs_key_pools
		WHERE user_id = ? AND device_id = ? ORDER BY algorithm`, string(user), device)
}

// OneTimeKey implements store.OneTimeKeys.
func (v *view) OneTimeKey(user events.UserID, device, algorithm, id string) (key store.OneTimeKey, claimed bool, err error) {
	key, err = one(v, func(r row) store.OneTimeKey {
		claimed = r.bool(1)
		return store.OneTimeKey{Algorithm: algorithm, ID: id, JSON: r.blob(0)}
	}, `SELECT json, claimed FROM hs_one_time_keys WHERE user_id = ? AND device_id = ? AND algorithm = ? AND id = ?`,
		string(user), device, algorithm, id)
	return key, claimed, err
}

// AddOneTimeKeys implements store.OneTimeKeyWriter.
func (t *tx) AddOneTimeKeys(user events.UserID, device string, keys []store.OneTimeKey) error {
	added := make(map[string]int64)
	for _, k := range keys {
		_, err := t.exec(`DELETE FROM hs_one_time_keys WHERE user_id = ? AND device_id = ? AND algorithm = ? AND id = ? AND claimed > 0`,
			string(user), device, k.Algorithm, k.ID)
		if err != nil {
			return err
		}
		err = t.mustAdd(`INSERT INTO hs_one_time_keys (user_id, device_id, algorithm, id, claimed, json)
			VALUES (?, ?, ?, ?, 0, ?) ON CONFLICT (user_id, device_id, algorithm, id) DO NOTHING`,
			string(user), device, k.Algorithm, k.ID, bytes(k.JSON))
		if err != nil {
			return err
		}
		added[k.Algorithm]++
	}
	for algorithm, n := range added {
		_, err := t.exec(`INSERT INTO hs_key_pools (user_id, device_id, algorithm, one_time, fallback_id, fallback, fallback_used, claimed)
			VALUES (?, ?, ?, ?, '', x'', 0, 0) ON CONFLICT (user_id, device_id, algorithm) DO UPDATE SET
			one_time = one_time + excluded.one_time`,
			string(user), device, algorithm, n)
		if err != nil {
			return err
		}
	}
	_, err := t.exec(`DELETE FROM hs_one_time_keys WHERE user_id = ?1 AND device_id = ?2 AND claimed > 0 AND claimed <
		(SELECT claimed FROM hs_one_time_keys WHERE user_id = ?1 AND device_id = ?2 AND claimed > 0
			ORDER BY claimed DESC LIMIT 1 OFFSET ?3)`, string(user), device, int64(claimedKept-1))
	return err
}

// ClaimOneTimeKey implements store.OneTimeKeyWriter.
func (t *tx) ClaimOneTimeKey(user events.UserID, device, algorithm string, pos store.Pos) (store.OneTimeKey, error) {
	key, err := one(&t.view, func(r row) store.OneTimeKey {
		return store.OneTimeKey{Algorithm: algorithm, ID: r.text(0), JSON: r.blob(1)}
	}, `UPDATE hs_one_time_keys SET claimed = ? WHERE seq = (SELECT min(seq) FROM hs_one_time_keys
			WHERE user_id = ? AND device_id = ? AND algorithm = ? AND claimed = 0) RETURNING id, json`,
		int64(pos), string(user), device, algorithm)
	if err != nil {
		return key, err
	}
	t.c.wrote = true
	_, err = t.exec(`UPDATE hs_key_pools SET one_time = one_time - 1, claimed = ? WHERE user_id = ? AND device_id = ? AND algorithm = ?`,
		int64(pos), string(user), device, algorithm)
	return key, err
}

// PutFallbackKey implements store.OneTimeKeyWriter.
func (t *tx) PutFallbackKey(user events.UserID, device string, k store.OneTimeKey) error {
	_, err := t.exec(`INSERT INTO hs_key_pools (user_id, device_id, algorithm, one_time, fallback_id, fallback, fallback_used, claimed)
		VALUES (?, ?, ?, 0, ?, ?, 0, 0) ON CONFLICT (user_id, device_id, algorithm) DO UPDATE SET
		fallback_id = excluded.fallback_id, fallback = excluded.fallback, fallback_used = 0`,
		string(user), device, k.Algorithm, k.ID, bytes(k.JSON))
	return err
}

// UseFallbackKey implements store.OneTimeKeyWriter.
func (t *tx) UseFallbackKey(user events.UserID, device, algorithm string, pos store.Pos) error {
	return t.mustChange(`UPDATE hs_key_pools SET fallback_used = 1, claimed = ?
		WHERE user_id = ? AND device_id = ? AND algorithm = ? AND fallback_id <> ''`,
		int64(pos), string(user), device, algorithm)
}
