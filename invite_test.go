package homeserver_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store"
)

// Nobody is invited who does not exist (MEMB-19).
func TestInviteNobody(t *testing.T) {
	t.Parallel()
	hs, st := storeOf(t)
	alice, gone := hs.User(t, "alice"), hs.User(t, "gone")
	change := func(u *store.User) { u.Deactivated = true }
	err := st.Update(t.Context(), func(tx store.Tx) error {
		u, err := tx.User(gone.User)
		if err != nil {
			return err
		}
		change(&u)
		return tx.UpdateUser(u)
	})
	if err != nil {
		t.Fatal(err)
	}
	room := alice.CreateRoom(t, nil)
	for _, user := range []events.UserID{"@nobody:example.org", "@alice:far.example", gone.User} {
		alice.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/invite", room), map[string]any{"user_id": user}).WantError(404, "M_NOT_FOUND")
		alice.Do(t, "PUT", homeservertest.Path("/v3/rooms/{}/state/m.room.member/{}", room, user), `{"membership":"invite"}`).WantError(404, "M_NOT_FOUND")
	}
}

// Who is invited already stays so, by whoever it was (MEMB-16); only the state event
// of another sender is another one (STATE-8).
func TestInviteAgain(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := alice.CreateRoom(t, map[string]any{"preset": "trusted_private_chat", "invite": []any{carol.User}})
	carol.Join(t, room)
	alice.Invite(t, room, bob.User)
	before := len(everything(t, alice, room))
	put := homeservertest.Path("/v3/rooms/{}/state/m.room.member/{}", room, bob.User)
	bob.Put(t, homeservertest.Path("/v3/profile/{}/displayname", bob.User), `{"displayname":"Bob"}`)
	alice.Invite(t, room, bob.User)
	carol.Post(t, homeservertest.Path("/v3/rooms/{}/invite", room), map[string]any{"user_id": bob.User, "reason": "please"})
	if list := everything(t, alice, room); len(list) != before {
		t.Errorf("new events: %v", list[before:])
	}
	for _, who := range []*homeservertest.Client{alice, alice, carol} {
		who.Put(t, put, `{"membership":"invite"}`)
	}
	added := everything(t, alice, room)[before:]
	if len(added) != 2 || added[0].Get("sender").Str != string(alice.User) || added[1].Get("sender").Str != string(carol.User) {
		t.Errorf("new events: %v", added)
	}
}

// Users who block invites are not invited, in whichever way (INVP-1, INVP-2, MEMB-17,
// STATE-14).
func TestInviteBlocked(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, nil)
	stranger := hs.User(t, "stranger")
	config := homeservertest.Path("/v3/user/{}/account_data/m.invite_permission_config", bob.User)
	invite := func(c *homeservertest.Client) *homeservertest.Response {
		return c.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/invite", room), map[string]any{"user_id": bob.User})
	}
	put := func() *homeservertest.Response {
		return alice.Do(t, "PUT", homeservertest.Path("/v3/rooms/{}/state/m.room.member/{}", room, bob.User), `{"membership":"invite"}`)
	}
	for content, blocks := range map[string]bool{
		`{"default_action":"block"}`: true, `{"default_action":"allow"}`: false, `{}`: false,
		`{"default_action":["block"]}`: false, `{"default_action":null}`: false, `{"x":"block"}`: false,
	} {
		bob.Put(t, config, content)
		if blocks {
			invite(alice).WantError(403, "M_INVITE_BLOCKED")
			put().WantError(403, "M_INVITE_BLOCKED")
			invite(stranger).WantError(403, "M_FORBIDDEN") // who may not invite learns nothing
			if got := membershipOf(t, alice, room, bob.User); got == "invite" {
				t.Errorf("%s: bob is invited", content)
			}
			continue
		}
		invite(alice).Want(200)
		bob.Put(t, config, `{"default_action":"block"}`)
		invite(alice).WantError(403, "M_INVITE_BLOCKED") // although he is invited
		bob.Put(t, config, content)
		bob.Leave(t, room)
		put().Want(200)
		bob.Leave(t, room)
	}
	bob.Put(t, config, `{"default_action":"block"}`)
	bob.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/m.invite_permission_config", bob.User, room), `{}`)
	invite(alice).WantError(403, "M_INVITE_BLOCKED") // only the global setting counts
}

// Invites to addresses take an identity server, and this server knows none (MEMB-20,
// MEMB-22).
func TestInviteAddress(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	path := homeservertest.Path("/v3/rooms/{}/invite", alice.CreateRoom(t, nil))
	whole := `{"id_server":"id.example","id_access_token":"t","medium":"email","address":"bob@example.org"}`
	alice.Do(t, "POST", path, whole).WantError(400, "M_SERVER_NOT_TRUSTED")
	for _, key := range []string{"id_server", "id_access_token", "medium", "address"} {
		got := alice.Do(t, "POST", path, strings.Replace(whole, key, "x", 1)).WantError(400, "M_MISSING_PARAM")
		if !strings.Contains(got.Get("error").Str, key) {
			t.Errorf("the error does not name %s: %s", key, got)
		}
	}
}

