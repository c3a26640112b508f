package store

import "github.com/ca4c8834/homeserver/events"

// PushRuleChanges is what a user has changed about their push rules: rules of
// their own, and settings of server-default ones. A user without has never
// changed anything.
type PushRuleChanges struct {
	User    events.UserID
	Changes []byte // as package push writes them; may be empty
	Pos     Pos    // of the latest change
}

// PushRules reads what users have changed about their push rules.
type PushRules interface {
	// PushRuleChanges returns the changes of those of the given users who have
	// any, in no particular order.
	PushRuleChanges(users []events.UserID) ([]PushRuleChanges, error)
}

// PushRuleWriter changes push rules.
type PushRuleWriter interface {
	// PutPushRuleChanges replaces all changes of a user; c.Pos is taken with
	// Tx.Next.
	PutPushRuleChanges(c PushRuleChanges) error
}
