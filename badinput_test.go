package homeserver_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/homeservertest"
)

// Bad input gets the status and the errcode that the specification has for it, and
// changes nothing (API-2, API-3, EVT-26 to EVT-33, ID-13, CLIENT-30, CLIENT-31,
// CLIENT-33).
func TestBadInput(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room, private := roomOf(t, alice, "12", bob), bob.CreateRoom(t, nil)
	said, secret := alice.Say(t, room, "hello"), bob.Say(t, private, "secret")
	r, p := url.PathEscape(string(room)), url.PathEscape(string(private))
	long := strings.Repeat("x", 256)
	nested := func(n int, open, end string) string {
		return `{"a":` + strings.Repeat(open, n) + strings.Repeat(end, n) + `}`
	}

	type row struct {
		says         string
		method, path string
		body         string
		status       int
		code         string
	}
	rows := []row{
		// IDs
		{"no room ID", "GET", "/v3/rooms/room/state", "", 400, "M_INVALID_PARAM"},
		{"room alias for a room ID", "GET", "/v3/rooms/%23room:example.org/state", "", 400, "M_INVALID_PARAM"},
		{"room ID over 255 bytes", "GET", "/v3/rooms/!" + long + ":example.org/messages?dir=b", "", 400, "M_INVALID_PARAM"},
		{"room ID with NUL", "GET", "/v3/rooms/!a%00b:example.org/state", "", 400, "M_INVALID_PARAM"},
		{"room ID that is not UTF-8", "GET", "/v3/rooms/!a%FF:example.org/state", "", 400, "M_INVALID_PARAM"},
		{"room ID with an encoded slash", "GET", "/v3/rooms/!a%2Fb:example.org/state", "", 403, "M_FORBIDDEN"},
		{"room ID with a slash", "GET", "/v3/rooms/!a/b:example.org/state", "", 404, "M_UNRECOGNIZED"},
		{"no room ID at all", "GET", "/v3/rooms//state", "", 404, "M_UNRECOGNIZED"},
		{"dots", "GET", "/v3/rooms/" + r + "/../" + r + "/state", "", 404, "M_UNRECOGNIZED"},
		{"encoded dots", "GET", "/v3/rooms/%2e%2e/state", "", 400, "M_INVALID_PARAM"},
		{"event ID without $", "GET", "/v3/rooms/" + r + "/event/x", "", 400, "M_INVALID_PARAM"},
		{"event ID over 255 bytes", "GET", "/v3/rooms/" + r + "/context/$" + long, "", 400, "M_INVALID_PARAM"},
		{"event ID with an encoded slash", "GET", "/v3/rooms/" + r + "/event/$a%2Fb", "", 404, "M_NOT_FOUND"},
		{"event ID with a slash", "GET", "/v3/rooms/" + r + "/event/$a/b", "", 404, "M_UNRECOGNIZED"},
		{"event ID of 10,000 bytes", "PUT", "/v3/rooms/" + r + "/redact/$" + strings.Repeat("x", 10000) + "/1", "{}", 400, "M_INVALID_PARAM"},
		{"user ID without @ in the body", "POST", "/v3/rooms/" + r + "/invite", `{"user_id":"bob"}`, 400, "M_INVALID_PARAM"},
		{"user ID over 255 bytes", "POST", "/v3/rooms/" + r + "/ban", `{"user_id":"@` + long + `:example.org"}`, 400, "M_INVALID_PARAM"},

		// Rooms that are not there, or others'
		{"unknown room: state", "GET", "/v3/rooms/!x:example.org/state", "", 403, "M_FORBIDDEN"},
		{"unknown room: send", "PUT", "/v3/rooms/!x:example.org/send/m.room.message/1", `{"msgtype":"m.text","body":"x"}`, 403, "M_FORBIDDEN"},
		{"unknown room: redact", "PUT", "/v3/rooms/!x:example.org/redact/$x/1", "{}", 403, "M_FORBIDDEN"},
		{"unknown room: event", "GET", "/v3/rooms/!x:example.org/event/$x", "", 404, "M_NOT_FOUND"},
		{"unknown room: context", "GET", "/v3/rooms/!x:example.org/context/$x", "", 403, "M_FORBIDDEN"},
		{"unknown room: messages", "GET", "/v3/rooms/!x:example.org/messages?dir=b", "", 403, "M_FORBIDDEN"},
		{"unknown room: members", "GET", "/v3/rooms/!x:example.org/members", "", 403, "M_FORBIDDEN"},
		{"another's room: state", "GET", "/v3/rooms/" + p + "/state/m.room.create/", "", 403, "M_FORBIDDEN"},
		{"another's room: set state", "PUT", "/v3/rooms/" + p + "/state/m.room.topic/", "{}", 403, "M_FORBIDDEN"},
		{"another's room: send", "PUT", "/v3/rooms/" + p + "/send/m.room.message/1", `{"msgtype":"m.text","body":"x"}`, 403, "M_FORBIDDEN"},
		{"another's room: redact", "PUT", "/v3/rooms/" + p + "/redact/" + url.PathEscape(string(secret)) + "/1", "{}", 403, "M_FORBIDDEN"},
		{"another's room: event", "GET", "/v3/rooms/" + p + "/event/" + url.PathEscape(string(secret)), "", 404, "M_NOT_FOUND"},
		{"another's event: event", "GET", "/v3/rooms/" + r + "/event/" + url.PathEscape(string(secret)), "", 404, "M_NOT_FOUND"},
		{"another's room: context", "GET", "/v3/rooms/" + p + "/context/" + url.PathEscape(string(secret)), "", 403, "M_FORBIDDEN"},
		{"another's room: messages", "GET", "/v3/rooms/" + p + "/messages?dir=f", "", 403, "M_FORBIDDEN"},
		{"another's room: members", "GET", "/v3/rooms/" + p + "/members", "", 403, "M_FORBIDDEN"},
		{"another's room: joined_members", "GET", "/v3/rooms/" + p + "/joined_members", "", 403, "M_FORBIDDEN"},
		{"another's room: time", "GET", "/v1/rooms/" + p + "/timestamp_to_event?dir=f&ts=0", "", 403, "M_FORBIDDEN"},
		{"another's room: invite", "POST", "/v3/rooms/" + p + "/invite", `{"user_id":"@alice:example.org"}`, 403, "M_FORBIDDEN"},
		{"another's room: aliases", "GET", "/v3/rooms/" + p + "/aliases", "", 403, "M_FORBIDDEN"},

		// Tokens
		{"token of another server: messages", "GET", "/v3/rooms/" + r + "/messages?dir=b&from=s72595_4483_1934", "", 400, "M_INVALID_PARAM"},
		{"token of another server: to", "GET", "/v3/rooms/" + r + "/messages?dir=b&to=t1-2", "", 400, "M_INVALID_PARAM"},
		{"token of another server: members", "GET", "/v3/rooms/" + r + "/members?at=s72595", "", 400, "M_INVALID_PARAM"},
		{"token of another server: sync", "GET", "/v3/sync?since=s72595_4483_1934", "", 400, "M_INVALID_PARAM"},
		{"token from the future: sync", "GET", "/v3/sync?since=1-999999999", "", 400, "M_INVALID_PARAM"},
		{"token of 100,000 bytes", "GET", "/v3/rooms/" + r + "/messages?dir=b&from=1-" + strings.Repeat("1", 100000), "", 400, "M_INVALID_PARAM"},

		// Parameters
		{"timeout is no number", "GET", "/v3/sync?timeout=soon", "", 400, "M_INVALID_PARAM"},
		{"full_state is no boolean", "GET", "/v3/sync?full_state=yes", "", 400, "M_INVALID_PARAM"},
		{"ts is no number", "PUT", "/v3/rooms/" + r + "/send/m.room.message/1?ts=now", "{}", 400, "M_INVALID_PARAM"},
		{"ts is too large", "PUT", "/v3/rooms/" + r + "/send/m.room.message/1?ts=99999999999999999999", "{}", 400, "M_INVALID_PARAM"},
		{"filter is not JSON", "GET", "/v3/sync?filter=%7Broom", "", 400, "M_NOT_JSON"},
		{"filter is nested deeply", "GET", "/v3/rooms/" + r + "/messages?dir=b&filter=" + url.QueryEscape(nested(10000, "[", "]")), "", 400, ""},

		// Events
		{"EVT-31 type over 255 bytes", "PUT", "/v3/rooms/" + r + "/send/" + long + "/1", "{}", 413, "M_TOO_LARGE"},
		{"EVT-31 type over 255 bytes in few characters", "PUT", "/v3/rooms/" + r + "/send/" + url.PathEscape(strings.Repeat("é", 128)) + "/1", "{}", 413, "M_TOO_LARGE"},
		{"EVT-31 state key over 255 bytes", "PUT", "/v3/rooms/" + r + "/state/m.room.topic/" + long, "{}", 413, "M_TOO_LARGE"},
		{"EVT-30 event over 64 KiB", "PUT", "/v3/rooms/" + r + "/send/m.room.message/1", `{"msgtype":"m.text","body":"` + strings.Repeat("x", 65<<10) + `"}`, 413, "M_TOO_LARGE"},
		{"EVT-30 event over 64 KiB with what the server adds", "PUT", "/v3/rooms/" + r + "/send/m.room.message/1", `{"msgtype":"m.text","body":"` + strings.Repeat("x", 65400) + `"}`, 413, "M_TOO_LARGE"},
		{"IM-1 message without msgtype", "PUT", "/v3/rooms/" + r + "/send/m.room.message/1", `{"body":"x"}`, 400, "M_BAD_JSON"},
		{"IM-1 message whose msgtype is no string", "PUT", "/v3/rooms/" + r + "/send/m.room.message/1", `{"msgtype":1,"body":"x"}`, 400, "M_BAD_JSON"},
		{"IM-1 message without body", "PUT", "/v3/rooms/" + r + "/send/m.room.message/1", `{"msgtype":"m.text"}`, 400, "M_BAD_JSON"},
		{"IM-1 message whose body is no string", "PUT", "/v3/rooms/" + r + "/send/m.room.message/1", `{"msgtype":"m.text","body":{}}`, 400, "M_BAD_JSON"},
		{"IM-1 message without msgtype, as of old", "POST", "/v3/rooms/" + r + "/send/m.room.message", `{"body":"x"}`, 400, "M_BAD_JSON"},
		{"PACK-2 shortcode with a space", "PUT", "/v3/rooms/" + r + "/state/m.room.image_pack/x", `{"images":{"a":{},"a b":{}}}`, 400, "M_BAD_JSON"},
		{"PACK-2 shortcode with colons", "PUT", "/v3/rooms/" + r + "/state/m.room.image_pack/x", `{"images":{":a:":{}}}`, 400, "M_BAD_JSON"},
		{"PACK-2 empty shortcode", "PUT", "/v3/rooms/" + r + "/state/m.room.image_pack/x", `{"images":{"":{}}}`, 400, "M_BAD_JSON"},
		{"PACK-2 shortcode over 100 bytes", "PUT", "/v3/rooms/" + r + "/state/m.room.image_pack/x", `{"images":{"` + strings.Repeat("x", 101) + `":{}}}`, 400, "M_BAD_JSON"},
		{"body over 1 MiB", "PUT", "/v3/rooms/" + r + "/send/m.room.message/1", `{"msgtype":"m.text","body":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "M_TOO_LARGE"},
		{"message without a type", "PUT", "/v3/rooms/" + r + "/send//1", "{}", 404, "M_UNRECOGNIZED"},
		{"redaction of nothing", "PUT", "/v3/rooms/" + r + "/send/m.room.redaction/1", "{}", 400, "M_MISSING_PARAM"},
		{"redaction of what is no event ID", "PUT", "/v3/rooms/" + r + "/send/m.room.redaction/1", `{"redacts":"x"}`, 404, "M_NOT_FOUND"},
		{"create event as a message", "PUT", "/v3/rooms/" + r + "/send/m.room.create/1", `{}`, 403, "M_FORBIDDEN"},

		// Membership
		{"missing user_id", "POST", "/v3/rooms/" + r + "/kick", `{}`, 400, "M_MISSING_PARAM"},
		{"reason is no text", "POST", "/v3/rooms/" + r + "/leave", `{"reason":1}`, 400, "M_BAD_JSON"},
		{"invite is no list", "POST", "/v3/createRoom", `{"invite":"@bob:example.org"}`, 400, "M_BAD_JSON"},
		{"initial_state is no list", "POST", "/v3/createRoom", `{"initial_state":{}}`, 400, "M_BAD_JSON"},
	}
	// Bodies that no endpoint takes.
	for _, endpoint := range [][2]string{
		{"PUT", "/v3/rooms/" + r + "/send/m.room.message/1"},
		{"PUT", "/v3/rooms/" + r + "/state/m.room.topic/"},
		{"PUT", "/v3/rooms/" + r + "/redact/" + url.PathEscape(string(said)) + "/1"},
		{"POST", "/v3/rooms/" + r + "/invite"},
		{"POST", "/v3/createRoom"},
	} {
		for _, b := range []struct{ says, body, code string }{
			{"nothing closed", `{"a":`, "M_NOT_JSON"},
			{"two objects", `{}{}`, "M_NOT_JSON"},
			{"text", `hello`, "M_NOT_JSON"},
			{"single quotes", `{'a':1}`, "M_NOT_JSON"},
			{"trailing comma", `{"a":1,}`, "M_NOT_JSON"},
			{"comment", `{"a":1}//`, "M_NOT_JSON"},
			{"NaN", `{"a":NaN}`, "M_NOT_JSON"}, // EVT-28
			{"Infinity", `{"a":-Infinity}`, "M_NOT_JSON"},
			{"a leading zero", `{"a":01}`, "M_NOT_JSON"},
			{"a control character", "{\"a\":\"\x01\"}", "M_NOT_JSON"},
			{"invalid UTF-8", "{\"a\":\"\xff\"}", "M_NOT_JSON"}, // EVT-28, CLIENT-30
			{"invalid UTF-8 in a key", "{\"\xc3\":1}", "M_NOT_JSON"},
			{"an overlong form in UTF-8", "{\"a\":\"\xc0\xaf\"}", "M_NOT_JSON"},
			{"half a surrogate pair", `{"a":"\ud800"}`, "M_BAD_JSON"}, // CLIENT-30
			{"a byte order mark", "\ufeff{}", "M_NOT_JSON"},
			{"a list", `[]`, "M_BAD_JSON"},
			{"null", `null`, "M_BAD_JSON"},
			{"a number", `1`, "M_BAD_JSON"},
			{"lists in lists", nested(5000, "[", "]"), "M_BAD_JSON"},
			{"objects in objects", nested(5000, `{"a":`, "}"), "M_BAD_JSON"},
			{"100,000 brackets", `{"a":` + strings.Repeat("[", 100000), "M_BAD_JSON"},
		} {
			rows = append(rows, row{b.says + " for " + endpoint[1], endpoint[0], endpoint[1], b.body, 400, b.code})
		}
	}
	// Numbers that canonical JSON has not (EVT-26, EVT-27, CLIENT-31, AMB-10).
	for _, number := range []string{"1.5", "1.0", "1e3", "1E400", "-0", "-0.0", "9007199254740992", "-9007199254740992", "123456789012345678901234567890"} {
		for _, path := range []string{"/send/org.example/1", "/state/m.room.topic/", "/redact/" + url.PathEscape(string(said)) + "/1"} {
			rows = append(rows, row{number + path, "PUT", "/v3/rooms/" + r + path, fmt.Sprintf(`{"list":[{"n":%s}]}`, number), 400, "M_BAD_JSON"})
		}
		rows = append(rows, row{number + " in a new room", "POST", "/v3/createRoom",
			fmt.Sprintf(`{"initial_state":[{"type":"org.example","content":{"n":%s}}]}`, number), 400, "M_BAD_JSON"})
	}

	before, state := historyOf(t, alice, room), len(alice.Get(t, "/v3/rooms/"+r+"/state").Array())
	privates, rooms := historyOf(t, bob, private), alice.Get(t, "/v3/joined_rooms").Raw
	for _, tt := range rows {
		var body any
		if tt.method != "GET" {
			body = tt.body
		}
		answer := alice.Do(t, tt.method, tt.path, body)
		code := gjson.GetBytes(answer.Body, "errcode")
		if answer.Status != tt.status || code.Str != tt.code && tt.code != "" || !gjson.GetBytes(answer.Body, "error").Exists() && tt.code != "" {
			t.Errorf("%s: %s %.100s: %d %.300s, want %d %s", tt.says, tt.method, tt.path, answer.Status, answer.Body, tt.status, tt.code)
		}
	}
	same(t, "the room's events", historyOf(t, alice, room), before)
	same(t, "the size of its state", len(alice.Get(t, "/v3/rooms/"+r+"/state").Array()), state)
	same(t, "the other room's events", historyOf(t, bob, private), privates)
	same(t, "alice's rooms", alice.Get(t, "/v3/joined_rooms").Raw, rooms)
	if got := eventOf(t, alice, room, said).Get("content.body").Str; got != "hello" {
		t.Errorf("what was said is %q", got)
	}
	// IM-1: content of other types, and of state, is not looked at.
	alice.Put(t, "/v3/rooms/"+r+"/send/m.room.encrypted/1", `{"body":1}`)
	alice.Put(t, "/v3/rooms/"+r+"/send/m.sticker/1", "{}")
	alice.Put(t, "/v3/rooms/"+r+"/state/m.room.message/x", `{"msgtype":1}`)
	alice.Put(t, "/v3/rooms/"+r+"/state/m.room.image_pack/x", `{"images":{"a-Z_9":{},"`+strings.Repeat("x", 100)+`":{}}}`)
	// What is just small enough.
	alice.Put(t, "/v3/rooms/"+r+"/send/"+strings.Repeat("x", 255)+"/1", "{}")
	alice.Put(t, "/v3/rooms/"+r+"/send/m.room.message/large", `{"msgtype":"m.text","body":"`+strings.Repeat("x", 64_500)+`"}`)
	alice.Put(t, "/v3/rooms/"+r+"/send/org.example.deep/1", nested(50, "[", "]"))
}
