package uia

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

const (
	alice = events.UserID("@alice:example.org")
	bob   = events.UserID("@bob:example.org")
)

// clock is a clock that stands still until it is moved.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

// passwords is a Provider of accounts whose password is their localpart.
type passwords struct{}

func (passwords) CheckPassword(_ context.Context, user events.UserID, password string) error {
	switch {
	case user != alice && user != bob:
		return ErrUnknownUser
	case password != user.Localpart():
		return ErrDenied
	}
	return nil
}

// hostStage is what a host could add: it says what its answer is told to say.
type hostStage struct {
	check func(Attempt) (events.UserID, error)
}

func (hostStage) Type() string { return "org.example.stage" }

func (h hostStage) Check(_ context.Context, a Attempt) (Passed, error) {
	user, err := h.check(a)
	return Passed{User: user, Detail: "seen"}, err
}

func (hostStage) Params(session string, op Operation) any {
	return map[string]string{"url": "https://example.org/" + op.Name + "/" + session}
}

// fixture counts how often the guarded operation runs.
type fixture struct {
	*Engine
	clock *clock
	runs  int
	proof Proof
	err   error // of the operation
}

func newFixture(stages ...Stage) *fixture {
	f := &fixture{clock: &clock{time.UnixMilli(1_700_000_000_000)}}
	identify := func(_ context.Context, auth json.RawMessage) (events.UserID, error) {
		var in struct{ User events.UserID }
		err := json.Unmarshal(auth, &in)
		return in.User, err
	}
	f.Engine = New(f.clock.now, append([]Stage{Dummy(), Password(passwords{}, identify)}, stages...)...)
	return f
}

func (f *fixture) do(t *testing.T, op Operation, auth string, args ...any) (string, error) {
	t.Helper()
	if len(args) > 0 {
		auth = fmt.Sprintf(auth, args...)
	}
	return Do(t.Context(), f.Engine, op, json.RawMessage(auth), func(_ context.Context, p Proof) (string, error) {
		if f.err != nil {
			return "", f.err
		}
		f.runs++
		f.proof = p
		return fmt.Sprintf("result %d", f.runs), nil
	})
}

// challenged fails the test unless err asks for proof.
func challenged(t *testing.T, result string, err error) *Required {
	t.Helper()
	var r *Required
	if !errors.As(err, &r) || result != "" {
		t.Fatalf("got %q, %v, want a challenge", result, err)
	}
	return r
}

// refused fails the test unless err is a Matrix error that is no challenge.
func refused(t *testing.T, err error, status int, code mxerr.Code) {
	t.Helper()
	var e *mxerr.Error
	if !errors.As(err, &e) || e.Status != status || e.Code != code {
		t.Fatalf("got %v, want %d %s", err, status, code)
	}
}

func succeeded(t *testing.T, result string, err error, want string) {
	t.Helper()
	if err != nil || result != want {
		t.Fatalf("got %q, %v, want %q", result, err, want)
	}
}

func op(flows ...Flow) Operation { return Operation{Name: "op", User: alice, Flows: flows} }

// UIA-2, UIA-3, UIA-17: a request without auth is answered by 401 with flows, params and session and no errcode, also
// when the only stage is m.login.dummy.
func TestChallengeWithoutAuth(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{"", "null", " null ", "{}"} {
		f := newFixture()
		result, err := f.do(t, op(Flow{TypeDummy}, Flow{TypePassword, TypeDummy}), auth)
		r := challenged(t, result, err)
		if r.Session == "" || f.runs != 0 {
			t.Fatalf("auth %q: session %q after %d runs", auth, r.Session, f.runs)
		}
		status, body := r.MatrixResponse()
		want := `{"session":"` + r.Session + `","flows":[{"stages":["m.login.dummy"]},{"stages":["m.login.password","m.login.dummy"]}],"completed":[],"params":{}}`
		if status != 401 || string(body) != want {
			t.Errorf("auth %q: got %d %s, want 401 %s", auth, status, body, want)
		}
	}
}

