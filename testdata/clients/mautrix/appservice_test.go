package mautrix_test

import (
	"errors"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// startBridged runs the program with an application service that can be reached.
func startBridged(t *testing.T) (*program, *appservice.AppService) {
	t.Helper()
	bridge := appservice.Create()
	listener := httptest.NewServer(bridge.Router)
	t.Cleanup(listener.Close)
	registration := appservice.CreateRegistration()
	registration.ID, registration.URL, registration.SenderLocalpart = "irc", listener.URL, "ircbot"
	registration.RateLimited = new(bool)
	registration.EphemeralEvents, registration.MSC3202, registration.MSC4190 = true, true, true
	registration.Namespaces.UserIDs.Register(regexp.MustCompile(`^@irc_.*:example\.org$`), true)
	registration.Namespaces.UserIDs.Register(regexp.MustCompile(`^@ircbot:example\.org$`), true)
	registration.Namespaces.RoomAliases.Register(regexp.MustCompile(`^#irc_.*:example\.org$`), true)
	registrations := t.TempDir()
	if err := registration.Save(filepath.Join(registrations, "irc.yaml")); err != nil {
		t.Fatal(err)
	}
	server := start(t, t.TempDir(), "-appservices", registrations)
	bridge.Registration, bridge.HomeserverDomain = registration, "example.org"
	if err := bridge.SetHomeserverURL(server.url); err != nil {
		t.Fatal(err)
	}
	return server, bridge
}

// A bridge finds what it needs, and speaks for the users of its network.
func TestBridge(t *testing.T) {
	t.Parallel()
	server, bridge := startBridged(t)
	alice := register(t, server.url, "alice")
	bot := bridge.BotIntent()
	if versions, err := bot.Versions(t.Context()); err != nil || !versions.ContainsGreaterOrEqual(mautrix.SpecV14) || !versions.Supports(mautrix.FeatureAppservicePing) {
		t.Errorf("the versions are %+v, %v", versions, err)
	}
	if me, err := bot.Whoami(t.Context()); err != nil || me.UserID != bot.UserID {
		t.Errorf("the bot is %+v, %v", me, err)
	}
	if !bot.EnsureAppserviceConnection(t.Context()) {
		t.Error("the server does not reach the service")
	}
	if err := bot.EnsureRegistered(t.Context()); err != nil {
		t.Error(err)
	}

	created, err := bot.CreateRoom(t.Context(), &mautrix.ReqCreateRoom{
		Preset: "private_chat", RoomAliasName: "irc_tea", Invite: []id.UserID{alice.UserID},
	})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := alice.ResolveAlias(t.Context(), "#irc_tea:example.org"); err != nil || found.RoomID != created.RoomID {
		t.Errorf("the alias leads to %+v, %v", found, err)
	}
	if _, err := alice.JoinRoomByID(t.Context(), created.RoomID); err != nil {
		t.Fatal(err)
	}
	ghost := bridge.Intent("@irc_bob:example.org")
	if err := ghost.EnsureRegistered(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := ghost.SetDisplayName(t.Context(), "Bob of IRC"); err != nil {
		t.Fatal(err)
	}
	if err := ghost.EnsureJoined(t.Context(), created.RoomID); err != nil { // after an invitation by the bot
		t.Fatal(err)
	}
	before := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	said, err := ghost.SendMassagedMessageEvent(t.Context(), created.RoomID, event.EventMessage,
		&event.MessageEventContent{MsgType: event.MsgText, Body: "An hour ago."}, before.UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	if heard := alice.hears(t, said.EventID); heard.Sender != ghost.UserID || heard.Timestamp != before.UnixMilli() {
		t.Errorf("alice hears %+v", heard)
	}
	reply := alice.says(t, created.RoomID, "And now?")
	if err := ghost.MarkRead(t.Context(), created.RoomID, reply); err != nil {
		t.Fatal(err)
	}
	alice.wait(t, "the receipt", func(e *event.Event) bool {
		if e.Type != event.EphemeralEventReceipt {
			return false
		}
		_, read := (*e.Content.AsReceipt())[reply][event.ReceiptTypeRead][ghost.UserID]
		return read
	})
	if _, err := ghost.UserTyping(t.Context(), created.RoomID, true, time.Minute); err != nil {
		t.Fatal(err)
	}
	alice.wait(t, "the typing", func(e *event.Event) bool {
		return e.Type == event.EphemeralEventTyping && slices.Contains(e.Content.AsTyping().UserIDs, ghost.UserID)
	})
	if profile, err := alice.GetProfile(t.Context(), ghost.UserID); err != nil || profile.DisplayName != "Bob of IRC" {
		t.Errorf("the user of the network is %+v, %v", profile, err)
	}

	if err := bridge.Intent("@carol:example.org").EnsureRegistered(t.Context()); !errors.Is(err, mautrix.MExclusive) {
		t.Errorf("a user who is not of the network: %v", err)
	}
	cli, err := mautrix.NewClient(server.url, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cli.RegisterDummy(t.Context(), &mautrix.ReqRegister[any]{Username: "irc_mallory", Password: password}); !errors.Is(err, mautrix.MExclusive) {
		t.Errorf("a user of the network who comes by themselves: %v", err)
	}
	alice.stop()
	server.stop(t)
}

// The bot of a bridge encrypts: on a device that it signs in on or just makes,
// and that it finds again with all its keys after a restart.
func TestEncryptedBridge(t *testing.T) {
	t.Parallel()
	for name, madeDevice := range map[string]bool{"signed in": false, "made": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, bridge := startBridged(t)
			register(t, server.url, "alice").stop()
			alice := login(t, server.url, "alice", encrypting(t))
			db := database(t)
			startBot := func() *person {
				cli, err := mautrix.NewClient(server.url, bridge.BotMXID(), bridge.Registration.AppToken)
				if err != nil {
					t.Fatal(err)
				}
				cli.SetAppServiceUserID = true
				return follow(t, cli, encryptingWith(t, db, func(helper *cryptohelper.CryptoHelper) {
					helper.MSC4190 = madeDevice
					helper.LoginAs = &mautrix.ReqLogin{
						Type:                     mautrix.AuthTypeAppservice,
						Identifier:               mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: string(bridge.BotMXID())},
						InitialDeviceDisplayName: "Bridge",
					}
				}))
			}
			bot := startBot()
			room := bot.encryptedRoom(t, alice)
			bot.crossSigns(t)
			alice.follows(t, bot.UserID)
			alice.trusts(t, bot, id.TrustStateCrossSignedTOFU)
			if madeDevice { // then it acts as a service, which is not asked for a password
				bot.crossSigns(t)
				alice.trusts(t, bot, id.TrustStateCrossSignedUntrusted)
			}
			bot.says(t, room, "I am a bot.")
			alice.reads(t, "I am a bot.")
			bot.stop()
			alice.says(t, room, "Are you there?")

			again := startBot()
			if again.DeviceID != bot.DeviceID {
				t.Errorf("the device is %s, was %s", again.DeviceID, bot.DeviceID)
			}
			again.reads(t, "Are you there?")
			again.says(t, room, "I am back.")
			alice.reads(t, "I am back.")
			again.stop()
			alice.stop()
			server.stop(t)
		})
	}
}
