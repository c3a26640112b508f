package api

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/uia"
)

// mailbox keeps what is sent.
type mailbox struct {
	messages []uia.Message
	err      error // of Send
}

func (m *mailbox) Send(_ context.Context, message uia.Message) error {
	if m.err == nil {
		m.messages = append(m.messages, message)
	}
	return m.err
}

// contacts is a server that reaches people, and what it has sent them.
type contacts struct {
	*server
	mail, sms *mailbox
}

// newContacts makes one at which an address is needed or not to register.
func newContacts(t *testing.T, at account.Requirement, change func(*account.Config)) *contacts {
	t.Helper()
	c := &contacts{mail: &mailbox{}, sms: &mailbox{}}
	c.server = newServer(t, func(cfg *account.Config) {
		cfg.PublicURL = "https://hs.example.org/matrix"
		cfg.Email, cfg.Phone = account.Contact{Sender: c.mail, AtRegistration: at}, account.Contact{Sender: c.sms}
		cfg.ParsePhone = func(country, number string) (string, error) {
			if country != "GB" || !strings.HasPrefix(number, "0") {
				return "", errors.New("no British number")
			}
			return "+44 " + number[1:], nil
		}
		if change != nil {
			change(cfg)
		}
	})
	return c
}

// request asks for a message; where is "register", "account/password" or "account/3pid".
func (c *contacts) request(where, medium, members string) *httptest.ResponseRecorder {
	return do(c, "POST", "/_matrix/client/v3/"+where+"/"+medium+"/requestToken", "", `{`+members+`}`)
}

// requested wants a request by mail to succeed, and returns the sid.
func (c *contacts) requested(t *testing.T, where, address, secret string) (sid string) {
	t.Helper()
	w := c.request(where, "email", fmt.Sprintf(`"client_secret":%q,"email":%q,"send_attempt":1`, secret, address))
	wantKeys(t, w, 200, "sid")
	return field(w, "sid")
}

// follow opens the link of the last mail and says yes.
func (c *contacts) follow(t *testing.T) *httptest.ResponseRecorder {
	t.Helper()
	link := strings.TrimPrefix(c.mail.messages[len(c.mail.messages)-1].Link, "https://hs.example.org/matrix")
	wantPage(t, do(c, "GET", link, "", ""), 200, `<form method="post">`, `static/page.css`)
	return submit(c.server, link)
}

func creds(sid, secret string) string {
	return fmt.Sprintf(`"threepid_creds":{"sid":%q,"client_secret":%q}`, sid, secret)
}

// addEmail gives a user an address, the whole way a client goes.
func (c *contacts) addEmail(t *testing.T, username, token, address string) {
	t.Helper()
	sid := c.requested(t, "account/3pid", address, "s3cret")
	wantPage(t, c.follow(t), 200)
	body := fmt.Sprintf(`{"sid":%q,"client_secret":"s3cret",%s}`, sid, withPassword(username, username, ""))
	wantJSON(t, do(c, "POST", "/_matrix/client/v3/account/3pid/add", token, body), 200, `{}`)
}

