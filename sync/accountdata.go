package sync

import (
	"context"
	"errors"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// accountData is what an answer tells of a user's account data.
type accountData struct {
	global [][]byte                   // rendered; nil: nothing new
	rooms  map[events.RoomID][][]byte // likewise
}

// settings is the account data that the server acts on.
type settings struct {
	ignored      reader.IgnoreList // m.ignored_user_list (SYNC-58)
	blockInvites bool              // m.invite_permission_config (SYNC-46)
}

// withholds reports whether the user is not told of an invite by somebody (SYNC-46).
func (s *settings) withholds(inviter events.UserID) bool {
	return s.blockInvites || s.ignored.Users[inviter]
}

// hides reports whether an event is kept from the user because they ignore its sender,
// which is no reason for state events (SYNC-58).
func (s *settings) hides(e *events.Event) bool { return !e.IsState() && s.ignored.Users[e.Sender] }

const (
	typePushRules        = "m.push_rules"
	typeInvitePermission = "m.invite_permission_config"
)

// readAccountData reads what has changed in the user's account data, if anything
// has (SYNC-42), and the settings.
func (a *answer) readAccountData(ctx context.Context) error {
	if !a.first && a.own <= a.since && a.memo.settings != nil {
		return nil
	}
	var changed []store.AccountDatum
	var rules store.Pos
	err := a.Memory.View(ctx, func(v store.View) (err error) {
		if changed, err = v.AccountDataSince(a.User, a.since); err != nil {
			return err
		}
		if a.PushRules != nil && !a.first {
			if rules, err = a.PushRules.ChangedAt(v, a.User); err != nil {
				return err
			}
		}
		if a.memo.settings == nil {
			a.memo.settings, err = readSettings(v, a.User)
		}
		return err
	})
	if err != nil {
		return err
	}
	if a.PushRules != nil && (a.first || rules > a.since) { // SYNC-43
		content, err := a.PushRules.Ruleset(ctx, a.User)
		if err != nil {
			return err
		}
		changed = append(changed, store.AccountDatum{Type: typePushRules, Content: content})
	}
	for _, d := range changed {
		a.addAccountDatum(d)
	}
	return nil
}

// readRoomData reads all account data of a room that the client gets anew: of what
// changed while the user was out it has not been told (SYNC-42).
func (a *answer) readRoomData(ctx context.Context, room events.RoomID) error {
	var all []store.AccountDatum
	err := a.Memory.View(ctx, func(v store.View) (err error) {
		all, err = v.AccountDataOf(a.User, room)
		return err
	})
	if err != nil {
		return err
	}
	delete(a.data.rooms, room)
	for _, d := range all {
		a.addAccountDatum(d)
	}
	return nil
}

// addAccountDatum puts account data into the answer if the filter lets it pass.
func (a *answer) addAccountDatum(d store.AccountDatum) {
	filter := &a.Filter.AccountData
	if d.Room != "" {
		filter = &a.Filter.Room.AccountData.EventFilter
		if !a.Filter.Room.MatchRoom(d.Room) || !a.Filter.Room.AccountData.MatchRoom(d.Room) {
			return
		}
	}
	if !filter.Match(d.Type, a.User, d.Content) {
		return
	}
	event := accountDatum(d)
	if d.Room == "" {
		a.data.global = append(a.data.global, event)
		return
	}
	if a.data.rooms == nil {
		a.data.rooms = map[events.RoomID][][]byte{}
	}
	a.data.rooms[d.Room] = append(a.data.rooms[d.Room], event)
}

// accountDatum renders account data as an event.
func accountDatum(d store.AccountDatum) []byte {
	event := append([]byte(`{"content":`), d.Content...)
	return append(events.AppendString(append(event, `,"type":`...), d.Type), '}')
}

// readSettings reads the account data that the server acts on. Content of another
// shape counts as absent.
func readSettings(v store.View, user events.UserID) (*settings, error) {
	ignored, err := reader.Ignored(v, user)
	if err != nil {
		return nil, err
	}
	permission, err := v.AccountDatum(user, "", typeInvitePermission)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	block := gjson.GetBytes(permission.Content, "default_action").Str == "block"
	return &settings{ignored: ignored, blockInvites: block}, nil
}

// readDirect reads which rooms are direct chats (m.direct).
func readDirect(v store.View, user events.UserID) (map[events.RoomID]bool, error) {
	direct := map[events.RoomID]bool{}
	d, err := v.AccountDatum(user, "", typeDirect)
	if errors.Is(err, store.ErrNotFound) {
		return direct, nil
	}
	gjson.ParseBytes(d.Content).ForEach(func(_, rooms gjson.Result) bool {
		for _, id := range rooms.Array() {
			direct[events.RoomID(id.Str)] = true
		}
		return true
	})
	return direct, err
}
