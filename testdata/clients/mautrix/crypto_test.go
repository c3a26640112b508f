package mautrix_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
	_ "modernc.org/sqlite"
)

// encrypting makes a client encrypt and decrypt, with its keys in a database of
// its own.
func encrypting(t *testing.T) func(*mautrix.Client) {
	return encryptingWith(t, database(t))
}

// encryptingWith makes a client encrypt and decrypt, with its keys in a database,
// after settings.
func encryptingWith(t *testing.T, db *dbutil.Database, settings ...func(*cryptohelper.CryptoHelper)) func(*mautrix.Client) {
	return func(cli *mautrix.Client) {
		t.Helper()
		helper, err := cryptohelper.NewCryptoHelper(cli, []byte("pickle"), db)
		if err != nil {
			t.Fatal(err)
		}
		for _, set := range settings {
			set(helper)
		}
		if err := helper.Init(t.Context()); err != nil {
			t.Fatalf("set up encryption of %s: %v", cli.UserID, err)
		}
		cli.Crypto = helper
	}
}

// database opens a new database that is closed with the test.
func database(t *testing.T) *dbutil.Database {
	t.Helper()
	raw, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "client.db")+"?_txlock=immediate&_time_format=sqlite"+
		"&_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_pragma=synchronous(off)&_pragma=foreign_keys(on)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	db, err := dbutil.NewWithDB(raw, "sqlite3")
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// helper is what encrypts and decrypts for the person.
func (p *person) helper() *cryptohelper.CryptoHelper {
	return p.Crypto.(*cryptohelper.CryptoHelper)
}

// machine has the keys of the person's device.
func (p *person) machine() *crypto.OlmMachine {
	return p.helper().Machine()
}

// encryptedRoom makes an encrypted room with others in it, and waits until all
// know who is there.
func (p *person) encryptedRoom(t *testing.T, others ...*person) id.RoomID {
	t.Helper()
	return p.encryptedRoomWith(t, &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}, others...)
}

// encryptedRoomWith is encryptedRoom with settings of the encryption.
func (p *person) encryptedRoomWith(t *testing.T, encryption *event.EncryptionEventContent, others ...*person) id.RoomID {
	t.Helper()
	request := &mautrix.ReqCreateRoom{
		Preset: "private_chat",
		InitialState: []*event.Event{{
			Type:    event.StateEncryption,
			Content: event.Content{Parsed: encryption},
		}},
	}
	for _, other := range others {
		request.Invite = append(request.Invite, other.UserID)
	}
	created, err := p.CreateRoom(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range others {
		if _, err := other.JoinRoomByID(t.Context(), created.RoomID); err != nil {
			t.Fatal(err)
		}
	}
	for _, all := range append(others, p) {
		for _, other := range others {
			all.wait(t, "the joining of "+string(other.UserID), func(e *event.Event) bool {
				return e.RoomID == created.RoomID && e.Type == event.StateMember && e.GetStateKey() == string(other.UserID) &&
					e.Content.AsMember().Membership == event.MembershipJoin
			})
		}
	}
	return created.RoomID
}

// reads waits for an encrypted message and returns it decrypted.
func (p *person) reads(t *testing.T, text string) *event.Event {
	t.Helper()
	heard := p.wait(t, text, func(e *event.Event) bool {
		return e.Type == event.EventMessage && e.Content.AsMessage().Body == text
	})
	if !heard.Mautrix.WasEncrypted {
		t.Errorf("%q was not encrypted", text)
	}
	return heard
}

// knows waits until the person knows the keys of another device.
func (p *person) knows(t *testing.T, other *person) *id.Device {
	t.Helper()
	var device *id.Device
	p.until(t, "the keys of "+string(other.DeviceID), func() bool {
		var err error
		device, err = p.machine().CryptoStore.GetDevice(t.Context(), other.UserID, other.DeviceID)
		return err == nil && device != nil
	})
	return device
}
