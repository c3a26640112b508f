package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost is the work that one guess at a password takes, as parameters of
// argon2id. Changing it is safe: a hash keeps the parameters it was made with
// and is made anew at the user's next login.
type Cost struct {
	Memory  uint32 // KiB, at least 8 for each thread
	Passes  uint32 // at least 1
	Threads uint8  // at least 1
}

// DefaultCost takes about 50 ms of a core of a small server. As many passwords
// as there are cores are hashed at a time, each in 9 MiB: a little memory passed
// over often is as hard to guess against as more of it passed over less, and
// many logins at once leave less garbage behind.
func DefaultCost() Cost { return Cost{Memory: 9 << 10, Passes: 6, Threads: 1} }

// InsecureCost is for tests, and for loading many accounts whose passwords do
// not matter: it takes microseconds, to whoever guesses as well.
func InsecureCost() Cost { return Cost{Memory: 8, Passes: 1, Threads: 1} }

const (
	saltBytes = 16
	hashBytes = 32
)

// hasher hashes passwords, a bounded number at a time.
type hasher struct {
	cost  Cost
	slots chan struct{}
	decoy string // a hash to compare with where there is none
}

func newHasher(cost Cost) *hasher {
	h := &hasher{cost: cost, slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
	h.decoy = encodeHash(cost, make([]byte, saltBytes), make([]byte, hashBytes))
	return h
}

// key runs argon2id when it is its turn.
func (h *hasher) key(ctx context.Context, password string, salt []byte, c Cost, size int) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), salt, c.Passes, c.Memory, c.Threads, uint32(size)), nil
}

// hash returns a password's hash with a new salt in the PHC string format.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	rand.Read(salt) // never fails
	key, err := h.key(ctx, password, salt, h.cost, hashBytes)
	if err != nil {
		return "", err
	}
	return encodeHash(h.cost, salt, key), nil
}

// verify compares a password with a hash, and says whether the hash should be
// made anew since the cost has changed.
func (h *hasher) verify(ctx context.Context, encoded, password string) (ok, outdated bool, err error) {
	cost, salt, want, err := decodeHash(encoded)
	if err != nil {
		return false, false, err
	}
	got, err := h.key(ctx, password, salt, cost, len(want))
	if err != nil {
		return false, false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, cost != h.cost, nil
}

// waste takes as long as verify, for users without a password (LOGIN-6).
func (h *hasher) waste(ctx context.Context, password string) error {
	_, _, err := h.verify(ctx, h.decoy, password)
	return err
}

func encodeHash(c Cost, salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.Memory, c.Passes, c.Threads,
		b64.EncodeToString(salt), b64.EncodeToString(key))
}

var errHashFormat = errors.New("decode password hash: not a hash of this server")

func decodeHash(encoded string) (c Cost, salt, key []byte, err error) {
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, errHashFormat
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.Memory, &c.Passes, &c.Threads); err != nil {
		return c, nil, nil, errHashFormat
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	key, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(key) == 0 || c.Passes == 0 || c.Threads == 0 {
		return c, nil, nil, errHashFormat
	}
	return c, salt, key, nil
}
