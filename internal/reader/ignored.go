package reader

import (
	"errors"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Ignored returns the users whose messages a user does not want to see (IGN-1). Content
// of another shape counts as absent, and nobody can ignore themselves.
func Ignored(v store.View, user events.UserID) (map[events.UserID]bool, error) {
	list, err := v.AccountDatum(user, "", "m.ignored_user_list")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	ignored := map[events.UserID]bool{}
	gjson.GetBytes(list.Content, "ignored_users").ForEach(func(id, _ gjson.Result) bool {
		ignored[events.UserID(id.Str)] = id.Str != string(user)
		return true
	})
	return ignored, nil
}
