package events

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Signer holds the key a server signs events with.
type Signer struct {
	Server ServerName
	KeyID  string // "ed25519:<id>", at most 32 bytes
	Key    ed25519.PrivateKey
}

// Errors of [VerifyJSON].
var (
	ErrNoSignature  = errors.New("no such signature")
	ErrBadSignature = errors.New("signature does not match")
)

// SignJSON adds the signature of an entity (a server name or a user ID) to a JSON object, beside those it has. The
// signature covers the canonical form without signatures and unsigned; the result is canonical.
func SignJSON(obj []byte, entity, keyID string, key ed25519.PrivateKey) ([]byte, error) {
	obj, err := Canonical(obj)
	if err != nil {
		return nil, err
	}
	if !isObject(obj) {
		return nil, &FieldError{"json", "is not an object"}
	}
	signed := appendWithout(make([]byte, 0, len(obj)), obj, unsignedKey)
	return withSignature(obj, entity, keyID, ed25519.Sign(key, signed)), nil
}

func withSignature(obj []byte, entity, keyID string, signature []byte) []byte {
	all := lookup(obj, "signatures")
	own := withMember(lookup(all, entity), keyID, AppendString(nil, base64.RawStdEncoding.EncodeToString(signature)))
	return withMember(obj, "signatures", withMember(all, entity, own))
}

// VerifyJSON checks the signature of an entity (a server name or a user ID) on a JSON object. It returns an error
// wrapping [ErrNoSignature] or [ErrBadSignature], or the [JSONError] of a text without canonical form.
func VerifyJSON(obj []byte, entity, keyID string, key ed25519.PublicKey) error {
	obj, err := Canonical(obj)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(keyID, "ed25519:") {
		return fmt.Errorf("verify %s: %w", keyID, ErrNoSignature)
	}
	text, ok := stringMember(lookup(lookup(obj, "signatures"), entity), keyID)
	if !ok {
		return fmt.Errorf("verify signature of %s with %s: %w", entity, keyID, ErrNoSignature)
	}
	signature, err := DecodeBase64(text)
	signed := appendWithout(make([]byte, 0, len(obj)), obj, unsignedKey)
	if err != nil || len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, signed, signature) {
		return fmt.Errorf("verify signature of %s with %s: %w", entity, keyID, ErrBadSignature)
	}
	return nil
}

// DecodeBase64 decodes base64 in the standard or the URL-safe alphabet, with or without padding.
func DecodeBase64(s string) ([]byte, error) {
	s = strings.TrimRight(s, "=")
	enc := base64.RawStdEncoding
	if strings.ContainsAny(s, "-_") {
		enc = base64.RawURLEncoding
	}
	b, err := enc.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("decode base64: %w", err)
	}
	return b, nil
}

// AppendRaw appends the event in the raw ("federation") format of its room version, canonical if
// unsigned is. s signs the event; nil leaves the signatures out. unsigned is a JSON object or nil.
func (e *Event) AppendRaw(dst []byte, s *Signer, unsigned []byte) []byte {
	raw := e.Raw
	if s != nil {
		redacted := e.Version.appendRedacted(make([]byte, 0, len(raw)), raw, e.Type)
		raw = withSignature(raw, string(s.Server), s.KeyID, ed25519.Sign(s.Key, redacted))
	}
	if unsigned != nil {
		raw = withMember(raw, "unsigned", unsigned)
	}
	return append(dst, raw...)
}
