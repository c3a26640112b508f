package storetest

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func backups() []rule {
	create := func(f *fixture, user events.UserID, authData string) (b store.Backup) {
		f.Helper()
		b = store.Backup{User: user, Algorithm: "alg", AuthData: []byte(authData)}
		f.update(func(tx store.Tx) (err error) { b.Version, err = tx.CreateBackup(b); return err })
		return b
	}
	put := func(f *fixture, b store.Backup, sessions ...store.BackupSession) {
		f.Helper()
		f.update(func(tx store.Tx) error {
			for _, s := range sessions {
				if err := tx.PutBackupSession(b.User, b.Version, s); err != nil {
					return err
				}
			}
			return nil
		})
	}
	sessions := func(f *fixture, b store.Backup, room string) (got []store.BackupSession) {
		f.Helper()
		f.view(func(v store.View) (err error) { got, err = v.BackupSessions(b.User, b.Version, room); return err })
		return got
	}
	session := func(room, id, json string) store.BackupSession {
		return store.BackupSession{Room: room, Session: id, JSON: []byte(json)}
	}
	return []rule{
		{"CreateBackup returns a number that is higher than any that the user ever had; LatestBackup returns the newest that was not deleted", func(f *fixture) {
			f.missing(func(v store.View) error { _, err := v.LatestBackup(alice); return err })
			create(f, bob, `{}`)
			var all []store.Backup
			for range 11 {
				all = append(all, create(f, alice, `"x"`))
			}
			for i, b := range all {
				if i > 0 && b.Version <= all[i-1].Version {
					f.Errorf("version %d after %d", b.Version, all[i-1].Version)
				}
			}
			latest := func(want store.Backup) {
				f.Helper()
				f.view(func(v store.View) error {
					got, err := v.LatestBackup(alice)
					equal(f, got, want)
					return err
				})
			}
			latest(all[10])
			f.update(func(tx store.Tx) error { return tx.DeleteBackup(alice, all[10].Version) })
			latest(all[9])
			next := create(f, alice, `{}`)
			if next.Version <= all[10].Version {
				f.Errorf("version %d is used again", next.Version)
			}
			latest(next)
		}},
		{"Backup returns a version that was not deleted; BackupDeleted tells one that was", func(f *fixture) {
			one, two := create(f, alice, `{"a":1}`), create(f, alice, `[2]`)
			f.update(func(tx store.Tx) error { return tx.DeleteBackup(alice, one.Version) })
			f.missing(func(v store.View) error { _, err := v.Backup(alice, one.Version); return err })
			f.missing(func(v store.View) error { _, err := v.Backup(bob, two.Version); return err })
			f.view(func(v store.View) error {
				got, err := v.Backup(alice, two.Version)
				equal(f, got, two)
				if err != nil {
					return err
				}
				for version, want := range map[int64]bool{one.Version: true, two.Version: false, two.Version + 1: false} {
					deleted, err := v.BackupDeleted(alice, version)
					equal(f, deleted, want)
					f.is(err, nil)
				}
				return nil
			})
		}},
		{"UpdateBackup replaces AuthData, Etag and Sessions of a version that was not deleted", func(f *fixture) {
			one, two := create(f, alice, `{}`), create(f, alice, `{}`)
			want := store.Backup{User: alice, Version: one.Version, Algorithm: "other", AuthData: []byte(`{"new":1}`), Etag: 7, Sessions: 3}
			f.update(func(tx store.Tx) error { return tx.UpdateBackup(want) })
			want.Algorithm = "alg"
			f.view(func(v store.View) error {
				got, err := v.Backup(alice, one.Version)
				equal(f, got, want)
				if err != nil {
					return err
				}
				got, err = v.Backup(alice, two.Version)
				equal(f, got, two)
				return err
			})
			f.update(func(tx store.Tx) error { return tx.DeleteBackup(alice, two.Version) })
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdateBackup(two) })
		}},
		{"PutBackupSession adds a session or replaces it; BackupSessions returns those of one room or all, ordered", func(f *fixture) {
			b, other := create(f, alice, `{}`), create(f, alice, `{}`)
			put(f, b, session("!b", "1", `{}`), session("!a", "2", `{}`), session("!a", "1", `{"old":1}`))
			put(f, b, session("!a", "1", `{"new":1}`))
			put(f, other, session("!a", "1", `{"other":1}`))
			equal(f, sessions(f, b, ""), []store.BackupSession{session("!a", "1", `{"new":1}`), session("!a", "2", `{}`), session("!b", "1", `{}`)})
			equal(f, sessions(f, b, "!a"), []store.BackupSession{session("!a", "1", `{"new":1}`), session("!a", "2", `{}`)})
			equal(f, len(sessions(f, b, "!c")), 0)
			f.view(func(v store.View) error {
				got, err := v.BackupSession(alice, b.Version, "!a", "1")
				equal(f, got, session("!a", "1", `{"new":1}`))
				return err
			})
			f.missing(func(v store.View) error { _, err := v.BackupSession(alice, b.Version, "!b", "2"); return err })
			f.missing(func(v store.View) error { _, err := v.BackupSession(bob, b.Version, "!a", "1"); return err })
		}},
		{"DeleteBackupSessions removes one, those of a room or all, and returns how many there were", func(f *fixture) {
			b, other := create(f, alice, `{}`), create(f, alice, `{}`)
			all := []store.BackupSession{session("!a", "1", `{}`), session("!a", "2", `{}`), session("!a", "3", `{}`), session("!b", "1", `{}`), session("!b", "2", `{}`)}
			put(f, b, all...)
			put(f, other, all...)
			for _, c := range []struct {
				room, session string
				want          int64
			}{{"!a", "1", 1}, {"!a", "1", 0}, {"!a", "", 2}, {"!c", "", 0}, {"", "", 2}} {
				f.update(func(tx store.Tx) error {
					n, err := tx.DeleteBackupSessions(alice, b.Version, c.room, c.session)
					equal(f, n, c.want)
					return err
				})
			}
			equal(f, len(sessions(f, b, "")), 0)
			equal(f, sessions(f, other, ""), all)
		}},
		{"DeleteBackup removes a version with its sessions; ErrNotFound", func(f *fixture) {
			b := create(f, alice, `{}`)
			put(f, b, session("!a", "1", `{}`))
			f.update(func(tx store.Tx) error { return tx.DeleteBackup(alice, b.Version) })
			equal(f, len(sessions(f, b, "")), 0)
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteBackup(alice, b.Version) })
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteBackup(alice, 99) })
		}},
		{"DeleteBackups removes all that a user has", func(f *fixture) {
			b, deleted, others := create(f, alice, `{}`), create(f, alice, `{}`), create(f, bob, `{}`)
			put(f, b, session("!a", "1", `{}`))
			put(f, others, session("!a", "1", `{}`))
			f.update(func(tx store.Tx) error {
				if err := tx.DeleteBackup(alice, deleted.Version); err != nil {
					return err
				}
				return tx.DeleteBackups(alice)
			})
			f.missing(func(v store.View) error { _, err := v.LatestBackup(alice); return err })
			equal(f, len(sessions(f, b, "")), 0)
			equal(f, len(sessions(f, others, "")), 1)
		}},
	}
}
