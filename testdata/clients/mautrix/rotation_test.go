package mautrix_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// sessionOf is the session that an event is encrypted with.
func (p *person) sessionOf(t *testing.T, room id.RoomID, eventID id.EventID) id.SessionID {
	t.Helper()
	e, err := p.GetEvent(t.Context(), room, eventID)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Content.ParseRaw(e.Type); err != nil {
		t.Fatal(err)
	}
	return e.Content.AsEncrypted().SessionID
}

// token is how far a person has synced.
func (p *person) token(t *testing.T) string {
	t.Helper()
	token, err := p.Store.LoadNextBatch(t.Context(), p.UserID)
	if err != nil || token == "" {
		t.Fatalf("%s has synced to %q, %v", p.UserID, token, err)
	}
	return token
}

// keyChanges asks whose devices have changed between two tokens. The library's own
// GetKeyChanges does so with POST.
func (p *person) keyChanges(t *testing.T, from, to string) (changes mautrix.RespKeyChanges, err error) {
	t.Helper()
	url := p.BuildURLWithQuery(mautrix.ClientURLPath{"v3", "keys", "changes"}, map[string]string{"from": from, "to": to})
	_, err = p.MakeRequest(t.Context(), http.MethodGet, url, nil, &changes)
	return changes, err
}

// deletes removes another device of a person, who has to give the password.
func (p *person) deletes(t *testing.T, other *person, password string) error {
	t.Helper()
	url := p.BuildClientURL("v3", "devices", other.DeviceID)
	asked, err := p.MakeRequest(t.Context(), http.MethodDelete, url, &mautrix.ReqDeleteDevice[any]{}, nil)
	var refused mautrix.HTTPError
	if !errors.As(err, &refused) || !refused.IsStatus(http.StatusUnauthorized) {
		t.Fatalf("a deletion without a password: %v", err)
	}
	var how mautrix.RespUserInteractive
	if err := json.Unmarshal(asked, &how); err != nil {
		t.Fatal(err)
	}
	return p.DeleteDevice(t.Context(), other.DeviceID, &mautrix.ReqDeleteDevice[any]{Auth: &mautrix.ReqUIAuthLogin{
		BaseAuthData: mautrix.BaseAuthData{Type: mautrix.AuthTypePassword, Session: how.Session},
		User:         string(p.UserID), Password: password,
	}})
}

