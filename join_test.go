package homeserver_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store"
)

// Joins by ID and by alias answer with the ID of the room, whatever servers the
// client names (MEMB-4, MEMB-6).
func TestJoinByName(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat","room_alias_name":"tee/über"}`)
	const alias = "#tee/über:example.org"
	for _, path := range []string{
		homeservertest.Path("/v3/join/{}", room),
		homeservertest.Path("/v3/join/{}", alias),
		homeservertest.Path("/v3/join/{}", alias) + "?via=a.example&via=b.example",
		homeservertest.Path("/v3/join/{}", alias) + "?server_name=a.example&server_name=not%20a%20server",
		homeservertest.Path("/v3/rooms/{}/join", room),
		homeservertest.Path("/_matrix/client/r0/join/{}", alias), // LEG-1
	} {
		got := bob.Post(t, path, `{}`)
		if got.Raw != `{"room_id":"`+string(room)+`"}` {
			t.Errorf("%s gives %s", path, got)
		}
		if membershipOf(t, alice, room, bob.User) != "join" {
			t.Errorf("%s does not lead into the room", path)
		}
		bob.Leave(t, room)
	}
	bob.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/join", alias), `{}`).WantError(400, "M_INVALID_PARAM") // MEMB-5
	setRule(t, alice, room, `{"join_rule":"knock"}`)
	for _, path := range []string{homeservertest.Path("/v3/knock/{}", alias), homeservertest.Path("/v3/knock/{}", room)} {
		got := bob.Post(t, path+"?via=a.example&server_name=b.example", `{}`) // MEMB-6, MEMB-25
		if got.Raw != `{"room_id":"`+string(room)+`"}` {
			t.Errorf("%s gives %s", path, got)
		}
	}
}

// Who joins sees the room with its state and its history (MEMB-10).
func TestJoinSync(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat","name":"Tea"}`)
	said := alice.Say(t, room, "before bob")
	bob.Sync(t)
	bob.Join(t, room)
	sync := bob.Sync(t)
	if !homeservertest.HasEvent(room, said)(sync) {
		t.Errorf("history is missing: %s", homeservertest.Room(sync, "join", room))
	}
	whole := homeservertest.Room(sync, "join", room).Raw
	for _, part := range []string{"m.room.create", "m.room.power_levels", "m.room.join_rules", `"name":"Tea"`, string(alice.User), string(bob.User)} {
		if !strings.Contains(whole, part) {
			t.Errorf("%s is missing: %s", part, whole)
		}
	}
}

