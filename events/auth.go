package events

import (
	"fmt"
	"strings"
)

// State is the state of a room before an event.
type State interface {
	// Event returns the state event of a type and state key, nil if there is none.
	Event(typ, key string) *Event
}

// AuthError is a refusal by the authorisation rules.
//
// Rule is the number of the rule that decided, in the text of room version 12: "5.3.3" is "if the sender is banned,
// reject". Where a list of reasons to allow ends in "otherwise, reject", it is the reason that was not met: "5.4.4" for
// too little power to invite. Rules that version 12 no longer has carry the last version that had them:
//
//	v11:1.2   the domain of the room ID is not the sender's
//	v10:1.4   the create event lacks content.creator
//	v11:2.4   there is no create event
//	v5:4.1    m.room.aliases without state key
//	v5:4.2    m.room.aliases for another domain
//	v2:11.3   m.room.redaction of another domain without the redact level
type AuthError struct{ Rule, Reason string }

// Error implements error; clients are shown Reason.
func (e *AuthError) Error() string { return fmt.Sprintf("auth rule %s: %s", e.Rule, e.Reason) }

// reject returns error, not *AuthError, so that no typed nil arises.
func reject(rule, reason string) error { return &AuthError{rule, reason} }

// Check applies the authorisation rules of e's room version to e, given the room state before it. nil allows; a refusal
// is an [AuthError]. Those about auth_events hold by themselves: the server chooses them by [AuthKeys] from the state of the
// room, in which nothing is that was rejected. That the event is signed is the server's own doing, too.
func Check(e *Event, s State) error {
	if e.Type == TypeCreate {
		return checkCreate(e)
	}
	v := e.Version
	create := s.Event(TypeCreate, "")
	switch {
	case create == nil && v.HashRoomID:
		return reject("2", "the room has no create event")
	case create == nil:
		return reject("v11:2.4", "the room has no create event")
	case v.HashRoomID && e.Room != create.Room:
		return reject("2", "the room ID is not that of the create event")
	case e.Sender.Server() != create.Sender.Server() && string(lookup(create.Content, "m.federate")) == "false":
		return reject("4", "the room is closed to other servers")
	}
	if v.AliasesRule && e.Type == TypeAliases {
		return checkAliases(e)
	}
	levels := v.PowerLevels(s)
	if e.Type == TypeMember {
		return checkMember(e, s, create, levels)
	}
	own := levels.User(e.Sender)
	switch {
	case membershipOf(s, e.Sender) != MembershipJoin:
		return reject("6", "sender is not in the room")
	case e.Type == TypeThirdPartyInvite:
		if own < levels.Invite() {
			return reject("7.1", "sender may not invite")
		}
		return nil
	case own < levels.Required(e.Type, e.IsState()):
		return reject("8", "sender's power level is too low to send "+e.Type)
	case e.IsState() && strings.HasPrefix(*e.StateKey, "@") && *e.StateKey != string(e.Sender):
		return reject("9", "the state key is another user")
	case e.Type == TypePowerLevels:
		return checkPowerLevels(e, s, levels)
	case v.RedactionRule && e.Type == TypeRedaction:
		if own < levels.Redact() && e.Redacts.Server() != e.ID.Server() {
			return reject("v2:11.3", "sender may not redact events of other servers")
		}
	}
	return nil
}

// checkCreate is rule 1.
func checkCreate(e *Event) error {
	v := e.Version
	if prev := elementsOf(lookup(e.Raw, "prev_events")); prev.more() {
		return reject("1.1", "a create event cannot follow other events")
	}
	if v.HashRoomID && lookup(e.Raw, "room_id") != nil {
		return reject("1.2", "a create event has no room ID of its own")
	}
	if !v.HashRoomID && e.Room.Server() != e.Sender.Server() {
		return reject("v11:1.2", "the room ID and the sender are of different servers")
	}
	if _, ok := VersionOf(e.Content); !ok {
		return reject("1.3", "the room version is unknown")
	}
	if v.CreatorInContent && lookup(e.Content, "creator") == nil {
		return reject("v10:1.4", "content.creator is missing")
	}
	if v.PrivilegedCreators && !validUserList(lookup(e.Content, "additional_creators")) {
		return reject("1.4", "additional_creators is not an array of user IDs")
	}
	return nil
}

// validUserList accepts an array of user IDs, or nothing.
func validUserList(value []byte) bool {
	if value == nil {
		return true
	}
	if !isArray(value) {
		return false
	}
	list := elementsOf(value)
	for {
		u, ok := list.next()
		if !ok {
			return true
		}
		if _, err := ParseUserID(text(u)); err != nil {
			return false
		}
	}
}

// checkAliases is rule 4 of room versions 1-5 (AUTHZ-43).
func checkAliases(e *Event) error {
	switch {
	case !e.IsState():
		return reject("v5:4.1", "the state key is missing")
	case string(e.Sender.Server()) != *e.StateKey:
		return reject("v5:4.2", "the aliases are of another server")
	}
	return nil
}

func membershipOf(s State, user UserID) string {
	if e := s.Event(TypeMember, string(user)); e != nil {
		return e.Membership()
	}
	return ""
}

// RedactionAllowed decides whether a redaction takes effect: the sender needs the level of the type m.room.redaction
// and, for the events of others, the redact level. Ownership compares whole user IDs, since all
// users of one server share its domain.
func RedactionAllowed(sender UserID, target *Event, levels *PowerLevels) bool {
	own := levels.User(sender)
	return own >= levels.Required(TypeRedaction, false) && (target.Sender == sender || own >= levels.Redact())
}