// REG-17, PWD-6, 3PID-6, ID-11: a message to the canonical address, with a link or a code; no token is needed; under r0 too.
func TestRequestToken(t *testing.T) {
	t.Parallel()
	c := newContacts(t, account.Unasked, nil)
	c.addEmail(t, "alice", c.signUp(t, "alice"), "known@example.org")
	if err := c.Accounts.SetThreePID(t.Context(), "@alice:example.org", "msisdn", "447700900001"); err != nil {
		t.Fatal(err)
	}
	for where, operation := range map[string]string{
		"register": uia.OpRegister, "account/password": uia.OpChangePassword, "account/3pid": uia.OpAddThreePID,
	} {
		address, number := "new@example.org", "447700900002"
		if operation == uia.OpChangePassword {
			address, number = "known@example.org", "447700900001"
		}
		w := c.request(where, "email", `"client_secret":"a.b=c_d-E","email":"`+strings.ToUpper(address)+`","send_attempt":1,"id_server":"id.example.com","id_access_token":"x"`) // REG-22
		wantKeys(t, w, 200, "sid")                                                                                                                                               // REG-21: no submit_url, as the user types no code
		if !regexp.MustCompile(`^[0-9a-zA-Z.=_-]{1,255}$`).MatchString(field(w, "sid")) {
			t.Errorf("ID-10: sid %q", field(w, "sid"))
		}
		sent := c.mail.messages[len(c.mail.messages)-1]
		wanted := uia.Message{Server: "example.org", Operation: operation, Address: address, Link: sent.Link}
		if diff := cmp.Diff(wanted, sent); diff != "" || !strings.HasPrefix(sent.Link, "https://hs.example.org/matrix/_matrix/static/validate?token=") {
			t.Errorf("%s (-want +got)\n%s", sent.Link, diff)
		}

		w = do(c, "POST", "/_matrix/client/r0/"+where+"/msisdn/requestToken", "stale", `{"client_secret":"x","country":"GB","phone_number":"0`+number[2:]+`","send_attempt":1}`)
		wantKeys(t, w, 200, "sid", "submit_url")
		if url := field(w, "submit_url"); url != "https://hs.example.org/matrix/_matrix/static/validate/code" {
			t.Errorf("submit_url %s", url)
		}
		sent = c.sms.messages[len(c.sms.messages)-1]
		wanted = uia.Message{Server: "example.org", Operation: operation, Address: number, Code: sent.Code}
		if diff := cmp.Diff(wanted, sent); diff != "" || !regexp.MustCompile(`^\d{6}$`).MatchString(sent.Code) {
			t.Errorf("%s (-want +got)\n%s", sent.Code, diff)
		}
	}
}

// What requestToken refuses, and then sends nothing.
func TestRequestTokenRefused(t *testing.T) {
	t.Parallel()
	const mail, phone = `"client_secret":"x","send_attempt":1,"email":`, `"client_secret":"x","send_attempt":1,"country":"GB","phone_number":`
	for name, test := range map[string]struct {
		where, medium, members string
		status                 int
		code                   mxerr.Code
	}{
		"REG-18 in use":                    {"register", "email", mail + `"known@example.org"`, 400, mxerr.MThreePIDInUse},
		"3PID-7 in use":                    {"account/3pid", "email", mail + `"KNOWN@EXAMPLE.ORG"`, 400, mxerr.MThreePIDInUse},
		"PWD-7 not found":                  {"account/password", "email", mail + `"new@example.org"`, 400, mxerr.MThreePIDNotFound},
		"PWD-7 not found, a number":        {"account/password", "msisdn", phone + `"07700900009"`, 400, mxerr.MThreePIDNotFound},
		"REG-18 denied":                    {"register", "email", mail + `"x@denied.example"`, 403, mxerr.MThreePIDDenied},
		"PWD-7 denied":                     {"account/password", "email", mail + `"x@denied.example"`, 403, mxerr.MThreePIDDenied},
		"3PID-7 denied":                    {"account/3pid", "email", mail + `"x@denied.example"`, 403, mxerr.MThreePIDDenied},
		"3PID-7 no address":                {"account/3pid", "email", mail + `"example.org"`, 400, mxerr.MInvalidParam},
		"3PID-7 no bare address":           {"account/3pid", "email", mail + `"A <a@example.org>"`, 400, mxerr.MInvalidParam},
		"3PID-7 no number":                 {"account/3pid", "msisdn", phone + `"7700900001"`, 400, mxerr.MInvalidParam},
		"country is no code":               {"account/3pid", "msisdn", `"client_secret":"x","send_attempt":1,"country":"gb","phone_number":"07700900001"`, 400, mxerr.MInvalidParam},
		"ID-10 client_secret with a space": {"register", "email", `"client_secret":"a b","send_attempt":1,"email":"a@example.org"`, 400, mxerr.MInvalidParam},
		"ID-10 client_secret is empty":     {"register", "email", `"client_secret":"","send_attempt":1,"email":"a@example.org"`, 400, mxerr.MInvalidParam},
		"ID-10 client_secret is too long":  {"register", "email", `"client_secret":"` + strings.Repeat("x", 256) + `","send_attempt":1,"email":"a@example.org"`, 400, mxerr.MInvalidParam},
		"client_secret missing":            {"register", "email", `"send_attempt":1,"email":"a@example.org"`, 400, mxerr.MMissingParam},
		"email missing":                    {"register", "email", `"client_secret":"x","send_attempt":1`, 400, mxerr.MMissingParam},
		"phone_number missing":             {"register", "msisdn", `"client_secret":"x","send_attempt":1,"country":"GB"`, 400, mxerr.MMissingParam},
		"send_attempt missing":             {"register", "email", `"client_secret":"x","email":"a@example.org"`, 400, mxerr.MMissingParam},
		"next_link is a script":            {"register", "email", mail + `"a@example.org","next_link":"javascript:alert(1)"`, 400, mxerr.MInvalidParam},
		"next_link is relative":            {"register", "email", mail + `"a@example.org","next_link":"/x"`, 400, mxerr.MInvalidParam},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newContacts(t, account.Optional, func(cfg *account.Config) {
				cfg.CheckThreePID = func(_, address string) error {
					if strings.HasSuffix(address, "@denied.example") {
						return errors.New("not these")
					}
					return nil
				}
			})
			c.signUp(t, "alice")
			if err := c.Accounts.SetThreePID(t.Context(), "@alice:example.org", "email", "Known@example.org"); err != nil {
				t.Fatal(err)
			}
			want(t, c.request(test.where, test.medium, test.members), test.status, test.code)
			if len(c.mail.messages)+len(c.sms.messages) != 0 {
				t.Error("a message was sent")
			}
		})
	}
}

