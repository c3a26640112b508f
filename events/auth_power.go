package events

// checkPowerLevels is rule 10.
func checkPowerLevels(e *Event, s State, current *PowerLevels) error {
	v := e.Version
	next, err := v.parseLevels(e.Content)
	if err != nil {
		return err
	}
	for _, c := range current.creators {
		if _, named := next.users[string(c)]; named {
			return reject("10.4", "users names a creator of the room")
		}
	}
	if s.Event(TypePowerLevels, "") == nil {
		return nil // 10.5
	}
	own := current.User(e.Sender)
	for i := range scalarCount {
		was, is := current.scalars[i], next.scalars[i]
		if was == is {
			continue
		}
		if was.set && was.n > own || is.set && is.n > own {
			return reject("10.6", i.name()+" is above the sender's power level")
		}
	}
	if err := checkLevelMap(current.events, next.events, own, "events"); err != nil {
		return err
	}
	if v.NotificationsPL {
		if err := checkLevelMap(current.notifications, next.notifications, own, "notifications"); err != nil {
			return err
		}
	}
	return checkUserLevels(current.users, next.users, e.Sender, own)
}

// checkLevelMap is rules 10.7 and 10.8.
func checkLevelMap(was, is map[string]int64, own int64, name string) error {
	for key, old := range was {
		if n, kept := is[key]; (!kept || n != old) && old > own {
			return reject("10.7", name+"."+key+" is above the sender's power level")
		}
	}
	for key, n := range is {
		if old, kept := was[key]; (!kept || n != old) && n > own {
			return reject("10.8", name+"."+key+" would be above the sender's power level")
		}
	}
	return nil
}

// checkUserLevels is rules 10.9 and 10.10.
func checkUserLevels(was, is map[string]int64, sender UserID, own int64) error {
	for user, old := range was {
		if n, kept := is[user]; (!kept || n != old) && user != string(sender) && old >= own {
			return reject("10.9", "the power level of "+user+" is not below the sender's")
		}
	}
	for user, n := range is {
		if old, kept := was[user]; (!kept || n != old) && n > own {
			return reject("10.10", "the power level of "+user+" would be above the sender's")
		}
	}
	return nil
}