// UIA-3: a flow without stages is no way around.
func TestNoEmptyFlow(t *testing.T) {
	t.Parallel()
	f := newFixture()
	for _, flows := range [][]Flow{nil, {{}}} {
		for _, auth := range []string{"", "{}", `{"type":"m.login.dummy"}`} {
			result, err := f.do(t, op(flows...), auth)
			challenged(t, result, err)
		}
	}
}

// UIA-4, UIA-6, UIA-9: stage by stage, until the operation runs and its result is returned.
func TestStageByStage(t *testing.T) {
	t.Parallel()
	f := newFixture()
	o := op(Flow{TypePassword, TypeDummy})
	result, err := f.do(t, o, "")
	first := challenged(t, result, err)

	result, err = f.do(t, o, `{"type":"m.login.password","session":%q,"user":%q,"password":"alice"}`, first.Session, alice)
	second := challenged(t, result, err)
	want := &Required{
		Session: first.Session, Flows: o.Flows, Completed: []string{TypePassword}, Params: map[string]any{},
	}
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("after the first stage (-want +got):\n%s", diff)
	}

	result, err = f.do(t, o, `{"type":"m.login.dummy","session":%q}`, first.Session)
	succeeded(t, result, err, "result 1")
	if f.proof.User != alice {
		t.Errorf("proof of being %q, want %q", f.proof.User, alice)
	}
}

// UIA-5: auth without a session in a first request finishes a flow of one stage and begins a longer one.
func TestAuthInFirstRequest(t *testing.T) {
	t.Parallel()
	f := newFixture()
	result, err := f.do(t, op(Flow{TypeDummy}), `{"type":"m.login.dummy"}`)
	succeeded(t, result, err, "result 1")
	if n := len(f.sessions.byID); n != 0 {
		t.Errorf("%d sessions are kept, want none", n)
	}

	o := op(Flow{TypeDummy, TypePassword})
	result, err = f.do(t, o, `{"type":"m.login.dummy"}`)
	r := challenged(t, result, err)
	if diff := cmp.Diff([]string{TypeDummy}, r.Completed); diff != "" {
		t.Errorf("completed (-want +got):\n%s", diff)
	}
	result, err = f.do(t, o, `{"type":"m.login.password","session":%q,"user":%q,"password":"alice"}`, r.Session, alice)
	succeeded(t, result, err, "result 2")
}

// UIA-7, UIA-18: a failed stage is answered by the same 401 plus completed, errcode and error, and may be tried again.
func TestFailedStageKeepsSession(t *testing.T) {
	t.Parallel()
	for name, auth := range map[string]string{
		"wrong password": `{"type":"m.login.password","session":%q,"user":"@alice:example.org","password":"wrong"}`,
		"unknown user":   `{"type":"m.login.password","session":%q,"user":"@nobody:example.org","password":"wrong"}`,
	} {
		f := newFixture()
		o := op(Flow{TypePassword})
		result, err := f.do(t, o, "")
		first := challenged(t, result, err)
		result, err = f.do(t, o, auth, first.Session)
		status, body := challenged(t, result, err).MatrixResponse()
		want := `{"errcode":"M_FORBIDDEN","error":"invalid username or password","session":"` + first.Session +
			`","flows":[{"stages":["m.login.password"]}],"completed":[],"params":{}}`
		if status != 401 || string(body) != want {
			t.Errorf("%s: got %d %s, want 401 %s", name, status, body, want)
		}
		result, err = f.do(t, o, `{"type":"m.login.password","session":%q,"user":%q,"password":"alice"}`, first.Session, alice)
		succeeded(t, result, err, "result 1")
	}
}

