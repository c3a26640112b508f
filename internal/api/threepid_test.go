package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

const threePIDPath = "/_matrix/client/v3/account/3pid"

// 3PID-1: none at first, an empty list; 3PID-2: UIA, then the address is the account's; 3PID-12: and under the unstable path.
func TestAddThreePID(t *testing.T) {
	t.Parallel()
	c := newContacts(t, account.Unasked, nil)
	token := c.signUp(t, "alice")
	wantJSON(t, do(c, "GET", threePIDPath, token, ""), 200, `{"threepids":[]}`)
	want(t, do(c, "GET", threePIDPath, "", ""), 401, mxerr.MMissingToken)
	var list string
	for i, path := range []string{threePIDPath + "/add", "/_matrix/client/unstable/account/3pid/add", "/_matrix/client/r0/account/3pid/add"} {
		address := fmt.Sprintf("a%d@example.org", i)
		body := fmt.Sprintf(`"sid":%q,"client_secret":"x"`, c.requested(t, "account/3pid", address, "x"))
		c.follow(t)
		w := do(c, "POST", path, token, `{`+body+`}`)
		session := field(w, "session")
		wantJSON(t, w, 401, `{"session":"`+session+`","flows":[{"stages":["m.login.password"]}],"completed":[],"params":{}}`)
		want(t, do(c, "POST", path, token, `{`+body+`,`+withPassword("alice", "wrong", session)+`}`), 401, mxerr.MForbidden)
		wantJSON(t, do(c, "POST", path, token, `{`+body+`,`+withPassword("alice", "alice", session)+`}`), 200, `{}`)
		list += fmt.Sprintf(`,{"medium":"email","address":%q,"validated_at":%d,"added_at":%[2]d}`, address, c.now.UnixMilli())
		wantJSON(t, do(c, "GET", "/_matrix/client/r0/account/3pid", token, ""), 200, `{"threepids":[`+list[1:]+`]}`)
	}
}

