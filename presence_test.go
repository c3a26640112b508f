package homeserver_test

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// presenceOf is the content of a user's m.presence in an answer.
func presenceOf(answer gjson.Result, user events.UserID) gjson.Result {
	return answer.Get(`presence.events.#(sender=="` + string(user) + `").content`)
}

func TestPresence(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	path := func(user events.UserID) string { return homeservertest.Path("/v3/presence/{}/status", user) }
	const away = "set_presence"
	token := syncWith(t, alice, "", "").Get("next_batch").Str

	// PRES-2: one's own is always there; of others nothing is known yet.
	same(t, "carol's own", carol.Get(t, path(carol.User)).Raw, `{"presence":"offline"}`)
	alice.Do(t, "GET", path(bob.User), nil).WantError(404, "M_NOT_FOUND")
	alice.Do(t, "GET", path(carol.User), nil).WantError(403, "M_FORBIDDEN")
	alice.Do(t, "GET", path("@nobody:example.org"), nil).WantError(404, "M_NOT_FOUND")
	// PRES-5, PRES-4, SYNC-51: syncing makes online, which is told to those who share a room, and wakes them.
	got := make(chan gjson.Result, 1)
	go func() { got <- syncWith(t, alice, token, "", "timeout", forever) }()
	syncWith(t, bob, "", "", away, "offline")
	syncWith(t, carol, "", "")
	syncWith(t, bob, "", "")
	answer := <-got
	if p := presenceOf(answer, bob.User); p.Get("presence").Str != "online" || !p.Get("currently_active").Bool() || !p.Get("last_active_ago").Exists() {
		t.Errorf("bob is online: %s", answer)
	}
	// PRES-4: nothing of strangers, whether they sync or not, and all of those who share a room and do not sync.
	erin, frank := hs.User(t, "erin"), hs.User(t, "frank")
	erin.Join(t, room)
	for _, c := range []*homeservertest.Client{erin, frank} {
		c.Put(t, path(c.User), `{"presence":"online","status_msg":"elsewhere"}`)
	}
	all := syncWith(t, alice, token, "", away, "offline")
	for _, tt := range []struct {
		c    *homeservertest.Client
		want bool
	}{{bob, true}, {carol, false}, {erin, true}, {frank, false}} {
		same(t, "alice is told of "+string(tt.c.User), presenceOf(all, tt.c.User).Exists(), tt.want)
	}
	same(t, "PRES-7: being online is activity", presenceOf(all, erin.User).Get("last_active_ago").Exists(), true)
	token = answer.Get("next_batch").Str
	// PRES-1, PRES-3: a state and a message of one's own; the content of GET is the same.
	bob.Put(t, path(bob.User), `{"presence":"unavailable","status_msg":"tea"}`)
	answer = syncWith(t, alice, token, "", "timeout", forever)
	p := presenceOf(answer, bob.User)
	if p.Get("presence").Str != "unavailable" || p.Get("status_msg").Str != "tea" || p.Get("currently_active").Exists() {
		t.Errorf("bob has tea: %s", p)
	}
	if p := alice.Get(t, path(bob.User)); p.Get("presence").Str != "unavailable" || p.Get("status_msg").Str != "tea" {
		t.Errorf("GET: %s", p)
	}
	// PRES-11
	if !presenceOf(syncWith(t, alice, "", ""), bob.User).Exists() || !presenceOf(syncWith(t, alice, "", ""), alice.User).Exists() {
		t.Error("a first sync lacks those who are there")
	}
	// FILT-8
	if syncWith(t, alice, "", `{"presence":{"types":[]}}`).Get("presence").Exists() {
		t.Error("presence in spite of the filter")
	}
	// PRES-7: doing something ends being away.
	said := bob.Say(t, room, "back")
	for what, do := range map[string]func(){
		"a message": func() { bob.Say(t, room, "back") },
		"state":     func() { bob.SetState(t, bob.CreateRoom(t, nil), "m.room.topic", "", `{"topic":"t"}`) },
		"a receipt": func() { read(t, bob, room, "m.read", said, nil) },
		"typing": func() {
			bob.Put(t, homeservertest.Path("/v3/rooms/{}/typing/{}", room, bob.User), `{"typing":true}`)
		},
		"saying so": func() { bob.Put(t, path(bob.User), `{"presence":"online"}`) },
	} {
		bob.Put(t, path(bob.User), `{"presence":"unavailable"}`)
		same(t, "before "+what, alice.Get(t, path(bob.User)).Get("presence").Str, "unavailable")
		do()
		same(t, "after "+what, alice.Get(t, path(bob.User)).Get("presence").Str, "online")
	}
	// PRES-6: the most available of several devices.
	tablet := hs.Login(t, "bob")
	tablet.Put(t, path(bob.User), `{"presence":"unavailable"}`)
	same(t, "with a second device that is idle", alice.Get(t, path(bob.User)).Get("presence").Str, "online")
	bob.Put(t, path(bob.User), `{"presence":"offline"}`)
	same(t, "with the first one gone", alice.Get(t, path(bob.User)).Get("presence").Str, "unavailable")
	// PRES-1: a message alone is told, too; one that is far too long is refused.
	token = syncWith(t, alice, "", "").Get("next_batch").Str
	tablet.Put(t, path(bob.User), `{"presence":"unavailable","status_msg":"cake"}`)
	same(t, "a message", presenceOf(syncWith(t, alice, token, "", "timeout", forever), bob.User).Get("status_msg").Str, "cake")
	tablet.Do(t, "PUT", path(bob.User), map[string]any{"presence": "online", "status_msg": strings.Repeat("x", 2000)}).WantError(400, "M_INVALID_PARAM")
	// PRES-11: nothing of those who are not there.
	tablet.Put(t, path(bob.User), `{"presence":"offline"}`)
	first := syncWith(t, alice, "", "")
	same(t, "somebody offline in a first sync", presenceOf(first, bob.User).Exists(), false)
	same(t, "one's own", presenceOf(first, alice.User).Exists(), true)
	// PRES-10: joining delivers it both ways.
	token = syncWith(t, alice, "", "").Get("next_batch").Str
	carolToken := syncWith(t, carol, "", "").Get("next_batch").Str
	carol.Join(t, room)
	carol.Put(t, path(carol.User), `{"presence":"online","status_msg":"here"}`)
	joined := syncWith(t, alice, token, "")
	same(t, "who joins, as told to the members", joined.Get(`presence.events.#(sender=="@carol:example.org")#.content.status_msg`).Raw, `["here"]`)
	if !presenceOf(syncWith(t, carol, carolToken, ""), alice.User).Exists() {
		t.Error("the members are not told of to who joins")
	}
	// PRES-1
	bob.Do(t, "PUT", path(bob.User), `{"presence":"busy"}`).WantError(400, "M_INVALID_PARAM")
	bob.Do(t, "PUT", path(bob.User), `{}`).WantError(400, "M_MISSING_PARAM")
	bob.Do(t, "PUT", path(alice.User), `{"presence":"online"}`).WantError(403, "M_FORBIDDEN")
	hs.Anonymous().Do(t, "GET", path(bob.User), nil).WantError(401, "M_MISSING_TOKEN")
}