// Third-party invites are state that needs the power to invite (MEMB-21).
func TestThirdPartyInviteState(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"room_version":"11","preset":"public_chat","power_level_content_override":{"invite":10,"state_default":0}}`)
	bob.Join(t, room)
	const content = `{"display_name":"b...@e...","key_validity_url":"https://id.example/valid","public_key":"x","public_keys":[]}`
	path := homeservertest.Path("/v3/rooms/{}/state/m.room.third_party_invite/{}", room, "token")
	bob.Do(t, "PUT", path, content).WantError(403, "M_FORBIDDEN")
	alice.Put(t, path, content)
	if got := bob.State(t, room, "m.room.third_party_invite", "token"); got.Raw != content {
		t.Errorf("the invite is %s", got)
	}
}

// A third-party invite is claimed by joining with a proof of its key (MEMB-23), which
// must still be valid (MEMB-24).
func TestThirdPartyJoin(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	seed := make([]byte, ed25519.SeedSize)
	key := ed25519.NewKeyFromSeed(seed)
	public := base64.RawStdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	sign := func(sender, mxid, token string) string {
		signed, err := events.SignJSON(fmt.Appendf(nil, `{"mxid":"%s","sender":"%s","token":"%s"}`, mxid, sender, token), "id.example", "ed25519:0", key)
		if err != nil {
			t.Fatal(err)
		}
		return string(signed)
	}
	asked := make(chan struct{}, 1)
	identity := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		_, _ = w.Write([]byte(`{"valid":true}`))
	}))
	t.Cleanup(identity.Close)
	lasting := `{"display_name":"b...@e...","public_keys":[{"public_key":"` + public + `"}]}`
	const sender, self = "@alice:example.org", "@bob:example.org"
	good := sign(sender, self, "tok")
	for _, version := range []string{"1", "12"} {
		for _, tt := range []struct {
			name, pending, signed string
			status                int
			code                  string
		}{
			{"MEMB-23 match", lasting, good, 200, ""},
			{"MEMB-23 for another user", lasting, sign(sender, "@carol:example.org", "tok"), 403, "M_FORBIDDEN"},
			{"MEMB-23 other token", lasting, sign(sender, self, "other"), 403, "M_FORBIDDEN"},
			{"MEMB-23 other sender", lasting, sign(self, self, "tok"), 403, "M_FORBIDDEN"},
			{"MEMB-23 changed afterwards", lasting, strings.Replace(sign(sender, self, "other"), "other", "tok", 1), 403, "M_FORBIDDEN"},
			{"MEMB-23 other key", `{"public_keys":[]}`, good, 403, "M_FORBIDDEN"},
			{"MEMB-23 no signatures", lasting, `{"mxid":"` + self + `","sender":"` + sender + `","token":"tok"}`, 403, "M_FORBIDDEN"},
			{"MEMB-23 no token", lasting, `{"mxid":"` + self + `","sender":"` + sender + `","signatures":{}}`, 400, "M_BAD_JSON"},
			{"MEMB-23 no sender", lasting, `{"mxid":"` + self + `","token":"tok","signatures":{}}`, 400, "M_BAD_JSON"},
			{"MEMB-23 no user", lasting, `{"sender":"` + sender + `","token":"tok","signatures":{}}`, 400, "M_BAD_JSON"},
			{
				"MEMB-24 unreachable", `{"public_key":"` + public + `","key_validity_url":"https://localhost:1/valid"}`, good, 403, "M_FORBIDDEN",
			},
			{
				"MEMB-24 not to be asked from here", `{"public_key":"` + public + `","key_validity_url":"` + identity.URL + `"}`, good, 403, "M_FORBIDDEN",
			},
		} {
			t.Run(tt.name+" in version "+version, func(t *testing.T) {
				room := alice.CreateRoom(t, `{"room_version":"`+version+`"}`)
				alice.SetState(t, room, "m.room.third_party_invite", "tok", tt.pending)
				before := len(everything(t, alice, room))
				r := bob.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/join", room), `{"third_party_signed":`+tt.signed+`}`)
				added := everything(t, alice, room)[before:]
				if tt.status != 200 {
					r.WantError(tt.status, tt.code)
					if len(added) > 0 {
						t.Errorf("something was written: %v", added)
					}
					return
				}
				r.Want(200)
				if len(added) != 2 {
					t.Fatalf("%d events were written: %v", len(added), added)
				}
				invite, join := added[0], added[1]
				if invite.Get("sender").Str != sender || invite.Get("state_key").Str != self || invite.Get("content.membership").Str != "invite" ||
					invite.Get("content.third_party_invite.display_name").Str != "b...@e..." || invite.Get("content.third_party_invite.signed").Raw != good {
					t.Errorf("the invite is %s", invite)
				}
				if join.Get("sender").Str != self || join.Get("content").Raw != `{"displayname":"bob","membership":"join"}` {
					t.Errorf("the join is %s", join)
				}
				bob.Post(t, homeservertest.Path("/v3/rooms/{}/join", room), `{"third_party_signed":`+tt.signed+`}`) // MEMB-8
				if n := len(everything(t, alice, room)); n != before+2 {
					t.Errorf("joining again writes %d events", n-before-2)
				}
			})
		}
	}
	select {
	case <-asked:
		t.Error("an address that is not public was asked")
	default:
	}
}
