package storetest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/ca4c8834/homeserver/store"
)

func oneTimeKeys() []rule {
	key := func(algorithm, id string) store.OneTimeKey {
		return store.OneTimeKey{Algorithm: algorithm, ID: id, JSON: fmt.Appendf(nil, `{"key":"%s-%s"}`, algorithm, id)}
	}
	upload := func(f *fixture, keys ...store.OneTimeKey) {
		f.Helper()
		f.update(func(tx store.Tx) error { return tx.AddOneTimeKeys(alice, "A", keys) })
	}
	claim := func(f *fixture, algorithm string) (got store.OneTimeKey, pos store.Pos) {
		f.Helper()
		f.update(func(tx store.Tx) (err error) {
			pos = tx.Next()
			got, err = tx.ClaimOneTimeKey(alice, "A", algorithm, pos)
			return err
		})
		return got, pos
	}
	pools := func(f *fixture) (got []store.KeyPool) {
		f.Helper()
		f.view(func(v store.View) (err error) { got, _, err = v.KeyPools(alice, "A"); return err })
		return got
	}
	claimed := func(f *fixture, want store.Pos) {
		f.Helper()
		f.view(func(v store.View) error {
			_, got, err := v.KeyPools(alice, "A")
			equal(f, got, want)
			return err
		})
	}
	phone := store.Device{User: alice, ID: "A"}
	return []rule{
		{"KeyPools returns the pools of a device that hold a key, ordered by algorithm, and the position of the latest claim", func(f *fixture) {
			f.addDevices(phone, store.Device{User: alice, ID: "B"})
			equal(f, len(pools(f)), 0)
			upload(f, key("y", "1"), key("y", "2"), key("x", "1"))
			upload(f, key("y", "3"))
			equal(f, pools(f), []store.KeyPool{{Algorithm: "x", OneTime: 1}, {Algorithm: "y", OneTime: 3}})
			claimed(f, 0)
			_, pos := claim(f, "x")
			upload(f, key("y", "4"))
			equal(f, pools(f), []store.KeyPool{{Algorithm: "y", OneTime: 4}})
			claimed(f, pos)
			_, pos = claim(f, "y")
			claimed(f, pos)
			f.view(func(v store.View) error {
				other, pos, err := v.KeyPools(alice, "B")
				equal(f, len(other), 0)
				equal(f, pos, 0)
				return err
			})
		}},
		{"ClaimOneTimeKey takes the oldest key out of a pool: nobody gets it again; ErrNotFound if there is none", func(f *fixture) {
			f.addDevices(phone)
			upload(f, key("x", "9"))
			upload(f, key("x", "1"), key("y", "1"))
			upload(f, key("x", "5"))
			for _, id := range []string{"9", "1", "5"} {
				got, _ := claim(f, "x")
				equal(f, got, key("x", id))
			}
			none := func(algorithm string) func(tx store.Tx) error {
				return func(tx store.Tx) error { _, err := tx.ClaimOneTimeKey(alice, "A", algorithm, tx.Next()); return err }
			}
			f.refused(store.ErrNotFound, none("x"))
			f.refused(store.ErrNotFound, none("z"))
			got, _ := claim(f, "y")
			equal(f, got, key("y", "1"))
		}},
		{"ClaimOneTimeKey never hands out a key twice, however many claim at once and fail beside it", claimAtOnce},
		{"AddOneTimeKeys: a name that is in a pool is ErrExists", func(f *fixture) {
			f.addDevices(phone)
			upload(f, key("x", "1"))
			f.refused(store.ErrExists, func(tx store.Tx) error {
				return tx.AddOneTimeKeys(alice, "A", []store.OneTimeKey{key("x", "2"), key("x", "1")})
			})
			equal(f, pools(f)[0].OneTime, 1)
			f.missing(func(v store.View) error { _, _, err := v.OneTimeKey(alice, "A", "x", "2"); return err })
		}},
		{"OneTimeKey returns a key by its name, one that was claimed as well; AddOneTimeKeys replaces a claimed key", func(f *fixture) {
			f.addDevices(phone)
			upload(f, key("x", "1"), key("y", "1"))
			find := func(want store.OneTimeKey, wantClaimed bool) {
				f.Helper()
				f.view(func(v store.View) error {
					got, claimed, err := v.OneTimeKey(alice, "A", want.Algorithm, want.ID)
					equal(f, got, want)
					equal(f, claimed, wantClaimed)
					return err
				})
			}
			find(key("x", "1"), false)
			claim(f, "x")
			find(key("x", "1"), true)
			find(key("y", "1"), false)
			again := store.OneTimeKey{Algorithm: "x", ID: "1", JSON: []byte(`"another"`)}
			upload(f, again)
			find(again, false)
			got, _ := claim(f, "x")
			equal(f, got, again)
			equal(f, pools(f), []store.KeyPool{{Algorithm: "y", OneTime: 1}})
			f.missing(func(v store.View) error { _, _, err := v.OneTimeKey(alice, "B", "x", "1"); return err })
		}},
		{"OneTimeKey finds a claimed key at least while fewer than 200 were claimed after it, and not for ever", func(f *fixture) {
			f.addDevices(phone)
			const n = 400
			f.update(func(tx store.Tx) error {
				for i := range n {
					if err := tx.AddOneTimeKeys(alice, "A", []store.OneTimeKey{key("x", fmt.Sprint(i))}); err != nil {
						return err
					}
					if _, err := tx.ClaimOneTimeKey(alice, "A", "x", tx.Next()); err != nil {
						return err
					}
				}
				return tx.AddOneTimeKeys(alice, "A", []store.OneTimeKey{key("x", "last")})
			})
			f.view(func(v store.View) error {
				kept := 0
				for i := range n {
					_, claimed, err := v.OneTimeKey(alice, "A", "x", fmt.Sprint(i))
					switch {
					case err == nil && claimed:
						kept++
					case !errors.Is(err, store.ErrNotFound):
						return err
					case i >= n-200:
						f.Errorf("claim %d of %d is forgotten", i, n)
					}
				}
				if kept == n {
					f.Error("every claimed key is kept")
				}
				return nil
			})
		}},
		{"PutFallbackKey sets the fallback key of its algorithm, as one that was not used; UseFallbackKey marks it", func(f *fixture) {
			f.addDevices(phone)
			upload(f, key("y", "1"))
			var used store.Pos
			f.update(func(tx store.Tx) error {
				if err := tx.PutFallbackKey(alice, "A", key("x", "old")); err != nil {
					return err
				}
				return tx.PutFallbackKey(alice, "A", key("x", "new"))
			})
			equal(f, pools(f)[0], store.KeyPool{Algorithm: "x", Fallback: key("x", "new")})
			f.update(func(tx store.Tx) error { used = tx.Next(); return tx.UseFallbackKey(alice, "A", "x", used) })
			equal(f, pools(f)[0], store.KeyPool{Algorithm: "x", Fallback: key("x", "new"), FallbackUsed: true})
			claimed(f, used)
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UseFallbackKey(alice, "A", "y", tx.Next()) })
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UseFallbackKey(alice, "A", "z", tx.Next()) })

			upload(f, key("x", "1"))
			equal(f, pools(f)[0].FallbackUsed, true)
			equal(f, pools(f)[0].OneTime, 1)
			f.update(func(tx store.Tx) error { return tx.PutFallbackKey(alice, "A", key("x", "newer")) })
			equal(f, pools(f)[0].FallbackUsed, false)
			equal(f, pools(f)[0].Fallback, key("x", "newer"))
			equal(f, pools(f)[0].OneTime, 1)
			claim(f, "x")
			equal(f, pools(f)[0], store.KeyPool{Algorithm: "x", Fallback: key("x", "newer")})
		}},
		{"DeleteDevice removes the pools of a device, and of no other", func(f *fixture) {
			f.addDevices(phone, store.Device{User: alice, ID: "B"})
			upload(f, key("x", "1"), key("x", "2"))
			claim(f, "x")
			f.update(func(tx store.Tx) error {
				if err := tx.AddOneTimeKeys(alice, "B", []store.OneTimeKey{key("x", "1")}); err != nil {
					return err
				}
				if err := tx.PutFallbackKey(alice, "A", key("x", "f")); err != nil {
					return err
				}
				if err := tx.DeleteDevice(alice, "A"); err != nil {
					return err
				}
				return tx.PutDevice(phone)
			})
			equal(f, len(pools(f)), 0)
			for _, id := range []string{"1", "2"} {
				f.missing(func(v store.View) error { _, _, err := v.OneTimeKey(alice, "A", "x", id); return err })
			}
			f.view(func(v store.View) error {
				other, _, err := v.KeyPools(alice, "B")
				equal(f, len(other), 1)
				return err
			})
		}},
	}
}