// The content of a member event is what the client wants over what the profile says
// (MEMB-2, MEMB-9, PROF-13).
func TestJoinContent(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	bob.Put(t, homeservertest.Path("/v3/profile/{}/displayname", bob.User), `{"displayname":"<Bob>\u0041"}`)
	bob.Put(t, homeservertest.Path("/v3/profile/{}/avatar_url", bob.User), `{"avatar_url":"mxc://example.org/bob"}`)
	bob.Put(t, homeservertest.Path("/v3/profile/{}/org.example.mood", bob.User), `{"org.example.mood":"good"}`)
	const profile = `"avatar_url":"mxc://example.org/bob","displayname":"<Bob>A"`
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	member := func() string { return contentOf(t, alice, room, bob.User).Raw }
	check := func(name, want string) {
		t.Helper()
		if got := member(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	join := homeservertest.Path("/v3/rooms/{}/join", room)
	put := homeservertest.Path("/v3/rooms/{}/state/m.room.member/{}", room, bob.User)

	alice.Invite(t, room, bob.User)
	check("an invite", `{`+profile+`,"membership":"invite"}`)
	bob.Post(t, join, `{}`)
	check("a join", `{`+profile+`,"membership":"join"}`)
	before := len(everything(t, alice, room))
	bob.Post(t, join, `{"reason":"again"}`) // MEMB-8
	bob.Post(t, join, `{"displayname":"<Bob>A","avatar_url":"mxc://example.org/bob"}`)
	bob.Put(t, put, `{"membership":"join"}`)
	if after := len(everything(t, alice, room)); after != before {
		t.Errorf("%d new events for what was so before", after-before)
	}
	bob.Post(t, join, `{"displayname":"Bobby","org.example.x":[1],"membership":"ban","third_party_signed":null}`) // MEMB-9
	check("a join with extra keys", `{"avatar_url":"mxc://example.org/bob","displayname":"Bobby","membership":"join","org.example.x":[1]}`)
	bob.Put(t, put, `{"membership":"join","displayname":"Robert"}`)
	check("a name for this room", `{"avatar_url":"mxc://example.org/bob","displayname":"Robert","membership":"join"}`)
	if got := bob.Get(t, homeservertest.Path("/v3/profile/{}", bob.User)).Get("displayname").Str; got != "<Bob>A" { // PROF-13
		t.Errorf("the global profile has the name %s", got)
	}
	bob.Put(t, put, `{"membership":"join"}`)
	check("a member event without a name", `{`+profile+`,"membership":"join"}`)
	bob.Put(t, put, `{"membership":"join","join_authorised_via_users_server":"@alice:example.org","reason":"r"}`) // MEMB-15
	check("an authorisation that is the client's", `{`+profile+`,"membership":"join","reason":"r"}`)
	bob.Leave(t, room)
	check("a leave", `{"membership":"leave"}`)
	setRule(t, alice, room, `{"join_rule":"knock"}`)
	bob.Post(t, homeservertest.Path("/v3/knock/{}", room), `{}`)
	check("a knock", `{`+profile+`,"membership":"knock"}`)
}

// Joins that membership of another room allows (MEMB-11 to MEMB-15).
func TestRestrictedJoin(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	club := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	other := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	former := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	invited := alice.CreateRoom(t, map[string]any{"invite": []any{bob.User}})
	bob.Join(t, club)
	bob.Join(t, former)
	bob.Leave(t, former)
	rooms := func(ids ...events.RoomID) string {
		var allow []string
		for _, id := range ids {
			allow = append(allow, `{"type":"m.room_membership","room_id":"`+string(id)+`"}`)
		}
		return "[" + strings.Join(allow, ",") + "]"
	}
	for _, tt := range []struct {
		name, versions, rule, allow string
		invite                      bool
		via                         string // who authorises; "" is nobody
		refused                     bool
	}{
		{"MEMB-11 member", "8-12", "restricted", rooms(club), false, "@alice:example.org", false},
		{"MEMB-11 member of one", "8-12", "restricted", rooms("!gone:example.org", other, club), false, "@alice:example.org", false},
		{"MEMB-11 knock_restricted", "10-12", "knock_restricted", rooms(club), false, "@alice:example.org", false},
		{"MEMB-11 not a member", "8-12", "restricted", rooms(other), false, "", true},
		{"MEMB-11 member no more", "8-12", "restricted", rooms(former), false, "", true},
		{"MEMB-11 only invited there", "8-12", "restricted", rooms(invited), false, "", true},
		{"MEMB-11 unknown room", "8-12", "restricted", rooms("!gone:example.org"), false, "", true},
		{"MEMB-12 invited", "8-12", "restricted", rooms(club), true, "", false},
		{"MEMB-13 no list", "8-12", "restricted", `{"room_id":"` + string(club) + `"}`, false, "", true},
		{"MEMB-13 other entries", "8-12", "restricted", `[7,"x",{},{"type":"x","room_id":"` + string(club) + `"},{"type":"m.room_membership","room_id":7}]`, false, "", true},
		{"MEMB-13 malformed among good", "8-12", "restricted", `[7,{"type":"m.room_membership"},` + rooms(club)[1:], false, "@alice:example.org", false},
		{"MEMB-13 invited all the same", "8-12", "restricted", `7`, true, "", false},
		{"AUTHZ-40 knock_restricted is unknown", "8-9", "knock_restricted", rooms(club), false, "", true},
		{"AUTHZ-41 restricted is unknown", "1-7", "restricted", rooms(club), false, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, version := range versionsIn(tt.versions) {
				room := alice.CreateRoom(t, fmt.Sprintf(
					`{"room_version":"%s","initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"%s","allow":%s}}]}`, version, tt.rule, tt.allow))
				if tt.invite {
					alice.Invite(t, room, bob.User)
				}
				r := bob.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/join", room), `{}`)
				if tt.refused {
					r.WantError(403, "M_FORBIDDEN")
					continue
				}
				r.Want(200)
				got := contentOf(t, alice, room, bob.User)
				if got.Get("membership").Str != "join" || got.Get("join_authorised_via_users_server").Str != tt.via {
					t.Errorf("version %s: bob has %s, want authorisation by %q", version, got, tt.via)
				}
			}
		})
	}
	t.Run("MEMB-12 somebody who may invite", func(t *testing.T) {
		t.Parallel()
		room := alice.CreateRoom(t, `{"room_version":"11","preset":"public_chat","power_level_content_override":{"invite":50}}`)
		carol.Join(t, room)
		for i := range 9 {
			hs.User(t, fmt.Sprintf("powerless%d", i)).Join(t, room)
		}
		setRule(t, alice, room, `{"join_rule":"restricted","allow":`+rooms(club)+`}`)
		bob.Join(t, room)
		if got := contentOf(t, alice, room, bob.User).Get("join_authorised_via_users_server").Str; got != string(alice.User) {
			t.Errorf("%q authorises", got)
		}
		bob.Leave(t, room)
		alice.Leave(t, room)
		bob.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/join", room), `{}`).WantError(403, "M_FORBIDDEN") // carol may not invite
	})
	t.Run("MEMB-14 losing the condition, MEMB-15 changing the profile", func(t *testing.T) {
		t.Parallel()
		dave := hs.User(t, "dave")
		dave.Join(t, club)
		room := alice.CreateRoom(t, `{"initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"restricted","allow":`+rooms(club)+`}}]}`)
		dave.Join(t, room)
		dave.Join(t, room) // no new event
		if got := contentOf(t, alice, room, dave.User).Get("join_authorised_via_users_server").Str; got != string(alice.User) {
			t.Errorf("%q authorises", got)
		}
		before := len(everything(t, alice, room))
		dave.Put(t, homeservertest.Path("/v3/rooms/{}/state/m.room.member/{}", room, dave.User), `{"membership":"join"}`)
		if after := len(everything(t, alice, room)); after != before {
			t.Error("a new event for what was so before") // MEMB-8
		}
		dave.Leave(t, club)
		dave.Put(t, homeservertest.Path("/v3/profile/{}/displayname", dave.User), `{"displayname":"D"}`)
		if got := contentOf(t, alice, room, dave.User).Raw; got != `{"displayname":"D","membership":"join"}` {
			t.Errorf("afterwards dave has %s", got)
		}
		dave.Say(t, room, "still here")
		dave.Leave(t, room)
		dave.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/join", room), `{}`).WantError(403, "M_FORBIDDEN")
	})
	t.Run("MEMB-39 banned", func(t *testing.T) {
		t.Parallel()
		room := alice.CreateRoom(t, `{"initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"knock_restricted","allow":`+rooms(club)+`}}]}`)
		ban, unban := homeservertest.Path("/v3/rooms/{}/ban", room), homeservertest.Path("/v3/rooms/{}/unban", room)
		alice.Post(t, ban, map[string]any{"user_id": bob.User})
		bob.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/join", room), `{}`).WantError(403, "M_FORBIDDEN")
		bob.Do(t, "POST", homeservertest.Path("/v3/knock/{}", room), `{}`).WantError(403, "M_FORBIDDEN")
		alice.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/invite", room), map[string]any{"user_id": bob.User}).WantError(403, "M_FORBIDDEN")
		alice.Post(t, unban, map[string]any{"user_id": bob.User})
		bob.Join(t, room)
	})
}

// Knocking takes a version and a rule that know of it (MEMB-25).
func TestKnockVersions(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	for _, tt := range []struct{ rule, versions string }{{"knock", "7-12"}, {"knock_restricted", "10-12"}} {
		may := versionsIn(tt.versions)
		for _, version := range events.Versions() {
			room := alice.CreateRoom(t, `{"room_version":"`+version+`","initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"`+tt.rule+`"}}]}`)
			r := bob.Do(t, "POST", homeservertest.Path("/v3/knock/{}", room), `{}`)
			if slices.Contains(may, version) {
				r.Want(200)
				alice.Invite(t, room, bob.User) // MEMB-27
				bob.Join(t, room)
			} else {
				r.WantError(403, "M_FORBIDDEN")
			}
		}
	}
}

// A room whose version this library does not know can't be joined (RVER-5).
func TestJoinUnknownVersion(t *testing.T) {
	t.Parallel()
	hs, st := storeOf(t)
	alice := hs.User(t, "alice")
	err := st.Update(t.Context(), func(tx store.Tx) error {
		_, err := tx.CreateRoom(store.Room{ID: "!future:example.org", Version: "99.x"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v3/rooms/{}/join", "/v3/join/{}", "/v3/knock/{}"} {
		got := alice.Do(t, "POST", homeservertest.Path(path, "!future:example.org"), `{}`).WantError(400, "M_INCOMPATIBLE_ROOM_VERSION")
		if v := got.Get("room_version"); v.Type != gjson.String || v.Str != "99.x" {
			t.Errorf("room_version is %s", v.Raw)
		}
	}
}

// BenchmarkJoin is what joining a room of 300 members, and leaving it again, costs,
// HTTP and all.
func BenchmarkJoin(b *testing.B) {
	srv := newServer(b, homeserver.WithoutRateLimits())
	post := func(token, path, body string) gjson.Result {
		w := serve(srv, "POST", "/_matrix/client/v3/"+path, token, body)
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
		return gjson.ParseBytes(w.Body.Bytes())
	}
	room := post(registerFor(b, srv, "alice"), "createRoom", `{"preset":"public_chat"}`).Get("room_id").Str
	room = strings.ReplaceAll(room, "!", "%21")
	for i := range 299 {
		post(registerFor(b, srv, fmt.Sprintf("user%d", i)), "rooms/"+room+"/join", `{}`)
	}
	token := registerFor(b, srv, "bob")
	for _, what := range []string{"join", "leave"} {
		other := map[string]string{"join": "leave", "leave": "join"}[what]
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			if what == "leave" {
				post(token, "rooms/"+room+"/join", `{}`)
			}
			for b.Loop() {
				post(token, "rooms/"+room+"/"+what, `{}`)
				b.StopTimer()
				post(token, "rooms/"+room+"/"+other, `{}`)
				b.StartTimer()
			}
		})
	}
}
