package sqlstore

import (
	"cmp"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// claimedKept is how many claimed keys of a device are remembered.
const claimedKept = 200

// KeyPools implements store.OneTimeKeys.
func (v *view) KeyPools(user events.UserID, device string) (pools []store.KeyPool, claimed store.Pos, err error) {
	err = v.query(`SELECT algorithm, count(*) FROM hs_one_time_keys
		WHERE user_id = ? AND device_id = ? AND claimed = 0 GROUP BY algorithm ORDER BY algorithm`,
		func(r row) { pools = append(pools, store.KeyPool{Algorithm: r.text(0), OneTime: r.int(1)}) }, string(user), device)
	if err != nil {
		return nil, 0, err
	}
	err = v.query(`SELECT algorithm, id, json, claimed FROM hs_fallback_keys WHERE user_id = ? AND device_id = ?`, func(r row) {
		algorithm, pos := r.text(0), store.Pos(r.int(3))
		i, found := slices.BinarySearchFunc(pools, algorithm, func(p store.KeyPool, a string) int { return cmp.Compare(p.Algorithm, a) })
		if !found {
			pools = slices.Insert(pools, i, store.KeyPool{Algorithm: algorithm})
		}
		pools[i].Fallback = store.OneTimeKey{Algorithm: algorithm, ID: r.text(1), JSON: r.blob(2)}
		pools[i].FallbackUsed = pos > 0
		claimed = max(claimed, pos)
	}, string(user), device)
	if err != nil {
		return nil, 0, err
	}
	err = v.query(`SELECT max(claimed) FROM hs_one_time_keys WHERE user_id = ? AND device_id = ? AND claimed > 0`,
		func(r row) { claimed = max(claimed, store.Pos(r.int(0))) }, string(user), device)
	return pools, claimed, err
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
	if err == nil {
		t.c.wrote = true
	}
	return key, err
}

// PutFallbackKey implements store.OneTimeKeyWriter.
func (t *tx) PutFallbackKey(user events.UserID, device string, k store.OneTimeKey) error {
	_, err := t.exec(`INSERT INTO hs_fallback_keys (user_id, device_id, algorithm, id, json, claimed) VALUES (?, ?, ?, ?, ?, 0)
		ON CONFLICT (user_id, device_id, algorithm) DO UPDATE SET id = excluded.id, json = excluded.json, claimed = 0`,
		string(user), device, k.Algorithm, k.ID, bytes(k.JSON))
	return err
}

// UseFallbackKey implements store.OneTimeKeyWriter.
func (t *tx) UseFallbackKey(user events.UserID, device, algorithm string, pos store.Pos) error {
	return t.mustChange(`UPDATE hs_fallback_keys SET claimed = ? WHERE user_id = ? AND device_id = ? AND algorithm = ?`,
		int64(pos), string(user), device, algorithm)
}
