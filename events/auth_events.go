package events

import "slices"

// AuthKeys names the state events that an event lists in auth_events, if they exist: the create event
// (before version 12), the power levels and the sender's membership; for a membership also the target's; for a join,
// invite or knock the join rules; for a third-party invite the event with its token; for a restricted join the
// membership of the authorising user. A create event has none. content is canonical.
func AuthKeys(v *RoomVersion, typ string, sender UserID, stateKey *string, content []byte) []StateKey {
	if typ == TypeCreate {
		return nil
	}
	keys := make([]StateKey, 0, 6)
	if !v.HashRoomID {
		keys = append(keys, StateKey{TypeCreate, ""})
	}
	keys = append(keys, StateKey{TypePowerLevels, ""}, StateKey{TypeMember, string(sender)})
	if typ != TypeMember || stateKey == nil {
		return keys
	}
	add := func(k StateKey) {
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	add(StateKey{TypeMember, *stateKey})
	membership, _ := stringMember(content, "membership")
	switch membership {
	case MembershipJoin, MembershipInvite, MembershipKnock:
		add(StateKey{TypeJoinRules, ""})
	}
	if membership == MembershipInvite {
		if token, ok := stringMember(lookup(lookup(content, "third_party_invite"), "signed"), "token"); ok {
			add(StateKey{TypeThirdPartyInvite, token})
		}
	}
	if membership == MembershipJoin && v.Restricted {
		if via, ok := stringMember(content, authorisedVia); ok {
			add(StateKey{TypeMember, via})
		}
	}
	return keys
}

// CheckAuthEvents applies the rules about auth_events: no two for one state key, none outside the selection of
// [AuthKeys], none from another room, and before version 12 the create event among them. That none
// was rejected holds by itself, since refused events are not stored.
func CheckAuthEvents(e *Event, auth []*Event) error {
	if e.Type == TypeCreate {
		return nil
	}
	selection := AuthKeys(e.Version, e.Type, e.Sender, e.StateKey, e.Content)
	seen := make([]StateKey, 0, len(auth))
	for _, a := range auth {
		if a.StateKey == nil {
			return reject("3.2", "auth_events names an event that is no state event")
		}
		key := StateKey{a.Type, *a.StateKey}
		switch {
		case slices.Contains(seen, key):
			return reject("3.1", "auth_events names two events for one state key")
		case !slices.Contains(selection, key):
			return reject("3.2", "auth_events names an event outside the selection")
		case a.Room != e.Room:
			return reject("3.5", "auth_events names an event of another room")
		}
		seen = append(seen, key)
	}
	if create := (StateKey{TypeCreate, ""}); !e.Version.HashRoomID && !slices.Contains(seen, create) {
		return reject("v11:2.4", "auth_events lacks the create event")
	}
	return nil
}
