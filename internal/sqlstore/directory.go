package sqlstore

import (
	"errors"
	"math"

	"github.com/ca4c8834/homeserver/store"
)

// ListsOf implements store.Directory.
func (v *view) ListsOf(room store.RoomNum) ([]string, error) {
	return all(v, text[string], `SELECT list FROM hs_directory WHERE room = ? ORDER BY list`, int64(room))
}

const selectListing = `SELECT d.room, d.joined, d.type, d.search, d.entry FROM hs_directory d WHERE `

func scanListing(r row) store.Listing {
	return store.Listing{
		Room: store.RoomNum(r.int(0)), Joined: r.int(1), Type: r.text(2), Search: r.text(3), Entry: r.blob(4),
	}
}

// Listings implements store.Directory.
func (v *view) Listings(q store.ListingQuery) ([]store.Listing, error) {
	var (
		query = selectListing
		args  []any
	)
	if q.List != nil {
		query += `d.list = ?`
		args = append(args, *q.List)
	} else { // a room that is in several lists counts once
		query += `d.list = (SELECT min(o.list) FROM hs_directory o WHERE o.room = d.room)`
	}
	query += ` AND instr(d.search, ?) > 0`
	args = append(args, q.Search)
	if q.Types != nil {
		query += ` AND d.type IN ` + inChunk
		types := make([]any, chunkSize)
		for i, t := range q.Types {
			types[i] = t
		}
		args = append(args, types...)
	}
	order := ` AND (d.joined, d.room) < (?, ?) ORDER BY d.joined DESC, d.room DESC LIMIT ?`
	if q.Up {
		order = ` AND (d.joined, d.room) > (?, ?) ORDER BY d.joined, d.room LIMIT ?`
	} else if q.Joined == 0 && q.Room == 0 {
		q.Joined, q.Room = math.MaxInt64, math.MaxInt64
	}
	args = append(args, q.Joined, int64(q.Room), int64(max(q.Limit, 0)))
	return all(v, scanListing, query+order, args...)
}

// CountListings implements store.Directory.
func (v *view) CountListings(list string) (int64, error) {
	n, err := one(v, func(r row) int64 { return r.int(0) }, `SELECT rooms FROM hs_directory_lists WHERE list = ?`, list)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return n, err
}

// PutListing implements store.DirectoryWriter.
func (t *tx) PutListing(list string, l store.Listing) error {
	n, err := t.exec(`UPDATE hs_directory SET joined = ?, type = ?, search = ?, entry = ? WHERE room = ? AND list = ?`,
		l.Joined, l.Type, l.Search, bytes(l.Entry), int64(l.Room), list)
	if err != nil || n > 0 {
		return err
	}
	_, err = t.exec(`INSERT INTO hs_directory (room, list, joined, type, search, entry) VALUES (?, ?, ?, ?, ?, ?)`,
		int64(l.Room), list, l.Joined, l.Type, l.Search, bytes(l.Entry))
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO hs_directory_lists (list, rooms) VALUES (?, 1) ON CONFLICT (list) DO UPDATE SET rooms = rooms + 1`, list)
	return err
}

// DeleteListing implements store.DirectoryWriter.
func (t *tx) DeleteListing(list string, room store.RoomNum) error {
	n, err := t.exec(`DELETE FROM hs_directory WHERE room = ? AND list = ?`, int64(room), list)
	if err != nil || n == 0 {
		return err
	}
	_, err = t.exec(`UPDATE hs_directory_lists SET rooms = rooms - 1 WHERE list = ?`, list)
	return err
}
