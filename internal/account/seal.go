package account

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/ca4c8834/homeserver/store"
)

// sealer keeps small secrets in places that are not the server's, such as
// cookies: encrypted, and bound to what they are for. Its key is a setting, so
// that a restart, or another instance on the same data, reads them as well.
type sealer struct {
	store store.Store

	mu   sync.Mutex
	aead cipher.AEAD // nil before it is first needed
}

const settingSealKey = "seal_key"

// load returns the cipher, making a key for it if there was none.
func (s *sealer) load(ctx context.Context) (cipher.AEAD, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aead != nil {
		return s.aead, nil
	}
	var key []byte
	err := s.store.Update(ctx, func(tx store.Tx) (err error) {
		key, err = tx.Setting(settingSealKey)
		if errors.Is(err, store.ErrNotFound) {
			key = make([]byte, 32)
			rand.Read(key) // never fails
			err = tx.PutSetting(settingSealKey, key)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("use setting %s: %w", settingSealKey, err)
	}
	s.aead, err = cipher.NewGCMWithRandomNonce(block)
	return s.aead, err
}

// seal encrypts a value, to be opened for the same purpose.
func (s *sealer) seal(ctx context.Context, purpose string, value any) (string, error) {
	aead, err := s.load(ctx)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", purpose, err)
	}
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nil, nil, plain, []byte(purpose))), nil
}

// errUnsealed says that a text was not sealed by this server for this purpose.
var errUnsealed = errors.New("not sealed here for this")

// open decrypts what seal has made into value. errUnsealed.
func (s *sealer) open(ctx context.Context, purpose, sealed string, value any) error {
	aead, err := s.load(ctx)
	if err != nil {
		return err
	}
	secret, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return errUnsealed
	}
	plain, err := aead.Open(nil, nil, secret, []byte(purpose))
	if err != nil {
		return errUnsealed
	}
	return json.Unmarshal(plain, value)
}
