package sqlstore

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// claimedKept is how many claimed keys of a pool are remembered.
const claimedKept = 200

// KeyPools implements store.OneTimeKeys.
func (v *view) KeyPools(user events.UserID, device string) (pools []store.KeyPool, claimed store.Pos, err error) {
	err = v.query(`SELECT algorithm, next - first, claimed FROM hs_key_pools WHERE user_id = ? AND device_id = ? ORDER BY algorithm`,
		func(r row) {
			claimed = max(claimed, store.Pos(r.int(2)))
			if n := r.int(1); n > 0 {
				pools = append(pools, store.KeyPool{Algorithm: r.text(0), OneTime: n})
			}
		}, string(user), device)
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
	return pools, claimed, err
}

// OneTimeKey implements store.OneTimeKeys.
func (v *view) OneTimeKey(user events.UserID, device, algorithm, id string) (key store.OneTimeKey, claimed bool, err error) {
	key, err = one(v, func(r row) store.OneTimeKey {
		claimed = r.bool(1)
		return store.OneTimeKey{Algorithm: algorithm, ID: id, JSON: r.blob(0)}
	}, `SELECT k.json, k.number < p.first FROM hs_one_time_keys k CROSS JOIN hs_key_pools p
		ON p.user_id = k.user_id AND p.device_id = k.device_id AND p.algorithm = k.algorithm
		WHERE k.user_id = ? AND k.device_id = ? AND k.algorithm = ? AND k.id = ?`, string(user), device, algorithm, id)
	return key, claimed, err
}

// AddOneTimeKeys implements store.OneTimeKeyWriter.
func (t *tx) AddOneTimeKeys(user events.UserID, device string, keys []store.OneTimeKey) error {
	byAlgorithm := make(map[string][]store.OneTimeKey)
	for _, k := range keys {
		byAlgorithm[k.Algorithm] = append(byAlgorithm[k.Algorithm], k)
	}
	for _, algorithm := range slices.Sorted(maps.Keys(byAlgorithm)) {
		if err := t.addOneTimeKeys(user, device, algorithm, byAlgorithm[algorithm]); err != nil {
			return err
		}
	}
	return nil
}

// addOneTimeKeys adds keys to one pool.
func (t *tx) addOneTimeKeys(user events.UserID, device, algorithm string, keys []store.OneTimeKey) error {
	first, next := int64(1), int64(1)
	err := t.query(`SELECT first, next FROM hs_key_pools WHERE user_id = ? AND device_id = ? AND algorithm = ?`,
		func(r row) { first, next = r.int(0), r.int(1) }, string(user), device, algorithm)
	if err != nil {
		return err
	}
	for _, k := range keys {
		_, err := t.exec(`DELETE FROM hs_one_time_keys WHERE user_id = ? AND device_id = ? AND algorithm = ? AND id = ? AND number < ?`,
			string(user), device, algorithm, k.ID, first)
		if err != nil {
			return err
		}
		err = t.mustAdd(`INSERT INTO hs_one_time_keys (user_id, device_id, algorithm, number, id, json)
			VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (user_id, device_id, algorithm, id) DO NOTHING`,
			string(user), device, algorithm, next, k.ID, bytes(k.JSON))
		if err != nil {
			return err
		}
		next++
	}
	_, err = t.exec(`INSERT INTO hs_key_pools (user_id, device_id, algorithm, first, next, claimed) VALUES (?, ?, ?, ?, ?, 0)
		ON CONFLICT (user_id, device_id, algorithm) DO UPDATE SET next = excluded.next`, string(user), device, algorithm, first, next)
	if err != nil {
		return err
	}
	_, err = t.exec(`DELETE FROM hs_one_time_keys WHERE user_id = ? AND device_id = ? AND algorithm = ? AND number < ?`,
		string(user), device, algorithm, first-claimedKept)
	return err
}

// ClaimOneTimeKey implements store.OneTimeKeyWriter.
func (t *tx) ClaimOneTimeKey(user events.UserID, device, algorithm string, pos store.Pos) (store.OneTimeKey, error) {
	number, err := one(&t.view, func(r row) int64 { return r.int(0) }, `UPDATE hs_key_pools SET first = first + 1, claimed = ?
		WHERE user_id = ? AND device_id = ? AND algorithm = ? AND first < next RETURNING first - 1`,
		int64(pos), string(user), device, algorithm)
	if err != nil {
		return store.OneTimeKey{}, err
	}
	t.c.wrote = true
	key, err := one(&t.view, func(r row) store.OneTimeKey {
		return store.OneTimeKey{Algorithm: algorithm, ID: r.text(0), JSON: r.blob(1)}
	}, `SELECT id, json FROM hs_one_time_keys WHERE user_id = ? AND device_id = ? AND algorithm = ? AND number = ?`,
		string(user), device, algorithm, number)
	if errors.Is(err, store.ErrNotFound) { // the numbers have no gaps
		err = fmt.Errorf("claim one-time key %d of %s %s: it is not there", number, user, device)
		t.c.fault = err
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
