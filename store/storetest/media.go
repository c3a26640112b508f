package storetest

import (
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// medium reads a medium that is there.
func (f *fixture) medium(id string) (m store.Medium) {
	f.Helper()
	f.view(func(v store.View) (err error) { m, err = v.Medium(id); return err })
	return m
}

// addMedium adds a medium with a blob of its own, if it has one.
func (f *fixture) addMedium(m store.Medium) store.Medium {
	f.Helper()
	f.update(func(tx store.Tx) error {
		if m.Blob != "" {
			if err := tx.AddBlob(m.Blob, 1); err != nil {
				return err
			}
		}
		return tx.AddMedium(m)
	})
	return m
}

// usage wants an owner to have this much.
func (f *fixture) usage(owner events.UserID, want store.MediaUsage) {
	f.Helper()
	f.view(func(v store.View) error {
		got, err := v.MediaUsage(owner)
		equal(f, got, want)
		return err
	})
}

// ids returns the IDs of media.
func ids(media []store.Medium) (ids []string) {
	for _, m := range media {
		ids = append(ids, m.ID)
	}
	return ids
}

// mediaRules are called so because a package has the shorter name.
func mediaRules() []rule {
	full := store.Medium{
		ID: "full", Owner: alice, Type: "image/png", Name: "cat.png", Blob: "k1", Size: 5,
		StoredTS: 10, AccessedTS: 11, ExpiresTS: 12, Quarantined: true, Broken: true,
	}
	return []rule{
		{"Medium returns a medium. ErrNotFound", func(f *fixture) {
			pending := f.addMedium(store.Medium{ID: "pending", Owner: bob, ExpiresTS: 7})
			f.addMedium(full)
			equal(f, f.medium("full"), full)
			equal(f, f.medium("pending"), pending)
			f.missing(func(v store.View) error { _, err := v.Medium("FULL"); return err })
		}},
		{"AddMedium: ErrExists if the ID is taken; ErrNotFound if its blob does not exist", func(f *fixture) {
			f.addMedium(full)
			f.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddMedium(store.Medium{ID: "full", Owner: bob}) })
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.AddMedium(store.Medium{ID: "new", Blob: "k9"}) })
			equal(f, f.medium("full"), full)
			f.missing(func(v store.View) error { _, err := v.Medium("new"); return err })
		}},
		{"UpdateMedium replaces everything but ID and owner", func(f *fixture) {
			f.addMedium(store.Medium{ID: "full", Owner: alice, ExpiresTS: 99})
			f.blob("k1", 1)
			change := full
			change.Owner = bob
			f.update(func(tx store.Tx) error { return tx.UpdateMedium(change) })
			equal(f, f.medium("full"), full)
			f.usage(alice, store.MediaUsage{Files: 1, Bytes: 5})
			f.usage(bob, store.MediaUsage{})
			equal(f, len(f.unused(10, 10)), 0)

			bare := store.Medium{ID: "full", Owner: alice, Blob: "k1", Size: 5}
			f.update(func(tx store.Tx) error { return tx.UpdateMedium(bare) })
			equal(f, f.medium("full"), bare)
			f.usage(alice, store.MediaUsage{Files: 1, Bytes: 5})
		}},
		{"UpdateMedium: ErrNotFound if the medium or its new blob does not exist", func(f *fixture) {
			f.addMedium(full)
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdateMedium(store.Medium{ID: "none"}) })
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdateMedium(store.Medium{ID: "full", Blob: "k9"}) })
			equal(f, f.medium("full"), full)
		}},
		{"DeleteMedium removes a medium with its thumbnails and returns the keys of the blobs that nothing refers to any more", deleteMedium},
		{"MediaUsage returns what an owner has; without anything it is zero", func(f *fixture) {
			f.usage(alice, store.MediaUsage{})
			f.addMedium(store.Medium{ID: "a", Owner: alice, Blob: "ka", Size: 100})
			f.addMedium(store.Medium{ID: "b", Owner: alice, Blob: "kb", Size: 20})
			f.update(func(tx store.Tx) error {
				return tx.AddMedium(store.Medium{ID: "again", Owner: alice, Blob: "kb", Size: 20})
			})
			f.addMedium(store.Medium{ID: "c", Owner: bob, Blob: "kc", Size: 3})
			f.addMedium(store.Medium{ID: "p", Owner: alice})
			f.usage(alice, store.MediaUsage{Files: 3, Bytes: 140, Pending: 1})
			f.usage(bob, store.MediaUsage{Files: 1, Bytes: 3})
			f.update(func(tx store.Tx) error { _, err := tx.DeleteMedium("a"); return err })
			f.update(func(tx store.Tx) error { _, err := tx.DeleteMedium("p"); return err })
			f.usage(alice, store.MediaUsage{Files: 2, Bytes: 40})
		}},
		{"MediaOf returns media with content of one owner, newest first: at most limit of those that follow before", func(f *fixture) {
			for i, id := range []string{"a", "b", "c", "d"} {
				f.addMedium(store.Medium{ID: id, Owner: alice, Blob: "k" + id, StoredTS: int64(10 + i/2)}) // a and b at once, c and d at once
			}
			f.addMedium(store.Medium{ID: "x", Owner: bob, Blob: "kx", StoredTS: 12})
			f.addMedium(store.Medium{ID: "p", Owner: alice, ExpiresTS: 12})
			var last store.Medium
			for _, want := range [][]string{{"d", "c", "b"}, {"a"}, nil} {
				f.view(func(v store.View) error {
					page, err := v.MediaOf(alice, last, 3)
					equal(f, ids(page), want)
					if len(page) > 0 {
						last = page[len(page)-1]
					}
					return err
				})
			}
		}},
		{"IdleMedia returns media with content that were accessed last before a time, at most limit, longest ago first", func(f *fixture) {
			for id, ts := range map[string]int64{"old": 10, "older": 5, "new": 20} {
				f.addMedium(store.Medium{ID: id, Blob: "k" + id, AccessedTS: ts})
			}
			f.addMedium(store.Medium{ID: "p", ExpiresTS: 1})
			f.view(func(v store.View) error {
				all, err := v.IdleMedia(20, 10)
				equal(f, ids(all), []string{"older", "old"})
				one, err2 := v.IdleMedia(21, 1)
				equal(f, ids(one), []string{"older"})
				f.is(err2, nil)
				return err
			})
		}},
		{"ExpiredMedia returns media without content whose ExpiresTS is before a time, at most limit, oldest first", func(f *fixture) {
			for id, ts := range map[string]int64{"old": 10, "older": 5, "new": 20} {
				f.addMedium(store.Medium{ID: id, ExpiresTS: ts})
			}
			f.addMedium(store.Medium{ID: "done", Blob: "k", ExpiresTS: 1})
			f.view(func(v store.View) error {
				all, err := v.ExpiredMedia(20, 10)
				equal(f, ids(all), []string{"older", "old"})
				one, err2 := v.ExpiredMedia(21, 1)
				equal(f, ids(one), []string{"older"})
				f.is(err2, nil)
				return err
			})
		}},
		{"AddThumbnail: ErrExists if there is one for the same request; ErrNotFound if its medium or its blob does not exist", thumbnails},
	}
}

