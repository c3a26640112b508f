// Package push decides whether an event notifies somebody, and how: push rules,
// the server-default ones and those of each user, and their evaluation. It is
// pure: no I/O, no clock, no state of its own.
//
// # Rules
//
// A [Rule] says what shall happen ([Rule.Actions]) to the events that fulfil its
// conditions. There are five kinds ([Kind]), and the first enabled rule that
// matches an event decides alone; if none does, nobody is notified. The order
// is: the kinds as they are numbered, inside a kind the user's own rules and then
// the server-default ones, and .m.rule.master in front of everything.
//
// [Defaults] are the rules that every user of a server begins with. A [Ruleset]
// is those with the changes of one user. It is immutable and compiled: making
// one costs something, evaluating it does not.
//
//	defaults := push.NewDefaults(push.Options{})
//	rules, err := defaults.Ruleset(alice, nil)
//	rule, err := push.ParseRule(push.KindContent, "cake", []byte(`{"pattern":"cake*","actions":["notify"]}`))
//	rules, err = rules.Put(rule, push.Place{})
//	stored := rules.Changes() // what NewDefaults(…).Ruleset(alice, stored) makes the same ruleset of
//
// # Evaluation
//
// One event concerns all members of its room. An [Event] is made once and asked
// with the rules of each of them; it remembers what it has looked up, and for
// the server-default rules also whether they match, so that what does not depend
// on the member is done once. In the common case an evaluation allocates
// nothing.
//
//	ev := push.NewEvent(event, push.Room{Joined: 2, Power: levels})
//	for _, member := range members {
//		if out := rulesOf[member].Evaluate(ev, memberEvent[member]); out.Notify {
//			…
//		}
//	}
//
// An Event is for one goroutine at a time; rulesets are shared.
//
// Who is asked at all is up to the caller: the members and the target of an
// invite, but nobody who ignores the sender or may not see the event, and no
// event that is redacted. Only the sender is known here: one's own events never
// notify.
//
// # Patterns
//
// '*' stands for any run of characters, '?' for exactly one. Letter case is
// ignored, character by character and for all alphabets; characters outside of
// ASCII never equal ones inside. A word, as patterns for content.body have it,
// is bounded by the ends of the text or characters other than A-Z, a-z, 0-9 and
// the underscore.
//
// Whatever somebody has put into their rules, an evaluation is cheap: matching
// never goes back over a text more often than the pattern is long, and all
// patterns of one user's own rules together may look at 8 MiB of text for one
// event; those beyond that do not match.
package push
