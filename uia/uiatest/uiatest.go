// Package uiatest is the conformance suite for what a host plugs in to decide who its
// users are: a [uia.Provider] with whatever else it can do, and a [uia.IdentityProvider].
//
// # Accounts of the host's own
//
// [Run] checks a provider with one account, which each case gets anew:
//
//	func TestAccounts(t *testing.T) {
//		uiatest.Run(t, func(t *testing.T) uiatest.Accounts {
//			people := newPeople(t) // the host's accounts, with alice among them
//			return uiatest.Accounts{Provider: people, User: "@alice:example.org", Password: "wonderland"}
//		})
//	}
//
// Every provider has to accept the password and nothing else, not even the beginning of it
// or what is no user ID, to refuse with one of the two errors that clients cannot tell
// from each other, to serve many at once, and to return when the context ends. What it implements beyond that
// (uia.PasswordSetter, uia.TokenVerifier, uia.TokenRevoker) is found by assertion and
// checked likewise; the cases for what it lacks are skipped.
//
// # Identity providers
//
// [RunIdentityProvider] checks single sign-on. What a person does in the browser at the
// provider is up to the test: a [Browse] visits the URL that Begin returned, signs in, and
// returns the URL that the browser is sent back to.
//
//	func TestStaff(t *testing.T) {
//		uiatest.RunIdentityProvider(t, func(t *testing.T) (uia.IdentityProvider, uiatest.Browse) {
//			fake := newFakeProvider(t) // an HTTP server that plays the provider
//			return newStaff(fake.URL), fake.signIn
//		})
//	}
//
// The answer to one sign-on must not complete another one: that is what keeps somebody from
// having their victim signed in as themselves.
//
// # How to read a failure
//
// Each case is named after the sentence of the contract that it checks; the whole contract
// is in the comments of the interfaces. What no test can see is left to the provider: that
// comparing a password takes equally long wherever it differs, and that neither passwords
// nor tokens are logged.
package uiatest

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/uia"
)

// Accounts is a provider with one account that the suite may use: cases change its
// password and end its tokens.
type Accounts struct {
	Provider uia.Provider
	User     events.UserID // may sign in with Password
	Password string
	// Token is a token of the user, of a [uia.TokenVerifier]; "" if it is none.
	Token string
}

// patience is how long a call may take that should not wait for anything.
const patience = 10 * time.Second

// Run runs the suite in parallel subtests. open is called for each of them and
// returns accounts that no other case changes.
func Run(t *testing.T, open func(t *testing.T) Accounts) {
	t.Helper()
	for says, test := range map[string]func(*testing.T, Accounts){
		"CheckPassword accepts the password of the user":                               accepts,
		"CheckPassword: ErrDenied or ErrUnknownUser for everything else":               denies,
		"any number of calls at once":                                                  concurrent,
		"an ended context ends the call":                                               ends,
		"PasswordSetter: after SetPassword CheckPassword accepts this one, no other":   sets,
		"TokenVerifier: VerifyToken returns whom a token belongs to":                   verifies,
		"TokenVerifier: ErrUnknownToken or ErrExpiredToken for what is none of theirs": unverified,
		"TokenRevoker: after RevokeTokens VerifyToken refuses them":                    revokes,
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func accepts(t *testing.T, a Accounts) {
	for range 2 {
		if err := a.Provider.CheckPassword(t.Context(), a.User, a.Password); err != nil {
			t.Errorf("the password of %s: %v", a.User, err)
		}
	}
}

// refused wants an error that clients cannot tell from others.
func refused(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, uia.ErrDenied) && !errors.Is(err, uia.ErrUnknownUser) {
		t.Errorf("%s: got %v", what, err)
	}
}

func denies(t *testing.T, a Accounts) {
	nobody := events.UserID("@nobody.at.all:" + string(a.User.Server()))
	for what, try := range map[string]struct {
		user     events.UserID
		password string
	}{
		"another password":             {a.User, a.Password + "x"},
		"the beginning of it":          {a.User, a.Password[:len(a.Password)-1]},
		"no password":                  {a.User, ""},
		"the password with a NUL":      {a.User, a.Password + "\x00"},
		"a very long password":         {a.User, strings.Repeat("x", 1<<16)},
		"an unknown user":              {nobody, a.Password},
		"an unknown user, no password": {nobody, ""},
		"a query in place of a user":   {"@' or 1=1 --:" + events.UserID(a.User.Server()), a.Password},
	} {
		refused(t, what, a.Provider.CheckPassword(t.Context(), try.user, try.password))
	}
	accepts(t, a)
}

func concurrent(t *testing.T, a Accounts) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			accepts(t, a)
			refused(t, "another password", a.Provider.CheckPassword(t.Context(), a.User, "x"))
		})
	}
	wg.Wait()
}

