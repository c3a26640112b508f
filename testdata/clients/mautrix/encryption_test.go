package mautrix_test

import (
	"testing"

	"maunium.net/go/mautrix/event"
)

// Two people exchange messages that the server cannot read, and a third device
// that signs in later gets the keys of what is said from then on.
func TestEncryption(t *testing.T) {
	t.Parallel()
	server, alice, bob := startPair(t)
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
	server.stop(t, alice, bob, tablet)
}

// What was on its way to a device that is away when the server crashes is not
// lost: messages, their keys, and the news of other devices.
func TestEncryptionAcrossCrash(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	server := start(t, data)
	register(t, server.url, "alice").stop()
	register(t, server.url, "bob").stop()
	alice, bob := login(t, server.url, "alice", encrypting(t)), login(t, server.url, "bob", encrypting(t))
	room := alice.encryptedRoom(t, bob)
	alice.says(t, room, "I am off.")
	bob.reads(t, "I am off.")
	alice.stop()

	tablet := login(t, server.url, "bob", encrypting(t))
	tablet.wait(t, "the room", func(e *event.Event) bool { return e.RoomID == room && e.Type == event.StateEncryption })
	bob.follows(t, bob.UserID)
	bob.says(t, room, "Are you away?")
	tablet.reads(t, "Are you away?")
	tablet.says(t, room, "I write from my tablet.")
	bob.reads(t, "I write from my tablet.")
	bob.stop()
	tablet.stop()
	server.crash(t)

	server = start(t, data)
	for _, p := range []*person{alice, bob, tablet} {
		p.moves(t, server)
		p.start(t)
	}
	alice.reads(t, "Are you away?")
	alice.reads(t, "I write from my tablet.")
	alice.knows(t, tablet)
	alice.says(t, room, "I am back.")
	bob.reads(t, "I am back.")
	tablet.reads(t, "I am back.")
	server.stop(t, alice, bob, tablet)
}