// 3PID-8: without mail and text messages all six endpoints are there and say so.
func TestRequestTokenUnable(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	for _, medium := range []string{"email", "msisdn"} {
		body := `{"client_secret":"x","send_attempt":1,"email":"a@example.org","country":"GB","phone_number":"07700900001"}`
		for where, test := range map[string]struct {
			status int
			code   mxerr.Code
		}{
			"register": {403, mxerr.MThreePIDDenied}, "account/password": {403, mxerr.MThreePIDDenied}, "account/3pid": {400, mxerr.MThreePIDMediumNotSupported},
		} {
			want(t, do(s, "POST", "/_matrix/client/v3/"+where+"/"+medium+"/requestToken", "", body), test.status, test.code)
		}
	}
	// nor is an address asked for
	if w := do(s, "POST", passwordPath, "", `{"new_password":"x"}`); w.Code != 403 {
		t.Errorf("PWD-2: %d %s", w.Code, w.Body)
	}
}

// REG-19: one message for an attempt; a failure to send leaves the attempt open; the newest link is the one that counts.
func TestSendAttempt(t *testing.T) {
	t.Parallel()
	c := newContacts(t, account.Optional, nil)
	ask := func(attempt int, secret, address string) *httptest.ResponseRecorder {
		return c.request("register", "email", fmt.Sprintf(`"client_secret":%q,"email":%q,"send_attempt":%d`, secret, address, attempt))
	}
	var sid string
	for i, step := range []struct {
		attempt, sent int
		secret, to    string
	}{
		{1, 1, "x", "a@example.org"}, {1, 1, "x", "A@example.org"}, {0, 1, "x", "a@example.org"}, {2, 2, "x", "a@example.org"},
		{2, 2, "x", "a@example.org"}, {1, 3, "y", "a@example.org"}, {1, 4, "x", "b@example.org"}, {5, 5, "x", "a@example.org"},
		{-3, 6, "z", "a@example.org"}, {-3, 6, "z", "a@example.org"}, {-4, 6, "z", "a@example.org"},
	} {
		w := ask(step.attempt, step.secret, step.to)
		wantKeys(t, w, 200, "sid")
		if len(c.mail.messages) != step.sent {
			t.Fatalf("step %d: %d messages, want %d", i, len(c.mail.messages), step.sent)
		}
		if same := step.secret == "x" && step.to != "b@example.org"; i == 0 {
			sid = field(w, "sid")
		} else if (field(w, "sid") == sid) != same {
			t.Errorf("step %d: sid %s, the first was %s", i, field(w, "sid"), sid)
		}
	}
	c.mail.err = errors.New("mailbox full")
	want(t, ask(6, "x", "a@example.org"), 500, mxerr.MUnknown)
	c.mail.err = nil
	want(t, ask(6, "x", "a@example.org"), 200, "")
	if len(c.mail.messages) != 7 {
		t.Errorf("%d messages", len(c.mail.messages))
	}
	old := strings.TrimPrefix(c.mail.messages[0].Link, "https://hs.example.org/matrix")
	wantPage(t, submit(c.server, old), 400, "too old")
	wantPage(t, c.follow(t), 200)
}

