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
