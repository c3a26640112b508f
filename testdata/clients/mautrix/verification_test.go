package mautrix_test

import (
	"strings"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// crossSigns makes cross-signing keys for a person, signs their device, and
// returns the recovery key that opens the copy kept on the server.
func (p *person) crossSigns(t *testing.T) string {
	t.Helper()
	recoveryKey, err := p.machine().GenerateAndVerifyWithRecoveryKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return recoveryKey
}

// trusts waits until the signatures that a person knows make another's device
// trustworthy to some degree.
func (p *person) trusts(t *testing.T, other *person, wanted id.TrustState) {
	t.Helper()
	p.until(t, string("trust in "+other.DeviceID+" to be "+id.DeviceID(wanted.String())), func() bool {
		device, err := p.machine().CryptoStore.GetDevice(t.Context(), other.UserID, other.DeviceID)
		if err != nil || device == nil {
			return false
		}
		device.Trust = id.TrustStateUnset // what it was told itself does not count
		trust, err := p.machine().ResolveTrustContext(t.Context(), device)
		return err == nil && trust == wanted
	})
}

// follows makes a client keep the keys of users up to date.
func (p *person) follows(t *testing.T, users ...id.UserID) {
	t.Helper()
	if _, err := p.machine().FetchKeys(t.Context(), users, true); err != nil {
		t.Fatal(err)
	}
}

// keys asks the server for the keys of users.
func (p *person) keys(t *testing.T, users ...id.UserID) *mautrix.RespQueryKeys {
	t.Helper()
	request := mautrix.DeviceKeysRequest{}
	for _, user := range users {
		request[user] = mautrix.DeviceIDList{}
	}
	found, err := p.QueryKeys(t.Context(), &mautrix.ReqQueryKeys{DeviceKeys: request})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Two devices of a person verify each other, by messages between devices: from
// then on both are signed, and everybody sees it.
func TestVerificationOfOwnDevice(t *testing.T) {
	t.Parallel()
	server := startWith(t, "alice", "bob")
	phone, bob := loginToVerify(t, server.url, "alice"), login(t, server.url, "bob", encrypting(t))
	phone.crossSigns(t)
	phone.follows(t, phone.UserID)
	room := phone.encryptedRoom(t, bob)
	bob.follows(t, phone.UserID)

	tablet, laptop := loginToVerify(t, server.url, "alice"), loginToVerify(t, server.url, "alice")
	tablet.follows(t, phone.UserID)
	phone.knows(t, laptop.person)
	phone.trusts(t, tablet.person, id.TrustStateUnset)
	tablet.trusts(t, phone.person, id.TrustStateCrossSignedTOFU)
	bob.trusts(t, phone.person, id.TrustStateCrossSignedTOFU)
	bob.trusts(t, tablet.person, id.TrustStateUnset)

	txnID, err := phone.StartVerification(t.Context(), phone.UserID)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, txnID, phone, tablet)
	laptop.until(t, "another device to have accepted", func() bool {
		laptop.mu.Lock()
		defer laptop.mu.Unlock()
		return laptop.requested == txnID && strings.HasPrefix(laptop.cancelled, "m.accepted")
	})
	phone.trusts(t, tablet.person, id.TrustStateCrossSignedVerified)
	tablet.trusts(t, phone.person, id.TrustStateCrossSignedVerified)
	bob.trusts(t, tablet.person, id.TrustStateCrossSignedTOFU)

	for _, p := range []*person{phone.person, tablet.person, bob} {
		found := p.keys(t, phone.UserID)
		selfSigning := found.SelfSigningKeys[phone.UserID]
		device := found.DeviceKeys[phone.UserID][tablet.DeviceID]
		if device.Signatures[phone.UserID][id.NewKeyID(id.KeyAlgorithmEd25519, string(selfSigning.FirstKey()))] == "" {
			t.Errorf("%s sees no signature of the tablet: %+v", p.DeviceID, device)
		}
		if _, own := found.UserSigningKeys[phone.UserID]; own != (p.UserID == phone.UserID) {
			t.Errorf("%s sees the key that signs users: %t", p.DeviceID, own)
		}
		master := found.MasterKeys[phone.UserID]
		for _, signer := range []id.DeviceID{phone.DeviceID, tablet.DeviceID} {
			if master.Signatures[phone.UserID][id.NewKeyID(id.KeyAlgorithmEd25519, string(signer))] == "" {
				t.Errorf("%s sees no signature of the master key by %s: %+v", p.DeviceID, signer, master)
			}
		}
	}

	bob.says(t, room, "Which of you?")
	phone.reads(t, "Which of you?")
	tablet.reads(t, "Which of you?")
	server.stop(t, phone.person, tablet.person, laptop.person, bob)
}

// Two people verify each other, in an encrypted room: each signs the other's
// master key, which only they see, on all their devices.
func TestVerificationOfAnotherUser(t *testing.T) {
	t.Parallel()
	server := startWith(t, "alice", "bob")
	alice, bob := loginToVerify(t, server.url, "alice"), loginToVerify(t, server.url, "bob")
	recoveryKey := alice.crossSigns(t)
	bob.crossSigns(t)
	alice.follows(t, alice.UserID, bob.UserID)
	bob.follows(t, alice.UserID, bob.UserID)
	room := alice.encryptedRoom(t, bob.person)
	alice.trusts(t, bob.person, id.TrustStateCrossSignedTOFU)
	bob.trusts(t, alice.person, id.TrustStateCrossSignedTOFU)

	request := alice.asks(t, room, bob.UserID)
	verify(t, request, alice, bob)
	steps, err := bob.GetRelations(t.Context(), room, id.EventID(request), &mautrix.ReqGetRelations{RelationType: event.RelReference})
	if err != nil || len(steps.Chunk) != 9 { // ready, start, accept, and of both key, mac and done
		t.Errorf("the verification had the steps %+v, %v", steps, err)
	}
	alice.trusts(t, bob.person, id.TrustStateCrossSignedVerified)
	bob.trusts(t, alice.person, id.TrustStateCrossSignedVerified)

	tablet := login(t, server.url, "alice", encrypting(t))
	if err := tablet.machine().VerifyWithRecoveryKey(t.Context(), recoveryKey); err != nil {
		t.Fatal(err)
	}
	tablet.follows(t, alice.UserID, bob.UserID)
	tablet.trusts(t, bob.person, id.TrustStateCrossSignedVerified)
	bob.trusts(t, tablet, id.TrustStateCrossSignedVerified)

	for _, p := range []*person{alice.person, tablet, bob.person} {
		for _, signed := range []*person{alice.person, bob.person} {
			found := p.keys(t, alice.UserID, bob.UserID)
			signer := alice.UserID
			if signed.UserID == signer {
				signer = bob.UserID
			}
			if _, sees := found.MasterKeys[signed.UserID].Signatures[signer]; sees != (p.UserID == signer) {
				t.Errorf("%s of %s sees the signature by %s: %t", p.DeviceID, p.UserID, signer, sees)
			}
		}
	}
	server.stop(t, alice.person, tablet, bob.person)
}
