package events

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type signingVectors struct {
	Seed   string
	Server ServerName
	KeyID  string `json:"key_id"`
	JSON   []signingVector
	Events []signingVector
}

type signingVector struct{ Input, Signed json.RawMessage }

func readSigningVectors(t *testing.T) (v signingVectors, key ed25519.PrivateKey) {
	t.Helper()
	raw, err := os.ReadFile("testdata/signing.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	seed, err := DecodeBase64(v.Seed)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.JSON) != 2 || len(v.Events) != 2 {
		t.Fatal("the appendix has two vectors of each kind")
	}
	return v, ed25519.NewKeyFromSeed(seed)
}

func mustCanonical(t *testing.T, raw []byte) string {
	t.Helper()
	c, err := Canonical(raw)
	if err != nil {
		t.Fatal(err)
	}
	return string(c)
}

// TestJSONSigningVectors: EVT-29, the appendix on JSON signing.
func TestJSONSigningVectors(t *testing.T) {
	t.Parallel()
	v, key := readSigningVectors(t)
	for _, vector := range v.JSON {
		got, err := SignJSON(vector.Input, string(v.Server), v.KeyID, key)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(mustCanonical(t, vector.Signed), string(got)); diff != "" {
			t.Error(diff)
		}
		if err := VerifyJSON(vector.Signed, string(v.Server), v.KeyID, key.Public().(ed25519.PublicKey)); err != nil {
			t.Error(err)
		}
	}
}

// TestEventSigningVectors: EVT-29, the appendix on event signing; with it the content hash of EVT-21 and the signature
// of EVT-23.
func TestEventSigningVectors(t *testing.T) {
	t.Parallel()
	v, key := readSigningVectors(t)
	v1, _ := LookupVersion("1")
	for _, vector := range v.Events {
		raw := []byte(mustCanonical(t, vector.Input))
		hash := contentHash(raw)
		raw = withMember(raw, "hashes", []byte(`{"sha256":"`+base64.RawStdEncoding.EncodeToString(hash[:])+`"}`))
		unsigned := lookup(raw, "unsigned")
		e, err := v1.Parse(raw, "$0:domain")
		if err != nil {
			t.Fatal(err)
		}
		got := e.AppendRaw(nil, &Signer{v.Server, v.KeyID, key}, unsigned)
		if diff := cmp.Diff(mustCanonical(t, vector.Signed), string(got)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestVerifyJSON(t *testing.T) {
	t.Parallel()
	_, key := readSigningVectors(t)
	public := key.Public().(ed25519.PublicKey)
	signed, err := SignJSON([]byte(`{"b":1, "a":2, "unsigned":{"x":1}, "signatures":{"other":{"ed25519:2":"c2ln"}}}`), "@u:hs", "ed25519:1", key)
	if err != nil {
		t.Fatal(err)
	}
	if got := lookup(lookup(signed, "signatures"), "other"); string(got) != `{"ed25519:2":"c2ln"}` {
		t.Errorf("signature of another entity became %s", got)
	}
	if got := lookup(signed, "unsigned"); string(got) != `{"x":1}` {
		t.Errorf("unsigned became %s", got)
	}
	signature, _ := stringMember(lookup(lookup(signed, "signatures"), "@u:hs"), "ed25519:1")
	padded := withMember(signed, "signatures", []byte(`{"@u:hs":{"ed25519:1":"`+signature+`=="}}`))
	tests := []struct {
		name        string
		obj         []byte
		entity, key string
		want        error
	}{
		{"valid", signed, "@u:hs", "ed25519:1", nil},
		{"ID-13 padded base64", padded, "@u:hs", "ed25519:1", nil},
		{"unsigned is not covered", withMember(signed, "unsigned", []byte(`{}`)), "@u:hs", "ed25519:1", nil},
		{"changed", withMember(signed, "b", []byte("3")), "@u:hs", "ed25519:1", ErrBadSignature},
		{"signature is no base64", withMember(signed, "signatures", []byte(`{"@u:hs":{"ed25519:1":"!"}}`)), "@u:hs", "ed25519:1", ErrBadSignature},
		{"other entity", signed, "@v:hs", "ed25519:1", ErrNoSignature},
		{"other key", signed, "@u:hs", "ed25519:9", ErrNoSignature},
		{"other algorithm", signed, "@u:hs", "rsa:1", ErrNoSignature},
		{"no signatures", []byte(`{}`), "@u:hs", "ed25519:1", ErrNoSignature},
	}
	for _, tt := range tests {
		if err := VerifyJSON(tt.obj, tt.entity, tt.key, public); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v; want %v", tt.name, err, tt.want)
		}
	}
	if err := VerifyJSON(signed, "@u:hs", "ed25519:1", public[:5]); !errors.Is(err, ErrBadSignature) {
		t.Errorf("short key: got %v", err)
	}
	if _, err := SignJSON([]byte(`[]`), "hs", "ed25519:1", key); err == nil {
		t.Error("signed an array")
	}
	if _, err := SignJSON([]byte(`{"a":1.5}`), "hs", "ed25519:1", key); err == nil {
		t.Error("signed a float")
	}
}

func TestDecodeBase64(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"+/+/YQ", "+/+/YQ==", "-_-_YQ", "-_-_YQ=="} { // ID-13
		if got, err := DecodeBase64(s); err != nil || string(got) != "\xfb\xff\xbfa" {
			t.Errorf("DecodeBase64(%s) = %q, %v", s, got, err)
		}
	}
	if _, err := DecodeBase64("a b"); err == nil {
		t.Error("accepted a space")
	}
}

func publicKey(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }
