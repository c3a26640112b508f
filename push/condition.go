package push

import (
	"math"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
)

// condition is a compiled condition.
type condition interface {
	// match reports whether the event under evaluation fulfils it.
	match(ev *Event) bool
}

// personal is a condition whose outcome depends on the user under evaluation.
type personal interface {
	condition
	// possible is false if the event cannot fulfil it for anybody.
	possible(ev *Event) bool
}

// knownCondition reports whether compileCondition knows the kind.
func knownCondition(kind string) bool {
	switch kind {
	case "event_match", "event_property_is", "event_property_contains", "contains_display_name",
		"room_member_count", "sender_notification_permission":
		return true
	}
	return false
}

// compileCondition compiles one element of conditions. What is unknown or makes
// no sense never matches (EVAL-5).
func compileCondition(c gjson.Result) condition {
	key, pattern := member(c, "key"), member(c, "pattern")
	switch member(c, "kind").Str {
	case "event_match":
		if key.Type != gjson.String || pattern.Type != gjson.String {
			return never{}
		}
		if key.Str == bodyPath.key {
			return bodyMatch{compileGlob(pattern.Str)}
		}
		return eventMatch{compilePath(key.Str), compileGlob(pattern.Str)}
	case "event_property_is":
		if value, ok := scalarOf(member(c, "value")); ok && key.Type == gjson.String {
			return propertyIs{compilePath(key.Str), value}
		}
	case "event_property_contains":
		if value, ok := scalarOf(member(c, "value")); ok && key.Type == gjson.String {
			return propertyContains{compilePath(key.Str), value}
		}
	case "contains_display_name":
		return containsDisplayName{}
	case "room_member_count":
		return compileMemberCount(member(c, "is"))
	case "sender_notification_permission":
		if key.Type == gjson.String {
			return senderPermission(key.Str)
		}
	}
	return never{}
}

type never struct{}

func (never) match(*Event) bool { return false }

// eventMatch compares a whole property (EVAL-8).
type eventMatch struct {
	path path
	glob glob
}

func (c eventMatch) match(ev *Event) bool {
	text, ok := ev.field(&c.path).foldedText()
	if !ok || len(c.glob.parts) > 2 && !ev.afford(len(text)*c.glob.price) {
		return false
	}
	return c.glob.matchWhole(text)
}

// bodyPath is the one property that is searched for words.
var bodyPath = path{"content.body", []string{"content", "body"}}

// bodyMatch searches the body (EVAL-9): event_match on content.body, and rules of
// KindContent.
type bodyMatch struct{ glob glob }

func (c bodyMatch) match(ev *Event) bool {
	text, ok := ev.field(&bodyPath).foldedText()
	return ok && ev.afford(len(text)*c.glob.price) && c.glob.matchWords(text)
}

// scalar is a value that can be compared (EVAL-12).
type scalar struct {
	typ gjson.Type
	str string
	num int64
}

// maxInteger is the largest integer of canonical JSON.
const maxInteger = 1<<53 - 1

// scalarOf returns a value as a scalar; compound values, fractions and what does
// not exist are none.
func scalarOf(v gjson.Result) (scalar, bool) {
	switch v.Type {
	case gjson.String:
		return scalar{typ: gjson.String, str: v.Str}, true
	case gjson.Number:
		n, err := strconv.ParseInt(v.Raw, 10, 64)
		return scalar{typ: gjson.Number, num: n}, err == nil && -maxInteger <= n && n <= maxInteger
	case gjson.JSON:
		return scalar{}, false
	}
	return scalar{typ: v.Type}, v.Exists()
}

// propertyIs compares a property without casting (EVAL-12).
type propertyIs struct {
	path  path
	value scalar
}

func (c propertyIs) match(ev *Event) bool {
	got, ok := scalarOf(ev.field(&c.path).value)
	return ok && got == c.value
}

// propertyContains looks for a value in an array (EVAL-13).
type propertyContains struct {
	path  path
	value scalar
}

