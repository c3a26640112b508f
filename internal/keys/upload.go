package keys

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// Upload is what a device makes known; every part may be missing.
type Upload struct {
	DeviceKeys json.RawMessage            // its identity keys; null is none
	OneTime    map[string]json.RawMessage // by "algorithm:id"
	Fallback   map[string]json.RawMessage // likewise
}

// Upload stores keys of a device and returns how many one-time keys it has now
// (KEYS-1 to KEYS-19). Nothing is stored of what is refused in part.
func (s *Service) Upload(ctx context.Context, user events.UserID, device string, in Upload) (counts map[string]int64, err error) {
	if device == "" {
		return nil, errNoDevice()
	}
	u, err := newUpload(user, device, in)
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if err := s.store(tx, u); err != nil {
			return err
		}
		counts, _, _, err = s.Counts(tx, user, device)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerr.UnknownToken("the device has been deleted")
	}
	return counts, err
}

// errNoDevice is for application services that don't say which device they act
// as (KEYS-4).
func errNoDevice() error {
	return mxerr.New(http.StatusBadRequest, mxerr.MMissingParam, "this needs a device; device_id is required")
}

// upload is an Upload that was found to be in order.
type upload struct {
	user     events.UserID
	device   string
	identity object // nil: none
	oneTime  []store.OneTimeKey
	fallback []store.OneTimeKey
}

func newUpload(user events.UserID, device string, in Upload) (*upload, error) {
	u := &upload{user: user, device: device}
	if len(in.DeviceKeys) > 0 && string(in.DeviceKeys) != "null" {
		var err error
		if u.identity, err = newIdentity(user, device, in.DeviceKeys); err != nil {
			return nil, err
		}
	}
	for name, part := range map[string]struct {
		from map[string]json.RawMessage
		to   *[]store.OneTimeKey
	}{"one_time_keys": {in.OneTime, &u.oneTime}, "fallback_keys": {in.Fallback, &u.fallback}} {
		for _, id := range slices.Sorted(maps.Keys(part.from)) {
			k, err := newOneTimeKey(name, id, part.from[id])
			if err != nil {
				return nil, err
			}
			*part.to = append(*part.to, k)
		}
	}
	return u, nil
}

// newIdentity checks the keys of a device (KEYS-5, KEYS-6). What the keys are is
// for those to judge who use them (KEYS-7).
func newIdentity(user events.UserID, device string, raw json.RawMessage) (object, error) {
	o, err := newObject("device_keys", raw)
	if err != nil {
		return nil, err
	}
	for name, want := range map[string]string{"user_id": string(user), "device_id": device} {
		if v := o.get(name); v.Type != gjson.String || v.Str != want {
			return nil, mxerr.BadJSON("device_keys.%s must be that of the access token", name)
		}
	}
	for _, name := range []string{"keys", "signatures"} {
		if !o.get(name).IsObject() {
			return nil, mxerr.BadJSON("device_keys.%s must be an object", name)
		}
	}
	algorithms := o.get("algorithms")
	ok := algorithms.IsArray()
	algorithms.ForEach(func(_, v gjson.Result) bool { ok = ok && v.Type == gjson.String; return ok })
	if !ok {
		return nil, mxerr.BadJSON("device_keys.algorithms must be an array of strings")
	}
	return o.without("unsigned"), nil // KEYS-35
}

// newOneTimeKey checks a one-time or fallback key (KEYS-11, KEYS-12).
func newOneTimeKey(part, name string, raw json.RawMessage) (store.OneTimeKey, error) {
	algorithm, id, _ := strings.Cut(name, ":")
	if algorithm == "" || id == "" {
		return store.OneTimeKey{}, mxerr.BadJSON("%s.%s must be called algorithm:id", part, name)
	}
	key, err := events.CanonicalLoose(raw)
	if err == nil && key[0] != '{' && key[0] != '"' {
		err = mxerr.BadJSON("%s.%s must be a string or an object", part, name)
	}
	if err == nil {
		err = checkSize(part+"."+algorithm, key)
	}
	return store.OneTimeKey{Algorithm: algorithm, ID: id, JSON: key}, err
}

