package keys_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/devicelist"
	"github.com/ca4c8834/homeserver/internal/keys"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/uia"
)

const (
	server = events.ServerName("example.org")
	alice  = events.UserID("@alice:example.org")
	bob    = events.UserID("@bob:example.org")
)

// nobody is a Waker whom nobody waits for, and accounts that cannot prove
// anything.
type nobody struct{}

func (nobody) UserChanged(events.UserID, store.Pos)                     {}
func (nobody) DevicesChanged(events.UserID, []store.RoomNum, store.Pos) {}
func (nobody) Interactive() *uia.Engine                                 { return nil }
func (nobody) Operation(context.Context, string, string, events.UserID) (uia.Operation, error) {
	return uia.Operation{}, mxerr.Forbidden("no way to prove that")
}

func newService(st store.Store) *keys.Service {
	return keys.New(keys.Config{
		Store: st, Server: server, Now: func() time.Time { return time.Unix(1_700_000_000, 0) },
		Lists: devicelist.New(nobody{}), Waker: nobody{}, Accounts: nobody{},
	})
}

// onDisk opens a store in a file, which is what figures are about.
func onDisk(tb testing.TB, path string) store.Store {
	tb.Helper()
	st, err := sqlite.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	return st
}

// addDevice makes a user, if need be, with a device.
func addDevice(tb testing.TB, st store.Store, user events.UserID, device string) {
	tb.Helper()
	err := st.Update(tb.Context(), func(tx store.Tx) error {
		if _, err := tx.User(user); err != nil {
			if err := tx.CreateUser(store.User{ID: user}); err != nil {
				return err
			}
		}
		return tx.PutDevice(store.Device{User: user, ID: device, DisplayName: "Element Desktop on Linux"})
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// key is an ed25519 key, always the same for a name.
func key(name string) (private ed25519.PrivateKey, public string) {
	seed := sha256.Sum256([]byte(name))
	private = ed25519.NewKeyFromSeed(seed[:])
	return private, base64.RawStdEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
}

func sign(tb testing.TB, obj string, user events.UserID, id string, private ed25519.PrivateKey) string {
	tb.Helper()
	signed, err := events.SignJSON([]byte(obj), string(user), id, private)
	if err != nil {
		tb.Fatal(err)
	}
	return string(signed)
}

// identity returns the keys of a device as clients make them.
func identity(tb testing.TB, user events.UserID, device string) json.RawMessage {
	tb.Helper()
	private, public := key(string(user) + device)
	obj := fmt.Sprintf(`{"user_id":%q,"device_id":%[2]q,"algorithms":["m.olm.v1.curve25519-aes-sha2","m.megolm.v1.aes-sha2"],`+
		`"keys":{"curve25519:%[2]s":%[3]q,"ed25519:%[2]s":%[3]q}}`, user, device, public)
	return json.RawMessage(sign(tb, obj, user, "ed25519:"+device, private))
}

// crossSigning returns the keys of a user, all signed by the first.
func crossSigning(tb testing.TB, user events.UserID) keys.CrossSigning {
	tb.Helper()
	private, top := key(string(user) + "master")
	of := func(usage string) json.RawMessage {
		_, public := key(string(user) + usage)
		obj := fmt.Sprintf(`{"user_id":%q,"usage":[%q],"keys":{"ed25519:%[3]s":%[3]q}}`, user, usage, public)
		return json.RawMessage(sign(tb, obj, user, "ed25519:"+top, private))
	}
	return keys.CrossSigning{Master: of("master"), SelfSigning: of("self_signing"), UserSigning: of("user_signing")}
}

// oneTime returns n one-time keys as clients make them.
func oneTime(tb testing.TB, user events.UserID, device string, from, n int) map[string]json.RawMessage {
	tb.Helper()
	private, public := key(string(user) + device)
	all := make(map[string]json.RawMessage, n)
	for i := range n {
		all[fmt.Sprintf("signed_curve25519:AAAA%04d", from+i)] = json.RawMessage(
			sign(tb, fmt.Sprintf(`{"key":%q}`, public), user, "ed25519:"+device, private))
	}
	return all
}