func (c propertyContains) match(ev *Event) (found bool) {
	f := ev.field(&c.path)
	if c.value.typ == gjson.String {
		return f.hasString(c.value.str)
	}
	if !f.value.IsArray() || !ev.afford(len(f.value.Raw)) {
		return false
	}
	f.value.ForEach(func(_, v gjson.Result) bool {
		got, ok := scalarOf(v)
		found = ok && got == c.value
		return !found
	})
	return found
}

// memberCount compares the number of joined members (EVAL-14) with the bounds,
// which are inclusive.
type memberCount struct{ least, most int64 }

func (c memberCount) match(ev *Event) bool {
	n := int64(ev.room.Joined)
	return c.least <= n && n <= c.most
}

func compileMemberCount(is gjson.Result) condition {
	digits := is.Str
	for digits != "" && (digits[0] < '0' || digits[0] > '9') {
		digits = digits[1:]
	}
	operator := is.Str[:len(is.Str)-len(digits)]
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return never{}
		}
	}
	if digits == "" {
		return never{}
	}
	const all = math.MaxInt64
	n, _ := strconv.ParseInt(digits, 10, 64) // which stops at all
	switch operator {
	case "", "==":
		return memberCount{n, n}
	case "<":
		return memberCount{0, n - 1}
	case "<=":
		return memberCount{0, n}
	case ">":
		if n < all {
			return memberCount{n + 1, all}
		}
	case ">=":
		return memberCount{n, all}
	}
	return never{}
}

// senderPermission asks whether the sender may notify the whole room: the kind
// of notification, such as "room" (EVAL-15).
type senderPermission string

func (c senderPermission) match(ev *Event) bool {
	p := ev.room.Power
	return p != nil && p.User(ev.Sender) >= p.Notification(string(c))
}

// roomIs is the condition of rules of KindRoom, senderIs that of KindSender
// (EVAL-17).
type (
	roomIs   events.RoomID
	senderIs events.UserID
)

func (c roomIs) match(ev *Event) bool   { return ev.Room == events.RoomID(c) }
func (c senderIs) match(ev *Event) bool { return ev.Sender == events.UserID(c) }

// containsDisplayName looks for the user's name in the room (EVAL-16).
type containsDisplayName struct{}

func (containsDisplayName) possible(ev *Event) bool { return ev.field(&bodyPath).value.Str != "" }

func (containsDisplayName) match(ev *Event) bool {
	text, ok := ev.field(&bodyPath).foldedText()
	if !ok || ev.member == nil || !ev.afford(len(text)+len(ev.member.Content)) {
		return false
	}
	name := gjson.GetBytes(ev.member.Content, "displayname")
	return name.Type == gjson.String && name.Str != "" && containsWords(text, name.Str)
}

// The conditions of server-default rules that name the user.

// selfMatch wants a property to be the user's own ID.
type selfMatch struct{ path path }

func (c selfMatch) possible(ev *Event) bool { return ev.field(&c.path).value.Type == gjson.String }
func (c selfMatch) match(ev *Event) bool    { return ev.field(&c.path).value.Str == string(ev.user) }

// selfContained wants a property to be an array with the user's own ID.
type selfContained struct{ path path }

func (c selfContained) possible(ev *Event) bool { return ev.field(&c.path).value.IsArray() }
func (c selfContained) match(ev *Event) bool    { return ev.field(&c.path).hasString(string(ev.user)) }

// selfNamed looks for the user's own localpart in the body.
type selfNamed struct{}

func (selfNamed) possible(ev *Event) bool { return ev.field(&bodyPath).value.Str != "" }

func (selfNamed) match(ev *Event) bool {
	text, ok := ev.field(&bodyPath).foldedText()
	name := ev.user.Localpart()
	return ok && name != "" && ev.afford(len(text)) && containsWords(text, name)
}

// mentionsPath is where clients say whom they mean.
var mentionsPath = path{`content.m\.mentions`, []string{"content", "m.mentions"}}

// noMentions keeps the rules that guess from the text whom it means from events
// that say so (DEF-20).
type noMentions struct{}

func (noMentions) match(ev *Event) bool { return !ev.field(&mentionsPath).value.Exists() }
