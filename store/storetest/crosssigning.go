package storetest

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func crossSigning() []rule {
	key := func(user events.UserID, usage, json string) store.CrossSigningKey {
		return store.CrossSigningKey{User: user, Usage: usage, Public: json + "public", JSON: []byte(json)}
	}
	keys := func(f *fixture, users ...events.UserID) (got []store.CrossSigningKey) {
		f.Helper()
		f.view(func(v store.View) (err error) { got, err = v.CrossSigningKeys(users); return err })
		return got
	}
	signatures := func(f *fixture, signer events.UserID, users ...events.UserID) (got []store.UserSignature) {
		f.Helper()
		f.view(func(v store.View) (err error) { got, err = v.UserSignatures(signer, users); return err })
		return got
	}
	put := func(f *fixture, keys ...store.CrossSigningKey) {
		f.Helper()
		f.update(func(tx store.Tx) error {
			for _, k := range keys {
				if err := tx.PutCrossSigningKey(k); err != nil {
					return err
				}
			}
			return nil
		})
	}
	sign := func(f *fixture, signatures ...store.UserSignature) {
		f.Helper()
		f.update(func(tx store.Tx) error {
			for _, s := range signatures {
				if err := tx.PutUserSignature(s); err != nil {
					return err
				}
			}
			return nil
		})
	}
	byAlice := store.UserSignature{Signer: alice, User: bob, Key: "M", SignerKey: "ed25519:U", Signature: "sig"}
	byBob := store.UserSignature{Signer: bob, User: alice, Key: "M", SignerKey: "ed25519:U", Signature: "sig2"}
	return []rule{
		{"CrossSigningKeys returns the keys of the given users; those of a user stand together, ordered by usage", func(f *fixture) {
			put(f, key(bob, "master", `{"b":1}`), key(alice, "user_signing", `{"a":3}`), key(alice, "master", `{"a":1}`))
			equal(f, keys(f, alice), []store.CrossSigningKey{key(alice, "master", `{"a":1}`), key(alice, "user_signing", `{"a":3}`)})
			equal(f, len(keys(f, "@carl:example.org", alice, bob)), 3)
		}},
		{"PutCrossSigningKey sets the key of a user for a usage; DeleteCrossSigningKey removes it, none is no error", func(f *fixture) {
			put(f, key(alice, "master", `{"n":1}`), key(alice, "self_signing", `{"n":2}`))
			put(f, key(alice, "master", `{"n":3}`))
			equal(f, keys(f, alice), []store.CrossSigningKey{key(alice, "master", `{"n":3}`), key(alice, "self_signing", `{"n":2}`)})
			for range 2 {
				f.update(func(tx store.Tx) error { return tx.DeleteCrossSigningKey(alice, "self_signing") })
			}
			equal(f, keys(f, alice), []store.CrossSigningKey{key(alice, "master", `{"n":3}`)})
		}},
		{"UserSignatures returns the signatures by one user on keys of the given users", func(f *fixture) {
			more := store.UserSignature{Signer: alice, User: bob, Key: "M2", SignerKey: "ed25519:U", Signature: "sig3"}
			sign(f, byAlice, byBob, more)
			equal(f, signatures(f, alice, bob, "@carl:example.org"), []store.UserSignature{byAlice, more})
			equal(f, signatures(f, bob, alice), []store.UserSignature{byBob})
			equal(f, len(signatures(f, alice, alice)), 0)
		}},
		{"PutUserSignature replaces the one that the same key has made", func(f *fixture) {
			sign(f, byAlice)
			again, other := byAlice, byAlice
			again.Signature, other.SignerKey = "another", "ed25519:V"
			sign(f, again, other)
			equal(f, signatures(f, alice, bob), []store.UserSignature{again, other})
		}},
		{"DeleteCrossSigning removes all keys of a user and all signatures by and on them", func(f *fixture) {
			carl := store.UserSignature{Signer: bob, User: "@carl:example.org", Key: "M", SignerKey: "x", Signature: "y"}
			put(f, key(alice, "master", `{}`), key(alice, "self_signing", `{}`), key(bob, "master", `{}`))
			sign(f, byAlice, byBob, carl)
			f.update(func(tx store.Tx) error { return tx.DeleteCrossSigning(alice) })
			equal(f, keys(f, alice, bob), []store.CrossSigningKey{key(bob, "master", `{}`)})
			equal(f, len(signatures(f, alice, bob)), 0)
			equal(f, signatures(f, bob, alice, "@carl:example.org"), []store.UserSignature{carl})
		}},
	}
}
