package events

// Visibility is a value of m.room.history_visibility.
type Visibility string

// The history visibilities.
const (
	WorldReadable     Visibility = "world_readable"
	VisibilityShared  Visibility = "shared"
	VisibilityInvited Visibility = "invited"
	VisibilityJoined  Visibility = "joined"
)

// HistoryVisibility returns the visibility in force in a state; a missing or unknown value is shared. Whoever
// serves people outside the room needs an explicit [WorldReadable], which the default never is.
func HistoryVisibility(s State) Visibility {
	e := s.Event(TypeHistoryVisibility, "")
	if e == nil {
		return VisibilityShared
	}
	return e.Visibility()
}

// Visibility returns content.history_visibility, or shared when it is missing or unknown.
func (e *Event) Visibility() Visibility {
	switch v, _ := stringMember(e.Content, "history_visibility"); v {
	case "world_readable":
		return WorldReadable
	case "invited":
		return VisibilityInvited
	case "joined":
		return VisibilityJoined
	}
	return VisibilityShared
}

// Visible decides whether a user sees an event. v is the visibility at the event, membership the user's
// membership at the event ("" or "leave" if none), and joinedLater whether the user was joined at any later point.
// History visibility changes and the user's own member events have their own functions.
func Visible(v Visibility, membership string, joinedLater bool) bool {
	switch {
	case v == WorldReadable, membership == MembershipJoin:
		return true
	case v == VisibilityShared:
		return joinedLater
	case v == VisibilityInvited:
		return membership == MembershipInvite
	}
	return false
}

// VisibleChange decides for an m.room.history_visibility event: the visibility before or after it must allow.
func VisibleChange(before, after Visibility, membership string, joinedLater bool) bool {
	return Visible(before, membership, joinedLater) || Visible(after, membership, joinedLater)
}

// VisibleOwnMember decides for a member event about the user: the membership before or after it must allow.
func VisibleOwnMember(v Visibility, before, after string, joinedLater bool) bool {
	return Visible(v, before, joinedLater) || Visible(v, after, joinedLater)
}
