package storetest

import "github.com/ca4c8834/homeserver/store"

func settings() []rule {
	return []rule{
		{"Setting: ErrNotFound if it was never set", func(f *fixture) {
			f.missing(func(v store.View) error { _, err := v.Setting("x"); return err })
		}},
		{"PutSetting sets the value of a name, replacing an earlier one; slices are not kept and results belong to the caller", func(f *fixture) {
			for _, value := range []string{"one", "two", ""} {
				b := []byte(value)
				f.update(func(tx store.Tx) error { return tx.PutSetting("x", b) })
				for range 2 {
					f.view(func(v store.View) error {
						clear(b)
						got, err := v.Setting("x")
						equal(f, string(got), value)
						clear(got)
						return err
					})
				}
			}
		}},
	}
}
