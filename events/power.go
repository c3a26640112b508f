package events

import (
	"math"
	"slices"
)

// CreatorLevel is the power level of the creators of a room of version 12: above every integer.
const CreatorLevel = math.MaxInt64

// scalar numbers the power levels that stand for themselves.
type scalar int

const (
	usersDefault scalar = iota
	eventsDefault
	stateDefault
	banLevel
	redactLevel
	kickLevel
	inviteLevel
	scalarCount
)

// scalarNames are the keys in content, in the order the authorisation rules list them.
func (s scalar) name() string {
	return [scalarCount]string{
		"users_default", "events_default", "state_default", "ban", "redact", "kick", "invite",
	}[s]
}

// preset is the level in force when the key is absent (AUTHZ-2).
func (s scalar) preset() int64 {
	switch s {
	case stateDefault, banLevel, redactLevel, kickLevel:
		return 50
	}
	return 0
}

// PowerLevels are the power levels in force in a state. They are immutable and safe for concurrent reading.
type PowerLevels struct {
	levels
	create   *Event   // the create event they were made with
	creators []UserID // whose level is CreatorLevel
}

// levels is the content of an m.room.power_levels event; what is malformed counts as absent (EVT-12).
type levels struct {
	scalars                      [scalarCount]level
	users, events, notifications map[string]int64
}

// level is one number that may be absent.
type level struct {
	n   int64
	set bool
}

// PowerLevels returns the power levels in force in a state, which may lack any event. Without an m.room.power_levels
// event the defaults hold and the creator has 100, before version 12; in version 12 the creators
// stand above all levels with and without it. The result is remembered in the events, so asking again about
// an unchanged state is cheap.
func (v *RoomVersion) PowerLevels(s State) *PowerLevels {
	create, source := s.Event(TypeCreate, ""), s.Event(TypePowerLevels, "")
	holder := source
	if holder == nil {
		holder = create
	}
	if holder != nil {
		if p := holder.levels.Load(); p != nil && p.create == create {
			return p
		}
	}
	p := &PowerLevels{create: create}
	if source != nil {
		p.levels, _ = v.parseLevels(source.Content)
	}
	switch {
	case create == nil:
	case v.PrivilegedCreators:
		p.creators = v.Creators(create)
	case source == nil:
		p.users = map[string]int64{string(v.Creators(create)[0]): 100}
	}
	if holder != nil {
		holder.levels.Store(p)
	}
	return p
}

// Creators returns the creators of a room: the sender of the create event and, in version 12, the additional ones; in
// versions 1-10 the user that content.creator names. There is always at least one.
func (v *RoomVersion) Creators(create *Event) []UserID {
	if v.CreatorInContent {
		if c, ok := stringMember(create.Content, "creator"); ok {
			return []UserID{UserID(c)}
		}
	}
	creators := []UserID{create.Sender}
	if !v.PrivilegedCreators {
		return creators
	}
	more := elementsOf(lookup(create.Content, "additional_creators"))
	for {
		value, ok := more.next()
		if !ok {
			return creators
		}
		if u := UserID(text(value)); u != "" && !slices.Contains(creators, u) {
			creators = append(creators, u)
		}
	}
}

// User returns the level of a user, [CreatorLevel] for the creators of a room of version 12.
func (p *PowerLevels) User(u UserID) int64 {
	if slices.Contains(p.creators, u) {
		return CreatorLevel
	}
	if n, ok := p.users[string(u)]; ok {
		return n
	}
	return p.scalar(usersDefault)
}

// Required returns the level that sending an event needs. Memberships need Invite, Kick or Ban instead.
func (p *PowerLevels) Required(eventType string, isState bool) int64 {
	if n, ok := p.events[eventType]; ok {
		return n
	}
	if isState {
		return p.scalar(stateDefault)
	}
	return p.scalar(eventsDefault)
}

// UsersDefault returns the level of users who are not named.
func (p *PowerLevels) UsersDefault() int64 { return p.scalar(usersDefault) }

// EventsDefault returns the level that events need that are neither named nor state events.
func (p *PowerLevels) EventsDefault() int64 { return p.scalar(eventsDefault) }

// StateDefault returns the level that state events need that are not named.
func (p *PowerLevels) StateDefault() int64 { return p.scalar(stateDefault) }

// Invite returns the level that inviting needs.
func (p *PowerLevels) Invite() int64 { return p.scalar(inviteLevel) }

// Kick returns the level that kicking needs.
func (p *PowerLevels) Kick() int64 { return p.scalar(kickLevel) }

// Ban returns the level that banning and unbanning need.
func (p *PowerLevels) Ban() int64 { return p.scalar(banLevel) }

// Redact returns the level that redacting the events of others needs.
func (p *PowerLevels) Redact() int64 { return p.scalar(redactLevel) }

// Notification returns the level that a kind of notification needs, "room" being the one the specification names.
func (p *PowerLevels) Notification(kind string) int64 {
	if n, ok := p.notifications[kind]; ok {
		return n
	}
	return 50
}

func (p *PowerLevels) scalar(s scalar) int64 {
	if l := p.scalars[s]; l.set {
		return l.n
	}
	return s.preset()
}

// parseLevels reads the content of a power levels event by the room version's forms. The error is the first rule that
// the content breaks; the levels hold whatever is well-formed all the same.
func (v *RoomVersion) parseLevels(content []byte) (l levels, err error) {
	note := func(broken error) {
		if err == nil {
			err = broken
		}
	}
	for s := range scalarCount {
		value := lookup(content, s.name())
		if value == nil {
			continue
		}
		n, form := v.level(value)
		l.scalars[s] = level{n, form == wellFormed}
		if form == outOfRange || form == malformed && v.LevelForm == LevelInteger {
			note(reject("10.1", s.name()+" is not an integer"))
		}
	}
	var form levelForm
	for _, key := range []string{"events", "notifications"} {
		var m map[string]int64
		m, form = v.levelMap(lookup(content, key))
		if form == outOfRange || form == malformed && v.LevelForm == LevelInteger {
			note(reject("10.2", key+" is not an object of integers"))
		}
		if key == "events" {
			l.events = m
		} else {
			l.notifications = m
		}
	}
	l.users, form = v.levelMap(lookup(content, "users"))
	if form != wellFormed {
		note(reject("10.3", "users is not an object of integers"))
	}
	for u := range l.users {
		if _, bad := ParseUserID(u); bad != nil {
			note(reject("10.3", "users names an invalid user ID"))
		}
	}
	return l, err
}

// levelMap reads an object of levels and returns the worst form among them; an absent object is empty.
func (v *RoomVersion) levelMap(obj []byte) (map[string]int64, levelForm) {
	if obj == nil {
		return nil, wellFormed
	}
	worst := wellFormed
	m := membersOf(obj)
	out := map[string]int64{}
	for {
		key, value, ok := m.next()
		if !ok {
			break
		}
		n, form := v.level(value)
		if form == wellFormed {
			out[unquote(key)] = n
		}
		worst = max(worst, form)
	}
	if m.bad {
		worst = max(worst, malformed)
	}
	return out, worst
}