func ends(t *testing.T, a Accounts) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done := make(chan error, 1)
	go func() { done <- a.Provider.CheckPassword(ctx, a.User, "x") }()
	select {
	case err := <-done:
		if err == nil {
			t.Error("another password is accepted once the context has ended")
		}
	case <-time.After(patience):
		t.Error("the call goes on")
	}
}

func sets(t *testing.T, a Accounts) {
	setter, ok := a.Provider.(uia.PasswordSetter)
	if !ok {
		t.Skip("passwords cannot be set")
	}
	const password = "correct horse battery staple 🔋"
	if err := setter.SetPassword(t.Context(), a.User, password); err != nil {
		t.Fatal(err)
	}
	refused(t, "the old password", a.Provider.CheckPassword(t.Context(), a.User, a.Password))
	a.Password = password
	accepts(t, a)
}

func verifies(t *testing.T, a Accounts) {
	verifier, ok := a.Provider.(uia.TokenVerifier)
	if !ok {
		t.Skip("tokens are not verified")
	}
	first, err := verifier.VerifyToken(t.Context(), a.Token)
	if err != nil || first.User != a.User {
		t.Fatalf("the token is %s's, %v; want %s", first.User, err, a.User)
	}
	again, err := verifier.VerifyToken(t.Context(), a.Token)
	if err != nil || again.User != first.User || again.Device != first.Device {
		t.Errorf("first it is %+v, then %+v, %v", first, again, err)
	}
}

func unverified(t *testing.T, a Accounts) {
	verifier, ok := a.Provider.(uia.TokenVerifier)
	if !ok {
		t.Skip("tokens are not verified")
	}
	for _, token := range []string{"", "nonsense", a.Token + "x", a.Token[:len(a.Token)-1], strings.ToUpper(a.Token) + "!", "hs_abc_def"} {
		got, err := verifier.VerifyToken(t.Context(), token)
		if !errors.Is(err, uia.ErrUnknownToken) && !errors.Is(err, uia.ErrExpiredToken) {
			t.Errorf("%q is %+v, %v", token, got, err)
		}
	}
}

func revokes(t *testing.T, a Accounts) {
	revoker, ok := a.Provider.(uia.TokenRevoker)
	if !ok {
		t.Skip("tokens are not revoked")
	}
	of, err := revoker.VerifyToken(t.Context(), a.Token)
	if err != nil {
		t.Fatal(err)
	}
	for what, try := range map[string]struct {
		user    events.UserID
		devices []string
	}{
		"of another device": {a.User, []string{"NO " + of.Device}}, "of no device": {a.User, []string{}},
		"of another user": {"@nobody.at.all:" + events.UserID(a.User.Server()), nil},
	} {
		if err := revoker.RevokeTokens(t.Context(), try.user, try.devices); err != nil {
			t.Errorf("revoke the tokens %s: %v", what, err)
		}
		if _, err := revoker.VerifyToken(t.Context(), a.Token); err != nil {
			t.Errorf("the token, once those %s are revoked: %v", what, err)
		}
	}
	for _, devices := range [][]string{{"NO " + of.Device, of.Device}, nil} { // twice: unknown ones are no error
		if err := revoker.RevokeTokens(t.Context(), a.User, devices); err != nil {
			t.Errorf("revoke: %v", err)
		}
		if got, err := revoker.VerifyToken(t.Context(), a.Token); !errors.Is(err, uia.ErrUnknownToken) {
			t.Errorf("the revoked token is %+v, %v", got, err)
		}
	}
}