// 3PID-2, 3PID-3, ID-10: what cannot be added: before any challenge.
func TestAddThreePIDRefused(t *testing.T) {
	t.Parallel()
	c := newContacts(t, account.Optional, func(cfg *account.Config) { cfg.IdentityServers = &idServer{} })
	alice, bob := c.signUp(t, "alice"), c.signUp(t, "bob")
	add := func(sid, secret string) (status int, code mxerr.Code) {
		w := do(c, "POST", threePIDPath+"/add", alice, fmt.Sprintf(`{"sid":%q,"client_secret":%q,%s}`, sid, secret, withPassword("alice", "alice", "")))
		return w.Code, mxerr.Code(field(w, "errcode"))
	}
	waiting := c.requested(t, "account/3pid", "a@example.org", "x")
	registering := c.requested(t, "register", "r@example.org", "x")
	c.follow(t)
	shared := c.requested(t, "account/3pid", "shared@example.org", "x")
	c.follow(t)
	for name, test := range map[string][2]string{
		"unknown": {"unknown", "x"}, "another secret": {shared, "y"}, "not validated": {waiting, "x"}, "for another purpose": {registering, "x"},
	} {
		if status, code := add(test[0], test[1]); status != 403 || code != mxerr.MThreePIDAuthFailed {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	if err := c.Accounts.SetThreePID(t.Context(), "@bob:example.org", "email", "shared@example.org"); err != nil {
		t.Fatal(err)
	}
	if status, code := add(shared, "x"); status != 400 || code != mxerr.MThreePIDInUse {
		t.Errorf("in use: %d %s", status, code)
	}
	for name, test := range map[string][2]string{ // ID-10
		"sid with a space": {"a b", "x"}, "empty sid": {"", "x"}, "long sid": {strings.Repeat("x", 256), "x"}, "secret with a slash": {shared, "a/b"}, "empty secret": {shared, ""},
	} {
		if status, code := add(test[0], test[1]); status != 400 || code != mxerr.MInvalidParam {
			t.Errorf("%s: %d %s", name, status, code)
		}
		legacy := fmt.Sprintf(`{"three_pid_creds":{"sid":%q,"client_secret":%q}}`, test[0], test[1])
		want(t, do(c, "POST", threePIDPath, alice, legacy), 400, mxerr.MInvalidParam)
		bind := fmt.Sprintf(`{"sid":%q,"client_secret":%q,"id_server":"id.example.com","id_access_token":"x"}`, test[0], test[1])
		want(t, do(c, "POST", threePIDPath+"/bind", alice, bind), 400, mxerr.MInvalidParam)
	}
	wantJSON(t, do(c, "GET", threePIDPath, alice, ""), 200, `{"threepids":[]}`)
	want(t, do(c, "POST", threePIDPath+"/add", bob, `{"sid":"x"}`), 400, mxerr.MMissingParam)
	if err := c.Accounts.SetThreePID(t.Context(), "@alice:example.org", "email", "shared@example.org"); !errors.Is(err, mxerr.MThreePIDInUse) {
		t.Errorf("by the host: %v", err)
	}
	for _, bad := range [][2]string{{"fax", "1"}, {"email", "1"}, {"msisdn", "x"}} {
		if err := c.Accounts.SetThreePID(t.Context(), "@alice:example.org", bad[0], bad[1]); !errors.Is(err, mxerr.MInvalidParam) {
			t.Errorf("%v by the host: %v", bad, err)
		}
	}
}

// 3PID-11, SRC-7: clients up to r0.5 add without interactive authentication; what else they send is no matter.
func TestLegacyThreePID(t *testing.T) {
	t.Parallel()
	c := newContacts(t, account.Unasked, nil)
	token := c.signUp(t, "alice")
	for i, format := range []string{`{"three_pid_creds":{"sid":%q,"client_secret":"x","id_server":"id.example.com"},"bind":true}`, `{"threePidCreds":{"sid":%q,"client_secret":"x"}}`} {
		body := fmt.Sprintf(format, c.requested(t, "account/3pid", fmt.Sprintf("a%d@example.org", i), "x"))
		want(t, do(c, "POST", threePIDPath, token, body), 403, mxerr.MThreePIDAuthFailed)
		c.follow(t)
		wantJSON(t, do(c, "POST", threePIDPath, token, body), 200, `{}`)
	}
	if n := field(do(c, "GET", threePIDPath, token, ""), "threepids.#"); n != "2" {
		t.Errorf("%s addresses", n)
	}
	want(t, do(c, "POST", threePIDPath, token, `{}`), 400, mxerr.MMissingParam)
}

// 3PID-9, CAP-6, CAP-10: where addresses cannot be changed all ways to do it are closed.
func TestFixedThreePIDs(t *testing.T) {
	t.Parallel()
	c := newContacts(t, account.Unasked, func(cfg *account.Config) { cfg.FixedThreePIDs, cfg.IdentityServers = true, &idServer{} })
	token := c.signUp(t, "alice")
	w := do(c, "GET", "/_matrix/client/v3/capabilities", token, "")
	if got := memberOf(w, "capabilities", "m.3pid_changes"); got != `{"enabled":false}` {
		t.Errorf("m.3pid_changes is %s", got)
	}
	for _, path := range []string{"", "/add", "/bind", "/delete", "/unbind"} {
		body := `{"sid":"x","client_secret":"x","id_server":"x","id_access_token":"x","medium":"email","address":"a@example.org","three_pid_creds":{}}`
		want(t, do(c, "POST", threePIDPath+path, token, body), 403, mxerr.MForbidden)
	}
}

// idServer is an identity server that binds what it is asked to.
type idServer struct {
	bound []account.BindRequest
	freed []string // user, medium, address and server
	err   error
}

func (s *idServer) Bind(_ context.Context, server, token string, user events.UserID, sid, secret string) (medium, address string, err error) {
	if s.err == nil {
		s.bound = append(s.bound, account.BindRequest{User: user, IDServer: server, AccessToken: token, ID: sid, Secret: secret})
	}
	return "email", sid + "@example.org", s.err
}

func (s *idServer) Unbind(_ context.Context, user events.UserID, medium, address, server string) error {
	if s.err == nil {
		s.freed = append(s.freed, fmt.Sprint(user, " ", medium, " ", address, " ", server))
	}
	return s.err
}

// 3PID-4: the identity server binds, its errors are passed through, and which it was is remembered for 3PID-5; another user may have
// bound the same; 3PID-10: a bare binding is no way to sign in; 3PID-12: the unstable paths.
func TestBindAndUnbind(t *testing.T) {
	t.Parallel()
	for _, base := range []string{threePIDPath, "/_matrix/client/unstable/account/3pid", "/_matrix/client/r0/account/3pid"} {
		ids := &idServer{}
		c := newContacts(t, account.Unasked, func(cfg *account.Config) { cfg.IdentityServers = ids })
		alice, bob := c.signUp(t, "alice"), c.signUp(t, "bob")
		const bind = `{"client_secret":"secret","id_server":"id.example.com","id_access_token":"t0ken","sid":"mine"}`
		ids.err = mxerr.ServerNotTrusted("not this one")
		want(t, do(c, "POST", base+"/bind", alice, bind), 400, mxerr.MServerNotTrusted)
		ids.err = nil
		wantJSON(t, do(c, "POST", base+"/bind", alice, bind), 200, `{}`)
		wantJSON(t, do(c, "POST", base+"/bind", bob, bind), 200, `{}`)
		wanted := account.BindRequest{User: "@alice:example.org", IDServer: "id.example.com", AccessToken: "t0ken", ID: "mine", Secret: "secret"}
		if len(ids.bound) != 2 || ids.bound[0] != wanted {
			t.Errorf("asked for %+v", ids.bound)
		}
		wantJSON(t, do(c, "GET", threePIDPath, alice, ""), 200, `{"threepids":[]}`)
		want(t, do(c, "POST", loginPath, "", `{"type":"m.login.password","password":"alice","medium":"email","address":"mine@example.org"}`), 403, mxerr.MForbidden)
		want(t, do(c, "POST", base+"/bind", alice, `{"client_secret":"x","id_server":"x","sid":"x"}`), 400, mxerr.MMissingParam)

		const unbind = `{"medium":"email","address":"MINE@example.org"%s}`
		ids.err = errors.New("the server is down")
		wantJSON(t, do(c, "POST", base+"/unbind", alice, fmt.Sprintf(unbind, "")), 200, `{"id_server_unbind_result":"no-support"}`)
		ids.err = nil
		wantJSON(t, do(c, "POST", base+"/unbind", alice, fmt.Sprintf(unbind, "")), 200, `{"id_server_unbind_result":"success"}`)
		wantJSON(t, do(c, "POST", base+"/unbind", alice, fmt.Sprintf(unbind, "")), 200, `{"id_server_unbind_result":"no-support"}`) // none is remembered any more
		wantJSON(t, do(c, "POST", base+"/unbind", alice, fmt.Sprintf(unbind, `,"id_server":"other.example"`)), 200, `{"id_server_unbind_result":"success"}`)
		if fmt.Sprint(ids.freed) != "[@alice:example.org email mine@example.org id.example.com @alice:example.org email mine@example.org other.example]" {
			t.Errorf("freed %v", ids.freed)
		}
	}
}

// 3PID-5: deleting takes the address off the account, and off its identity server; unbinding keeps it.
func TestDeleteThreePID(t *testing.T) {
	t.Parallel()
	ids := &idServer{}
	c := newContacts(t, account.Unasked, func(cfg *account.Config) { cfg.IdentityServers = ids })
	alice, bob := c.signUp(t, "alice"), c.signUp(t, "bob")
	c.addEmail(t, "alice", alice, "mine@example.org")
	const body = `{"medium":"email","address":"Mine@example.org"}`
	want(t, do(c, "POST", threePIDPath+"/delete", bob, body), 400, mxerr.MThreePIDNotFound)
	want(t, do(c, "POST", threePIDPath+"/delete", alice, `{"medium":"fax","address":"x"}`), 400, mxerr.MInvalidParam)
	want(t, do(c, "POST", threePIDPath+"/delete", alice, `{"medium":"email"}`), 400, mxerr.MMissingParam)
	want(t, do(c, "POST", threePIDPath+"/bind", alice, `{"client_secret":"x","id_server":"id.example.com","id_access_token":"x","sid":"mine"}`), 200, "")
	wantJSON(t, do(c, "POST", threePIDPath+"/unbind", alice, body), 200, `{"id_server_unbind_result":"success"}`)
	want(t, do(c, "POST", loginPath, "", `{"type":"m.login.password","password":"alice","medium":"email","address":"mine@example.org"}`), 200, "")

	if err := c.Accounts.SetSuspended(t.Context(), "@alice:example.org", true); err != nil {
		t.Fatal(err)
	}
	want(t, do(c, "POST", threePIDPath+"/delete", alice, body), 403, mxerr.MUserSuspended) // ADM-9 for addresses
	c.addEmail(t, "alice", alice, "more@example.org")                                      // ADM-8 for addresses
	if err := c.Accounts.SetSuspended(t.Context(), "@alice:example.org", false); err != nil {
		t.Fatal(err)
	}
	want(t, do(c, "POST", threePIDPath+"/bind", alice, `{"client_secret":"x","id_server":"id.example.com","id_access_token":"x","sid":"mine"}`), 200, "")
	wantJSON(t, do(c, "POST", threePIDPath+"/delete", alice, body), 200, `{"id_server_unbind_result":"success"}`)
	wantJSON(t, do(c, "POST", threePIDPath+"/delete", alice, `{"medium":"email","address":"more@example.org"}`), 200, `{"id_server_unbind_result":"no-support"}`)
	wantJSON(t, do(c, "GET", threePIDPath, alice, ""), 200, `{"threepids":[]}`)
	want(t, do(c, "POST", loginPath, "", `{"type":"m.login.password","password":"alice","medium":"email","address":"mine@example.org"}`), 403, mxerr.MForbidden)
}

// 3PID-9: identity servers that are not used are not trusted.
func TestNoIdentityServers(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	want(t, do(s, "POST", threePIDPath+"/bind", token, `{"client_secret":"x","id_server":"x","id_access_token":"x","sid":"x"}`), 400, mxerr.MServerNotTrusted)
	wantJSON(t, do(s, "POST", threePIDPath+"/unbind", token, `{"medium":"email","address":"a@example.org","id_server":"x"}`), 200, `{"id_server_unbind_result":"no-support"}`)
}

// DEACT-2: deactivation ends the bindings: success if all are, no-support if one is not.
func TestDeactivateUnbinds(t *testing.T) {
	t.Parallel()
	for _, fails := range []bool{false, true} {
		ids := &idServer{}
		c := newContacts(t, account.Unasked, func(cfg *account.Config) { cfg.IdentityServers = ids })
		token := c.signUp(t, "alice")
		for _, server := range []string{"a.example.com", "b.example.com"} {
			want(t, do(c, "POST", threePIDPath+"/bind", token, `{"client_secret":"x","id_server":"`+server+`","id_access_token":"x","sid":"mine"}`), 200, "")
		}
		result := "success"
		if fails {
			ids.err, result = mxerr.Unrecognized("no such endpoint"), "no-support"
		}
		w := do(c, "POST", deactivatePath, token, `{`+withPassword("alice", "alice", "")+`}`)
		wantJSON(t, w, 200, `{"id_server_unbind_result":"`+result+`"}`)
		if !fails && len(ids.freed) != 2 {
			t.Errorf("freed %v", ids.freed)
		}
	}
}
