package api

import (
	"context"
	"fmt"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/uia"
)

// colour is a stage that a host has added.
type colour struct{}

var _ uia.Asker = colour{}

func (colour) Type() string { return "org.example.colour" }

func (colour) Check(_ context.Context, a uia.Attempt) (uia.Passed, error) {
	if gjson.GetBytes(a.Auth, "colour").Str != "blue" {
		return uia.Passed{}, uia.ErrDenied
	}
	return uia.Passed{}, nil
}

func (colour) Form(uia.Operation) uia.Form {
	return uia.Form{Title: "Your colour", Fields: []uia.Field{{Name: "colour", Label: "<Colour> & shade", Type: "text"}}, Submit: "Tell"}
}

// UIA-1, UIA-2, UIA-3, UIA-14, LOGIN-18, SDEV-9, SDEV-11, DEACT-1, 3PID-2: every endpoint that wants proof asks for it, and what one has
// asked for is no proof for another, nor for another device.
func TestGuardedEndpoints(t *testing.T) {
	t.Parallel()
	c := newContacts(t, account.Unasked, func(cfg *account.Config) { cfg.LoginTokens = true })
	token := c.signUp(t, "alice")
	sid := c.requested(t, "account/3pid", "new@example.org", "s3cret")
	wantPage(t, c.follow(t), 200)
	want(t, do(c, "POST", crossSigningPath, token, newPerson(alice, "").all(t)), 200, "")
	keys := newPerson(alice, "other").all(t)
	const v3 = "/_matrix/client/v3"
	guarded := []struct{ method, path, members string }{
		{"POST", registerPath, `"username":"bob","password":"x",`},
		{"POST", passwordPath, `"new_password":"x",`},
		{"POST", deactivatePath, ``},
		{"POST", v3 + "/account/3pid/add", fmt.Sprintf(`"sid":%q,"client_secret":"s3cret",`, sid)},
		{"DELETE", v3 + "/devices/PHONE", ``},
		{"DELETE", v3 + "/devices/OTHER", ``},
		{"POST", v3 + "/delete_devices", `"devices":["PHONE","OTHER"],`},
		{"POST", "/_matrix/client/v1/login/get_token", ``},
		{"POST", crossSigningPath, keys[1:len(keys)-1] + ","},
	}
	sessions := make([]string, len(guarded))
	for i, g := range guarded {
		w := do(c, g.method, g.path, token, `{`+g.members+`"auth":null}`)
		wantKeys(t, w, 401, "session", "flows", "completed", "params")
		sessions[i] = field(w, "session")
	}
	for i, session := range sessions {
		for j, g := range guarded {
			if i == j {
				continue
			}
			t.Logf("the session of %s at %s", guarded[i].path, g.path)
			want(t, do(c, g.method, g.path, token, `{`+g.members+withPassword("alice", "alice", session)+`}`), 403, mxerr.MForbidden)
		}
	}
	want(t, c.loginWith("alice", "alice"), 200, "")
	if !c.signedIn(token) {
		t.Error("the session has ended")
	}
	want(t, do(c, "GET", v3+"/register/available?username=bob", "", ""), 200, "")
	wantJSON(t, do(c, "GET", v3+"/account/3pid", token, ""), 200, `{"threepids":[]}`)
}
