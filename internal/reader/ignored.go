package reader

import (
	"errors"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// IgnoreList says whose messages a user does not want to see (IGN-1). It is immutable.
type IgnoreList struct {
	Users map[events.UserID]bool
	// AsOf tells lists of the same user apart: the position of their latest change,
	// 0 if there was none.
	AsOf store.Pos
}

// Ignored reads a user's list. Content of another shape counts as absent, and nobody
// can ignore themselves.
func Ignored(v store.View, user events.UserID) (IgnoreList, error) {
	list, err := v.AccountDatum(user, "", "m.ignored_user_list")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return IgnoreList{}, err
	}
	ignored := map[events.UserID]bool{}
	gjson.GetBytes(list.Content, "ignored_users").ForEach(func(id, _ gjson.Result) bool {
		ignored[events.UserID(id.Str)] = id.Str != string(user)
		return true
	})
	return IgnoreList{ignored, list.Pos}, nil
}
