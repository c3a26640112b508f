package sqlstore

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// maxScanChunk bounds how many words are looked at in one statement.
const maxScanChunk = 200

// hasWord says that the user of a row w has a word in a range.
const hasWord = ` AND EXISTS (SELECT 1 FROM hs_user_words o WHERE o.user_id = w.user_id AND o.word >= ? AND o.word < ?)`

// knownTo says that the user of a row w is joined to an open room or to one of a
// certain user.
const knownTo = ` AND EXISTS (SELECT 1 FROM hs_members o WHERE o.user_id = w.user_id AND o.membership = 'join' AND (
	EXISTS (SELECT 1 FROM hs_members m WHERE m.user_id = ? AND m.room = o.room AND m.membership = 'join')
	OR (SELECT r.open FROM hs_rooms r WHERE r.num = o.room) = 1))`

// FindUsers implements store.UserDirectory.
func (v *view) FindUsers(q store.UserQuery) (users []events.UserID, all bool, err error) {
	first := q.Words[0]
	// A user with several such words counts with the first.
	query := `SELECT w.word, w.user_id, NOT EXISTS (SELECT 1 FROM hs_user_words e
			WHERE e.user_id = w.user_id AND e.word >= ? AND e.word < w.word)` +
		strings.Repeat(hasWord, len(q.Words)-1)
	args := []any{first}
	for _, word := range q.Words[1:] {
		args = append(args, word, beyond(word))
	}
	if q.For != "" {
		query += knownTo
		args = append(args, string(q.For))
	}
	query += ` FROM hs_user_words w WHERE (w.word, w.user_id) > (?, ?) AND w.word < ? ORDER BY w.word, w.user_id LIMIT ?`
	word, user := first, ""
	for scanned, n := 0, q.Limit+1; scanned < q.Scan; scanned, n = scanned+n, 2*n {
		n = min(n, maxScanChunk, q.Scan-scanned)
		rows := 0
		err = v.query(query, func(r row) {
			rows++
			word, user = r.text(0), r.text(1)
			if r.bool(2) {
				users = append(users, events.UserID(user))
			}
		}, append(args[:len(args):len(args)], word, user, beyond(first), int64(n))...)
		if err != nil {
			return nil, false, err
		}
		if len(users) > q.Limit {
			return users[:q.Limit], false, nil
		}
		if rows < n {
			return users, true, nil
		}
	}
	if q.For != "" {
		return v.findKnown(q)
	}
	return users, false, nil
}

// The members whom a certain user may find: in order, so that SQLite begins with the
// rooms, and each as often as there is a reason to.
const (
	inSharedRooms = ` FROM hs_members m CROSS JOIN hs_members o ON o.room = m.room AND o.membership = 'join'` +
		withWord + ` WHERE m.user_id = ? AND m.membership = 'join'`
	inOpenRooms = ` FROM hs_rooms r CROSS JOIN hs_members o ON o.room = r.num AND o.membership = 'join'` + withWord + ` WHERE r.open = 1`
	withWord    = ` CROSS JOIN hs_user_words w ON w.user_id = o.user_id AND w.word >= ? AND w.word < ?`
)

// findKnown is FindUsers by way of the rooms in which there are users to be found: it
// misses none, and looks at all their members.
func (v *view) findKnown(q store.UserQuery) (users []events.UserID, all bool, err error) {
	first := map[events.UserID]string{} // the first of the words that begin with the query's first
	for from, args := range map[string][]any{
		inSharedRooms: {q.Words[0], beyond(q.Words[0]), string(q.For)}, inOpenRooms: {q.Words[0], beyond(q.Words[0])},
	} {
		for _, word := range q.Words[1:] {
			args = append(args, word, beyond(word))
		}
		err := v.query(`SELECT w.word, w.user_id`+from+strings.Repeat(hasWord, len(q.Words)-1), func(r row) {
			word, user := r.text(0), events.UserID(r.text(1))
			if known, ok := first[user]; !ok || word < known {
				first[user] = word
			}
		}, args...)
		if err != nil {
			return nil, false, err
		}
	}
	users = slices.SortedFunc(maps.Keys(first), func(a, b events.UserID) int {
		return cmp.Or(cmp.Compare(first[a], first[b]), cmp.Compare(a, b))
	})
	return users[:min(len(users), q.Limit)], len(users) <= q.Limit, nil
}

// beyond is after every text that begins with a prefix.
func beyond(prefix string) string { return prefix + string(utf8.MaxRune) }

// PutUserWords implements store.UserDirectoryWriter.
func (t *tx) PutUserWords(user events.UserID, words []string) error {
	if _, err := t.exec(`DELETE FROM hs_user_words WHERE user_id = ?`, string(user)); err != nil {
		return err
	}
	for _, word := range words {
		_, err := t.exec(`INSERT INTO hs_user_words (word, user_id) VALUES (?, ?) ON CONFLICT (word, user_id) DO NOTHING`, word, string(user))
		if err != nil {
			return err
		}
	}
	return nil
}