// RATE-5: nobody fills somebody's mailbox.
func TestValidationIsLimited(t *testing.T) {
	t.Parallel()
	c := newContacts(t, account.Optional, func(cfg *account.Config) { cfg.Limiter = once{} })
	const body = `"client_secret":%q,"email":%q,"send_attempt":1`
	want(t, c.request("register", "email", fmt.Sprintf(body, "x", "a@example.org")), 200, "")
	want(t, c.request("register", "email", fmt.Sprintf(body, "y", "A@example.org")), 429, mxerr.MLimitExceeded)
	want(t, c.request("register", "email", fmt.Sprintf(body, "x", "b@example.org")), 200, "")
}

// REG-20: after the link the browser goes to next_link; nothing is validated before somebody has said yes.
func TestNextLink(t *testing.T) {
	t.Parallel()
	c := newContacts(t, account.Required, nil)
	w := c.request("register", "email", `"client_secret":"x","email":"a@example.org","send_attempt":1,"next_link":"https://app.example.org/#/next?a=b"`)
	sid := field(w, "sid")
	link := strings.TrimPrefix(c.mail.messages[0].Link, "https://hs.example.org/matrix")
	register := `{"username":"alice","password":"x","auth":{"type":"m.login.email.identity",` + creds(sid, "x") + `}}`
	page := do(c, "GET", link, "", "")
	wantPage(t, page, 200, "Somebody wants to register an account at example.org, with the address a@example.org.")
	if w := do(c, "POST", registerPath, "", register); w.Code != 401 || field(w, "errcode") != "" || field(w, "completed") != "[]" { // UIA-22
		t.Errorf("before the link: %d %s", w.Code, w.Body)
	}
	w = submit(c.server, link)
	if w.Code != 303 || w.Header().Get("Location") != "https://app.example.org/#/next?a=b" {
		t.Errorf("status %d, Location %s", w.Code, w.Header().Get("Location"))
	}
	want(t, do(c, "POST", registerPath, "", register), 200, "")
	wantPage(t, do(c, "GET", link, "", ""), 400, "too old") // used up
	for _, bad := range []string{"", "?token=", "?token=x"} {
		if w := submit(c.server, "/_matrix/static/validate"+bad); w.Code != 400 {
			t.Errorf("%s: status %d", bad, w.Code)
		}
	}
}

// REG-21: codes are submitted without a token; what is wrong with them is told, and only a few may be tried.
func TestSubmitCode(t *testing.T) {
	t.Parallel()
	c := newContacts(t, account.Unasked, nil)
	const path = "/_matrix/static/validate/code"
	start := func(attempt int) (sid, code string) {
		t.Helper()
		w := c.request("register", "msisdn", fmt.Sprintf(`"client_secret":"x","country":"GB","phone_number":"07700900001","send_attempt":%d`, attempt))
		wantKeys(t, w, 200, "sid", "submit_url")
		return field(w, "sid"), c.sms.messages[len(c.sms.messages)-1].Code
	}
	try := func(sid, secret, code string) *httptest.ResponseRecorder {
		return do(c, "POST", path, "", fmt.Sprintf(`{"sid":%q,"client_secret":%q,"token":%q}`, sid, secret, code))
	}
	sid, code := start(1)
	wrong := fmt.Sprintf("%06d", (len(code)+1)*7)
	if wrong == code {
		wrong = "000001"
	}
	want(t, try(sid, "x", wrong), 400, mxerr.MTokenIncorrect)
	want(t, try(sid, "y", code), 400, mxerr.MInvalidParam)
	want(t, try("unknown", "x", code), 400, mxerr.MInvalidParam)
	want(t, try("a b", "x", code), 400, mxerr.MInvalidParam)
	want(t, do(c, "POST", path, "", `{"sid":"x"}`), 400, mxerr.MMissingParam)
	for range 2 {
		wantJSON(t, try(sid, "x", code), 200, `{"success":true}`)
	}
	for range 4 {
		want(t, try(sid, "x", wrong), 400, mxerr.MTokenIncorrect)
	}
	want(t, try(sid, "x", code), 400, mxerr.MSessionExpired)
	again, code := start(2)
	if again != sid {
		t.Errorf("sid %s, before it was %s", again, sid)
	}
	want(t, try(sid, "x", code), 400, mxerr.MSessionExpired) // a new message is no way around
	c.now = c.now.Add(24 * time.Hour)
	sid, code = start(1)
	c.now = c.now.Add(24 * time.Hour)
	want(t, try(sid, "x", code), 400, mxerr.MSessionExpired)
}

