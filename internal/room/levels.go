package room

import (
	"maps"
	"slices"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
)

// maxLevel is the highest power level that an event can name.
const maxLevel = 1<<53 - 1

func number(n int64) []byte { return strconv.AppendInt(nil, n, 10) }

// copiedLevels is the content of m.room.power_levels for a room that replaces another
// one and has only its creator yet; nil: none is needed (UPGR-10 to UPGR-12).
func copiedLevels(old, d *live.Draft, creator events.UserID) []byte {
	content := []byte(`{}`)
	e := old.StateEvent(events.TypePowerLevels, "")
	if e != nil {
		content = canonicalPart(d.Version, e.Content)
	}
	was := old.Version.PowerLevels(old)
	if !d.Version.PrivilegedCreators {
		if e == nil { // the creator has power by themselves
			return nil
		}
		return withRights(content, creator, min(was.User(creator), highest(content)))
	}
	var creators []field
	for _, user := range d.Version.Creators(d.Event(events.TypeCreate, "")) {
		creators = append(creators, field{string(user), nil})
	}
	content = overlay(content, field{"users", overlay(objectAt(content, "users"), creators...)})
	if was.Required(typeTombstone, true) <= was.StateDefault() {
		level := number(max(150, was.StateDefault()+1))
		content = overlay(content, field{"events", overlay(objectAt(content, "events"), field{typeTombstone, level})})
	}
	return content
}

// withRights returns the content of m.room.power_levels with a user who has at least
// a level.
func withRights(content []byte, user events.UserID, level int64) []byte {
	has := gjson.GetBytes(content, "users_default").Int()
	users := objectAt(content, "users")
	if own := gjson.GetBytes(users, gjson.Escape(string(user))); own.Exists() {
		has = own.Int()
	}
	if has >= level {
		return content
	}
	return overlay(content, field{"users", overlay(users, field{string(user), number(level)})})
}

// objectAt returns an object in content, nil if there is none.
func objectAt(content []byte, key string) []byte {
	if value := gjson.GetBytes(content, key); value.IsObject() {
		return []byte(value.Raw)
	}
	return nil
}

// highest is the level, in the content of m.room.power_levels, above which nobody and
// nothing is: what somebody needs who was above all.
func highest(content []byte) int64 {
	top := int64(100)
	gjson.ParseBytes(content).ForEach(func(_, value gjson.Result) bool {
		for _, level := range append([]gjson.Result{value}, slices.Collect(maps.Values(value.Map()))...) {
			if level.Type == gjson.Number {
				top = max(top, level.Int())
			}
		}
		return true
	})
	return min(top, maxLevel)
}

// retiredLevels is the content of m.room.power_levels for a room that was replaced,
// and whether that changes anything (UPGR-14).
func retiredLevels(d *live.Draft) (content []byte, changed bool) {
	levels := d.Version.PowerLevels(d)
	least := max(50, levels.UsersDefault()+1)
	var fields []field
	if levels.EventsDefault() < least {
		fields = append(fields, field{"events_default", number(least)})
	}
	if levels.Invite() < least {
		fields = append(fields, field{"invite", number(least)})
	}
	if e := d.StateEvent(events.TypePowerLevels, ""); e != nil {
		content = e.Content
	} else if !d.Version.PrivilegedCreators { // who until now has power by themselves
		creator := d.Version.Creators(d.Event(events.TypeCreate, ""))[0]
		content = overlay(nil, field{"users", overlay(nil, field{string(creator), number(levels.User(creator))})})
	}
	return canonicalPart(d.Version, overlay(content, fields...)), len(fields) > 0
}
