package storetest

import (
	"fmt"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func tokens() []rule {
	return []rule{
		{"Token returns the access token with this hash, an expired one like any other", func(f *fixture) {
			want := store.Token{Hash: store.TokenHash{31: 1}, User: alice, Device: "D", CreatedTS: 5, ExpiresTS: 6, Generation: 7}
			f.update(func(tx store.Tx) error {
				if err := tx.PutDevice(store.Device{User: alice, ID: "D"}); err != nil {
					return err
				}
				return tx.PutToken(want)
			})
			f.view(func(v store.View) error {
				got, err := v.Token(want.Hash)
				equal(f, got, want)
				return err
			})
			f.missing(func(v store.View) error { _, err := v.Token(store.TokenHash{31: 2}); return err })
			f.missing(func(v store.View) error { _, err := v.RefreshToken(want.Hash); return err })
		}},
		{"RefreshToken returns the refresh token with this hash", func(f *fixture) {
			want := store.RefreshToken{Hash: store.TokenHash{31: 1}, User: alice, Device: "D", Generation: 3, CreatedTS: 5}
			f.update(func(tx store.Tx) error {
				if err := tx.PutDevice(store.Device{User: alice, ID: "D"}); err != nil {
					return err
				}
				return tx.PutRefreshToken(want)
			})
			f.view(func(v store.View) error {
				got, err := v.RefreshToken(want.Hash)
				equal(f, got, want)
				return err
			})
			f.missing(func(v store.View) error { _, err := v.RefreshToken(store.TokenHash{31: 2}); return err })
			f.missing(func(v store.View) error { _, err := v.Token(want.Hash); return err })
		}},
		{"PutToken, PutRefreshToken: ErrNotFound if its device does not exist", func(f *fixture) {
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.PutToken(store.Token{User: alice, Device: "D"}) })
			f.refused(store.ErrNotFound, func(tx store.Tx) error {
				return tx.PutRefreshToken(store.RefreshToken{User: alice, Device: "D"})
			})
		}},
		{"Supersedes: refresh tokens of earlier generations of the device are still there", func(f *fixture) {
			f.update(func(tx store.Tx) error { return generations(tx, alice, "A", 0, 1, 2) })
			f.update(func(tx store.Tx) error { return generations(tx, alice, "B", 1) })
			f.update(func(tx store.Tx) error { return generations(tx, bob, "A", 1) })
			for name, want := range map[string]bool{
				"@alice:example.org A 0": false, "@alice:example.org A 1": true, "@alice:example.org A 2": true,
				"@alice:example.org B 1": false, "@bob:example.org A 1": false,
			} {
				f.view(func(v store.View) error {
					token, err := v.Token(tokenHash("access " + name))
					equal(f, token.Supersedes, want)
					return err
				})
			}
		}},
		{"DeleteGenerations removes the tokens of a device whose generation is less than before; none is no error", func(f *fixture) {
			f.update(func(tx store.Tx) error { return generations(tx, alice, "A", 0, 1, 2, 3) })
			f.update(func(tx store.Tx) error { return generations(tx, alice, "B", 0) })
			f.update(func(tx store.Tx) error { return generations(tx, bob, "A", 0) })
			for range 2 {
				f.update(func(tx store.Tx) error { return tx.DeleteGenerations(alice, "A", 2) })
			}
			f.update(func(tx store.Tx) error { return tx.DeleteGenerations(alice, "C", 1) })
			for name, want := range map[string]bool{
				"@alice:example.org A 0": false, "@alice:example.org A 1": false, "@alice:example.org A 2": true,
				"@alice:example.org A 3": true,
				"@alice:example.org B 0": true, "@bob:example.org A 0": true,
			} {
				f.hasTokens(name, want)
			}
		}},
		{"DeleteTokens removes all access and refresh tokens of a device; none is no error", func(f *fixture) {
			f.update(func(tx store.Tx) error { return generations(tx, alice, "A", 0, 1) })
			f.update(func(tx store.Tx) error { return generations(tx, alice, "B", 0) })
			for range 2 {
				f.update(func(tx store.Tx) error { return tx.DeleteTokens(alice, "A") })
			}
			for name, want := range map[string]bool{
				"@alice:example.org A 0": false, "@alice:example.org A 1": false, "@alice:example.org B 0": true,
			} {
				f.hasTokens(name, want)
			}
		}},
	}
}

// generations gives a device an access and a refresh token of each generation.
func generations(tx store.Tx, user events.UserID, device string, generations ...int64) error {
	if err := tx.PutDevice(store.Device{User: user, ID: device}); err != nil {
		return err
	}
	for _, n := range generations {
		name := fmt.Sprintf("%s %s %d", user, device, n)
		access := store.Token{Hash: tokenHash("access " + name), User: user, Device: device, Generation: n}
		if err := tx.PutToken(access); err != nil {
			return err
		}
		refresh := store.RefreshToken{Hash: tokenHash("refresh " + name), User: user, Device: device, Generation: n}
		if err := tx.PutRefreshToken(refresh); err != nil {
			return err
		}
	}
	return nil
}

func tokenHash(name string) store.TokenHash {
	var hash store.TokenHash
	copy(hash[:], name)
	return hash
}

// hasTokens wants both tokens that generations has made to be there or not.
func (f *fixture) hasTokens(name string, want bool) {
	f.Helper()
	f.view(func(v store.View) error {
		_, err := v.Token(tokenHash("access " + name))
		equal(f, err == nil, want)
		_, err = v.RefreshToken(tokenHash("refresh " + name))
		equal(f, err == nil, want)
		return nil
	})
}
