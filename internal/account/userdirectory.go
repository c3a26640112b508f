package account

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

const (
	// directoryPage is how many users a search finds if the client does not say,
	// maxDirectoryPage how many at most (DIR-1).
	directoryPage    = 10
	maxDirectoryPage = 100
	// directoryScan bounds how many users one search looks at: those whose word
	// begins with what was asked for. After knownScan of them, of whom the caller
	// knows too few, it looks at those whom the caller knows instead.
	directoryScan = 2000
	knownScan     = 200
)

// FoundUser is a user as the user directory shows them.
type FoundUser struct {
	User        events.UserID   `json:"user_id"`
	DisplayName json.RawMessage `json:"display_name,omitempty"`
	AvatarURL   json.RawMessage `json:"avatar_url,omitempty"`
}

// SearchUsers finds users by the beginnings of words in their display name and
// their ID, those with whole words first; limited says that there may be more.
// A zero limit leaves the number to the server.
//
// Found are the users who share a room with the caller or are in a room that
// anybody may join or read; with Config.AllUsersFindable all users of the server
// (DIR-1 to DIR-5).
func (s *Service) SearchUsers(ctx context.Context, caller events.UserID, term string, limit int64) (found []FoundUser, limited bool, err error) {
	if limit < 0 {
		return nil, false, mxerr.InvalidParam("limit", "must not be negative")
	}
	if limit == 0 {
		limit = directoryPage
	}
	words := s.queryWords(term)
	if len(words) == 0 {
		return nil, false, nil
	}
	q := store.UserQuery{Words: words, For: caller, Limit: int(min(limit, maxDirectoryPage)), Scan: knownScan}
	if s.AllUsersFindable {
		q.For, q.Scan = "", directoryScan
	}
	var (
		users          []events.UserID
		all            bool
		names, avatars map[events.UserID][]byte
	)
	err = s.Store.View(ctx, func(v store.View) (err error) {
		if users, all, err = v.FindUsers(q); err != nil {
			return err
		}
		if names, err = v.ProfileFieldOf(users, fieldDisplayName); err != nil {
			return err
		}
		avatars, err = v.ProfileFieldOf(users, fieldAvatarURL)
		return err
	})
	for _, user := range users {
		found = append(found, FoundUser{user, names[user], avatars[user]})
	}
	return found, !all, err
}

// queryWords are the words of a search term, the longest first, because they are
// likely to be the rarest. A whole user ID of this server, or the beginning of
// one, means its localpart.
func (s *Service) queryWords(term string) []string {
	if local, server, ok := strings.Cut(term, ":"); ok && strings.HasPrefix(string(s.Server), server) {
		term = local
	}
	list := words(term)
	slices.SortStableFunc(list, func(a, b string) int { return len(b) - len(a) })
	return list[:min(len(list), store.MaxQueryWords)]
}

// indexUser keeps a user findable by what they are called now. displayName is
// JSON; nil: none.
func indexUser(tx store.Tx, user events.UserID, displayName []byte) error {
	var list []string
	for _, word := range words(user.Localpart() + " " + gjson.ParseBytes(displayName).Str) {
		list = append(list, beginnings(word)...)
	}
	slices.Sort(list)
	list = slices.Compact(list)
	return tx.PutUserWords(user, list[:min(len(list), maxUserWords)])
}
