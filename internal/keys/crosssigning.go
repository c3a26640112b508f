package keys

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// The usages of cross-signing keys.
const (
	master      = "master"
	selfSigning = "self_signing"
	userSigning = "user_signing"
)

// CrossSigning is a user's new cross-signing keys; any of them may be missing.
type CrossSigning struct {
	Master, SelfSigning, UserSigning json.RawMessage // null is none
	Auth                             json.RawMessage // of interactive authentication
}

// errProof says that the change is one that the user has to confirm.
var errProof = errors.New("interactive authentication is needed")

// UploadCrossSigning stores cross-signing keys of a user. Whoever has none gets
// the first ones at once; replacing them takes proof (XS-1 to XS-16), but for
// trusted callers: the host and application services (XS-5).
func (s *Service) UploadCrossSigning(ctx context.Context, user events.UserID, in CrossSigning, trusted bool) error {
	u, err := newCrossSigning(user, in)
	if err != nil {
		return err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error { return u.store(tx, s, trusted) })
	if !errors.Is(err, errProof) {
		return err
	}
	op, err := s.Accounts.Operation(ctx, uia.OpCrossSigning, u.digest(), user)
	if err != nil {
		return err // XS-7
	}
	_, err = uia.Do(ctx, s.Accounts.Interactive(), op, in.Auth, func(ctx context.Context, _ uia.Proof) (struct{}, error) {
		return struct{}{}, s.Store.Update(ctx, func(tx store.Tx) error { return u.store(tx, s, true) })
	})
	return err
}

// crossSigning is a CrossSigning whose keys have the right form.
type crossSigning struct {
	user events.UserID
	keys []store.CrossSigningKey // the master key first
}

func newCrossSigning(user events.UserID, in CrossSigning) (*crossSigning, error) {
	u := &crossSigning{user: user}
	for _, part := range []struct {
		usage string
		raw   json.RawMessage
	}{{master, in.Master}, {selfSigning, in.SelfSigning}, {userSigning, in.UserSigning}} {
		if len(part.raw) == 0 || string(part.raw) == "null" {
			continue
		}
		k, err := newCrossSigningKey(user, part.usage, part.raw)
		if err != nil {
			return nil, err
		}
		u.keys = append(u.keys, k)
	}
	return u, nil
}

// digest tells one upload from another: proof for some keys is none for others.
func (u *crossSigning) digest() string {
	h := sha256.New()
	for _, k := range u.keys {
		_, _ = h.Write(k.JSON) // never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}

// newCrossSigningKey checks the form of a key (XS-8).
func newCrossSigningKey(user events.UserID, usage string, raw json.RawMessage) (k store.CrossSigningKey, err error) {
	name := usage + "_key"
	o, err := newObject(name, raw)
	if err != nil {
		return k, err
	}
	if v := o.get("user_id"); v.Str != string(user) {
		return k, mxerr.InvalidParam(name+".user_id", "must be the caller")
	}
	usages := o.get("usage")
	found := false
	for _, v := range usages.Array() {
		found = found || v.Str == usage
	}
	if !usages.IsArray() || !found {
		return k, mxerr.InvalidParam(name+".usage", "must contain %s", usage)
	}
	keys := o.get("keys").Map()
	for id, v := range keys {
		k = store.CrossSigningKey{User: user, Usage: usage, Public: v.Str, JSON: o.without("unsigned")}
		if v.Str == "" || id != "ed25519:"+v.Str {
			k.Public = ""
		}
	}
	if len(keys) != 1 || k.Public == "" || !o.get("keys").IsObject() {
		return k, mxerr.InvalidParam(name+".keys", "must hold one key, called ed25519: and the key itself")
	}
	return k, nil
}

// store checks the keys against those that are there and stores what is new. It
// returns errProof, before any write, for changes that need it and have not.
func (u *crossSigning) store(tx store.Tx, s *Service, proved bool) error {
	all, err := tx.CrossSigningKeys([]events.UserID{u.user})
	if err != nil {
		return err
	}
	stored := make(map[string]store.CrossSigningKey)
	for _, k := range all {
		stored[k.Usage] = k
	}
	known := func(k store.CrossSigningKey) bool {
		old, ok := stored[k.Usage]
		return ok && sameKey(old.JSON, k.JSON)
	}
	fresh := u.keys
	newMaster := len(fresh) > 0 && fresh[0].Usage == master && !known(fresh[0])
	if !newMaster { // else the other keys come with its signatures
		fresh = slices.DeleteFunc(slices.Clone(fresh), known)
	}
	if len(fresh) == 0 {
		return nil // XS-3
	}
	top, hadMaster := stored[master]
	if newMaster {
		top = fresh[0]
	}
	if err := u.check(tx, fresh, top); err != nil {
		return err
	}
	if hadMaster && !proved {
		return errProof // XS-4
	}
	if newMaster {
		if err := dropUnsigned(tx, stored, fresh, top); err != nil {
			return err
		}
	}
	public := false
	for _, k := range fresh {
		if err := tx.PutCrossSigningKey(k); err != nil {
			return err
		}
		public = public || k.Usage != userSigning
	}
	if public {
		return s.Lists.Changed(tx, u.user) // DL-5
	}
	return s.Lists.ChangedFor(tx, u.user, u.user) // DL-7
}

// check refuses keys that are not signed by the master key (XS-9, XS-10) and
// those called like a device (XS-11).
func (u *crossSigning) check(v store.View, fresh []store.CrossSigningKey, top store.CrossSigningKey) error {
	devices, err := v.Devices(u.user)
	if err != nil {
		return err
	}
	for _, k := range fresh {
		if slices.ContainsFunc(devices, func(d store.Device) bool { return d.ID == k.Public }) {
			return mxerr.Forbidden("a device of this user is called like the key")
		}
		if k.Usage == master {
			continue
		}
		if top.Public == "" {
			return mxerr.MissingParam("master_key")
		}
		if !verify(k.JSON, u.user, top.Public) {
			return mxerr.InvalidSignature("%s_key is not signed by the master key", k.Usage)
		}
	}
	return nil
}

// dropUnsigned removes the other keys of a user that a new master key has not
// signed (XS-15).
func dropUnsigned(tx store.Tx, stored map[string]store.CrossSigningKey, fresh []store.CrossSigningKey, top store.CrossSigningKey) error {
	for _, usage := range []string{selfSigning, userSigning} {
		old, ok := stored[usage]
		replaced := slices.ContainsFunc(fresh, func(k store.CrossSigningKey) bool { return k.Usage == usage })
		if !ok || replaced || verify(old.JSON, top.User, top.Public) {
			continue
		}
		if err := tx.DeleteCrossSigningKey(top.User, usage); err != nil {
			return err
		}
	}
	return nil
}

// verify reports whether a key bears the signature of a user's ed25519 key that
// is called after itself (XS-12).
func verify(key object, user events.UserID, public string) bool {
	return verifyWith(key, user, "ed25519:"+public, public)
}

// verifyWith is verify for a key with any name.
func verifyWith(key object, user events.UserID, id, public string) bool {
	b, err := events.DecodeBase64(public)
	return err == nil && events.VerifyJSON(key, string(user), id, b) == nil
}
