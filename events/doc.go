// Package events holds the rules of rooms and events as pure functions: no I/O, no clock, no state of its own, and no
// import from the rest of the module. What a homeserver must decide about an event is decided here; where events come
// from and what follows from the decision is up to the callers.
//
// # Events
//
// An [Event] is the raw JSON of one event with the fields that everyone asks for beside it. It is immutable and may be
// read from many goroutines. Make a new one with [RoomVersion.Build] from a [Draft], and one from the store with
// [RoomVersion.Parse]. Events are never unmarshalled and marshalled again: content is spliced into the client format
// ([Event.AppendClient]), the raw format ([Event.AppendRaw]) and stripped state ([Event.AppendStripped]) as it stands.
//
//	v, _ := events.LookupVersion("12")
//	content, err := v.Canonical(body)   // strict or not by version
//	e, err := v.Build(events.Draft{Room: room, Sender: alice, Type: "m.room.message", Content: content, ...}, server, nil)
//	err = events.Check(e, state)        // nil, or an *AuthError with the rule that refused
//
// # Room versions
//
// Every difference between the room versions 1 to 12 is a field of [RoomVersion]; the algorithms ask the field, never
// the number. A room keeps its version for life, and rooms of all versions coexist.
//
// # Authorisation
//
// [Check] applies the rules of the event's room version to the [State] before it. Refusals are numbered by the text of
// room version 12; see [AuthError]. [RoomVersion.PowerLevels] gives the levels in force, defaults and creators included,
// and remembers them in the events they come from. Since each room has one linear history, state resolution is
// not needed and not here.
//
// # JSON
//
// [Canonical], [CanonicalLoose] and [Valid] are the only ways network input becomes JSON this package trusts: one pass,
// bounded depth, valid UTF-8. Everything else here works on text that went through them; on other text it may find
// nothing, but never panics.
//
// # Reading rules
//
// [Visible] and its companions decide who sees an event, [Filter] and its parts what a client wants to see of it, and
// [RoomVersion.Redact] what a redaction leaves of it.
//
// IDs in comments within functions and in tests, such as EVT-27 or AUTHZ-12, name requirements of this library.
package events
