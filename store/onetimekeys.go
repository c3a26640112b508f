package store

import "github.com/ca4c8834/homeserver/events"

// OneTimeKey is a key that somebody who wants to write to a device takes.
type OneTimeKey struct {
	Algorithm string
	ID        string // unique for the algorithm and device
	JSON      []byte
}

// KeyPool is what a device has of one algorithm: keys to be used once, and one
// to fall back on when there are none.
type KeyPool struct {
	Algorithm    string
	OneTime      int64      // keys that are not claimed
	Fallback     OneTimeKey // without an ID: there is none
	FallbackUsed bool       // since it was put
}

// OneTimeKeys reads the pools of devices.
type OneTimeKeys interface {
	// KeyPools returns the pools of a device that hold a key, ordered by
	// algorithm, and the position of the latest claim from any of them, 0 if
	// there was none.
	KeyPools(user events.UserID, device string) (pools []KeyPool, claimed Pos, err error)

	// OneTimeKey returns a key of a device by its name. One that was claimed
	// is found as well, for as long as the store remembers it: at least while
	// fewer than 200 keys of the pool were claimed after it. ErrNotFound.
	OneTimeKey(user events.UserID, device, algorithm, id string) (key OneTimeKey, claimed bool, err error)
}

// OneTimeKeyWriter changes the pools of devices. They go with their device.
type OneTimeKeyWriter interface {
	// AddOneTimeKeys adds keys, behind those that are there. One with the name
	// of a claimed key replaces it. A name that is in a pool is ErrExists; the
	// device has to exist, and names may not repeat.
	AddOneTimeKeys(user events.UserID, device string, keys []OneTimeKey) error

	// ClaimOneTimeKey takes the oldest key out of a pool, at a position taken
	// with Tx.Next: nobody gets it again. ErrNotFound if there is none.
	ClaimOneTimeKey(user events.UserID, device, algorithm string, pos Pos) (OneTimeKey, error)

	// PutFallbackKey sets the fallback key of its algorithm, as one that was
	// not used. The device has to exist.
	PutFallbackKey(user events.UserID, device string, k OneTimeKey) error

	// UseFallbackKey claims the fallback key of a pool, at a position taken
	// with Tx.Next: it stays there and is marked as used. ErrNotFound if there
	// is none.
	UseFallbackKey(user events.UserID, device, algorithm string, pos Pos) error
}
