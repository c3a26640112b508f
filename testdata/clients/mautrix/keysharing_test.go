package mautrix_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// A device that lacks the key of a message asks the person's others for it: they
// refuse while it is not signed, and hand it over when it is.
func TestRoomKeyRequest(t *testing.T) {
	t.Parallel()
	server, phone, bob := startPair(t)
	recoveryKey := phone.crossSigns(t)
	phone.follows(t, phone.UserID)
	room := phone.encryptedRoom(t, bob)
	said := bob.says(t, room, "Before the tablet.")
	encrypted := phone.reads(t, "Before the tablet.")

	tablet := login(t, server.url, "alice", encrypting(t))
	phone.knows(t, tablet)
	session := phone.sessions(t, room)[0]
	asks := func() {
		t.Helper()
		if err := tablet.machine().SendRoomKeyRequest(t.Context(), room, session.SenderKey, session.ID(), "",
			map[id.UserID][]id.DeviceID{phone.UserID: {"*"}}); err != nil {
			t.Fatal(err)
		}
	}
	asks()
	tablet.until(t, "a refusal", func() bool {
		_, err := tablet.decrypts(t, room, said)
		withheld, _ := tablet.machine().CryptoStore.GetWithheldGroupSession(t.Context(), room, session.ID())
		return errors.Is(err, crypto.ErrGroupSessionWithheld) && withheld != nil && withheld.Code == event.RoomKeyWithheldUnverified
	})

	if err := tablet.machine().VerifyWithRecoveryKey(t.Context(), recoveryKey); err != nil {
		t.Fatal(err)
	}
	phone.trusts(t, tablet, id.TrustStateCrossSignedVerified)
	asks()
	tablet.until(t, "the key", func() bool {
		text, err := tablet.decrypts(t, room, said)
		return err == nil && text == encrypted.Content.AsMessage().Body
	})
	server.stop(t, phone, tablet, bob)
}

// A device that has lost a key asks the sender for it, who hands it over to those
// devices alone that had it before.
func TestRoomKeyRequestToSender(t *testing.T) {
	t.Parallel()
	server, alice, bob := startPair(t)
	room := alice.encryptedRoom(t, bob)
	said := alice.says(t, room, "Don't lose this.")
	bob.reads(t, "Don't lose this.")
	tablet := login(t, server.url, "bob", encrypting(t))
	alice.knows(t, tablet)

	session := bob.sessions(t, room)[0]
	if err := bob.machine().CryptoStore.RedactGroupSession(t.Context(), room, session.ID(), "lost"); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.decrypts(t, room, said); !errors.Is(err, crypto.ErrGroupSessionWithheld) {
		t.Errorf("bob reads without the key: %v", err)
	}
	for _, p := range []*person{bob, tablet} {
		if err := p.machine().SendRoomKeyRequest(t.Context(), room, session.SenderKey, session.ID(), "",
			map[id.UserID][]id.DeviceID{alice.UserID: {alice.DeviceID}}); err != nil {
			t.Fatal(err)
		}
	}
	bob.until(t, "the key", func() bool {
		text, err := bob.decrypts(t, room, said)
		return err == nil && text == "Don't lose this."
	})
	tablet.until(t, "a refusal", func() bool {
		withheld, _ := tablet.machine().CryptoStore.GetWithheldGroupSession(t.Context(), room, session.ID())
		return withheld != nil && withheld.Code == event.RoomKeyWithheldUnauthorized
	})
	server.stop(t, alice, bob, tablet)
}

// Devices of a person pass secrets on to each other, if they are signed.
func TestSecretSharing(t *testing.T) {
	t.Parallel()
	server := startWith(t, "alice")
	phone := login(t, server.url, "alice", encrypting(t))
	recoveryKey := phone.crossSigns(t)
	phone.follows(t, phone.UserID)
	const secret = "the key of the backup"
	if err := phone.machine().CryptoStore.PutSecret(t.Context(), id.SecretMegolmBackupV1, secret); err != nil {
		t.Fatal(err)
	}

	stranger, tablet := login(t, server.url, "alice", encrypting(t)), login(t, server.url, "alice", encrypting(t))
	if err := tablet.machine().VerifyWithRecoveryKey(t.Context(), recoveryKey); err != nil {
		t.Fatal(err)
	}
	tablet.follows(t, phone.UserID)
	phone.knows(t, stranger)
	phone.trusts(t, tablet, id.TrustStateCrossSignedVerified)

	asks := func(ctx context.Context, p *person) (got string, err error) {
		err = p.machine().GetOrRequestSecret(ctx, id.SecretMegolmBackupV1, func(value string) (bool, error) {
			got = value
			return true, nil
		}, 2*time.Minute)
		return got, err
	}
	ctx, giveUp := context.WithCancel(t.Context())
	refused := make(chan error)
	go func() {
		_, err := asks(ctx, stranger)
		refused <- err
	}()
	phone.wait(t, "the stranger's request", func(e *event.Event) bool {
		return e.Type == event.ToDeviceSecretRequest && e.Content.Raw["requesting_device_id"] == string(stranger.DeviceID)
	})
	if got, err := asks(t.Context(), tablet); got != secret || err != nil {
		t.Errorf("the tablet gets %q, %v", got, err)
	}
	giveUp()
	if err := <-refused; !errors.Is(err, context.Canceled) {
		t.Errorf("the device that is not signed gets an answer: %v", err)
	}
	server.stop(t, phone, stranger, tablet)
}
