package keys_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/keys"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// FuzzUpload uploads anything that is JSON in every place for keys. It is
// refused as a client's fault, or comes back as valid JSON with the same
// content, and never panics.
func FuzzUpload(f *testing.F) {
	phone := string(identity(f, alice, "PHONE"))
	cross := crossSigning(f, alice)
	for _, seed := range []string{
		phone, string(cross.Master), string(cross.SelfSigning), `{}`, `null`, `"k"`, `[]`, `{"key":"k","signatures":{"a":{"b":1}}}`,
		phone[:len(phone)-1] + `,"unsigned":{"device_display_name":"x"},"user_id":"@bob:example.org","x":1e999}`,
		`{"user_id":"@alice:example.org","device_id":"PHONE","algorithms":["a"],"keys":{},"signatures":{"@alice:example.org":1,"":{}}}`,
		`{"user_id":"@alice:example.org","usage":["master"],"keys":{"ed25519:":""}}`,
		`{"PHONE":` + phone + `}`, `{"keys":{"ed25519:x":{"x":"x"}},"usage":"master"}`,
	} {
		f.Add([]byte(seed))
	}
	st := onDisk(f, filepath.Join(f.TempDir(), "chat.db"))
	s := newService(st)
	addDevice(f, st, alice, "PHONE")
	addDevice(f, st, bob, "PHONE")
	f.Fuzz(func(t *testing.T, raw []byte) {
		if events.Valid(raw) != nil { // what the HTTP layer lets through
			return
		}
		check := func(what string, err error) bool {
			if err == nil {
				return true
			}
			var refused *mxerr.Error
			if !asRefusal(err, &refused) || refused.Status/100 != 4 {
				t.Errorf("%s: %v", what, err)
			}
			return false
		}
		_, err := s.Upload(t.Context(), alice, "PHONE", keys.Upload{DeviceKeys: raw})
		if check("device keys", err) && string(raw) != "null" {
			answer, err := s.Query(t.Context(), bob, map[string][]string{string(alice): {}})
			if err != nil || !gjson.ValidBytes(answer) {
				t.Fatalf("query: %s, %v", answer, err)
			}
		}
		key := map[string]json.RawMessage{"x:1": raw}
		_, err = s.Upload(t.Context(), bob, "PHONE", keys.Upload{OneTime: key, Fallback: key})
		if check("one-time keys", err) {
			answer, err := s.Claim(t.Context(), map[string]map[string]string{string(bob): {"PHONE": "x"}})
			if err != nil || !gjson.ValidBytes(answer) {
				t.Fatalf("claim: %s, %v", answer, err)
			}
		}
		for i, in := range []keys.CrossSigning{{Master: raw}, {SelfSigning: raw}, {Master: cross.Master, UserSigning: raw}} {
			check(fmt.Sprint("cross-signing ", i), s.UploadCrossSigning(t.Context(), alice, in, true))
		}
		for _, body := range []string{string(raw), fmt.Sprintf(`{%q:{"PHONE":%s}}`, alice, raw)} {
			answer, err := s.UploadSignatures(t.Context(), alice, json.RawMessage(body))
			if check("signatures", err) && !gjson.ValidBytes(answer) {
				t.Errorf("signatures: %s", answer)
			}
		}
		if answer, err := s.Query(t.Context(), alice, map[string][]string{string(alice): {}}); err != nil || !gjson.ValidBytes(answer) {
			t.Fatalf("query: %s, %v", answer, err)
		}
	})
}

// asRefusal reports whether an error is one that becomes a refusal: also those
// of the JSON, which the HTTP layer turns into 400.
func asRefusal(err error, to **mxerr.Error) bool {
	switch e := err.(type) {
	case *mxerr.Error:
		*to = e
		return true
	case *events.JSONError:
		*to = mxerr.BadJSON("%s", e)
		return true
	}
	return false
}
