package events

// Redact removes from an event in raw format what the redaction algorithm of the room version does not keep. raw is
// canonical JSON, and so is the result; signatures stay and unsigned goes. It does not change raw.
func (v *RoomVersion) Redact(raw []byte) ([]byte, error) {
	m := membersOf(raw)
	var typ string
	for {
		key, value, ok := m.next()
		if !ok {
			break
		}
		if string(key) == "type" {
			typ = text(value)
		}
	}
	if m.bad {
		return nil, &FieldError{"event", "is not a JSON object"}
	}
	return v.appendRedacted(make([]byte, 0, len(raw)), raw, typ), nil
}

// Redacted returns the event as it is after a redaction: same ID, content pruned. e stays as it is.
func (e *Event) Redacted() (*Event, error) {
	raw, err := e.Version.Redact(e.Raw)
	if err != nil {
		return nil, err
	}
	return e.Version.Parse(raw, e.ID)
}

func (v *RoomVersion) appendRedacted(dst, raw []byte, typ string) []byte {
	dst = append(dst, '{')
	start := len(dst)
	m := membersOf(raw)
	for {
		key, value, ok := m.next()
		if !ok {
			return append(dst, '}')
		}
		if !v.keepsTop(string(key)) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(append(dst, '"'), key...)
		dst = append(dst, '"', ':')
		if string(key) == "content" {
			dst = v.appendRedactedContent(dst, value, typ)
		} else {
			dst = append(dst, value...)
		}
	}
}

func (v *RoomVersion) appendRedactedContent(dst, content []byte, typ string) []byte {
	dst = append(dst, '{')
	start := len(dst)
	m := membersOf(content)
	for {
		key, value, ok := m.next()
		if !ok {
			return append(dst, '}')
		}
		partly := v.RedactionSet >= 'E' && typ == TypeMember && string(key) == "third_party_invite" && isObject(value)
		if !partly && !v.keepsContent(typ, string(key)) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(append(dst, '"'), key...)
		dst = append(dst, '"', ':')
		if partly {
			dst = appendWithout(dst, value, func(key string) bool { return key != "signed" })
		} else {
			dst = append(dst, value...)
		}
	}
}

// keepsTop reports whether a redaction keeps a top-level key (RVER-7).
func (v *RoomVersion) keepsTop(key string) bool {
	switch key {
	case "event_id", "type", "room_id", "sender", "state_key", "content", "hashes", "signatures", "depth",
		"prev_events", "auth_events", "origin_server_ts":
		return true
	case "prev_state", "origin", "membership":
		return v.RedactionSet <= 'D'
	}
	return false
}

// keepsContent reports whether a redaction keeps a key of the content (RVER-8 to RVER-10).
func (v *RoomVersion) keepsContent(typ, key string) bool {
	set := v.RedactionSet
	switch typ {
	case TypeMember:
		return key == "membership" || set >= 'D' && key == "join_authorised_via_users_server"
	case TypeCreate:
		return set >= 'E' || key == "creator"
	case TypeJoinRules:
		return key == "join_rule" || set >= 'C' && key == "allow"
	case TypeAliases:
		return set == 'A' && key == "aliases"
	case TypeHistoryVisibility:
		return key == "history_visibility"
	case TypeRedaction:
		return set >= 'E' && key == "redacts"
	case TypePowerLevels:
		switch key {
		case "ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default":
			return true
		case "invite":
			return set >= 'E'
		}
	}
	return false
}
