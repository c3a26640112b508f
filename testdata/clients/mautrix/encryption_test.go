package mautrix_test

import (
	"testing"

	"maunium.net/go/mautrix/event"
)

// Two people exchange messages that the server cannot read, and a third device
// that signs in later gets the keys of what is said from then on.
func TestEncryption(t *testing.T) {
	t.Parallel()
	server := start(t, t.TempDir())
	register(t, server.url, "alice").stop()
	register(t, server.url, "bob").stop()
	alice, bob := login(t, server.url, "alice", encrypting(t)), login(t, server.url, "bob", encrypting(t))
	room := alice.encryptedRoom(t, bob)

	alice.says(t, room, "Nobody hears us.")
	bob.reads(t, "Nobody hears us.")
	bob.says(t, room, "Not even the server.")
	alice.reads(t, "Not even the server.")

	tablet := login(t, server.url, "bob", encrypting(t))
	alice.knows(t, tablet)
	alice.says(t, room, "Both of you.")
	bob.reads(t, "Both of you.")
	tablet.reads(t, "Both of you.")

	for _, e := range alice.history(t, room) {
		if e.Type == event.EventMessage {
			t.Errorf("the server has a message that is not encrypted: %s", e.ID)
		}
	}
	for _, p := range []*person{alice, bob, tablet} {
		p.stop()
	}
	server.stop(t)
}