// UIA-7, UIA-8: which errors of a stage are challenges.
func TestErrorsOfStages(t *testing.T) {
	t.Parallel()
	fault := errors.New("disk full")
	for name, test := range map[string]struct {
		err  error
		code mxerr.Code // of the challenge
		want error      // if it is none
	}{
		"UIA-22 not validated yet":    {err: fmt.Errorf("mail: %w", ErrPending)},
		"UIA-7 denied":                {err: ErrDenied, code: mxerr.MForbidden},
		"UIA-7 Matrix error with 401": {err: mxerr.CaptchaInvalid("wrong letters"), code: mxerr.MCaptchaInvalid},
		"UIA-8 other Matrix error":    {err: mxerr.BadJSON("response must be a string"), want: mxerr.MBadJSON},
		"UIA-8 fault":                 {err: fault, want: fault},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(hostStage{func(Attempt) (events.UserID, error) { return "", test.err }})
			result, err := f.do(t, op(Flow{"org.example.stage"}), `{"type":"org.example.stage"}`)
			if test.want != nil {
				if !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				return
			}
			r := challenged(t, result, err)
			if r.Code != test.code || (r.Message == "") != (test.code == "") || len(r.Completed) != 0 {
				t.Errorf("got %q %q with %v completed, want %q", r.Code, r.Message, r.Completed, test.code)
			}
		})
	}
}

// UIA-8: auth of the wrong shape is no failed attempt.
func TestMalformedAuth(t *testing.T) {
	t.Parallel()
	f := newFixture()
	for _, auth := range []string{`[]`, `"x"`, `1`, `{`, `{"type":1}`, `{"type":"m.login.dummy","session":true}`} {
		_, err := f.do(t, op(Flow{TypeDummy}), auth)
		refused(t, err, 400, mxerr.MBadJSON)
	}
	_, err := f.do(t, op(Flow{TypePassword}), `{"type":"m.login.password","user":"@alice:example.org"}`)
	refused(t, err, 400, mxerr.MMissingParam)
}

// UIA-10: stages are passed in the order of a flow; what is not its turn, not offered or unknown is answered by 401.
func TestOrderOfStages(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{
		`{"type":"m.login.dummy"}`, `{"type":"org.example.stage"}`, `{"type":"m.login.none"}`,
	} {
		f := newFixture(hostStage{func(Attempt) (events.UserID, error) { return "", nil }})
		result, err := f.do(t, op(Flow{TypePassword, TypeDummy}), auth)
		r := challenged(t, result, err)
		if r.Code != mxerr.MForbidden || len(r.Completed) != 0 {
			t.Errorf("%s: got %q with %v completed", auth, r.Code, r.Completed)
		}
	}
}

// UIA-10: a client may turn to another flow, with what both have in common.
func TestChangeOfFlow(t *testing.T) {
	t.Parallel()
	f := newFixture(hostStage{func(Attempt) (events.UserID, error) { return "", nil }})
	o := op(Flow{TypeDummy, TypePassword}, Flow{TypeDummy, "org.example.stage"})
	result, err := f.do(t, o, `{"type":"m.login.dummy"}`)
	r := challenged(t, result, err)
	result, err = f.do(t, o, `{"type":"org.example.stage","session":%q}`, r.Session)
	succeeded(t, result, err, "result 1")
}

// UIA-11, REG-10: what is passed is not tried again, and a repeated last request gets the same result.
func TestRepeats(t *testing.T) {
	t.Parallel()
	tries := 0
	f := newFixture(hostStage{func(Attempt) (events.UserID, error) { tries++; return "", nil }})
	o := op(Flow{"org.example.stage", TypeDummy})
	result, err := f.do(t, o, `{"type":"org.example.stage"}`)
	r := challenged(t, result, err)

	result, err = f.do(t, o, `{"type":"org.example.stage","session":%q}`, r.Session)
	if diff := cmp.Diff(r, challenged(t, result, err)); diff != "" || tries != 1 {
		t.Errorf("repeated stage was tried %d times (-first +second):\n%s", tries, diff)
	}
	for range 2 {
		result, err = f.do(t, o, `{"type":"m.login.dummy","session":%q}`, r.Session)
		succeeded(t, result, err, "result 1")
	}
	if f.runs != 1 {
		t.Errorf("the operation ran %d times", f.runs)
	}
}

