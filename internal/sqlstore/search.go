package sqlstore

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/ca4c8834/homeserver/store"
)

// SearchText implements store.Search.
func (v *view) SearchText(q store.TextQuery) ([]store.Pos, error) {
	match := matchExpression(q)
	if match == "" || q.Limit <= 0 {
		return nil, nil
	}
	return all(v, func(r row) store.Pos { return store.Pos(r.int(0)) },
		`SELECT rowid FROM hs_search WHERE hs_search MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?`,
		match, int64(q.Before), int64(q.Limit))
}

// matchExpression is the query in FTS5's language; "" if nothing can match. Words are cut
// where the index cuts texts, and quoted, so that none is taken for an operator.
func matchExpression(q store.TextQuery) string {
	var columns, words, rooms []string
	for name, on := range map[string]bool{"body": q.Body, "name": q.Name, "topic": q.Topic} {
		if on {
			columns = append(columns, name)
		}
	}
	for _, word := range q.Words {
		parts := strings.FieldsFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.Is(unicode.Co, r) })
		if parts == nil {
			return ""
		}
		for _, part := range parts {
			words = append(words, `"`+part+`"`)
		}
	}
	for _, r := range q.Rooms {
		rooms = append(rooms, `"`+roomWord(r)+`"`)
	}
	if columns == nil || words == nil || rooms == nil {
		return ""
	}
	return `{` + strings.Join(columns, " ") + `} : (` + strings.Join(words, " AND ") + `) AND room : (` + strings.Join(rooms, " OR ") + `)`
}

// roomWord is the word by which the events of a room are found.
func roomWord(r store.RoomNum) string { return "r" + strconv.FormatInt(int64(r), 36) }

// PutText implements store.SearchWriter.
func (t *tx) PutText(text store.Text) error {
	_, err := t.exec(`INSERT INTO hs_search (rowid, body, name, topic, room) VALUES (?, ?, ?, ?, ?)`,
		int64(text.Pos), text.Body, text.Name, text.Topic, roomWord(text.Room))
	return err
}

// DeleteText implements store.SearchWriter.
func (t *tx) DeleteText(pos store.Pos) error {
	_, err := t.exec(`DELETE FROM hs_search WHERE rowid = ?`, int64(pos))
	return err
}
