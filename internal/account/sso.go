package account

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/uia"
)

// SSO is single sign-on: the providers, and where to go from there.
type SSO struct {
	// Providers are offered in this order; none: there is no single sign-on.
	Providers []uia.IdentityProvider
	// Trusted are URLs of apps that people need not confirm to sign in to: each
	// stands for those that begin with its scheme, host and path (SSO-11).
	Trusted []string
	// TokenLifetime is how long the login token of the app is valid; zero: five
	// seconds (SSO-10).
	TokenLifetime time.Duration
}

const (
	// ssoPatience is how long people may take at a provider, or to confirm.
	ssoPatience = 15 * time.Minute
	// ssoTokenLifetime is enough for an app that waits for it.
	ssoTokenLifetime = 5 * time.Second
	// maxRedirect keeps a pending sign-on within the size of a cookie.
	maxRedirect = 2000
)

// What is sealed, and for what.
const (
	sealPending = "sso pending"
	sealConfirm = "sso confirm"
)

// SSORequest says what single sign-on is for: a login that ends at Redirect, or
// the m.login.sso stage of a Session.
type SSORequest struct {
	Provider string
	Redirect string
	Session  string
	Register bool // action=register (SSO-3)
}

// pending is a sign-on while the browser is at the provider.
type pending struct {
	SSORequest
	State   string
	Secret  string // of the provider
	Expires int64  // milliseconds
}

// PendingSSO is what the browser has to keep while it is at the provider.
type PendingSSO struct {
	URL    string // of the provider
	State  string // names the sign-on
	Sealed string // comes back with the state
	MaxAge time.Duration
}

// Providers returns what single sign-on is offered with.
func (s *Service) Providers() []uia.ProviderInfo {
	infos := make([]uia.ProviderInfo, len(s.SSO.Providers))
	for i, p := range s.SSO.Providers {
		infos[i] = p.About()
	}
	return infos
}

// provider finds a provider by ID. M_UNRECOGNIZED without single sign-on (SSO-6),
// M_NOT_FOUND (SSO-2).
func (s *Service) provider(id string) (uia.IdentityProvider, error) {
	if len(s.SSO.Providers) == 0 {
		return nil, mxerr.Unrecognized("single sign-on is not offered here")
	}
	i := slices.IndexFunc(s.SSO.Providers, func(p uia.IdentityProvider) bool { return p.About().ID == id })
	if i < 0 {
		return nil, mxerr.NotFound("there is no such identity provider")
	}
	return s.SSO.Providers[i], nil
}

// CheckRedirect refuses URLs that no login may end at: those that are not
// absolute, and those that a browser would run (SSO-9).
func (s *Service) CheckRedirect(redirect string) error {
	u, err := url.Parse(redirect)
	switch {
	case err != nil || u.Scheme == "" || strings.HasPrefix(u.Scheme, "http") && u.Host == "" || strings.ContainsAny(redirect, "\\ \t\r\n"):
		return mxerr.InvalidParam("redirectUrl", "must be an absolute URL")
	case slices.Contains([]string{"javascript", "data", "vbscript", "blob", "file", "about"}, strings.ToLower(u.Scheme)):
		return mxerr.InvalidParam("redirectUrl", "has a scheme that is not for apps")
	case len(redirect) > maxRedirect:
		return mxerr.InvalidParam("redirectUrl", "may have at most %d bytes", maxRedirect)
	}
	return nil
}

// BeginSSO returns where to send the browser (SSO-1, SSO-2).
func (s *Service) BeginSSO(ctx context.Context, in SSORequest) (PendingSSO, error) {
	provider, err := s.provider(in.Provider)
	if err != nil {
		return PendingSSO{}, err
	}
	if in.Session == "" {
		err = s.CheckRedirect(in.Redirect)
	} else {
		_, _, err = s.engine.Asked(ctx, in.Session, uia.TypeSSO)
	}
	if err != nil {
		return PendingSSO{}, err
	}
	p := pending{SSORequest: in, State: rand.Text(), Expires: s.nowMillis() + ssoPatience.Milliseconds()}
	start, err := provider.Begin(ctx, uia.SSORequest{Callback: s.callback(in.Provider), State: p.State, Register: in.Register})
	if err != nil {
		return PendingSSO{}, fmt.Errorf("begin single sign-on at %s: %w", in.Provider, err)
	}
	p.Secret = start.Secret
	sealed, err := s.sealer.seal(ctx, sealPending, p)
	return PendingSSO{start.URL, p.State, sealed, ssoPatience}, err
}

// callback is the URL that a provider sends browsers back to.
func (s *Service) callback(provider string) string {
	return s.PublicURL + "/_matrix/client/v3/login/sso/callback/" + url.PathEscape(provider)
}

// FinishedSSO is where a sign-on has led to: to an app, or to the question
// whether that is wanted, whose answer goes to [Service.ConfirmSSO].
type FinishedSSO struct {
	Redirect string // where to go on, with a login token; empty: ask first

	User      events.UserID
	Sealed    string         // for ConfirmSSO
	Operation *uia.Operation // of the m.login.sso stage (UIA-27); nil: it is a login
	App       string         // of a login, for people: the host, or the scheme of an app (SSO-11)
	Target    string         // of a login, for a form-action: where the answer redirects to
}