// UIA-16: where every request is to be proved, a session is good for one.
func TestOnce(t *testing.T) {
	t.Parallel()
	f := newFixture()
	o := op(Flow{TypeDummy})
	o.Once = true
	result, err := f.do(t, o, "")
	first := challenged(t, result, err)
	result, err = f.do(t, o, `{"type":"m.login.dummy","session":%q}`, first.Session)
	succeeded(t, result, err, "result 1")
	for _, auth := range []string{`{"type":"m.login.dummy","session":%q}`, `{"session":%q}`} {
		result, err = f.do(t, o, auth, first.Session)
		if again := challenged(t, result, err); again.Session == first.Session || len(again.Completed) > 0 {
			t.Errorf("%s: %+v", auth, again)
		}
	}
	result, err = f.do(t, o, `{"type":"m.login.dummy"}`)
	succeeded(t, result, err, "result 2")
}

// REG-10: repeats that arrive together run the operation once.
func TestConcurrentRepeats(t *testing.T) {
	t.Parallel()
	f := newFixture()
	o := op(Flow{TypeDummy})
	result, err := f.do(t, o, "")
	r := challenged(t, result, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			result, err := f.do(t, o, `{"type":"m.login.dummy","session":%q}`, r.Session)
			if err != nil || result != "result 1" {
				t.Errorf("got %q, %v", result, err)
			}
		})
	}
	wg.Wait()
	if f.runs != 1 {
		t.Errorf("the operation ran %d times", f.runs)
	}
}

// REG-5: what speaks against a request is said before the challenge and before any stage; REG-10: but not to the repeat
// of a request that was granted.
func TestAllowed(t *testing.T) {
	t.Parallel()
	f := newFixture(hostStage{func(Attempt) (events.UserID, error) { t.Error("stage was tried"); return "", nil }})
	o := op(Flow{"org.example.stage"}, Flow{TypeDummy})
	free := func(context.Context) error { return nil }
	taken := func(context.Context) error { return mxerr.UserInUse("taken") }

	o.Allowed = taken
	for _, auth := range []string{"", `{"type":"org.example.stage"}`, `{"type":"m.login.dummy","session":"unknown"}`} {
		_, err := f.do(t, o, auth)
		refused(t, err, 400, mxerr.MUserInUse)
	}
	o.Allowed = free
	result, err := f.do(t, o, "")
	r := challenged(t, result, err)
	result, err = f.do(t, o, `{"type":"m.login.dummy","session":%q}`, r.Session)
	succeeded(t, result, err, "result 1")
	o.Allowed = taken
	result, err = f.do(t, o, `{"type":"m.login.dummy","session":%q}`, r.Session)
	succeeded(t, result, err, "result 1")
}

// UIA-8: an error of the operation is returned as it is, and the session can be used to correct the request.
func TestFailedOperation(t *testing.T) {
	t.Parallel()
	f := newFixture()
	o := op(Flow{TypeDummy})
	result, err := f.do(t, o, "")
	r := challenged(t, result, err)
	f.err = mxerr.UserInUse("taken")
	_, err = f.do(t, o, `{"type":"m.login.dummy","session":%q}`, r.Session)
	refused(t, err, 400, mxerr.MUserInUse)
	f.err = nil
	result, err = f.do(t, o, `{"session":%q}`, r.Session)
	succeeded(t, result, err, "result 1")
}

