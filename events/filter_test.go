package events

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseFilter(t *testing.T) {
	t.Parallel()
	got, err := ParseFilter([]byte(`{
		"event_fields": ["type", "content.body"], "event_format": "federation", "unknown": {"x": [1.5]},
		"presence": {"types": ["m.presence"], "limit": 3, "not_senders": ["@a:hs"]},
		"account_data": {"not_types": ["*"], "senders": []},
		"room": {
			"rooms": ["!a:hs", "*"], "not_rooms": ["!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM"], "include_leave": true, "x": 1,
			"ephemeral": {"types": ["m.typing"]},
			"state": {"lazy_load_members": true, "include_redundant_members": true, "not_types": ["x"]},
			"timeline": {"limit": 0, "unread_thread_notifications": true, "contains_url": false, "rooms": [], "not_rooms": ["*"], "senders": ["*", "@É:hs"], "org.matrix.msc3773.unread_thread_notifications": true, "related_by_rel_types": 7},
			"account_data": {"contains_url": true}
		}}`))
	want := &Filter{ // FILT-8, FILT-10, FILT-11, FILT-13; FILT-7 and FILT-22 for what is not here; FILT-6 for "*"
		EventFields: []string{"type", "content.body"}, EventFormat: "federation",
		Presence:    EventFilter{Types: []string{"m.presence"}, Limit: ptr(3), NotSenders: []UserID{"@a:hs"}},
		AccountData: EventFilter{NotTypes: []string{"*"}, Senders: []UserID{}},
		Room: RoomFilter{
			Rooms: []RoomID{"!a:hs", "*"}, NotRooms: []RoomID{"!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM"}, IncludeLeave: true,
			Ephemeral: RoomEventFilter{EventFilter: EventFilter{Types: []string{"m.typing"}}},
			State:     RoomEventFilter{EventFilter: EventFilter{NotTypes: []string{"x"}}, LazyLoadMembers: true, IncludeRedundantMembers: true},
			Timeline: RoomEventFilter{
				EventFilter: EventFilter{Limit: ptr(0), ContainsURL: ptr(false), Senders: []UserID{"*", "@É:hs"}},                  // AMB-3
				Rooms:       []RoomID{}, NotRooms: []RoomID{"*"}, UnreadThreadNotifications: true, LegacyThreadNotifications: true, // CLIENT-17
			},
			AccountData: RoomEventFilter{EventFilter: EventFilter{ContainsURL: ptr(true)}},
		},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for _, in := range []string{`{}`, ` { "room" : null, "event_fields": null, "presence": {"limit": null} } `} { // FILT-18 to FILT-20: defaults
		if got, err := ParseFilter([]byte(in)); err != nil || cmp.Diff(&Filter{}, got) != "" {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
	}
	room, err := ParseRoomEventFilter([]byte(`{"types":["m.*"],"lazy_load_members":true,"room":7}`)) // FILT-3
	if diff := cmp.Diff(&RoomEventFilter{EventFilter: EventFilter{Types: []string{"m.*"}}, LazyLoadMembers: true}, room); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

// TestParseFilterRefuses: FILT-5 wrong types and IDs, FILT-16 limits; the error names the key. FILT-4: what is no
// JSON is told apart.
func TestParseFilterRefuses(t *testing.T) {
	t.Parallel()
	for in, key := range map[string]string{
		`[]`: "", `"x"`: "", `7`: "", `null`: "",
		`{"event_fields":"type"}`:                                     "event_fields",
		`{"event_fields":[1]}`:                                        "event_fields",
		`{"event_fields":{}}`:                                         "event_fields",
		`{"event_format":"raw"}`:                                      "event_format",
		`{"event_format":7}`:                                          "event_format",
		`{"presence":[]}`:                                             "presence",
		`{"presence":"x"}`:                                            "presence",
		`{"presence":{"types":"x"}}`:                                  "presence.types",
		`{"presence":{"senders":["a"]}}`:                              "presence.senders",
		`{"account_data":true}`:                                       "account_data",
		`{"account_data":{"limit":"5"}}`:                              "account_data.limit",
		`{"account_data":{"limit":-1}}`:                               "account_data.limit",
		`{"account_data":{"limit":1.5}}`:                              "account_data.limit",
		`{"account_data":{"limit":1e3}}`:                              "account_data.limit",
		`{"room":[]}`:                                                 "room",
		`{"room":{"rooms":["#a:hs"]}}`:                                "room.rooms",
		`{"room":{"rooms":["@a:hs"]}}`:                                "room.rooms",
		`{"room":{"rooms":"!a:hs"}}`:                                  "room.rooms",
		`{"room":{"not_rooms":[null]}}`:                               "room.not_rooms",
		`{"room":{"include_leave":1}}`:                                "room.include_leave",
		`{"room":{"state":"x"}}`:                                      "room.state",
		`{"room":{"ephemeral":[]}}`:                                   "room.ephemeral",
		`{"room":{"timeline":{"not_senders":["!a:hs"]}}}`:             "room.timeline.not_senders",
		`{"room":{"timeline":{"not_types":[[]]}}}`:                    "room.timeline.not_types",
		`{"room":{"timeline":{"rooms":["x"]}}}`:                       "room.timeline.rooms",
		`{"room":{"timeline":{"contains_url":"yes"}}}`:                "room.timeline.contains_url",
		`{"room":{"state":{"lazy_load_members":"true"}}}`:             "room.state.lazy_load_members",
		`{"room":{"state":{"include_redundant_members":0}}}`:          "room.state.include_redundant_members",
		`{"room":{"timeline":{"unread_thread_notifications":{}}}}`:    "room.timeline.unread_thread_notifications",
		`{"room":{"account_data":{"limit":99999999999999999999999}}}`: "room.account_data.limit",
		`{"room":{"rooms":["!` + strings.Repeat("x", 300) + `:hs"]}}`: "room.rooms",
	} {
		_, err := ParseFilter([]byte(in))
		var e *FilterError
		if !errors.As(err, &e) || e.Key != key {
			t.Errorf("%s: got %v; want a fault at %q", in, err, key)
		}
	}
	for _, in := range []string{``, `{`, `filter`, "{\"a\":\"\xff\"}"} {
		_, err := ParseFilter([]byte(in))
		wantJSONError(t, in, err, NotJSON)
		_, err = ParseRoomEventFilter([]byte(in))
		wantJSONError(t, in, err, NotJSON)
	}
	if _, err := ParseRoomEventFilter([]byte(`{"types":7}`)); err == nil {
		t.Error("room event filter with types 7 accepted")
	}
}

func TestFilterMatch(t *testing.T) {
	t.Parallel()
	withURL := []byte(`{"body":"x","url":"mxc://a/b"}`)
	tests := []struct {
		name, filter string
		want         bool // of m.room.message by alice with a URL
	}{
		{"FILT-14 no restriction", `{}`, true},
		{"FILT-14 type listed", `{"types":["m.x","m.room.message"]}`, true},
		{"FILT-14 type not listed", `{"types":["m.x"]}`, false},
		{"FILT-14 no types", `{"types":[]}`, false},
		{"FILT-14 type refused", `{"not_types":["m.room.message"]}`, false},
		{"FILT-14 nothing refused", `{"not_types":[]}`, true},
		{"FILT-14 not_types wins", `{"types":["m.room.message"],"not_types":["m.room.message"]}`, false},
		{"FILT-14 sender listed", `{"senders":["@bob:hs.test","@alice:hs.test"]}`, true},
		{"FILT-14 sender not listed", `{"senders":["@bob:hs.test"]}`, false},
		{"FILT-14 no senders", `{"senders":[]}`, false},
		{"FILT-14 sender refused", `{"not_senders":["@alice:hs.test"]}`, false},
		{"FILT-14 not_senders wins", `{"senders":["@alice:hs.test"],"not_senders":["@alice:hs.test"]}`, false},
		{"FILT-14 all of the lists must agree", `{"types":["m.room.message"],"senders":["@bob:hs.test"]}`, false},
		{"FILT-6 all senders", `{"senders":["*"]}`, true},
		{"FILT-6 no sender", `{"not_senders":["*"]}`, false},
		{"FILT-15 senders compare exactly", `{"senders":["@ALICE:hs.test"]}`, false},
		{"FILT-15 wildcard", `{"types":["m.room.*"]}`, true},
		{"FILT-15 wildcard refuses", `{"not_types":["*message"]}`, false},
		{"FILT-17 with URL", `{"contains_url":true}`, true},
		{"FILT-17 without URL", `{"contains_url":false}`, false},
		{"FILT-14 room listed", `{"rooms":["!r:hs.test"]}`, true},
		{"FILT-14 room not listed", `{"rooms":["!x:hs.test"]}`, false},
		{"FILT-14 no rooms", `{"rooms":[]}`, false},
		{"FILT-14 room refused", `{"not_rooms":["!r:hs.test"]}`, false},
		{"FILT-14 not_rooms wins", `{"rooms":["!r:hs.test"],"not_rooms":["!r:hs.test"]}`, false},
		{"FILT-6 all rooms", `{"rooms":["*"]}`, true},
		{"FILT-6 no room", `{"not_rooms":["*"]}`, false},
		{"FILT-16 a limit removes nothing by itself", `{"limit":0}`, true},
	}
	e := &Event{Type: "m.room.message", Sender: alice, Room: "!r:hs.test", Content: withURL}
	for _, tt := range tests {
		f, err := ParseRoomEventFilter([]byte(tt.filter))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Match(e); got != tt.want {
			t.Errorf("%s: %s gives %v", tt.name, tt.filter, got)
		}
		if got := f.MatchRoom(e.Room) && f.EventFilter.Match(e.Type, e.Sender, e.Content); got != tt.want {
			t.Errorf("%s: %s gives %v in parts", tt.name, tt.filter, got)
		}
	}
	for content, want := range map[string]bool{`{}`: false, `{"url":7}`: false, `{"url":null}`: false, `{"url":""}`: true, `{"info":{"url":"x"}}`: false} { // FILT-17
		yes, no := EventFilter{ContainsURL: ptr(true)}, EventFilter{ContainsURL: ptr(false)}
		if yes.Match("m.x", alice, []byte(content)) != want || no.Match("m.x", alice, []byte(content)) == want {
			t.Errorf("FILT-17 %s", content)
		}
	}
	var none *RoomEventFilter
	var noneRoom *RoomFilter
	var nonePart *EventFilter
	var noneWhole *Filter
	if !none.Match(e) || !none.MatchRoom("!x") || !noneRoom.MatchRoom("!x") || !nonePart.Match("x", "", nil) || string(noneWhole.AppendFields(nil, []byte("{}"))) != "{}" {
		t.Error("a nil filter refuses")
	}
}

// TestRoomFilterMatchRoom: FILT-12, FILT-14.
func TestRoomFilterMatchRoom(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]bool{
		`{}`: true, `{"rooms":["!r:hs"]}`: true, `{"rooms":["!x:hs"]}`: false, `{"rooms":[]}`: false, `{"not_rooms":["!r:hs"]}`: false,
		`{"rooms":["!r:hs"],"not_rooms":["!r:hs"]}`: false, `{"rooms":["*"]}`: true, `{"not_rooms":["*"]}`: false,
	} {
		f, err := ParseFilter([]byte(`{"room":` + filter + `}`))
		if err != nil || f.Room.MatchRoom("!r:hs") != want {
			t.Errorf("%s: %v; want %v", filter, err, want)
		}
	}
}

// TestMatchType: FILT-15.
func TestMatchType(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, typ string
		want         bool
	}{
		{"m.room", "m.room", true},
		{"m.room", "m.room.x", false},
		{"", "", true},
		{"", "x", false},
		{"*", "", true},
		{"*", "anything", true},
		{"m.*", "m.room.message", true},
		{"m.*", "m.", true},
		{"m.*", "x.m.", false},
		{"*.message", "m.room.message", true},
		{"*.message", "m.room.messages", false},
		{"m.*.message", "m.room.message", true},
		{"m.*.message", "m.message", false},
		{"*room*", "m.room.message", true},
		{"*room*", "m.message", false},
		{"a*b*c", "aXbYbZc", true},
		{"a*b*c", "acb", false},
		{"a**b", "ab", true},
		{"ab*ba", "aba", false},
		{"a*aa", "aaa", true},
		{"a*aa", "aa", false},
		{"*a*a*a", "aa", false},
		{"M.*", "m.x", false},
		{"m.?", "m.x", false}, // only '*' is special
		{"m.[x]", "m.x", false},
	} {
		if got := matchType(tt.pattern, tt.typ); got != tt.want {
			t.Errorf("matchType(%q, %q) = %v", tt.pattern, tt.typ, got)
		}
	}
}

// TestAppendFields: FILT-9.
func TestAppendFields(t *testing.T) {
	t.Parallel()
	const event = `{"content":{"a.b":1,"a\\c":2,"a":{"b":3,"d":4},"body":"x"},"event_id":"$e","origin_server_ts":1,"room_id":"!r","sender":"@a:hs","state_key":"k","type":"t","unsigned":{"age":1,"x":2}}`
	const rest = `,"event_id":"$e","origin_server_ts":1,"room_id":"!r","sender":"@a:hs","state_key":"k","type":"t"`
	for fields, want := range map[string]string{
		``:                           event,
		`[]`:                         `{"content":{}` + rest + `}`,
		`["type"]`:                   `{"content":{}` + rest + `}`,
		`["content"]`:                `{"content":{"a.b":1,"a\\c":2,"a":{"b":3,"d":4},"body":"x"}` + rest + `}`,
		`["content.body"]`:           `{"content":{"body":"x"}` + rest + `}`,
		`["content.body","content"]`: `{"content":{"a.b":1,"a\\c":2,"a":{"b":3,"d":4},"body":"x"}` + rest + `}`,
		`["content.a"]`:              `{"content":{"a":{"b":3,"d":4}}` + rest + `}`,
		`["content.a.b"]`:            `{"content":{"a":{"b":3}}` + rest + `}`,
		`["content.a\\.b"]`:          `{"content":{"a.b":1}` + rest + `}`,
		`["content.a\\\\c"]`:         `{"content":{"a\\c":2}` + rest + `}`,
		`["content.a\\c"]`:           `{"content":{"a\\c":2}` + rest + `}`, // any other escape stands for itself
		`["content.body.x"]`:         `{"content":{}` + rest + `}`,
		`["content.none"]`:           `{"content":{}` + rest + `}`,
		`["unsigned.age"]`:           `{"content":{}` + rest + `,"unsigned":{"age":1}}`,
		`["none",""]`:                `{"content":{}` + rest + `}`,
	} {
		filter := `{"event_fields":` + fields + `}`
		if fields == "" {
			filter = `{}`
		}
		f, err := ParseFilter([]byte(filter))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(f.AppendFields([]byte("x"), []byte(event))); got != "x"+want {
			t.Errorf("%s:\ngot  %s\nwant x%s", fields, got, want)
		}
	}
}

// TestAppendFieldsBound: FILT-9 lets the server return more, which bounds the work for one event.
func TestAppendFieldsBound(t *testing.T) {
	t.Parallel()
	f := &Filter{EventFields: make([]string, maxEventFields)}
	const event = `{"content":{"x":1}}`
	if got := string(f.AppendFields(nil, []byte(event))); got != `{"content":{}}` {
		t.Errorf("at the bound: %s", got)
	}
	f.EventFields = append(f.EventFields, "type")
	if got := string(f.AppendFields(nil, []byte(event))); got != event {
		t.Errorf("over the bound: %s", got)
	}
}

func FuzzFilter(f *testing.F) {
	f.Add([]byte(`{"event_fields":["a\\.b.c"],"room":{"timeline":{"types":["m.*x*"],"limit":5,"contains_url":true},"rooms":["*"]}}`), "m.room.x", []byte(`{"content":{"url":"x"}}`))
	f.Add([]byte(`{"types":["**"],"senders":["@a:b"]}`), "", []byte(`{}`))
	f.Fuzz(func(t *testing.T, raw []byte, typ string, event []byte) {
		e := &Event{Type: typ, Sender: alice, Room: "!r:hs", Content: event}
		if r, err := ParseRoomEventFilter(raw); err == nil {
			r.Match(e)
		}
		filter, err := ParseFilter(raw)
		if err != nil {
			return
		}
		filter.Room.Timeline.Match(e)
		filter.Room.MatchRoom(e.Room)
		filter.Presence.Match(typ, alice, event)
		if c, err := Canonical(event); err == nil && isObject(c) {
			if out := filter.AppendFields(nil, c); Valid(out) != nil || len(out) > len(c)+len(`"content":{},`) {
				t.Errorf("%s with %s becomes %s", c, raw, out)
			}
		}
	})
}