// FinishSSO takes the browser back from a provider. sealed is what was kept of
// the sign-on that the query names: without it nobody has asked for this one
// (SSO-7). M_FORBIDDEN if the provider has refused, or if the stage is another
// user's.
func (s *Service) FinishSSO(ctx context.Context, provider, sealed string, query url.Values) (FinishedSSO, error) {
	from, err := s.provider(provider)
	if err != nil {
		return FinishedSSO{}, err
	}
	var p pending
	err = s.sealer.open(ctx, sealPending, sealed, &p)
	if errors.Is(err, errUnsealed) || err == nil &&
		(!sameSecret(p.State, query.Get("state")) || p.Provider != provider || p.Expires <= s.nowMillis()) {
		return FinishedSSO{}, mxerr.Forbidden("this sign-in was not begun in this browser, or too long ago")
	}
	if err != nil {
		return FinishedSSO{}, err
	}
	who, err := from.Finish(ctx, uia.SSOResponse{Callback: s.callback(provider), Secret: p.Secret, Query: query})
	if errors.Is(err, uia.ErrDenied) {
		return FinishedSSO{}, mxerr.Forbidden("%s has not confirmed who you are", from.About().Name).Because(err)
	}
	if err == nil && who.Subject == "" && who.User == "" {
		err = errors.New("nobody has come back")
	}
	if err != nil {
		return FinishedSSO{}, fmt.Errorf("finish single sign-on at %s: %w", provider, err)
	}
	finished, err := s.finish(ctx, p, who)
	if err != nil || finished.Redirect != "" {
		return finished, err
	}
	finished.Sealed, err = s.sealer.seal(ctx, sealConfirm, confirmation{
		User: finished.User, Redirect: p.Redirect, Session: p.Session, Expires: s.nowMillis() + ssoPatience.Milliseconds(),
	})
	return finished, err
}

// finish says what is to be confirmed, or where to go on at once.
func (s *Service) finish(ctx context.Context, p pending, who uia.External) (f FinishedSSO, err error) {
	if p.Session == "" {
		if f.User, err = s.externalUser(ctx, p.Provider, who); err != nil {
			return f, err
		}
		if s.trusts(p.Redirect) {
			f.Redirect, err = s.withLoginToken(ctx, f.User, p.Redirect)
		}
		f.App, f.Target = appOf(p.Redirect)
		return f, err
	}
	op, _, err := s.engine.Asked(ctx, p.Session, uia.TypeSSO)
	if err != nil {
		return f, err
	}
	f.Operation = &op
	f.User, err = s.knownUser(ctx, p.Provider, who)
	if err == nil && f.User != op.User {
		err = mxerr.Forbidden("you are not %s", op.User) // UIA-15
	}
	return f, err
}

// confirmation is a sign-on that waits for people to confirm it: nothing else
// says that they wanted it, as providers let in whoever was there lately.
type confirmation struct {
	User     events.UserID
	Redirect string
	Session  string
	Expires  int64 // milliseconds
}

// ConfirmSSO returns where to go on once somebody has confirmed the app; nowhere
// if it was the m.login.sso stage that is passed now.
func (s *Service) ConfirmSSO(ctx context.Context, sealed string) (redirect string, err error) {
	var c confirmation
	err = s.sealer.open(ctx, sealConfirm, sealed, &c)
	if errors.Is(err, errUnsealed) || err == nil && c.Expires <= s.nowMillis() {
		return "", mxerr.Forbidden("nobody has signed in here lately: begin again in your app")
	}
	if err != nil {
		return "", err
	}
	if c.Session != "" {
		return "", s.engine.Complete(ctx, c.Session, uia.TypeSSO, uia.Passed{User: c.User})
	}
	return s.withLoginToken(ctx, c.User, c.Redirect)
}

// withLoginToken adds a login token to the query of a URL and leaves the rest as
// it is, but for an older one (SSO-9).
func (s *Service) withLoginToken(ctx context.Context, user events.UserID, redirect string) (string, error) {
	token, err := s.CreateLoginToken(ctx, user, cmp.Or(s.SSO.TokenLifetime, ssoTokenLifetime))
	if err != nil {
		return "", err
	}
	rest, fragment, hasFragment := strings.Cut(redirect, "#")
	base, query, _ := strings.Cut(rest, "?")
	params := slices.DeleteFunc(strings.Split(query, "&"), func(param string) bool {
		name, _, _ := strings.Cut(param, "=")
		return param == "" || name == "loginToken"
	})
	redirect = base + "?" + strings.Join(append(params, "loginToken="+url.QueryEscape(token)), "&")
	if hasFragment {
		redirect += "#" + fragment
	}
	return redirect, nil
}

// trusts reports whether an app needs no confirmation: one of the configuration,
// or the login page of the server itself.
func (s *Service) trusts(redirect string) bool {
	own := s.PublicURL + "/_matrix/static/client/login/"
	return slices.ContainsFunc(append([]string{own}, s.SSO.Trusted...), func(trusted string) bool { return within(redirect, trusted) })
}

// within reports whether a URL begins with the scheme, host and path of another.
func within(redirect, trusted string) bool {
	u, err1 := url.Parse(redirect)
	t, err2 := url.Parse(trusted)
	if err1 != nil || err2 != nil || u.Scheme != t.Scheme || u.Host != t.Host || u.User != nil {
		return false
	}
	if u.Opaque != "" || t.Opaque != "" {
		return u.Opaque == t.Opaque || t.Opaque == "" && t.Path == ""
	}
	dir := strings.TrimSuffix(t.Path, "/")
	at := path.Clean("/" + u.Path) // decoded, as a browser sees "%2e%2e"
	return at == dir || dir == "" || strings.HasPrefix(at, dir+"/")
}

// appOf returns what a URL is called for people, and as a source in a
// Content-Security-Policy.
func appOf(redirect string) (app, source string) {
	u, err := url.Parse(redirect)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		scheme, _, _ := strings.Cut(redirect, ":")
		return "the app " + scheme, scheme + ":"
	}
	return u.Host, u.Scheme + "://" + u.Host
}
