package homeserver_test

import (
	"fmt"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// SLIDE-21, SLIDE-22: every filter alone, and that they add up.
func TestSlidingFilters(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	names := map[events.RoomID]string{}
	create := func(c *homeservertest.Client, name, body string) events.RoomID {
		room := c.CreateRoom(t, body)
		names[room] = name
		return room
	}
	plain := create(alice, "plain", `{"name":"Tea Party"}`)
	create(alice, "encrypted", `{"name":"secret tea","initial_state":[{"type":"m.room.encryption","content":{"algorithm":"m.megolm.v1.aes-sha2"}}]}`)
	space := create(alice, "space", `{"creation_content":{"type":"m.space"}}`)
	odd := create(alice, "odd", `{"creation_content":{"type":"org.example.odd"}}`)
	invite := create(bob, "invite", `{"name":"for tea"}`)
	bob.Invite(t, invite, alice.User)
	foreign := create(bob, "foreign space", `{"creation_content":{"type":"m.space"},"preset":"public_chat"}`)
	roomData := func(room events.RoomID, typ, content string) {
		alice.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/{}", alice.User, room, typ), content)
	}
	roomData(plain, "m.tag", `{"tags":{"m.favourite":{},"u.work":{}}}`)
	roomData(space, "m.tag", `{"tags":{"u.work":{}}}`)
	direct := fmt.Sprintf(`{%q:[%q]}`, bob.User, plain)
	alice.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.direct", alice.User), direct)
	alice.SetState(t, space, "m.space.child", string(plain), `{"via":["example.org"]}`)
	alice.SetState(t, space, "m.space.child", "!gone:example.org", `{}`)
	alice.SetState(t, space, "m.space.child", string(odd), `{}`) // is none any more
	bob.SetState(t, foreign, "m.space.child", string(space), `{"via":["example.org"]}`)

	ask := func(pos, filters string) gjson.Result {
		t.Helper()
		return slide(t, alice, pos, `{"lists":{"a":{"timeline_limit":1,"filters":`+filters+`}}}`)
	}
	for _, tt := range []struct {
		filters string
		want    []string
	}{
		{`{}`, []string{"encrypted", "invite", "odd", "plain", "space"}},
		{`{"is_dm":null,"tags":null,"room_types":null}`, []string{"encrypted", "invite", "odd", "plain", "space"}},
		{`{"is_dm":true}`, []string{"plain"}},
		{`{"is_dm":false}`, []string{"encrypted", "invite", "odd", "space"}},
		{`{"is_encrypted":true}`, []string{"encrypted"}},
		{`{"is_encrypted":false}`, []string{"invite", "odd", "plain", "space"}},
		{`{"is_invite":true}`, []string{"invite"}},
		{`{"is_invite":false}`, []string{"encrypted", "odd", "plain", "space"}},
		{`{"room_types":["m.space"]}`, []string{"space"}},
		{`{"room_types":["m.space","org.example.odd"]}`, []string{"odd", "space"}},
		{`{"room_types":[null]}`, []string{"encrypted", "invite", "plain"}},
		{`{"room_types":["m.space",null]}`, []string{"encrypted", "invite", "plain", "space"}},
		{`{"room_types":[]}`, []string{}},
		{`{"not_room_types":["m.space"]}`, []string{"encrypted", "invite", "odd", "plain"}},
		{`{"not_room_types":[null]}`, []string{"odd", "space"}},
		{`{"room_types":["m.space","org.example.odd"],"not_room_types":["m.space"]}`, []string{"odd"}},
		{`{"tags":["u.work"]}`, []string{"plain", "space"}},
		{`{"tags":["m.favourite","m.lowpriority"]}`, []string{"plain"}},
		{`{"not_tags":["u.work"]}`, []string{"encrypted", "invite", "odd"}},
		{`{"tags":["u.work"],"not_tags":["m.favourite"]}`, []string{"space"}},
		{fmt.Sprintf(`{"spaces":[%q]}`, space), []string{"plain"}},
		{fmt.Sprintf(`{"spaces":[%q,"!unknown:example.org",%q]}`, foreign, space), []string{"plain"}},
		{fmt.Sprintf(`{"spaces":[%q]}`, foreign), []string{}}, // not joined to the space
		{`{"room_name_like":"TEA"}`, []string{"encrypted", "invite", "plain"}},
		{`{"room_name_like":"TEA","is_encrypted":true}`, []string{"encrypted"}},
		{`{"room_name_like":"TEA","is_encrypted":true,"is_dm":true}`, []string{}},
	} {
		answer := ask("", tt.filters)
		same(t, tt.filters, slidRooms(answer, names), tt.want)
		same(t, "count of "+tt.filters, answer.Get("lists.a.count").Int(), int64(len(tt.want))) // SLIDE-29
	}

	// Rooms come and go as what filters look at changes.
	for what, tt := range map[string]struct {
		filters string
		change  func()
		want    string
		count   int64
	}{
		"encryption": {`{"is_encrypted":true}`, func() {
			alice.SetState(t, plain, "m.room.encryption", "", `{"algorithm":"m.megolm.v1.aes-sha2"}`)
		}, "plain", 2},
		"a tag": {`{"tags":["u.new"]}`, func() { roomData(space, "m.tag", `{"tags":{"u.new":{}}}`) }, "space", 1},
		"a direct chat": {`{"is_dm":true}`, func() {
			alice.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.direct", alice.User), fmt.Sprintf(`{%q:[%q,%q]}`, bob.User, plain, space))
		}, "space", 2},
		"a child of a space": {fmt.Sprintf(`{"spaces":[%q]}`, space), func() {
			alice.SetState(t, space, "m.space.child", string(odd), `{"via":["example.org"]}`)
		}, "odd", 2},
		"an invite taken": {`{"is_invite":false,"room_name_like":"for tea"}`, func() { alice.Join(t, invite) }, "invite", 1},
	} {
		before := ask("", tt.filters)
		tt.change()
		after := ask(pos(before), tt.filters)
		same(t, what, slidRooms(after, names), []string{tt.want})
		same(t, what+": count", after.Get("lists.a.count").Int(), tt.count)
	}
}

// SLIDE-15: a room in several lists gets what any of them asks for.
func TestSlidingUnion(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, `{"name":"n","topic":"t"}`)
	for i := range 9 {
		alice.Say(t, room, fmt.Sprint(i))
	}
	body := fmt.Sprintf(`{"lists":{
		"a":{"timeline_limit":1,"ranges":[[0,0]],"required_state":[["m.room.name",""]]},
		"b":{"timeline_limit":4,"required_state":[["m.room.topic",""]],"filters":{"is_invite":false}}},
		"room_subscriptions":{%q:{"timeline_limit":2,"required_state":[["m.room.create","*"]]}}}`, room)
	answer := slide(t, alice, "", body)
	same(t, "timeline", bodies(slid(answer, room).Get("timeline")), []string{"5", "6", "7", "8"})
	same(t, "state", stateKeys(slid(answer, room).Get("required_state")), []string{"m.room.create", "m.room.name", "m.room.topic"})
	same(t, "again", len(slide(t, alice, pos(answer), body).Get("rooms").Map()), 0)
}
