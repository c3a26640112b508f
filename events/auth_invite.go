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
	if !signedByAny(signed, inviteKeys(pending.Content)) {
		return reject("5.4.1.7", "the third-party invite is not signed by any of its keys")
	}
	return nil
}

// inviteKeys collects public_key and public_keys[].public_key of an m.room.third_party_invite (AUTHZ-16).
func inviteKeys(content []byte) []ed25519.PublicKey {
	var keys []ed25519.PublicKey
	add := func(obj []byte) {
		s, _ := stringMember(obj, "public_key")
		if key, err := DecodeBase64(s); err == nil && len(key) == ed25519.PublicKeySize {
			keys = append(keys, key)
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

// signedByAny reports whether any ed25519 signature on a canonical object verifies with any of the keys.
func signedByAny(signed []byte, keys []ed25519.PublicKey) bool {
	text := appendWithout(make([]byte, 0, len(signed)), signed, unsignedKey)
	checks := 0
	entities := membersOf(lookup(signed, "signatures"))
	for {
		_, entity, ok := entities.next()
		if !ok {
			return false
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
			for _, key := range keys {
				if checks++; checks > maxInviteChecks {
					return false
				}
				if ed25519.Verify(key, text, signature) {
					return true
				}
			}
		}
	}
}