// A person who leaves hears no more of the keys, and everybody learns that they
// need not follow each other's devices; both begin again when the person is back.
func TestRotationForMembers(t *testing.T) {
	t.Parallel()
	server := start(t, t.TempDir())
	var all []*person
	for _, name := range []string{"alice", "bob", "carol"} {
		register(t, server.url, name).stop()
		all = append(all, login(t, server.url, name, encrypting(t)))
	}
	alice, bob, carol := all[0], all[1], all[2]
	room := alice.encryptedRoom(t, bob, carol)
	first := alice.sessionOf(t, room, alice.says(t, room, "All of you."))
	bob.reads(t, "All of you.")
	carol.reads(t, "All of you.")

	with := alice.token(t)
	if _, err := carol.LeaveRoom(t.Context(), room); err != nil {
		t.Fatal(err)
	}
	membership := func(wanted event.Membership) func(*event.Event) bool {
		return func(e *event.Event) bool {
			return e.Type == event.StateMember && e.GetStateKey() == string(carol.UserID) && e.Content.AsMember().Membership == wanted
		}
	}
	alice.wait(t, "carol's leaving", membership(event.MembershipLeave))
	for _, p := range all {
		for _, other := range all {
			if p == other || p != carol && other != carol {
				continue
			}
			p.syncsWith(t, "having lost sight of "+string(other.UserID), func(sync *mautrix.RespSync) bool {
				return slices.Contains(sync.DeviceLists.Left, other.UserID)
			})
		}
	}
	alice.settles(t)
	without := alice.token(t)
	if changes, err := alice.keyChanges(t, with, without); err != nil || !slices.Contains(changes.Left, carol.UserID) || slices.Contains(changes.Changed, carol.UserID) {
		t.Errorf("the changes until carol had left: %+v, %v", changes, err)
	}
	between := alice.says(t, room, "Just bob.")
	bob.reads(t, "Just bob.")
	second := alice.sessionOf(t, room, between)
	if second == first {
		t.Error("alice uses the session that carol has, after carol has left")
	}

	alice.settles(t)
	alice.forgets()
	if _, err := alice.InviteUser(t.Context(), room, &mautrix.ReqInviteUser{UserID: carol.UserID}); err != nil {
		t.Fatal(err)
	}
	if _, err := carol.JoinRoomByID(t.Context(), room); err != nil {
		t.Fatal(err)
	}
	alice.syncsWith(t, "a change of carol's devices", func(sync *mautrix.RespSync) bool {
		return slices.Contains(sync.DeviceLists.Changed, carol.UserID)
	})
	alice.settles(t)
	again := alice.token(t)
	if changes, err := alice.keyChanges(t, without, again); err != nil || slices.Contains(changes.Left, carol.UserID) || !slices.Contains(changes.Changed, carol.UserID) {
		t.Errorf("the changes until carol was back: %+v, %v", changes, err)
	}
	alice.says(t, room, "All of you again.")
	bob.reads(t, "All of you again.")
	carol.reads(t, "All of you again.")
	for _, session := range []id.SessionID{first, second} {
		held, err := carol.machine().CryptoStore.GetGroupSession(t.Context(), room, session)
		if err != nil || (held != nil) != (session == first) {
			t.Errorf("carol has the key of session %s: %v, %v", session, held, err)
		}
	}
	if text, err := bob.decrypts(t, room, between); text != "Just bob." {
		t.Errorf("bob reads %q, %v", text, err)
	}
	if _, err := carol.decrypts(t, room, between); !errors.Is(err, crypto.ErrNoSessionFound) { // history is shared, its keys are not
		t.Errorf("carol reads what was said in her absence: %v", err)
	}
	server.stop(t, all...)
}

// What a device said before it was deleted stays readable, even for those who
// were away; it gets no keys from then on.
func TestRotationForDevices(t *testing.T) {
	t.Parallel()
	server, alice, bob := startPair(t)
	room := alice.encryptedRoom(t, bob)
	tablet := login(t, server.url, "bob", encrypting(t))
	tablet.wait(t, "the room", func(e *event.Event) bool { return e.RoomID == room && e.Type == event.StateEncryption })
	before := alice.sessionOf(t, room, alice.says(t, room, "Both of you."))
	bob.reads(t, "Both of you.")
	tablet.reads(t, "Both of you.")
	lost := alice.knows(t, tablet)

	alice.stop()
	tablet.says(t, room, "I am about to be lost.")
	tablet.stop()
	bob.reads(t, "I am about to be lost.")
	if err := bob.deletes(t, tablet, "wrong"); err == nil {
		t.Error("a device is deleted with a wrong password")
	}
	if _, err := tablet.Whoami(t.Context()); err != nil {
		t.Errorf("the session of the tablet before its deletion: %v", err)
	}
	if err := bob.deletes(t, tablet, password); err != nil {
		t.Fatal(err)
	}
	if _, err := tablet.Whoami(t.Context()); !errors.Is(err, mautrix.MUnknownToken) {
		t.Errorf("the session of the deleted device: %v", err)
	}

	alice.start(t)
	alice.reads(t, "I am about to be lost.")
	alice.until(t, "the device to be gone", func() bool {
		devices, err := alice.machine().CryptoStore.GetDevices(t.Context(), bob.UserID)
		return err == nil && len(devices) == 1 && devices[bob.DeviceID] != nil
	})
	after := alice.sessionOf(t, room, alice.says(t, room, "Is it gone?"))
	bob.reads(t, "Is it gone?")
	if after == before {
		t.Error("alice uses the session that the lost device has")
	}
	for device, wanted := range map[*id.Device]bool{lost: false, alice.knows(t, bob): true} {
		if shared, err := alice.machine().CryptoStore.IsOutboundGroupSessionShared(t.Context(), bob.UserID, device.IdentityKey, after); shared != wanted {
			t.Errorf("the new session was shared with %s: %t, %v", device.DeviceID, shared, err)
		}
	}
	server.stop(t, alice, bob)
}
