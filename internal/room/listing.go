package room

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	"golang.org/x/text/cases"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// described is a room as the directory sees it: a *live.Room or a *live.Draft.
type described interface {
	StateEvent(typ, key string) *live.Event
	Count(membership string) int
}

// textOf returns a string in the content of a state event; "" if there is none
// (EVT-12).
func textOf(r described, typ, path string) string {
	if e := r.StateEvent(typ, ""); e != nil {
		return stringAt(e.Content, path)
	}
	return ""
}

func stringAt(content []byte, path string) string {
	if v := gjson.GetBytes(content, path); v.Type == gjson.String {
		return v.Str
	}
	return ""
}

// plainTopic returns the topic as plain text, whichever way it is given (RDIR-9).
func plainTopic(r described) string {
	if e := r.StateEvent(typeTopic, ""); e != nil {
		return topicText(e.Content)
	}
	return ""
}

// topicText returns the plain text of the content of a topic event, "" if it has none.
func topicText(content []byte) string {
	if topic := stringAt(content, "topic"); topic != "" {
		return topic
	}
	for _, form := range gjson.GetBytes(content, `m\.topic.m\.text`).Array() {
		mime, body := form.Get("mimetype"), form.Get("body")
		if body.Type == gjson.String && (!mime.Exists() || mime.Str == "text/plain") {
			return body.Str
		}
	}
	return ""
}

// appendSummary appends what anybody may be told of a room that is listed, as the
// members of a JSON object (RDIR-8).
func appendSummary(dst []byte, id events.RoomID, r described) []byte {
	dst = append(dst, `"room_id":`...)
	dst = events.AppendString(dst, string(id))
	dst = append(dst, `,"num_joined_members":`...)
	dst = strconv.AppendInt(dst, int64(r.Count(events.MembershipJoin)), 10)
	visibility := r.StateEvent(events.TypeHistoryVisibility, "")
	dst = append(dst, `,"world_readable":`...)
	dst = strconv.AppendBool(dst, visibility != nil && visibility.Visibility() == events.WorldReadable)
	dst = append(dst, `,"guest_can_join":`...)
	dst = strconv.AppendBool(dst, textOf(r, typeGuestAccess, "guest_access") == "can_join")
	rule := textOf(r, events.TypeJoinRules, "join_rule")
	if rule == "" { // clients take an absent one for public
		rule = "invite"
	}
	for _, member := range []struct{ name, value string }{
		{"join_rule", rule},
		{"name", textOf(r, typeName, "name")},
		{"topic", plainTopic(r)},
		{"canonical_alias", textOf(r, typeCanonicalAlias, "alias")},
		{"avatar_url", textOf(r, typeAvatar, "url")},
		{"room_type", textOf(r, events.TypeCreate, "type")},
	} {
		if member.value != "" {
			dst = events.AppendString(append(dst, ','), member.name)
			dst = events.AppendString(append(dst, ':'), member.value)
		}
	}
	return dst
}

// listing is the room's entry in the directory.
func listing(d *live.Draft) store.Listing {
	return store.Listing{
		Room:   d.Num,
		Joined: int64(d.Count(events.MembershipJoin)),
		Type:   textOf(d, events.TypeCreate, "type"),
		Search: fold(strings.Join([]string{textOf(d, typeName, "name"), plainTopic(d), textOf(d, typeCanonicalAlias, "alias")}, "\n")),
		Entry:  append(appendSummary([]byte{'{'}, d.ID, d), '}'),
	}
}

// fold makes equal what differs only in case (RDIR-12).
func fold(s string) string { return cases.Fold().String(s) }

// relist keeps the room's entries in the directory true after a state event has
// come or was redacted.
func relist(tx *live.Tx, d *live.Draft, e *live.Event) error {
	if !describes(e) {
		return nil
	}
	lists, err := tx.ListsOf(d.Num)
	if err != nil || len(lists) == 0 {
		return err
	}
	l := listing(d)
	for _, list := range lists {
		if err := tx.PutListing(list, l); err != nil {
			return err
		}
	}
	return nil
}

// describes reports whether an event may change what the directory shows.
func describes(e *live.Event) bool {
	if !e.IsState() {
		return false
	}
	switch e.Type {
	case events.TypeMember:
		was := e.Prev != nil && e.Prev.Membership() == events.MembershipJoin
		return was != (e.Membership() == events.MembershipJoin)
	case typeName, typeTopic, typeAvatar, typeCanonicalAlias, typeGuestAccess,
		events.TypeJoinRules, events.TypeHistoryVisibility:
		return *e.StateKey == ""
	}
	return false
}

// reopen notes when a room becomes open to everybody or ceases to be: the members
// of an open one are found by all users (DIR-3).
func reopen(tx *live.Tx, d *live.Draft, e *live.Event) error {
	if e.Type != events.TypeJoinRules && e.Type != events.TypeHistoryVisibility || !e.IsState() || *e.StateKey != "" {
		return nil
	}
	if opens(e) == opens(e.Prev) {
		return nil
	}
	other := events.TypeJoinRules
	if e.Type == other {
		other = events.TypeHistoryVisibility
	}
	if opens(d.StateEvent(other, "")) {
		return nil
	}
	return tx.SetRoomOpen(d.Num, opens(e))
}

// opens reports whether the event, by itself, lets everybody in or read.
func opens(e *live.Event) bool {
	return e != nil && (e.Type == events.TypeJoinRules && stringAt(e.Content, "join_rule") == "public" ||
		e.Type == events.TypeHistoryVisibility && e.Visibility() == events.WorldReadable)
}