// UIA-21, UIA-22, CLIENTA-18: registration with an address; clients poll by sending the same again; it becomes the account's
// (3PID-1) and serves for login (3PID-10, LOGIN-9 to LOGIN-12, UIA-19).
func TestRegisterWithEmail(t *testing.T) {
	t.Parallel()
	for name, format := range map[string]string{
		"threepid_creds":              `{"username":"alice","password":"alice","auth":{"type":"m.login.email.identity","session":%q,"threepid_creds":{"sid":%q,"client_secret":"x"}}}`,
		"with an identity server":     `{"username":"alice","password":"alice","auth":{"type":"m.login.email.identity","session":%q,"threepid_creds":{"sid":%q,"client_secret":"x","id_server":"id.example.com","id_access_token":"y"}}}`,
		"threepidCreds, an array":     `{"username":"alice","password":"alice","auth":{"type":"m.login.email.identity","session":%q,"threepidCreds":[{"sid":%q,"client_secret":"x"}]}}`,
		"threepidCreds, as an object": `{"username":"alice","password":"alice","auth":{"type":"m.login.email.identity","session":%q,"threepidCreds":{"sid":%q,"client_secret":"x"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newContacts(t, account.Required, nil)
			w := do(c, "POST", registerPath, "", `{}`)
			if field(w, "flows") != `[{"stages":["m.login.email.identity"]}]` {
				t.Errorf("flows %s", w.Body)
			}
			body := fmt.Sprintf(format, field(w, "session"), c.requested(t, "register", "Alice@Example.org", "x"))
			for range 2 {
				w = do(c, "POST", registerPath, "", body)
				wantKeys(t, w, 401, "session", "flows", "completed", "params")
			}
			c.follow(t)
			want(t, do(c, "POST", registerPath, "", body), 200, "")
			token := c.signIn(t, "alice", "PHONE")
			wantJSON(t, do(c, "GET", "/_matrix/client/v3/account/3pid", token, ""), 200, fmt.Sprintf(
				`{"threepids":[{"medium":"email","address":"alice@example.org","validated_at":%d,"added_at":%[1]d}]}`, c.now.UnixMilli()))
			for _, members := range []string{
				`"identifier":{"type":"m.id.thirdparty","medium":"email","address":"ALICE@example.org"}`,
				`"identifier":{"medium":"email","address":"alice@example.org"}`, // LOGIN-12, SRC-3
				`"medium":"email","address":"alice@example.org"`,                // LOGIN-11, CLIENTA-11
			} {
				w := do(c, "POST", loginPath, "", `{"type":"m.login.password","password":"alice",`+members+`}`)
				if want(t, w, 200, ""); field(w, "user_id") != "@alice:example.org" {
					t.Errorf("%s: %s", members, w.Body)
				}
				want(t, do(c, "POST", loginPath, "", `{"type":"m.login.password","password":"x",`+members+`}`), 403, mxerr.MForbidden)
				w = do(c, "POST", deactivatePath, token, `{"auth":{"type":"m.login.password","password":"wrong",`+members+`}}`) // UIA-18, UIA-19
				want(t, w, 401, mxerr.MForbidden)
			}
			want(t, do(c, "POST", deactivatePath, token, `{"auth":{"type":"m.login.password","password":"alice","medium":"email","address":"alice@example.org"}}`), 200, "")
			want(t, c.request("register", "email", `"client_secret":"z","email":"alice@example.org","send_attempt":1`), 200, "") // DEACT-3: the address is free again
		})
	}
}

// LOGIN-10, 3PID-10: a phone number as it is written in a country.
func TestLoginWithPhone(t *testing.T) {
	t.Parallel()
	c := newContacts(t, account.Unasked, nil)
	c.signUp(t, "alice")
	if err := c.Accounts.SetThreePID(t.Context(), "@alice:example.org", "msisdn", "+44 7700 900001"); err != nil {
		t.Fatal(err)
	}
	for _, identifier := range []string{
		`{"type":"m.id.phone","country":"GB","phone":"07700900001"}`, `{"type":"m.id.thirdparty","medium":"msisdn","address":"447700900001"}`,
	} {
		w := do(c, "POST", loginPath, "", `{"type":"m.login.password","password":"alice","identifier":`+identifier+`}`)
		if want(t, w, 200, ""); field(w, "user_id") != "@alice:example.org" {
			t.Errorf("%s: %s", identifier, w.Body)
		}
	}
	for _, identifier := range []string{
		`{"type":"m.id.phone","country":"DE","phone":"07700900001"}`, `{"type":"m.id.phone","country":"GB","phone":"07700900002"}`,
		`{"type":"m.id.thirdparty","medium":"fax","address":"447700900001"}`, `{"type":"m.id.thirdparty","medium":"email","address":"447700900001"}`,
	} {
		want(t, do(c, "POST", loginPath, "", `{"type":"m.login.password","password":"alice","identifier":`+identifier+`}`), 403, mxerr.MForbidden)
	}
}

// UIA-23: flows that a longer one would begin with are told apart; addresses that are optional are flows of their own.
func TestContactFlows(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		email, phone account.Requirement
		policies     []uia.Policy
		flows        string
	}{
		"unasked":         {account.Unasked, account.Unasked, nil, `[{"stages":["m.login.dummy"]}]`},
		"optional":        {account.Optional, account.Unasked, nil, `[{"stages":["m.login.dummy"]},{"stages":["m.login.email.identity"]}]`},
		"optional, terms": {account.Optional, account.Unasked, policies, `[{"stages":["m.login.terms","m.login.dummy"]},{"stages":["m.login.terms","m.login.email.identity"]}]`},
		"both optional":   {account.Optional, account.Optional, nil, `[{"stages":["m.login.dummy"]},{"stages":["m.login.email.identity"]},{"stages":["m.login.msisdn"]}]`},
		"both required":   {account.Required, account.Required, nil, `[{"stages":["m.login.email.identity","m.login.msisdn"]}]`},
		"required, terms": {account.Required, account.Unasked, policies, `[{"stages":["m.login.terms","m.login.email.identity"]}]`},
		"one of each":     {account.Required, account.Optional, nil, `[{"stages":["m.login.email.identity","m.login.dummy"]},{"stages":["m.login.email.identity","m.login.msisdn"]}]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newContacts(t, test.email, func(cfg *account.Config) { cfg.Phone.AtRegistration, cfg.Policies = test.phone, test.policies })
			if w := do(c, "POST", registerPath, "", `{}`); field(w, "flows") != test.flows {
				t.Errorf("flows %s, want %s", field(w, "flows"), test.flows)
			}
		})
	}
}

