package mautrix_test

import (
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// encrypting makes a client encrypt and decrypt, with keys in memory.
func encrypting(t *testing.T) func(*mautrix.Client) {
	return func(cli *mautrix.Client) {
		t.Helper()
		state := mautrix.NewMemoryStateStore().(*mautrix.MemoryStateStore)
		state.JoinRules = make(map[id.RoomID]*event.JoinRulesEventContent) // which this version forgets
		cli.StateStore = state
		helper, err := cryptohelper.NewCryptoHelper(cli, []byte("pickle"), crypto.NewMemoryStore(nil))
		if err != nil {
			t.Fatal(err)
		}
		cli.Syncer.(*mautrix.DefaultSyncer).OnEvent(cli.StateStoreSyncHandler)
		if err := helper.Init(t.Context()); err != nil {
			t.Fatalf("set up encryption of %s: %v", cli.UserID, err)
		}
		cli.Crypto = helper
	}
}

// Two people exchange messages that the server cannot read, and a third device
// that signs in later gets the keys of what is said from then on.
func TestEncryption(t *testing.T) {
	server := start(t, t.TempDir())
	register(t, server.url, "alice").stop()
	register(t, server.url, "bob").stop()
	alice, bob := login(t, server.url, "alice", encrypting(t)), login(t, server.url, "bob", encrypting(t))

	created, err := alice.CreateRoom(t.Context(), &mautrix.ReqCreateRoom{
		Preset: "trusted_private_chat", Invite: []id.UserID{bob.UserID}, IsDirect: true,
		InitialState: []*event.Event{{
			Type:    event.StateEncryption,
			Content: event.Content{Parsed: &event.EncryptionEventContent{Algorithm: "m.megolm.v1.aes-sha2"}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	room := created.RoomID
	if _, err := bob.JoinRoomByID(t.Context(), room); err != nil {
		t.Fatal(err)
	}
	joined := func(e *event.Event) bool {
		return e.RoomID == room && e.Type == event.StateMember && e.GetStateKey() == string(bob.UserID) &&
			e.Content.AsMember().Membership == event.MembershipJoin
	}
	alice.wait(t, "bob's joining", joined)
	bob.wait(t, "the joining", joined)

	hears := func(p *person, text string) {
		t.Helper()
		heard := p.wait(t, text, func(e *event.Event) bool {
			return e.Type == event.EventMessage && e.Content.AsMessage().Body == text
		})
		if !heard.Mautrix.WasEncrypted {
			t.Errorf("%q was not encrypted", text)
		}
	}
	alice.says(t, room, "Nobody hears us.")
	hears(bob, "Nobody hears us.")
	bob.says(t, room, "Not even the server.")
	hears(alice, "Not even the server.")

	tablet := login(t, server.url, "bob", encrypting(t))
	alice.until(t, "the keys of the tablet", func() bool {
		known, err := alice.Crypto.(*cryptohelper.CryptoHelper).Machine().CryptoStore.GetDevices(t.Context(), bob.UserID)
		return err == nil && known[tablet.DeviceID] != nil
	})
	alice.says(t, room, "Both of you.")
	hears(bob, "Both of you.")
	hears(tablet, "Both of you.")

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
