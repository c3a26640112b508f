package events

import (
	"crypto/ed25519"
	"strings"
)

// maxInviteChecks bounds the signatures verified for one invite, since both lists come from clients.
const maxInviteChecks = 64

// thirdPartyInvite is rule 5.4.1.
func (c *memberCheck) thirdPartyInvite(invite []byte) error {
	if c.targetNow == MembershipBan {
		return reject("5.4.1.1", "the invited user is banned")
	}
	signed := lookup(invite, "signed")
	if !isObject(signed) {
		return reject("5.4.1.2", "third_party_invite.signed is missing")
	}
	mxid, hasID := stringMember(signed, "mxid")
	token, hasToken := stringMember(signed, "token")
	if !hasID || !hasToken {
		return reject("5.4.1.3", "third_party_invite.signed lacks mxid or token")
	}
	if mxid != string(c.target) {
		return reject("5.4.1.4", "the third-party invite is for another user")
	}
	pending := c.s.Event(TypeThirdPartyInvite, token)
	if pending == nil {
		return reject("5.4.1.5", "there is no such third-party invite")
	}
	if pending.Sender != c.e.Sender {
		return reject("5.4.1.6", "the third-party invite is by another user")
	}
	if signer(signed, InviteKeys(pending.Content)) == nil {
		return reject("5.4.1.7", "the third-party invite is not signed by any of its keys")
	}
	return nil
}

// InviteKey is a key with which the owner of a third-party identifier may be told.
type InviteKey struct {
	Key ed25519.PublicKey
	// ValidityURL tells whether the key is still valid; "" if nobody does.
	ValidityURL string
}

// InviteKeys collects the keys of an m.room.third_party_invite: public_key and public_keys[].public_key. Those
// that are no ed25519 keys are left out.
func InviteKeys(content []byte) []InviteKey {
	var keys []InviteKey
	add := func(obj []byte) {
		s, _ := stringMember(obj, "public_key")
		url, _ := stringMember(obj, "key_validity_url")
		if key, err := DecodeBase64(s); err == nil && len(key) == ed25519.PublicKeySize {
			keys = append(keys, InviteKey{key, url})
		}
	}
	add(content)
	list := elementsOf(lookup(content, "public_keys"))
	for {
		entry, ok := list.next()
		if !ok {
			return keys
		}
		add(entry)
	}
}

// InviteSigner returns the first of the keys that any ed25519 signature on a JSON object verifies with, nil if there is
// none.
func InviteSigner(signed []byte, keys []InviteKey) *InviteKey {
	canonical, err := CanonicalLoose(signed)
	if err != nil {
		return nil
	}
	return signer(canonical, keys)
}

// signer is InviteSigner for canonical objects.
func signer(signed []byte, keys []InviteKey) *InviteKey {
	text := appendWithout(make([]byte, 0, len(signed)), signed, unsignedKey)
	checks := 0
	entities := membersOf(lookup(signed, "signatures"))
	for {
		_, entity, ok := entities.next()
		if !ok {
			return nil
		}
		signatures := membersOf(entity)
		for {
			keyID, value, ok := signatures.next()
			if !ok {
				break
			}
			s, _ := stringValue(value)
			signature, err := DecodeBase64(s)
			if err != nil || !strings.HasPrefix(unquote(keyID), "ed25519:") {
				continue
			}
			for i := range keys {
				if checks++; checks > maxInviteChecks {
					return nil
				}
				if ed25519.Verify(keys[i].Key, text, signature) {
					return &keys[i]
				}
			}
		}
	}
}
