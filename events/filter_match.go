package events

import "strings"

// Match reports whether an event passes; for data without a sender give "". A nil filter matches everything. It does
// not allocate.
func (f *EventFilter) Match(typ string, sender UserID, content []byte) bool {
	if f == nil {
		return true
	}
	return allowed(f.Types, f.NotTypes, typ, matchType) &&
		allowed(f.Senders, f.NotSenders, sender, matchID[UserID]) &&
		(f.ContainsURL == nil || *f.ContainsURL == isString(lookup(content, "url")))
}

// Match reports whether an event passes, its room included. A nil filter matches everything. What is no event of a
// room's history, such as typing, goes through EventFilter.Match and MatchRoom.
func (f *RoomEventFilter) Match(e *Event) bool {
	return f == nil || f.MatchRoom(e.Room) && f.EventFilter.Match(e.Type, e.Sender, e.Content)
}

// MatchRoom reports whether the events of a room may pass at all. A nil filter matches everything.
func (f *RoomEventFilter) MatchRoom(room RoomID) bool {
	return f == nil || allowed(f.Rooms, f.NotRooms, room, matchID[RoomID])
}

// MatchRoom reports whether a room is part of the response. A nil filter matches everything; IncludeLeave is
// the caller's to apply.
func (f *RoomFilter) MatchRoom(room RoomID) bool {
	return f == nil || allowed(f.Rooms, f.NotRooms, room, matchID[RoomID])
}

// allowed applies a list and its not_ list, which wins (FILT-14).
func allowed[T ~string](list, not []T, value T, match func(pattern, value T) bool) bool {
	for _, p := range not {
		if match(p, value) {
			return false
		}
	}
	if list == nil {
		return true
	}
	for _, p := range list {
		if match(p, value) {
			return true
		}
	}
	return false
}

func matchID[T ~string](pattern, value T) bool { return pattern == value || pattern == "*" }

// matchType treats '*' as any run of characters anywhere in the pattern (FILT-15). It goes back to the last '*' only,
// so its cost is bounded by the product of the lengths.
func matchType(pattern, typ string) bool {
	star := strings.IndexByte(pattern, '*')
	if star < 0 {
		return pattern == typ
	}
	if !strings.HasPrefix(typ, pattern[:star]) {
		return false
	}
	rest := typ[star:]
	for {
		pattern = pattern[star+1:]
		if star = strings.IndexByte(pattern, '*'); star < 0 {
			return strings.HasSuffix(rest, pattern)
		}
		at := strings.Index(rest, pattern[:star])
		if at < 0 {
			return false
		}
		rest = rest[at+star:]
	}
}
