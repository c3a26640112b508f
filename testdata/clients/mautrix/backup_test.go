package mautrix_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/backup"
	"maunium.net/go/mautrix/crypto/signatures"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// createsBackup makes a new version of the backup, signed by the device and by
// the master key of the person.
func (p *person) createsBackup(t *testing.T, key *backup.MegolmBackupKey) id.KeyBackupVersion {
	t.Helper()
	auth := backup.MegolmAuthData{PublicKey: id.Ed25519(base64.RawStdEncoding.EncodeToString(key.PublicKey().Bytes()))}
	master := p.machine().CrossSigningKeys.MasterKey
	byMaster, err := master.SignJSON(auth)
	if err != nil {
		t.Fatal(err)
	}
	byDevice, err := p.machine().GetAccount().SignJSON(auth)
	if err != nil {
		t.Fatal(err)
	}
	auth.Signatures = signatures.Signatures{p.UserID: {
		id.NewKeyID(id.KeyAlgorithmEd25519, string(master.PublicKey())): byMaster,
		id.NewKeyID(id.KeyAlgorithmEd25519, string(p.DeviceID)):         byDevice,
	}}
	created, err := p.CreateKeyBackupVersion(t.Context(), &mautrix.ReqRoomKeysVersionCreate[backup.MegolmAuthData]{
		Algorithm: id.KeyBackupAlgorithmMegolmBackupV1, AuthData: auth,
	})
	if err != nil {
		t.Fatal(err)
	}
	return created.Version
}

