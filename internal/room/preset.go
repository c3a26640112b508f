package room

import (
	"slices"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// preset is one of the ways a room can begin (CREATE-8 to CREATE-11).
type preset struct {
	joinRule, guestAccess string
	trusted               bool // those invited have the powers of the creator
}

func lookupPreset(in NewRoom) (preset, error) {
	name := in.Preset
	switch {
	case name == "" && in.Public:
		name = "public_chat"
	case name == "":
		name = "private_chat"
	}
	switch name {
	case "private_chat":
		return preset{"invite", "can_join", false}, nil
	case "trusted_private_chat":
		return preset{"invite", "can_join", true}, nil
	case "public_chat":
		return preset{"public", "forbidden", false}, nil
	}
	return preset{}, mxerr.BadJSON("preset %q is not known", name) // CREATE-7
}

// initialState lists the state that follows the creator's join, in the order of
// CREATE-3.
func initialState(b *beginning, creator events.UserID, privileged []events.UserID, p preset, in NewRoom) ([]StateChange, error) {
	given := func(typ string) int {
		return slices.IndexFunc(in.InitialState, func(c StateChange) bool { return c.Type == typ && c.Key == "" })
	}
	var list []StateChange
	add := func(typ string, content []byte) {
		list = append(list, StateChange{Type: typ, Content: content})
	}

	levels := generatedLevels(b.version, creator, privileged)
	if i := given(events.TypePowerLevels); i >= 0 { // CREATE-15
		levels = in.InitialState[i].Content
	}
	if len(in.PowerLevels) > 0 {
		var over []field // CREATE-19
		gjson.ParseBytes(in.PowerLevels).ForEach(func(key, value gjson.Result) bool {
			over = append(over, field{key.Str, []byte(value.Raw)})
			return true
		})
		users := gjson.GetBytes(in.PowerLevels, "users")
		if _, listed := users.Map()[string(creator)]; users.Exists() && !listed && !b.version.PrivilegedCreators { // CREATE-21
			return nil, mxerr.InvalidRoomState("power_level_content_override.users must list the creator")
		}
		levels = overlay(levels, over...)
	}
	add(events.TypePowerLevels, levels)

	if b.alias != "" && given(typeCanonicalAlias) < 0 { // CREATE-25
		add(typeCanonicalAlias, overlay(nil, field{"alias", text(b.alias)}))
	}
	for _, e := range []struct{ typ, key, value string }{
		{events.TypeJoinRules, "join_rule", p.joinRule},
		{events.TypeHistoryVisibility, "history_visibility", "shared"},
		{typeGuestAccess, "guest_access", p.guestAccess},
	} {
		if given(e.typ) < 0 { // CREATE-12
			add(e.typ, overlay(nil, field{e.key, text(e.value)}))
		}
	}
	for _, c := range in.InitialState {
		replaced := c.Key == "" && (c.Type == events.TypePowerLevels ||
			c.Type == typeName && in.Name != "" || c.Type == typeTopic && in.Topic != "") // CREATE-13
		if !replaced {
			list = append(list, c)
		}
	}
	if in.Name != "" {
		add(typeName, overlay(nil, field{"name", text(in.Name)}))
	}
	if in.Topic != "" { // CREATE-14
		topic := text(in.Topic)
		body := overlay(nil, field{"m.text", append(append([]byte(`[{"body":`), topic...), `}]`...)})
		add(typeTopic, overlay(nil, field{"m.topic", body}, field{"topic", topic}))
	}
	return list, nil
}

// generatedLevels is the content of m.room.power_levels where nobody says anything
// else (CREATE-16 to CREATE-18).
func generatedLevels(v *events.RoomVersion, creator events.UserID, privileged []events.UserID) []byte {
	tombstone := "100"
	users := []field{{string(creator), []byte("100")}}
	for _, user := range privileged { // CREATE-9
		users = append(users, field{string(user), []byte("100")})
	}
	if v.PrivilegedCreators {
		tombstone, users = "150", nil
	}
	return overlay(nil,
		field{"ban", []byte("50")},
		field{"events", []byte(`{"m.room.avatar":50,"m.room.canonical_alias":50,"m.room.encryption":100,` +
			`"m.room.history_visibility":100,"m.room.name":50,"m.room.power_levels":100,"m.room.server_acl":100,` +
			`"m.room.tombstone":` + tombstone + `}`)},
		field{"events_default", []byte("0")},
		field{"invite", []byte("0")},
		field{"kick", []byte("50")},
		field{"redact", []byte("50")},
		field{"state_default", []byte("50")},
		field{"users", overlay(nil, users...)},
		field{"users_default", []byte("0")},
	)
}