// Browse visits the URL of an identity provider as somebody who signs in, and
// returns where the browser is sent: the callback with its query.
type Browse func(t *testing.T, url string) *url.URL

// RunIdentityProvider runs the suite for an identity provider in parallel subtests.
// open is called for each of them; whoever browses is always the same person.
func RunIdentityProvider(t *testing.T, open func(t *testing.T) (uia.IdentityProvider, Browse)) {
	t.Helper()
	for says, test := range map[string]func(*testing.T, uia.IdentityProvider, Browse){
		"About describes the provider and never changes":                        about,
		"Begin returns an absolute URL; the secret is short and not part of it": begins,
		"Finish returns who has come back, always the same":                     finishes,
		"ErrDenied: the provider or the person at it has refused":               refuses,
		"Finish takes no answer to another Begin":                               mixes,
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			p, browse := open(t)
			test(t, p, browse)
		})
	}
}

func about(t *testing.T, p uia.IdentityProvider, _ Browse) {
	first := p.About()
	if err := first.Check(); err != nil {
		t.Error(err)
	}
	if again := p.About(); again != first {
		t.Errorf("first it is %+v, then %+v", first, again)
	}
}

const callback = "https://hs.example.org/_matrix/client/v3/login/sso/callback/idp"

// begin begins a sign-on with a state of its own.
func begin(t *testing.T, p uia.IdentityProvider, state string) uia.SSOStart {
	t.Helper()
	start, err := p.Begin(t.Context(), uia.SSORequest{Callback: callback, State: state})
	if err != nil {
		t.Fatal(err)
	}
	return start
}

func begins(t *testing.T, p uia.IdentityProvider, _ Browse) {
	start := begin(t, p, "st4te")
	if u, err := url.Parse(start.URL); err != nil || !u.IsAbs() || u.Host == "" {
		t.Errorf("URL %q, %v", start.URL, err)
	}
	if len(start.Secret) > 512 || start.Secret != "" && strings.Contains(start.URL, start.Secret) {
		t.Errorf("the secret has %d bytes, or is in %s", len(start.Secret), start.URL)
	}
}

// comeBack begins a sign-on and returns from the provider.
func comeBack(t *testing.T, p uia.IdentityProvider, browse Browse, state string) uia.SSOResponse {
	t.Helper()
	start := begin(t, p, state)
	back := browse(t, start.URL)
	if !strings.HasPrefix(back.String(), callback+"?") || back.Query().Get("state") != state {
		t.Fatalf("came back to %s, want %s with the state %s", back, callback, state)
	}
	return uia.SSOResponse{Callback: callback, Secret: start.Secret, Query: back.Query()}
}

func finishes(t *testing.T, p uia.IdentityProvider, browse Browse) {
	var first uia.External
	for i := range 2 {
		who, err := p.Finish(t.Context(), comeBack(t, p, browse, "st4te"))
		if err != nil || who.Subject == "" && who.User == "" {
			t.Fatalf("got %+v, %v", who, err)
		}
		if i == 0 {
			first = who
		} else if who.Subject != first.Subject || who.User != first.User {
			t.Errorf("first it is %+v, then %+v", first, who)
		}
	}
}

func refuses(t *testing.T, p uia.IdentityProvider, _ Browse) {
	start := begin(t, p, "st4te")
	who, err := p.Finish(t.Context(), uia.SSOResponse{
		Callback: callback, Secret: start.Secret, Query: url.Values{"state": {"st4te"}, "error": {"access_denied"}},
	})
	if !errors.Is(err, uia.ErrDenied) {
		t.Errorf("got %+v, %v", who, err)
	}
}

func mixes(t *testing.T, p uia.IdentityProvider, browse Browse) {
	victim := begin(t, p, "victim")
	if victim.Secret == "" {
		t.Skip("sign-ons have no secret that could differ")
	}
	attacker := comeBack(t, p, browse, "attacker")
	attacker.Secret = victim.Secret
	if who, err := p.Finish(t.Context(), attacker); err == nil {
		t.Errorf("got %+v", who)
	}
}