// UIA-12: a client polls with its session alone for a stage that is completed elsewhere.
func TestPolling(t *testing.T) {
	t.Parallel()
	f := newFixture()
	o := op(Flow{TypeDummy, "m.login.sso"})
	result, err := f.do(t, o, `{"type":"m.login.dummy"}`)
	r := challenged(t, result, err)

	result, err = f.do(t, o, `{"session":%q}`, r.Session)
	if diff := cmp.Diff(r, challenged(t, result, err)); diff != "" {
		t.Errorf("polling too early (-before +after):\n%s", diff)
	}
	if err := f.Complete(t.Context(), r.Session, "m.login.sso", Passed{User: alice}); err != nil {
		t.Fatal(err)
	}
	result, err = f.do(t, o, `{"session":%q}`, r.Session)
	succeeded(t, result, err, "result 1")
	if f.proof.User != alice {
		t.Errorf("proof of being %q, want %q", f.proof.User, alice)
	}
}

// UIA-10, UIA-13, UIA-15: what cannot be completed from elsewhere.
func TestComplete(t *testing.T) {
	t.Parallel()
	f := newFixture()
	o := op(Flow{TypeDummy, "m.login.sso"})
	result, err := f.do(t, o, "")
	session := challenged(t, result, err).Session
	refused(t, f.Complete(t.Context(), "unknown", "m.login.sso", Passed{User: alice}), 404, mxerr.MNotFound)
	refused(t, f.Complete(t.Context(), session, "m.login.sso", Passed{User: alice}), 403, mxerr.MForbidden)
	result, err = f.do(t, o, `{"type":"m.login.dummy","session":%q}`, session)
	challenged(t, result, err)
	refused(t, f.Complete(t.Context(), session, "m.login.sso", Passed{User: bob}), 403, mxerr.MForbidden)
	for range 2 {
		if err := f.Complete(t.Context(), session, "m.login.sso", Passed{User: alice}); err != nil {
			t.Fatal(err)
		}
	}
}

// UIA-13: an unknown or expired session gets a fresh challenge, whatever proof comes with it.
func TestUnknownSession(t *testing.T) {
	t.Parallel()
	f := newFixture()
	o := op(Flow{TypeDummy})
	result, err := f.do(t, o, `{"type":"m.login.dummy","session":"unknown"}`)
	r := challenged(t, result, err)
	if r.Session == "unknown" || len(r.Completed) != 0 || r.Code != "" {
		t.Errorf("got %+v", r)
	}

	f.clock.t = f.clock.t.Add(sessionTTL - 1)
	result, err = f.do(t, o, `{"session":%q}`, r.Session)
	if got := challenged(t, result, err).Session; got != r.Session {
		t.Fatalf("session %q is %q before its time is over", r.Session, got)
	}
	f.clock.t = f.clock.t.Add(1)
	result, err = f.do(t, o, `{"type":"m.login.dummy","session":%q}`, r.Session)
	if got := challenged(t, result, err).Session; got == r.Session {
		t.Error("session lives on after its time")
	}
}

// UIA-14: a session serves no other endpoint, target or user, even when it is complete.
func TestSessionIsBound(t *testing.T) {
	t.Parallel()
	mine := Operation{Name: "delete_device", Target: "A", User: alice, Flows: []Flow{{TypeDummy}}}
	for name, change := range map[string]func(*Operation){
		"other endpoint": func(o *Operation) { o.Name = "deactivate" },
		"other target":   func(o *Operation) { o.Target = "B" },
		"other user":     func(o *Operation) { o.User = bob },
	} {
		f := newFixture()
		result, err := f.do(t, mine, "")
		session := challenged(t, result, err).Session
		other := mine
		change(&other)
		for range 2 {
			if _, err := f.do(t, other, `{"type":"m.login.dummy","session":%q}`, session); f.runs > 1 {
				t.Fatalf("%s: the operation ran", name)
			} else {
				refused(t, err, 403, mxerr.MForbidden)
			}
			result, err = f.do(t, mine, `{"type":"m.login.dummy","session":%q}`, session)
			succeeded(t, result, err, "result 1")
		}
	}
}