// backedUp is a session as it goes into a backup, from its message with an index
// on.
func backedUp(t *testing.T, key *backup.MegolmBackupKey, session *crypto.InboundGroupSession, index uint32) mautrix.ReqKeyBackupData {
	t.Helper()
	exported, err := session.Internal.Export(index)
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := backup.EncryptSessionData(key, backup.MegolmSessionData{
		Algorithm: id.AlgorithmMegolmV1, SenderKey: session.SenderKey, SessionKey: string(exported),
		SenderClaimedKeys: backup.SenderClaimedKeys{Ed25519: session.SigningKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(encrypted)
	if err != nil {
		t.Fatal(err)
	}
	return mautrix.ReqKeyBackupData{FirstMessageIndex: int(index), IsVerified: true, SessionData: data}
}

// sessions are the keys that a person has for a room.
func (p *person) sessions(t *testing.T, room id.RoomID) []*crypto.InboundGroupSession {
	t.Helper()
	all, err := p.machine().CryptoStore.GetGroupSessionsForRoom(t.Context(), room).AsList()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// decrypts asks the server for an event and decrypts it.
func (p *person) decrypts(t *testing.T, room id.RoomID, eventID id.EventID) (string, error) {
	t.Helper()
	e, err := p.GetEvent(t.Context(), room, eventID)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Content.ParseRaw(e.Type); err != nil {
		t.Fatal(err)
	}
	plain, err := p.helper().Decrypt(t.Context(), e)
	if err != nil {
		return "", err
	}
	return plain.Content.AsMessage().Body, nil
}

// Keys that were backed up open old messages on a new device, though nobody who
// has the keys is there any more to pass them on.
func TestBackup(t *testing.T) {
	t.Parallel()
	server, phone, bob := startPair(t)
	recoveryKey := phone.crossSigns(t)
	said := make(map[id.EventID]string)
	rooms := []id.RoomID{phone.encryptedRoom(t, bob), phone.encryptedRoom(t, bob)}
	where := make(map[id.EventID]id.RoomID)
	for _, room := range rooms {
		for _, text := range []string{"Remember this.", "And this."} {
			for _, p := range []*person{phone, bob} {
				text := text + " In " + string(room) + ", from " + string(p.UserID)
				e := p.says(t, room, text)
				said[e], where[e] = text, room
				phone.reads(t, text)
			}
		}
	}

	key, err := backup.NewMegolmBackupKey()
	if err != nil {
		t.Fatal(err)
	}
	version := phone.createsBackup(t, key)
	request := &mautrix.ReqKeyBackup{Rooms: map[id.RoomID]mautrix.ReqRoomKeyBackup{}}
	count := 0
	for _, room := range rooms {
		request.Rooms[room] = mautrix.ReqRoomKeyBackup{Sessions: map[id.SessionID]mautrix.ReqKeyBackupData{}}
		for _, session := range phone.sessions(t, room) {
			request.Rooms[room].Sessions[session.ID()] = backedUp(t, key, session, session.Internal.FirstKnownIndex())
			count++
		}
	}
	stored, err := phone.PutKeysInBackup(t.Context(), version, request)
	if err != nil || stored.Count != count || count < 4 {
		t.Fatalf("backed up %d sessions: %+v, %v", count, stored, err)
	}
	// A worse copy of a session is no change.
	worse := phone.sessions(t, rooms[0])[0]
	data := backedUp(t, key, worse, worse.Internal.FirstKnownIndex()+1)
	unchanged, err := phone.PutKeysInBackupForRoomAndSession(t.Context(), version, rooms[0], worse.ID(), &data)
	if err != nil || *unchanged != *stored {
		t.Errorf("a worse copy makes %+v of %+v, %v", unchanged, stored, err)
	}
	keyID, metadata, err := phone.machine().SSSS.GetDefaultKeyData(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	storageKey, err := metadata.VerifyRecoveryKey(keyID, recoveryKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := phone.machine().SSSS.SetEncryptedAccountData(t.Context(), event.AccountDataMegolmBackupKey, key.Bytes(), storageKey); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*person{phone, bob} {
		p.stop()
		if _, err := p.Logout(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	tablet := login(t, server.url, "alice", encrypting(t))
	for e := range said {
		if _, err := tablet.decrypts(t, where[e], e); !errors.Is(err, crypto.ErrNoSessionFound) {
			t.Errorf("a new device decrypts an old message: %v", err)
		}
	}
	if err := tablet.machine().VerifyWithRecoveryKey(t.Context(), recoveryKey); err != nil {
		t.Fatal(err)
	}
	secret, err := tablet.machine().SSSS.GetDecryptedAccountData(t.Context(), event.AccountDataMegolmBackupKey, storageKey)
	if err != nil {
		t.Fatal(err)
	}
	restored, err := backup.MegolmBackupKeyFromBytes(secret)
	if err != nil {
		t.Fatal(err)
	}
	if trusted, err := tablet.machine().GetAndVerifyLatestKeyBackupVersion(t.Context(), nil); err != nil || trusted.Version != version ||
		trusted.Count != count || trusted.ETag != stored.ETag {
		t.Errorf("the backup is not trusted for its signatures: %+v, %v", trusted, err)
	}
	if got, err := tablet.machine().DownloadAndStoreLatestKeyBackup(t.Context(), restored); err != nil || got != version {
		t.Fatalf("restored version %q of %q, %v", got, version, err)
	}
	for e, text := range said {
		if got, err := tablet.decrypts(t, where[e], e); got != text {
			t.Errorf("after the restoration: %q instead of %q, %v", got, text, err)
		}
	}
	tablet.stop()
	server.stop(t)
}

// A device that writes to a backup that is no longer the newest one is told so,
// and finds out what became of it.
func TestBackupVersions(t *testing.T) {
	t.Parallel()
	server := startWith(t, "alice")
	alice := login(t, server.url, "alice", encrypting(t))
	alice.crossSigns(t)
	room := alice.encryptedRoom(t)
	alice.says(t, room, "Keep this.")
	key, err := backup.NewMegolmBackupKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alice.GetKeyBackupLatestVersion(t.Context()); !errors.Is(err, mautrix.MNotFound) {
		t.Errorf("the newest of no backups: %v", err)
	}

	session := alice.sessions(t, room)[0]
	put := func(version id.KeyBackupVersion) error {
		_, err := alice.PutKeysInBackupForRoom(t.Context(), version, room, &mautrix.ReqRoomKeyBackup{
			Sessions: map[id.SessionID]mautrix.ReqKeyBackupData{session.ID(): backedUp(t, key, session, 0)},
		})
		return err
	}
	first := alice.createsBackup(t, key)
	if err := put(first); err != nil {
		t.Fatal(err)
	}
	before, err := alice.GetKeyBackupVersion(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	auth := before.AuthData
	auth.Signatures[alice.UserID]["ed25519:ANOTHER"] = "a signature of another device"
	// The library's own UpdateKeyBackupVersion forgets what it is to send.
	if _, err := alice.MakeRequest(t.Context(), http.MethodPut, alice.BuildClientURL("v3", "room_keys", "version", first),
		&mautrix.ReqRoomKeysVersionUpdate[backup.MegolmAuthData]{Algorithm: before.Algorithm, AuthData: auth, Version: first}, nil); err != nil {
		t.Fatal(err)
	}
	if after, err := alice.GetKeyBackupVersion(t.Context(), first); err != nil || len(after.AuthData.Signatures[alice.UserID]) != 3 || after.ETag != before.ETag {
		t.Errorf("after a signature was added: %+v, %v", after, err)
	}
	if left, err := alice.DeleteKeysFromBackupForRoom(t.Context(), first, room); err != nil || left.Count != 0 || left.ETag == before.ETag {
		t.Errorf("after the keys of the room are gone from %+v: %+v, %v", before, left, err)
	}
	if err := put(first); err != nil {
		t.Fatal(err)
	}

	second := alice.createsBackup(t, key)
	var wrong mautrix.HTTPError
	if err := put(first); !errors.As(err, &wrong) || !errors.Is(err, mautrix.MWrongRoomKeysVersion) ||
		wrong.RespError.ExtraData["current_version"] != string(second) {
		t.Errorf("a write to version %s of %s: %v", first, second, err)
	}
	if err := put("999"); !errors.Is(err, mautrix.MWrongRoomKeysVersion) && !errors.Is(err, mautrix.MNotFound) {
		t.Errorf("a write to a version that never was: %v", err)
	}
	for version, sessions := range map[id.KeyBackupVersion]int{first: 1, second: 0} {
		if keys, err := alice.GetKeyBackup(t.Context(), version); err != nil || len(keys.Rooms[room].Sessions) != sessions {
			t.Errorf("version %s has %+v, %v", version, keys, err)
		}
	}

	if err := alice.DeleteKeyBackupVersion(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if latest, err := alice.GetKeyBackupLatestVersion(t.Context()); err != nil || latest.Version != first || latest.Count != 1 {
		t.Errorf("the newest version after the newer one is gone: %+v, %v", latest, err)
	}
	if err := put(first); err != nil {
		t.Errorf("a write to the version that is the newest again: %v", err)
	}
	if err := alice.DeleteKeyBackupVersion(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	_, errKeys := alice.GetKeyBackup(t.Context(), first)
	_, errVersion := alice.GetKeyBackupVersion(t.Context(), first)
	_, errLatest := alice.GetKeyBackupLatestVersion(t.Context())
	for what, err := range map[string]error{"its keys": errKeys, "itself": errVersion, "the newest": errLatest, "a write": put(first)} {
		if !errors.Is(err, mautrix.MNotFound) {
			t.Errorf("%s after the deletion: %v", what, err)
		}
	}
	if again := alice.createsBackup(t, key); again == first || again == second {
		t.Errorf("a new version has the number of a deleted one, %s", again)
	}
	alice.stop()
	server.stop(t)
}
