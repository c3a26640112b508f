package mautrix_test

import (
	"errors"
	"net/http"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// signsItself makes a device sign itself with the private keys of its person.
func (p *person) signsItself(t *testing.T) {
	t.Helper()
	if err := p.machine().SignOwnDevice(t.Context(), p.machine().OwnIdentity()); err != nil {
		t.Fatal(err)
	}
	if err := p.machine().SignOwnMasterKey(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// signed tells whether a device finds itself signed.
func (p *person) signed(t *testing.T) bool {
	t.Helper()
	p.follows(t, p.UserID)
	hasKeys, signed, err := p.machine().GetOwnVerificationStatus(t.Context())
	if err != nil || !hasKeys {
		t.Fatalf("the keys of %s: %t, %v", p.UserID, hasKeys, err)
	}
	return signed
}

// Private keys that are kept on the server, behind a passphrase or a recovery
// key, make a new device one that everybody trusts. Replacing them takes the
// password.
func TestRecovery(t *testing.T) {
	t.Parallel()
	server, phone, bob := startPair(t)
	phone.encryptedRoom(t, bob)
	bob.follows(t, phone.UserID)

	const passphrase = "open sesame"
	recoveryKey, _, err := phone.machine().GenerateAndUploadCrossSigningKeys(t.Context(), nil, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	phone.signsItself(t)
	bob.trusts(t, phone, id.TrustStateCrossSignedTOFU)

	tablet := login(t, server.url, "alice", encrypting(t))
	tablet.wait(t, "the kept secrets", func(e *event.Event) bool { return e.Type == event.AccountDataSecretStorageDefaultKey })
	if tablet.signed(t) {
		t.Error("a new device is signed before it has done anything")
	}
	keyID, metadata, err := tablet.machine().SSSS.GetDefaultKeyData(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	key, err := metadata.VerifyPassphrase(keyID, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if err := tablet.machine().FetchCrossSigningKeysFromSSSS(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	tablet.signsItself(t)
	bob.trusts(t, tablet, id.TrustStateCrossSignedTOFU)

	laptop := login(t, server.url, "alice", encrypting(t))
	if err := laptop.machine().VerifyWithRecoveryKey(t.Context(), recoveryKey); err != nil {
		t.Fatal(err)
	}
	if !laptop.signed(t) {
		t.Error("a device that has the recovery key is not signed")
	}
	bob.trusts(t, laptop, id.TrustStateCrossSignedTOFU)
	for _, p := range []*person{tablet, laptop} {
		if *p.machine().CrossSigningKeys.PublicKeys() != *phone.machine().CrossSigningKeys.PublicKeys() {
			t.Errorf("%s has other keys", p.DeviceID)
		}
	}

	reset := func(p *person, password string) error {
		_, _, err := p.machine().GenerateAndUploadCrossSigningKeysWithPassword(t.Context(), password, "")
		return err
	}
	before := bob.keys(t, phone.UserID).MasterKeys[phone.UserID]
	var refused mautrix.HTTPError
	if err := reset(phone, "wrong"); !errors.As(err, &refused) || !refused.IsStatus(http.StatusUnauthorized) || !errors.Is(err, mautrix.MForbidden) {
		t.Errorf("new keys with a wrong password: %v", err)
	}
	if after := bob.keys(t, phone.UserID).MasterKeys[phone.UserID]; after.FirstKey() != before.FirstKey() {
		t.Error("the master key is another after a refused reset")
	}
	if err := reset(phone, password); err != nil {
		t.Fatal(err)
	}
	phone.signsItself(t)
	bob.trusts(t, phone, id.TrustStateCrossSignedUntrusted) // for it is not the first master key that bob sees
	bob.trusts(t, tablet, id.TrustStateUnset)
	if after := bob.keys(t, phone.UserID).MasterKeys[phone.UserID]; after.FirstKey() == before.FirstKey() {
		t.Error("the master key is the same after the reset")
	}
	if err := tablet.machine().VerifyWithRecoveryKey(t.Context(), recoveryKey); err == nil {
		t.Error("the recovery key still opens the secrets after the reset")
	}
	watch := login(t, server.url, "alice", encrypting(t))
	if err := tablet.machine().SignOwnDevice(t.Context(), watch.machine().OwnIdentity()); !errors.Is(err, crypto.ErrSignatureUploadFail) {
		t.Errorf("a signature with a replaced key: %v", err)
	}

	server.stop(t, phone, tablet, laptop, watch, bob)
}