// claimAtOnce has many goroutines claim from one pool, some of which give up
// after their claim: those keys go to others.
func claimAtOnce(f *fixture) {
	const n = 64
	f.addDevices(store.Device{User: alice, ID: "A"})
	f.update(func(tx store.Tx) error {
		for i := range n {
			keys := []store.OneTimeKey{{Algorithm: "x", ID: fmt.Sprint(i)}}
			if err := tx.AddOneTimeKeys(alice, "A", keys); err != nil {
				return err
			}
		}
		return nil
	})
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		taken = map[string]int{}
		none  int
	)
	for i := range 2 * n {
		wg.Go(func() {
			var key store.OneTimeKey
			err := f.st.Update(f.Context(), func(tx store.Tx) (err error) {
				if key, err = tx.ClaimOneTimeKey(alice, "A", "x", tx.Next()); err == nil && i%4 == 3 {
					return errRefused
				}
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				taken[key.ID]++
			case errors.Is(err, store.ErrNotFound):
				none++
			case !errors.Is(err, errRefused):
				f.Error(err)
			}
		})
	}
	wg.Wait()
	for id, times := range taken {
		if times != 1 {
			f.Errorf("key %s was handed out %d times", id, times)
		}
	}
	if len(taken) != n {
		f.Errorf("%d of %d keys were handed out, %d claims found none", len(taken), n, none)
	}
	f.view(func(v store.View) error {
		pools, _, err := v.KeyPools(alice, "A")
		equal(f, len(pools), 0)
		return err
	})
}
