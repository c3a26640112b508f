package keys

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// Claim takes one key of the algorithm asked for from each device, by user and
// device, and returns the body of /keys/claim (KEYS-50 to KEYS-57). Devices that
// have none, and those nobody here knows, are left out.
func (s *Service) Claim(ctx context.Context, wanted map[string]map[string]string) (json.RawMessage, error) {
	total := 0
	for _, devices := range wanted {
		total += len(devices)
	}
	if total > maxClaimed {
		return nil, mxerr.TooLarge("at most %d keys may be claimed at once", maxClaimed)
	}
	users, failures := s.local(maps.Keys(wanted))
	failed, err := failureText(failures)
	if err != nil {
		return nil, err
	}
	var out []byte
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		out = append(append(out[:0], `{"failures":`...), failed...)
		out = append(out, `,"one_time_keys":{`...)
		start := len(out)
		pos := tx.Next()
		for _, user := range users {
			keys, err := claim(tx, user, wanted[string(user)], pos)
			if err != nil {
				return err
			}
			if len(keys) == 0 {
				continue // KEYS-54
			}
			if len(out) > start {
				out = append(out, ',')
			}
			out = append(append(append(events.AppendString(out, string(user)), ":{"...), keys...), '}')
			tx.OnCommit(func() { s.Waker.UserChanged(user, pos) }) // KEYS-57
		}
		out = append(out, "}}"...)
		return nil
	})
	return out, err
}

// claim takes keys of one user's devices and returns them as the members of an
// object.
func claim(tx store.Tx, user events.UserID, wanted map[string]string, pos store.Pos) ([]byte, error) {
	var out []byte
	for _, device := range slices.Sorted(maps.Keys(wanted)) {
		key, err := tx.ClaimOneTimeKey(user, device, wanted[device], pos)
		if errors.Is(err, store.ErrNotFound) {
			key, err = fallback(tx, user, device, wanted[device], pos)
		}
		if errors.Is(err, store.ErrNotFound) {
			continue // KEYS-54
		}
		if err != nil {
			return nil, err
		}
		out = append(member(out, device), '{')
		out = append(events.AppendString(out, key.Algorithm+":"+key.ID), ':')
		out = append(append(out, key.JSON...), '}')
	}
	return out, nil
}

// fallback returns the fallback key of a pool and marks it as used (KEYS-53).
// ErrNotFound.
func fallback(tx store.Tx, user events.UserID, device, algorithm string, pos store.Pos) (store.OneTimeKey, error) {
	pools, _, err := tx.KeyPools(user, device)
	if err != nil {
		return store.OneTimeKey{}, err
	}
	for _, p := range pools {
		if p.Algorithm != algorithm || p.Fallback.ID == "" {
			continue
		}
		if !p.FallbackUsed {
			err = tx.UseFallbackKey(user, device, algorithm, pos)
		}
		return p.Fallback, err
	}
	return store.OneTimeKey{}, store.ErrNotFound
}