// UIA-15: somebody else's valid password is 403 M_FORBIDDEN.
func TestOtherIdentity(t *testing.T) {
	t.Parallel()
	f := newFixture()
	_, err := f.do(t, op(Flow{TypePassword}), `{"type":"m.login.password","user":%q,"password":"bob"}`, bob)
	refused(t, err, 403, mxerr.MForbidden)
	if f.runs != 0 {
		t.Error("the operation ran")
	}
}

// Without a token the stages select the account; two of them must agree.
func TestIdentityWithoutToken(t *testing.T) {
	t.Parallel()
	f := newFixture(hostStage{func(a Attempt) (events.UserID, error) { return bob, nil }})
	o := Operation{Name: "password", Flows: []Flow{{"org.example.stage"}, {"org.example.stage", TypePassword, TypeDummy}}}
	result, err := f.do(t, o, `{"type":"org.example.stage"}`)
	succeeded(t, result, err, "result 1")
	if f.proof.User != bob {
		t.Errorf("proof of being %q, want %q", f.proof.User, bob)
	}

	o.Flows = o.Flows[1:]
	result, err = f.do(t, o, `{"type":"org.example.stage"}`)
	r := challenged(t, result, err)
	_, err = f.do(t, o, `{"type":"m.login.password","session":%q,"user":%q,"password":"alice"}`, r.Session, alice)
	refused(t, err, 403, mxerr.MForbidden)
}

// UIA-17: params maps the types of the offered stages to what those say.
func TestParams(t *testing.T) {
	t.Parallel()
	f := newFixture(hostStage{})
	result, err := f.do(t, op(Flow{TypeDummy, "org.example.stage"}), "")
	r := challenged(t, result, err)
	want := map[string]any{"org.example.stage": map[string]string{"url": "https://example.org/op/" + r.Session}}
	if diff := cmp.Diff(want, r.Params); diff != "" {
		t.Errorf("params (-want +got):\n%s", diff)
	}
}

func TestBoundedSessions(t *testing.T) {
	t.Parallel()
	f := newFixture()
	f.sessions.limit = 3
	var ids []string
	for range 5 {
		result, err := f.do(t, op(Flow{TypeDummy}), "")
		ids = append(ids, challenged(t, result, err).Session)
	}
	if n, m := len(f.sessions.byID), f.sessions.order.Len(); n != 3 || m != 3 {
		t.Errorf("%d and %d sessions are kept, want 3", n, m)
	}
	for i, id := range ids {
		if known := f.sessions.get(id) != nil; known != (i >= 2) {
			t.Errorf("session %d of 5: known is %v", i, known)
		}
	}
	f.clock.t = f.clock.t.Add(sessionTTL)
	if f.sessions.get(ids[4]); len(f.sessions.byID) != 0 {
		t.Error("expired sessions are kept")
	}
}

// The request of a client that went away does not wait for its turn.
func TestWaitingEndsWithRequest(t *testing.T) {
	t.Parallel()
	f := newFixture()
	o := op(Flow{TypeDummy})
	result, err := f.do(t, o, "")
	r := challenged(t, result, err)
	s := f.sessions.get(r.Session)
	if err := s.lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Do(ctx, f.Engine, o, json.RawMessage(`{"session":"`+r.Session+`"}`), func(context.Context, Proof) (int, error) { return 0, nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRequiredError(t *testing.T) {
	t.Parallel()
	r := &Required{Flows: []Flow{{"a", "b"}, {"c"}}, Code: mxerr.MForbidden, Message: "no"}
	if text := r.Error(); !strings.Contains(text, "a+b or c") || !strings.Contains(text, "M_FORBIDDEN: no") {
		t.Errorf("got %q", text)
	}
}

func FuzzParseAuth(f *testing.F) {
	for _, seed := range []string{``, `null`, `{}`, `{"type":"m.login.dummy","session":"x"}`, `{"type":null}`, `[`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		in, err := parseAuth(json.RawMessage(raw))
		if err == nil && (in.typ != "" || in.session != "") && !json.Valid([]byte(raw)) {
			t.Errorf("accepted %q", raw)
		}
	})
}
