package mautrix_test

import (
	"net/http"
	"slices"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/goolm/account"
	"maunium.net/go/mautrix/crypto/signatures"
	"maunium.net/go/mautrix/id"
)

// uploadsFallbackKey makes a new fallback key and uploads it, which this version
// of the library does not do by itself.
func (p *person) uploadsFallbackKey(t *testing.T) id.KeyID {
	t.Helper()
	own := p.machine().GetAccount()
	keys := own.Internal.(*account.Account)
	if err := keys.GenFallbackKey(); err != nil {
		t.Fatal(err)
	}
	var keyID id.KeyID
	upload := map[id.KeyID]*mautrix.OneTimeKey{}
	for name, public := range keys.FallbackKeyUnpublished() {
		key := &mautrix.OneTimeKey{Key: public, Fallback: true, IsSigned: true}
		signature, err := own.SignJSON(key)
		if err != nil {
			t.Fatal(err)
		}
		key.Signatures = signatures.NewSingleSignature(p.UserID, id.KeyAlgorithmEd25519, string(p.DeviceID), signature)
		keyID = id.NewKeyID(id.KeyAlgorithmSignedCurve25519, name)
		upload[keyID] = key
	}
	if err := p.machine().CryptoStore.PutAccount(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	if _, err := p.MakeRequest(t.Context(), http.MethodPost, p.BuildClientURL("v3", "keys", "upload"), map[string]any{"fallback_keys": upload}, nil); err != nil {
		t.Fatal(err)
	}
	keys.MarkKeysAsPublished()
	return keyID
}

// claims asks for a key to begin to talk to a device with.
func (p *person) claims(t *testing.T, other *person) (id.KeyID, mautrix.OneTimeKey) {
	t.Helper()
	claimed, err := p.ClaimKeys(t.Context(), &mautrix.ReqClaimKeys{OneTimeKeys: mautrix.OneTimeKeysRequest{
		other.UserID: {other.DeviceID: id.KeyAlgorithmSignedCurve25519},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for keyID, key := range claimed.OneTimeKeys[other.UserID][other.DeviceID] {
		return keyID, key
	}
	return "", mautrix.OneTimeKey{}
}

// When a device that is away has run out of one-time keys, others begin to talk
// to it with its fallback key; when it is back it reads them, learns what is
// used up, and makes new keys.
func TestFallbackKey(t *testing.T) {
	t.Parallel()
	server := startWith(t, "alice", "bob", "mallory")
	alice, bob := login(t, server.url, "alice", encrypting(t)), login(t, server.url, "bob", encrypting(t))
	mallory := login(t, server.url, "mallory")
	room := alice.encryptedRoom(t, bob)
	fallback := bob.uploadsFallbackKey(t)
	unused := func(sync *mautrix.RespSync) bool {
		return slices.Contains(sync.FallbackKeys, id.KeyAlgorithmSignedCurve25519)
	}
	bob.settles(t)
	bob.syncsWith(t, "an unused fallback key", unused)
	bob.stop()

	seen := map[id.KeyID]bool{}
	for len(seen) < 200 {
		keyID, key := mallory.claims(t, bob)
		if key.Fallback {
			if keyID != fallback {
				t.Errorf("the fallback key is %s, not %s", keyID, fallback)
			}
			break
		}
		if seen[keyID] || keyID == "" {
			t.Fatalf("the one-time key %q was claimed twice, after %d others", keyID, len(seen))
		}
		seen[keyID] = true
	}
	if len(seen) != 51 { // so many the library makes at first
		t.Errorf("%d one-time keys were claimed", len(seen))
	}
	if keyID, _ := mallory.claims(t, bob); keyID != fallback {
		t.Errorf("the next claim gets %q instead of the fallback key", keyID)
	}

	alice.says(t, room, "With your last key.")
	bob.forgets()
	bob.start(t)
	bob.reads(t, "With your last key.")
	bob.syncsWith(t, "all keys to be used", func(sync *mautrix.RespSync) bool {
		return sync.DeviceOTKCount.SignedCurve25519 == 0 && !unused(sync)
	})
	bob.settles(t)
	bob.syncsWith(t, "new one-time keys", func(sync *mautrix.RespSync) bool { return sync.DeviceOTKCount.SignedCurve25519 == 50 })
	if bob.uploadsFallbackKey(t) == fallback {
		t.Error("the new fallback key is the old one")
	}
	bob.forgets()
	bob.settles(t)
	bob.syncsWith(t, "an unused fallback key again", unused)
	server.stop(t, alice, bob, mallory)
}
