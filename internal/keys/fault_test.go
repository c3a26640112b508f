package keys_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/keys"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/store/storetest"
)

var errDisk = errors.New("disk on fire")

// stored is everything that this service stores about alice and bob.
func stored(t *testing.T, st store.Store) (all string) {
	t.Helper()
	err := st.View(t.Context(), func(v store.View) error {
		for _, user := range []events.UserID{alice, bob} {
			one := []events.UserID{user}
			devices, err1 := v.Devices(user)
			identities, err2 := v.DeviceKeys(one)
			cross, err3 := v.CrossSigningKeys(one)
			signatures, err4 := v.UserSignatures(alice, one)
			changes, err5 := v.DeviceListChanges(user, 0)
			dry, err6 := v.DehydratedDevice(user)
			if errors.Is(err6, store.ErrNotFound) {
				err6 = nil
			}
			all += fmt.Sprintf("%v %s %s %v %v %s\n", devices, identities, cross, signatures, changes, dry)
			for _, d := range devices {
				pools, claimed, err := v.KeyPools(user, d.ID)
				all += fmt.Sprintf("%s %v %d\n", d.ID, pools, claimed)
				if err != nil {
					return err
				}
			}
			if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// XS-13, KEYS-14: wherever the storage gives up, a request is done wholly or not
// at all, and works when it is repeated.
func TestFaults(t *testing.T) {
	t.Parallel()
	signedPhone := func(t *testing.T) json.RawMessage {
		self, public := key(string(alice) + "self_signing")
		user, userPublic := key(string(alice) + "user_signing")
		bobs := string(crossSigning(t, bob).Master)
		_, bobsKey := key(string(bob) + "master")
		return json.RawMessage(fmt.Sprintf(`{%q:{"PHONE":%s},%q:{%q:%s}}`,
			alice, sign(t, string(identity(t, alice, "PHONE")), alice, "ed25519:"+public, self),
			bob, bobsKey, sign(t, bobs, alice, "ed25519:"+userPublic, user)))
	}
	for name, operation := range map[string]func(t *testing.T, s *keys.Service) error{
		"upload": func(t *testing.T, s *keys.Service) error {
			_, err := s.Upload(t.Context(), alice, "LAPTOP", keys.Upload{
				DeviceKeys: identity(t, alice, "LAPTOP"), OneTime: oneTime(t, alice, "LAPTOP", 0, 3),
				Fallback: map[string]json.RawMessage{"x:F": json.RawMessage(`"f"`)},
			})
			return err
		},
		"claim": func(t *testing.T, s *keys.Service) error {
			_, err := s.Claim(t.Context(), map[string]map[string]string{string(alice): {"PHONE": "signed_curve25519"}, string(bob): {"PHONE": "x"}})
			return err
		},
		"cross-signing": func(t *testing.T, s *keys.Service) error {
			in := crossSigning(t, alice)
			in.SelfSigning = nil // which drops the one that is there
			private, public := key("another")
			in.Master = json.RawMessage(fmt.Sprintf(`{"user_id":%q,"usage":["master"],"keys":{"ed25519:%[2]s":%[2]q}}`, alice, public))
			in.UserSigning = json.RawMessage(sign(t, string(in.UserSigning), alice, "ed25519:"+public, private))
			return s.UploadCrossSigning(t.Context(), alice, in, true)
		},
		"signatures": func(t *testing.T, s *keys.Service) error {
			answer, err := s.UploadSignatures(t.Context(), alice, signedPhone(t))
			if err == nil && string(answer) != `{"failures":{}}` {
				t.Errorf("answer %s", answer)
			}
			return err
		},
		"dehydration": func(t *testing.T, s *keys.Service) error {
			return s.PutDehydrated(t.Context(), alice, keys.Dehydrated{
				Device: "DRIER", Data: json.RawMessage(`{"algorithm":"x"}`),
				Keys: keys.Upload{DeviceKeys: identity(t, alice, "DRIER"), OneTime: oneTime(t, alice, "DRIER", 0, 2)},
			})
		},
		"rehydration": func(t *testing.T, s *keys.Service) error {
			_, err := s.DeleteDehydrated(t.Context(), alice)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner, err := sqlite.Memory()
			if err != nil {
				t.Fatal(err)
			}
			st := storetest.Faulty(inner)
			defer st.Close() //nolint:errcheck // nothing is left to be lost
			s := newService(st)
			for _, device := range []string{"PHONE", "LAPTOP"} {
				addDevice(t, st, alice, device)
			}
			addDevice(t, st, bob, "PHONE")
			for _, user := range []events.UserID{alice, bob} {
				in := keys.Upload{DeviceKeys: identity(t, user, "PHONE"), Fallback: map[string]json.RawMessage{"x:F": json.RawMessage(`"f"`)}}
				in.OneTime = oneTime(t, user, "PHONE", 0, 2)
				_, err1 := s.Upload(t.Context(), user, "PHONE", in)
				err2 := s.UploadCrossSigning(t.Context(), user, crossSigning(t, user), false)
				if err := errors.Join(err1, err2); err != nil {
					t.Fatal(err)
				}
			}
			dry := keys.Dehydrated{Device: "DRY", Data: json.RawMessage(`{"algorithm":"x"}`), Keys: keys.Upload{DeviceKeys: identity(t, alice, "DRY")}}
			if err := s.PutDehydrated(t.Context(), alice, dry); err != nil {
				t.Fatal(err)
			}
			before := stored(t, st)
			for n := 1; ; n++ {
				st.FailAt(n, errDisk)
				err := operation(t, s)
				if err == nil {
					if n < 4 {
						t.Errorf("only %d calls were seen", n-1)
					}
					break
				}
				if !errors.Is(err, errDisk) {
					t.Fatalf("call %d: %v", n, err)
				}
				st.FailAt(0, nil)
				if diff := cmp.Diff(before, stored(t, st)); diff != "" {
					t.Fatalf("after call %d (-want +got):\n%s", n, diff)
				}
			}
			st.FailAt(0, nil)
			if stored(t, st) == before {
				t.Error("nothing has changed in the end")
			}
		})
	}
}