// UIA-21: validations that are not what the stage wants: each leaves another try.
func TestContactStageRefused(t *testing.T) {
	t.Parallel()
	c := newContacts(t, account.Required, nil)
	c.addEmail(t, "alice", func() string {
		if _, err := c.Accounts.CreateUser(t.Context(), "alice", "alice"); err != nil {
			t.Fatal(err)
		}
		return c.signIn(t, "alice", "PHONE")
	}(), "alice@example.org")
	reset := c.requested(t, "account/password", "alice@example.org", "x")
	c.follow(t)
	good := c.requested(t, "register", "bob@example.org", "x")
	c.follow(t)
	attempt := func(auth string) *httptest.ResponseRecorder {
		return do(c, "POST", registerPath, "", `{"username":"bob","password":"x","auth":{"type":"m.login.email.identity",`+auth+`}}`)
	}
	for name, auth := range map[string]string{
		"unknown sid": creds("unknown", "x"), "another secret": creds(good, "y"), "for another purpose": creds(reset, "x"),
	} {
		w := attempt(auth)
		want(t, w, 401, mxerr.MThreePIDAuthFailed)
		if field(w, "completed") != "[]" {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
	want(t, attempt(`"x":1`), 400, mxerr.MMissingParam)
	want(t, attempt(`"threepid_creds":"x"`), 400, mxerr.MMissingParam)
	want(t, attempt(creds(good, "x")), 200, "")
	want(t, do(c, "POST", registerPath, "", `{"username":"eve","password":"x","auth":{"type":"m.login.email.identity",`+creds(good, "x")+`}}`), 401, mxerr.MThreePIDAuthFailed)
}

// PWD-2, PWD-3, PWD-4, PWD-6, 3PID-10: a forgotten password: the address says whose account it is, all sessions end, and the link was
// good for one change.
func TestResetPassword(t *testing.T) {
	t.Parallel()
	c := newContacts(t, account.Unasked, nil)
	alice, bob := c.signUp(t, "alice"), c.signUp(t, "bob")
	c.addEmail(t, "alice", alice, "alice@example.org")
	w := do(c, "POST", passwordPath, "", `{"new_password":"new"}`)
	session := field(w, "session")
	wantJSON(t, w, 401, `{"session":"`+session+`","flows":[{"stages":["m.login.email.identity"]},{"stages":["m.login.msisdn"]}],"completed":[],"params":{}}`)
	sid := c.requested(t, "account/password", "Alice@example.org", "x")
	reset := func(session string) *httptest.ResponseRecorder {
		return do(c, "POST", passwordPath, "", `{"new_password":"new","auth":{"type":"m.login.email.identity","session":"`+session+`",`+creds(sid, "x")+`}}`)
	}
	wantKeys(t, reset(session), 401, "session", "flows", "completed", "params")
	c.follow(t)
	// UIA-15: with bob's token it is not bob
	want(t, do(c, "POST", passwordPath, bob, `{"new_password":"new","auth":{"type":"m.login.email.identity",`+creds(sid, "x")+`}}`), 401, mxerr.MForbidden)
	wantJSON(t, reset(session), 200, `{}`)
	if c.signedIn(alice) || !c.signedIn(bob) {
		t.Errorf("signed in: alice %v, bob %v", c.signedIn(alice), c.signedIn(bob))
	}
	want(t, c.loginWith("alice", "alice"), 403, mxerr.MForbidden)
	want(t, c.loginWith("alice", "new"), 200, "")
	want(t, c.loginWith("bob", "bob"), 200, "")
	want(t, reset(""), 401, mxerr.MThreePIDAuthFailed)
}

// UIA-28 for the stages that show an address: the page takes the address, sends the message and waits for the link or the code.
func TestContactPages(t *testing.T) {
	t.Parallel()
	c := newContacts(t, account.Required, func(cfg *account.Config) { cfg.Phone.AtRegistration = account.Required })
	session := field(do(c, "POST", registerPath, "", `{}`), "session")
	hidden := func(w *httptest.ResponseRecorder) (fields []string) {
		for _, found := range regexp.MustCompile(`type="hidden" name="(\w+)" value="([^"]+)"`).FindAllStringSubmatch(w.Body.String(), -1) {
			fields = append(fields, found[1], found[2])
		}
		if len(fields) != 4 {
			t.Fatalf("hidden fields %v:\n%s", fields, w.Body)
		}
		return fields
	}
	email := stagePage("v3", uia.TypeEmail, session)
	wantPage(t, do(c, "GET", email, "", ""), 200, "An app wants to register an account.", `name="address" type="email"`)
	wantPage(t, submit(c.server, email, "address", "nonsense"), 400, `role="alert">email is not an e-mail address`, `name="address"`)
	sent := submit(c.server, email, "address", "alice@example.org")
	wantPage(t, sent, 200, "Follow the link")
	wantPage(t, submit(c.server, email, hidden(sent)...), 401, "not been confirmed yet", "Follow the link")
	c.follow(t)
	wantPage(t, submit(c.server, email, hidden(sent)...), 200, doneScript)

	phone := stagePage("r0", uia.TypeMSISDN, session)
	wantPage(t, do(c, "GET", phone, "", ""), 200, `name="country"`, `name="address" type="tel"`)
	wantPage(t, submit(c.server, phone, "address", "1", "country", "GB"), 400, `role="alert"`)
	sent = submit(c.server, phone, "address", "07700900001", "country", "GB")
	wantPage(t, sent, 200, `name="code" type="text" value="" autocomplete="one-time-code"`)
	wantPage(t, submit(c.server, phone, append(hidden(sent), "code", "x")...), 400, "not the code", `name="code"`)
	wantPage(t, submit(c.server, phone, append(hidden(sent), "code", c.sms.messages[0].Code)...), 200, doneScript)
	want(t, do(c, "POST", registerPath, "", `{"username":"alice","password":"x","auth":{"session":"`+session+`"}}`), 200, "")
}
