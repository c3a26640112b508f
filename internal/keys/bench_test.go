package keys_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/keys"
	"github.com/ca4c8834/homeserver/store"
)

// populate makes users with three devices each, all with keys that are
// cross-signed.
func populate(b *testing.B, st store.Store, s *keys.Service, users int) map[string][]string {
	b.Helper()
	wanted := make(map[string][]string, users)
	for i := range users {
		user := events.UserID(fmt.Sprintf("@user%d:example.org", i))
		wanted[string(user)] = []string{}
		self, public := key(string(user) + "self_signing")
		if err := s.UploadCrossSigning(b.Context(), user, crossSigning(b, user), true); err != nil {
			b.Fatal(err)
		}
		for d := range 3 {
			device := fmt.Sprintf("DEVICE%04d", d)
			addDevice(b, st, user, device)
			signed := sign(b, string(identity(b, user, device)), user, "ed25519:"+public, self)
			if _, err := s.Upload(b.Context(), user, device, keys.Upload{DeviceKeys: json.RawMessage(signed)}); err != nil {
				b.Fatal(err)
			}
		}
	}
	return wanted
}

// BenchmarkQuery is what a client asks in a room of 250 users, who have three devices each.
func BenchmarkQuery(b *testing.B) {
	st := onDisk(b, filepath.Join(b.TempDir(), "chat.db"))
	s := newService(st)
	wanted := populate(b, st, s, 250)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Query(b.Context(), alice, wanted); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkClaim is a claim of a hundred keys, of devices of fifty users.
func BenchmarkClaim(b *testing.B) {
	st := onDisk(b, filepath.Join(b.TempDir(), "chat.db"))
	s := newService(st)
	wanted := make(map[string]map[string]string)
	const users, devices, stock = 50, 2, 100
	for u := range users {
		user := events.UserID(fmt.Sprintf("@user%d:example.org", u))
		wanted[string(user)] = make(map[string]string)
		for d := range devices {
			device := fmt.Sprintf("DEVICE%04d", d)
			addDevice(b, st, user, device)
			wanted[string(user)][device] = "signed_curve25519"
			if _, err := s.Upload(b.Context(), user, device, keys.Upload{OneTime: oneTime(b, user, device, 0, stock)}); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Claim(b.Context(), wanted); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpload is the first upload of a device, with fifty one-time keys.
func BenchmarkUpload(b *testing.B) {
	st := onDisk(b, filepath.Join(b.TempDir(), "chat.db"))
	s := newService(st)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		n++
		device := fmt.Sprint("DEVICE", n)
		addDevice(b, st, alice, device)
		in := keys.Upload{DeviceKeys: identity(b, alice, device), OneTime: oneTime(b, alice, device, 0, 50)}
		b.StartTimer()
		if _, err := s.Upload(b.Context(), alice, device, in); err != nil {
			b.Fatal(err)
		}
	}
}