// store adds what is new. All refusals come before the first write.
func (s *Service) store(tx store.Tx, u *upload) error {
	pools, _, err := tx.KeyPools(u.user, u.device)
	if err != nil {
		return err
	}
	oneTime, err := u.newKeys(tx, pools)
	if err != nil {
		return err
	}
	if u.identity != nil {
		if err := s.storeIdentity(tx, u); err != nil {
			return err
		}
	}
	if len(oneTime) > 0 {
		if err := tx.AddOneTimeKeys(u.user, u.device, oneTime); err != nil {
			return err
		}
	}
	for _, k := range u.fallback {
		if hasFallback(pools, k) { // KEYS-17
			continue
		}
		if err := tx.PutFallbackKey(u.user, u.device, k); err != nil {
			return err
		}
	}
	if len(oneTime)+len(u.fallback) > 0 { // what the device's syncs tell of its keys has changed
		pos := tx.Next()
		tx.OnCommit(func() { s.Waker.UserChanged(u.user, pos) })
	}
	return nil
}

// newKeys returns the one-time keys that are not there yet (KEYS-13 to KEYS-15).
func (u *upload) newKeys(v store.View, pools []store.KeyPool) ([]store.OneTimeKey, error) {
	if _, err := v.Device(u.user, u.device); err != nil {
		return nil, err // keys would outlive their device
	}
	var fresh []store.OneTimeKey
	algorithms := make(map[string]bool)
	var total int64
	for _, p := range pools {
		algorithms[p.Algorithm] = true
		total += p.OneTime
	}
	for _, k := range u.oneTime {
		old, claimed, err := v.OneTimeKey(u.user, u.device, k.Algorithm, k.ID)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return nil, err
		case sameKey(old.JSON, k.JSON):
			continue // also if it was claimed: the upload is a repeated one
		case !claimed:
			return nil, mxerr.New(http.StatusBadRequest, mxerr.MUnknown, "One time key %s:%s already exists. Old key: %s; new key: %s",
				k.Algorithm, k.ID, old.JSON, k.JSON) // KEYS-14; clients know the text (CLIENTC-9)
		}
		fresh = append(fresh, k)
		algorithms[k.Algorithm] = true
	}
	for _, k := range u.fallback {
		algorithms[k.Algorithm] = true
	}
	if total+int64(len(fresh)) > maxPool {
		return nil, mxerr.TooLarge("a device may have at most %d one-time keys", maxPool)
	}
	if len(algorithms) > maxAlgorithms {
		return nil, mxerr.TooLarge("a device may have keys of at most %d algorithms", maxAlgorithms)
	}
	return fresh, nil
}

func hasFallback(pools []store.KeyPool, k store.OneTimeKey) bool {
	return slices.ContainsFunc(pools, func(p store.KeyPool) bool {
		return p.Algorithm == k.Algorithm && p.Fallback.ID == k.ID && sameKey(p.Fallback.JSON, k.JSON)
	})
}

// storeIdentity replaces the keys of a device. Signatures that were added to
// the old ones stay if they cover the new ones as well (KEYS-9, KEYS-10).
func (s *Service) storeIdentity(tx store.Tx, u *upload) error {
	key := u.identity
	old, err := tx.DeviceKey(u.user, u.device)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return err
	case sameKey(old.JSON, key):
		if key, err = object(old.JSON).withSignatures(key.signatures()); err != nil {
			return err
		}
		if string(key) == string(old.JSON) {
			return nil
		}
	}
	if err := tx.PutDeviceKey(store.DeviceKey{User: u.user, Device: u.device, JSON: key}); err != nil {
		return err
	}
	return s.Lists.Changed(tx, u.user) // DL-3
}
