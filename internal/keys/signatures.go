package keys

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// UploadSignatures adds signatures that a user has made: on the user's own
// devices, own master key and on others' master keys (XS-20 to XS-27). signed
// has the signed keys by owner and name: the ID of a device, the public key of
// another. What cannot be added is in the answer, the rest is stored.
func (s *Service) UploadSignatures(ctx context.Context, user events.UserID, signed json.RawMessage) (answer json.RawMessage, err error) {
	items, err := newSignedKeys(signed)
	if err != nil {
		return nil, err
	}
	// The signatures are checked here, while nobody waits for it, and once more
	// inside the transaction, against what is stored by then; that costs little,
	// since only what has changed meanwhile is computed again.
	c := &checker{user: user, verified: make(map[string]bool)}
	if err := s.Store.View(ctx, func(v store.View) error { return c.check(v, items) }); err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if err := c.check(tx, items); err != nil {
			return err
		}
		return s.storeSignatures(tx, c)
	})
	if err != nil {
		return nil, err
	}
	failures := make(map[events.UserID]json.RawMessage)
	for owner, byKey := range c.failures {
		if failures[owner], err = failureText(byKey); err != nil {
			return nil, err
		}
	}
	return json.Marshal(map[string]any{"failures": failures})
}

// signedKey is a key with signatures as somebody has uploaded it.
type signedKey struct {
	owner events.UserID
	name  string
	key   object
}

func newSignedKeys(raw json.RawMessage) (items []signedKey, err error) {
	gjson.ParseBytes(raw).ForEach(func(owner, byKey gjson.Result) bool {
		if !byKey.IsObject() {
			err = mxerr.BadJSON("%s must be an object", owner.String())
			return false
		}
		byKey.ForEach(func(name, key gjson.Result) bool {
			var o object
			o, err = newObject(name.String(), json.RawMessage(key.Raw))
			items = append(items, signedKey{events.UserID(owner.String()), name.String(), o})
			return err == nil
		})
		return err == nil
	})
	if err == nil && len(items) > maxSigned {
		err = mxerr.TooLarge("at most %d keys may be signed at once", maxSigned)
	}
	return items, err
}

// checker decides about the signatures of one user.
type checker struct {
	user     events.UserID
	verified map[string]bool // by everything that the outcome depends on

	own       map[string]store.CrossSigningKey // the user's, by usage
	masters   map[events.UserID]store.CrossSigningKey
	failures  map[events.UserID]map[string]*mxerr.Error
	onDevices []store.DeviceKey // with their new signatures, as the next
	onMaster  []store.CrossSigningKey
	onOthers  []store.UserSignature
}

func (c *checker) check(v store.View, items []signedKey) error {
	c.failures = make(map[events.UserID]map[string]*mxerr.Error)
	c.onDevices, c.onMaster, c.onOthers = nil, nil, nil
	if err := c.load(v, items); err != nil {
		return err
	}
	for _, item := range items {
		failure, err := c.item(v, item)
		if err != nil {
			return err
		}
		if failure == nil {
			continue
		}
		if c.failures[item.owner] == nil {
			c.failures[item.owner] = make(map[string]*mxerr.Error)
		}
		c.failures[item.owner][item.name] = failure
	}
	return nil
}

// load reads the cross-signing keys of everybody concerned.
func (c *checker) load(v store.View, items []signedKey) error {
	users := map[events.UserID]bool{c.user: true}
	for _, item := range items {
		users[item.owner] = true
	}
	keys, err := v.CrossSigningKeys(slices.Collect(maps.Keys(users)))
	c.own, c.masters = make(map[string]store.CrossSigningKey), make(map[events.UserID]store.CrossSigningKey)
	for _, k := range keys {
		if k.User == c.user {
			c.own[k.Usage] = k
		}
		if k.Usage == master {
			c.masters[k.User] = k
		}
	}
	return err
}

// item decides about one key: who may sign it, and whether they have (XS-26).
func (c *checker) item(v store.View, in signedKey) (*mxerr.Error, error) {
	top, hasMaster := c.masters[in.owner]
	switch {
	case hasMaster && in.name == top.Public && in.owner != c.user:
		return c.others(in, top), nil
	case hasMaster && in.name == top.Public:
		return c.ownMaster(v, in, top)
	case in.owner == c.user:
		for _, k := range c.own {
			if k.Public == in.name {
				return mxerr.InvalidSignature("only devices and master keys are signed like this"), nil
			}
		}
		return c.ownDevice(v, in)
	}
	return notSigned(), nil
}

