package push

import (
	"encoding/json"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
)

// effect is what actions come to.
type effect struct {
	notify    bool
	highlight bool
	sound     string
	tweaks    json.RawMessage // an object
}

// compileActions reads actions. What is not known, such as dont_notify, has no
// effect (RULE-18), and neither have tweaks without a notification (EVAL-6).
func compileActions(actions []byte) (e effect) {
	type tweak struct{ name, value string }
	var tweaks []tweak
	gjson.ParseBytes(actions).ForEach(func(_, action gjson.Result) bool {
		if action.Type == gjson.String {
			e.notify = e.notify || action.Str == "notify"
			return true
		}
		name := member(action, "set_tweak")
		if name.Type != gjson.String {
			return true
		}
		set := tweak{name.Str, member(action, "value").Raw}
		if set.value == "" { // EVAL-7
			set.value = "true"
		}
		for i := range tweaks {
			if tweaks[i].name == set.name {
				tweaks[i] = set // the last one holds
				return true
			}
		}
		tweaks = append(tweaks, set)
		return true
	})
	if !e.notify {
		return effect{}
	}
	e.tweaks = append(e.tweaks, '{')
	for i, t := range tweaks {
		if i > 0 {
			e.tweaks = append(e.tweaks, ',')
		}
		e.tweaks = append(events.AppendString(e.tweaks, t.name), ':')
		e.tweaks = append(e.tweaks, t.value...)
		switch t.name {
		case "highlight":
			e.highlight = t.value == "true"
		case "sound":
			e.sound = gjson.Parse(t.value).Str
		}
	}
	e.tweaks = append(e.tweaks, '}')
	return e
}
