package events

// checkMember is rule 5.
func checkMember(e *Event, s State, create *Event, levels *PowerLevels) error {
	if e.StateKey == nil {
		return reject("5.1", "the state key is missing")
	}
	membership := e.Membership()
	if membership == "" {
		return reject("5.1", "content.membership is missing")
	}
	if e.Version.Restricted {
		if err := checkAuthoriser(e); err != nil {
			return err
		}
	}
	c := memberCheck{e, s, levels, UserID(*e.StateKey), membershipOf(s, e.Sender), ""}
	c.targetNow = membershipOf(s, c.target)
	switch {
	case membership == MembershipJoin:
		return c.join(create)
	case membership == MembershipInvite:
		return c.invite()
	case membership == MembershipLeave:
		return c.leave()
	case membership == MembershipBan:
		return c.ban()
	case membership == MembershipKnock && e.Version.Knock:
		return c.knock()
	}
	return reject("5.8", "the membership is unknown")
}

// checkAuthoriser is rule 5.2. The server of the named user must have signed the event, and the only signature there
// will be is that of the sender's server (AUTHZ-9).
func checkAuthoriser(e *Event) error {
	via := lookup(e.Content, authorisedVia)
	if via == nil {
		return nil
	}
	user, err := ParseUserID(text(via))
	if err != nil || user.Server() != e.Sender.Server() {
		return reject("5.2.1", "the event is not signed by the server of the user who authorises the join")
	}
	return nil
}

const authorisedVia = "join_authorised_via_users_server"

// memberCheck carries what the rules about memberships ask for.
type memberCheck struct {
	e                    *Event
	s                    State
	levels               *PowerLevels
	target               UserID
	senderNow, targetNow string // current memberships
}

// outranks reports whether the sender has at least a level and more than the target.
func (c *memberCheck) outranks(required int64) bool {
	own := c.levels.User(c.e.Sender)
	return own >= required && c.levels.User(c.target) < own
}

// join is rule 5.3.
func (c *memberCheck) join(create *Event) error {
	v := c.e.Version
	if c.target == v.Creators(create)[0] && follows(c.e, create) {
		return nil
	}
	if c.e.Sender != c.target {
		return reject("5.3.2", "nobody can join for another user")
	}
	if c.senderNow == MembershipBan {
		return reject("5.3.3", "sender is banned")
	}
	invited := c.senderNow == MembershipInvite || c.senderNow == MembershipJoin
	switch rule := c.joinRule(); {
	case rule == "invite", rule == "knock" && v.Knock:
		if !invited {
			return reject("5.3.4", "sender is not invited")
		}
	case rule == "restricted" && v.Restricted, rule == "knock_restricted" && v.KnockRestricted:
		if !invited && !c.authorised() {
			return reject("5.3.5.2", "no member who may invite authorises the join")
		}
	case rule != "public":
		return reject("5.3.7", "the join rule lets nobody in")
	}
	return nil
}

// authorised reports whether the event names a joined member with the power to invite (AUTHZ-13).
func (c *memberCheck) authorised() bool {
	via, ok := stringMember(c.e.Content, authorisedVia)
	return ok && membershipOf(c.s, UserID(via)) == MembershipJoin && c.levels.User(UserID(via)) >= c.levels.Invite()
}

func (c *memberCheck) joinRule() string {
	if e := c.s.Event(TypeJoinRules, ""); e != nil {
		rule, _ := stringMember(e.Content, "join_rule")
		return rule
	}
	return ""
}

// follows reports whether the create event is the only one before e.
func follows(e, create *Event) bool {
	prev := elementsOf(lookup(e.Raw, "prev_events"))
	first, _ := prev.next()
	if isArray(first) { // [id, hashes] in versions 1 and 2
		pair := elementsOf(first)
		first, _ = pair.next()
	}
	return text(first) == string(create.ID) && !prev.more()
}

// invite is rule 5.4.
func (c *memberCheck) invite() error {
	if invite := lookup(c.e.Content, "third_party_invite"); invite != nil {
		return c.thirdPartyInvite(invite)
	}
	switch {
	case c.senderNow != MembershipJoin:
		return reject("5.4.2", "sender is not in the room")
	case c.targetNow == MembershipJoin:
		return reject("5.4.3", "the invited user is in the room already")
	case c.targetNow == MembershipBan:
		return reject("5.4.3", "the invited user is banned")
	case c.levels.User(c.e.Sender) < c.levels.Invite():
		return reject("5.4.4", "sender may not invite")
	}
	return nil
}

// leave is rule 5.5: leaving, kicking, unbanning and taking back an invite.
func (c *memberCheck) leave() error {
	if c.e.Sender == c.target {
		switch {
		case c.senderNow == MembershipInvite, c.senderNow == MembershipJoin,
			c.senderNow == MembershipKnock && c.e.Version.Knock:
			return nil
		}
		return reject("5.5.1", "sender is not in the room")
	}
	switch {
	case c.senderNow != MembershipJoin:
		return reject("5.5.2", "sender is not in the room")
	case c.targetNow == MembershipBan && c.levels.User(c.e.Sender) < c.levels.Ban():
		return reject("5.5.3", "sender may not unban")
	case !c.outranks(c.levels.Kick()):
		return reject("5.5.4", "sender may not kick this user")
	}
	return nil
}

// ban is rule 5.6.
func (c *memberCheck) ban() error {
	switch {
	case c.senderNow != MembershipJoin:
		return reject("5.6.1", "sender is not in the room")
	case !c.outranks(c.levels.Ban()):
		return reject("5.6.2", "sender may not ban this user")
	}
	return nil
}

// knock is rule 5.7.
func (c *memberCheck) knock() error {
	rule := c.joinRule()
	if rule != "knock" && !(rule == "knock_restricted" && c.e.Version.KnockRestricted) {
		return reject("5.7.1", "the join rule does not allow knocking")
	}
	if c.e.Sender != c.target {
		return reject("5.7.2", "nobody can knock for another user")
	}
	switch c.senderNow {
	case MembershipBan, MembershipInvite, MembershipJoin:
		return reject("5.7.3", "sender is banned, invited or in the room")
	}
	return nil
}