func notSigned() *mxerr.Error {
	return mxerr.NotFound("there is no such key, or none that this user signs")
}

// others is about another user's master key, to be signed with the user's
// user-signing key.
func (c *checker) others(in signedKey, top store.CrossSigningKey) *mxerr.Error {
	signer := c.own[userSigning]
	added, failure := c.added(in.key, top.JSON, map[string]string{"ed25519:" + signer.Public: signer.Public})
	for id, signature := range added {
		c.onOthers = append(c.onOthers, store.UserSignature{
			Signer: c.user, User: in.owner, Key: top.Public, SignerKey: id, Signature: gjson.ParseBytes(signature).Str,
		})
	}
	return failure
}

// ownMaster is about the user's own master key, to be signed with the keys of
// the user's devices.
func (c *checker) ownMaster(v store.View, in signedKey, top store.CrossSigningKey) (*mxerr.Error, error) {
	signers := make(map[string]string)
	devices, err := v.DeviceKeys([]events.UserID{c.user})
	if err != nil {
		return nil, err
	}
	for _, d := range devices {
		id := "ed25519:" + d.Device
		if public, ok := object(d.JSON).publicKey(id); ok {
			signers[id] = public
		}
	}
	added, failure := c.added(in.key, top.JSON, signers)
	if len(added) == 0 {
		return failure, nil
	}
	top.JSON, err = object(top.JSON).withSignatures(signatures{string(c.user): added})
	c.onMaster = append(c.onMaster, top)
	return failure, err
}

// ownDevice is about a device of the user, to be signed with the user's
// self-signing key.
func (c *checker) ownDevice(v store.View, in signedKey) (*mxerr.Error, error) {
	device, err := v.DeviceKey(c.user, in.name)
	if errors.Is(err, store.ErrNotFound) {
		return notSigned(), nil
	}
	if err != nil {
		return nil, err
	}
	signer := c.own[selfSigning]
	added, failure := c.added(in.key, device.JSON, map[string]string{"ed25519:" + signer.Public: signer.Public})
	if len(added) == 0 {
		return failure, nil
	}
	device.JSON, err = object(device.JSON).withSignatures(signatures{string(c.user): added})
	c.onDevices = append(c.onDevices, device)
	return failure, err
}

// added returns the signatures of the user on a key that are good and not there
// yet, and what is wrong with the rest. signers are the keys that may sign, by
// ID.
func (c *checker) added(given, stored object, signers map[string]string) (map[string]json.RawMessage, *mxerr.Error) {
	if !sameKey(given, stored) {
		return nil, mxerr.InvalidSignature("the key that was signed is not the one that is known") // XS-25
	}
	there := stored.signatures()[string(c.user)]
	all := given.signatures()[string(c.user)]
	if len(all) == 0 {
		return nil, mxerr.InvalidSignature("the key bears no signature of this user")
	}
	good := make(map[string]json.RawMessage)
	var failure *mxerr.Error
	for id, signature := range all {
		if string(there[id]) == string(signature) {
			continue // XS-27
		}
		public := signers[id]
		if public == "" || !c.verify(given, id, public, signature) {
			failure = mxerr.InvalidSignature("the signature of %s is not valid here", id)
			continue
		}
		good[id] = signature
	}
	return good, failure
}

// verify checks a signature, or knows the outcome.
func (c *checker) verify(key object, id, public string, signature json.RawMessage) bool {
	about := strings.Join([]string{id, public, string(signature), string(key.content())}, "\x00")
	ok, known := c.verified[about]
	if !known {
		ok = verifyWith(key, c.user, id, public)
		c.verified[about] = ok
	}
	return ok
}

// storeSignatures stores what was found good and tells whom it concerns.
func (s *Service) storeSignatures(tx store.Tx, c *checker) error {
	for _, k := range c.onDevices {
		if err := tx.PutDeviceKey(k); err != nil {
			return err
		}
	}
	for _, k := range c.onMaster {
		if err := tx.PutCrossSigningKey(k); err != nil {
			return err
		}
	}
	if len(c.onDevices)+len(c.onMaster) > 0 {
		if err := s.Lists.Changed(tx, c.user); err != nil { // DL-6
			return err
		}
	}
	for _, sig := range c.onOthers {
		if err := tx.PutUserSignature(sig); err != nil {
			return err
		}
		if err := s.Lists.ChangedFor(tx, sig.User, c.user); err != nil { // DL-8
			return err
		}
	}
	return nil
}