// PROF-12, SRC-11: a change of the display name or the avatar is told as presence, with both and
// the presence as it is.
func TestPresenceOfProfile(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	bob.Join(t, alice.CreateRoom(t, `{"preset":"public_chat"}`))
	status := homeservertest.Path("/v3/presence/{}/status", bob.User)
	field := func(name string) string { return homeservertest.Path("/v3/profile/{}/{}", bob.User, name) }
	token := syncWith(t, alice, "", "", "set_presence", "offline").Get("next_batch").Str
	told := func() gjson.Result {
		t.Helper()
		answer := syncWith(t, alice, token, "", "timeout", forever, "set_presence", "offline")
		token = answer.Get("next_batch").Str
		return presenceOf(answer, bob.User)
	}

	bob.Put(t, field("avatar_url"), `{"avatar_url":"mxc://example.org/bob"}`)
	if p := told(); p.Get("presence").Str != "offline" || p.Get("displayname").Str != "bob" || p.Get("avatar_url").Str != "mxc://example.org/bob" {
		t.Errorf("bob who is away has an avatar: %s", p)
	}
	bob.Put(t, status, `{"presence":"unavailable","status_msg":"tea"}`)
	told()
	bob.Put(t, field("displayname"), `{"displayname":"Bob \"B\""}`)
	if p := told(); p.Get("presence").Str != "unavailable" || p.Get("status_msg").Str != "tea" || p.Get("displayname").Str != `Bob "B"` || p.Get("avatar_url").Str != "mxc://example.org/bob" {
		t.Errorf("bob is called otherwise: %s", p)
	}
	bob.MustDo(t, "DELETE", field("avatar_url"), nil)
	if p := told(); p.Get("avatar_url").Exists() || p.Get("displayname").Str != `Bob "B"` {
		t.Errorf("bob has no avatar any more: %s", p)
	}
	bob.Put(t, field("m.tz"), `{"m.tz":"Europe/London"}`)
	if answer := syncWith(t, alice, token, ""); presenceOf(answer, bob.User).Exists() {
		t.Errorf("another field is told: %s", answer)
	}
	same(t, "GET", alice.Get(t, status).Raw, `{"presence":"unavailable","status_msg":"tea"}`)
}

// PRES-12
func TestWithoutPresence(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t, homeserver.WithoutPresence())
	alice := hs.User(t, "alice")
	alice.Put(t, homeservertest.Path("/v3/presence/{}/status", alice.User), `{"presence":"online"}`)
	if answer := syncWith(t, alice, "", ""); answer.Get("presence").Exists() {
		t.Errorf("presence is told: %s", answer.Get("presence"))
	}
	same(t, "one's own", alice.Get(t, homeservertest.Path("/v3/presence/{}/status", alice.User)).Raw, `{"presence":"offline"}`)
}