func deleteMedium(f *fixture) {
	f.addMedium(store.Medium{ID: "one", Owner: alice, Blob: "shared", Size: 4})
	f.update(func(tx store.Tx) error {
		return tx.AddMedium(store.Medium{ID: "two", Owner: bob, Blob: "shared", Size: 4})
	})
	f.blob("small", 1)
	f.update(func(tx store.Tx) error {
		return tx.AddThumbnail(store.Thumbnail{Media: "one", Width: 32, Height: 32, Blob: "small"})
	})
	var unused []string
	remove := func(id string) {
		f.Helper()
		f.update(func(tx store.Tx) (err error) { unused, err = tx.DeleteMedium(id); return err })
		f.missing(func(v store.View) error { _, err := v.Medium(id); return err })
	}
	remove("one")
	equal(f, unused, []string{"small"})
	f.view(func(v store.View) error {
		left, err := v.Thumbnails("one")
		equal(f, len(left), 0)
		return err
	})
	equal(f, f.medium("two").Blob, "shared")
	remove("two")
	equal(f, unused, []string{"shared"})
	unusedNow := f.unused(10, 10)
	slices.Sort(unusedNow)
	equal(f, unusedNow, []string{"shared", "small"})

	f.addMedium(store.Medium{ID: "pending", Owner: alice})
	remove("pending")
	equal(f, len(unused), 0)
	f.refused(store.ErrNotFound, func(tx store.Tx) error { _, err := tx.DeleteMedium("two"); return err })
}

func thumbnails(f *fixture) {
	f.addMedium(store.Medium{ID: "m", Blob: "k"})
	f.addMedium(store.Medium{ID: "other", Blob: "k2"})
	want := []store.Thumbnail{
		{Media: "m", Width: 32, Height: 24, Type: "image/png", Size: 9, Blob: "t1"},
		{Media: "m", Width: 32, Height: 24, Crop: true, Blob: "t2"},
		{Media: "m", Width: 32, Height: 24, Animated: true, Blob: "t3"},
		{Media: "m", Width: 24, Height: 32, Blob: "t4"},
	}
	for _, n := range want {
		f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.AddThumbnail(n) })
		f.blob(n.Blob, 1)
		f.update(func(tx store.Tx) error { return tx.AddThumbnail(n) })
		f.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddThumbnail(n) })
	}
	f.view(func(v store.View) error {
		got, err := v.Thumbnails("m")
		slices.SortFunc(got, func(a, b store.Thumbnail) int { return int(a.Blob[1]) - int(b.Blob[1]) })
		equal(f, got, want)
		none, err2 := v.Thumbnails("other")
		equal(f, len(none), 0)
		f.is(err2, nil)
		return err
	})
	equal(f, len(f.unused(10, 10)), 0)
	f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.AddThumbnail(store.Thumbnail{Media: "none", Blob: "t1"}) })
}
