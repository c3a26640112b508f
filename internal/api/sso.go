package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/pages"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/uia"
)

// sso serves how people sign in at an identity provider.
func (a *API) sso() []route {
	const begin = "/login/sso/redirect"
	return []route{
		raw(http.MethodGet, begin, open, a.getSSO).limit(ratelimit.Login),
		raw(http.MethodGet, begin+"/{idpId}", open, a.getSSOProvider).limit(ratelimit.Login),
		raw(http.MethodGet, "/login/sso/callback/{idpId}", open, a.getSSOCallback).at("v3").limit(ratelimit.Login),
		raw(http.MethodPost, "/login/sso/confirm", open, a.postSSOConfirm).at("v3").limit(ratelimit.Login),
	}
}

// ssoIn is the request for single sign-on: of a login with a redirectUrl, or of the server's own page for the m.login.sso stage
// with a session.
type ssoIn struct {
	Redirect     string `query:"redirectUrl"`
	Session      string `query:"session"`
	Action       string `query:"action"`
	LegacyAction string `query:"org.matrix.msc3824.action"`
}

func (in ssoIn) request(provider string) account.SSORequest {
	return account.SSORequest{
		Provider: provider, Redirect: in.Redirect, Session: in.Session,
		Register: in.Action == "register" || in.LegacyAction == "register",
	}
}

func (a *API) getSSO(ctx context.Context, w http.ResponseWriter, r *http.Request, _ *caller, in ssoIn) error {
	providers := a.Accounts.Providers()
	switch {
	case len(providers) == 0:
		return mxerr.Unrecognized("single sign-on is not offered here") // SSO-6
	case in.Redirect == "":
		return mxerr.MissingParam("redirectUrl")
	case len(providers) == 1:
		return a.beginSSO(ctx, w, r, in.request(providers[0].ID))
	}
	if err := a.Accounts.CheckRedirect(in.Redirect); err != nil {
		return tell(w, r, err)
	}
	p := pages.Page{Title: "Sign in to " + string(a.Accounts.Server), Text: []string{"Choose how:"}}
	for _, provider := range providers {
		p.Links = append(p.Links, pages.Link{Name: provider.Name, URL: "redirect/" + url.PathEscape(provider.ID) + "?" + r.URL.RawQuery})
	}
	return page(w, r, http.StatusOK, p)
}

type ssoProviderIn struct {
	ssoIn
	Provider string `path:"idpId"`
}

func (a *API) getSSOProvider(ctx context.Context, w http.ResponseWriter, r *http.Request, _ *caller, in ssoProviderIn) error {
	if in.Redirect == "" && in.Session == "" {
		return mxerr.MissingParam("redirectUrl")
	}
	return a.beginSSO(ctx, w, r, in.request(in.Provider))
}

// beginSSO sends the browser to the provider, with a cookie of what it is sent for (SSO-7).
func (a *API) beginSSO(ctx context.Context, w http.ResponseWriter, r *http.Request, in account.SSORequest) error {
	begun, err := a.Accounts.BeginSSO(ctx, in)
	if err != nil {
		return tell(w, r, err)
	}
	http.SetCookie(w, a.ssoCookie(begun.State, begun.Sealed, int(begun.MaxAge.Seconds())))
	return redirect(w, r, begun.URL, http.StatusFound)
}

// tell refuses a person by a page, and a program by an error like anywhere (SSO-2).
func tell(w http.ResponseWriter, r *http.Request, err error) error {
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		return sorry(w, r, err)
	}
	return err
}

// ssoCookie keeps a sign-on in the browser, one cookie for each so that they do not meet. It is sent along with links from the
// provider's site, which Lax allows, and with nothing else.
func (a *API) ssoCookie(state, value string, maxAge int) *http.Cookie {
	base, err := url.Parse(a.Accounts.PublicURL)
	if err != nil {
		base = new(url.URL)
	}
	return &http.Cookie{
		Name: "hs_sso_" + state, Value: value, MaxAge: maxAge,
		Path: base.Path + "/_matrix/client/v3/login/sso/callback", Secure: base.Scheme == "https", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

type ssoCallbackIn struct {
	Provider string `path:"idpId"`
	State    string `query:"state"`
}

func (a *API) getSSOCallback(ctx context.Context, w http.ResponseWriter, r *http.Request, _ *caller, in ssoCallbackIn) error {
	sealed := ""
	if strings.IndexFunc(in.State, notLetterOrDigit) < 0 {
		if cookie, err := r.Cookie("hs_sso_" + in.State); err == nil {
			sealed = cookie.Value
			http.SetCookie(w, a.ssoCookie(in.State, "", -1))
		}
	}
	finished, err := a.Accounts.FinishSSO(ctx, in.Provider, sealed, r.URL.Query())
	if err != nil {
		return sorry(w, r, err)
	}
	if finished.Redirect != "" {
		return redirect(w, r, finished.Redirect, http.StatusFound)
	}
	return page(w, r, http.StatusOK, confirmPage(finished))
}

// redirect sends the browser on. The URL has a secret in it.
func redirect(w http.ResponseWriter, r *http.Request, to string, status int) error {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, to, status)
	return nil
}

// confirmPage asks whether what the sign-on was for is wanted.
func confirmPage(f account.FinishedSSO) pages.Page {
	p := pages.Page{Form: &pages.Form{
		Action: "../confirm", Submit: "Continue",
		Fields: []pages.Field{{Name: "sealed", Type: "hidden", Value: f.Sealed}},
	}}
	if f.Operation != nil {
		p.Title, p.Text = "Do you want this?", []string{purpose(*f.Operation)}
		return p
	}
	p.Title = "Continue to " + f.App + "?"
	p.Text = []string{
		"You are about to sign in to " + f.App + " as " + string(f.User) + ".",
		"It will be able to read and send everything in your name. If you do not know it, close this page.",
	}
	p.Targets = []string{f.Target}
	return p
}

func notLetterOrDigit(r rune) bool {
	return (r < 'A' || r > 'Z') && (r < '0' || r > '9')
}

func (a *API) postSSOConfirm(ctx context.Context, w http.ResponseWriter, r *http.Request, _ *caller, _ empty) error {
	filled, err := formValues(w, r)
	if err != nil {
		return sorry(w, r, err)
	}
	to, err := a.Accounts.ConfirmSSO(ctx, filled.Get("sealed"))
	switch {
	case err != nil:
		return sorry(w, r, err)
	case to == "":
		return done(w, r)
	}
	return redirect(w, r, to, http.StatusSeeOther)
}

// ssoPage is the page of the m.login.sso stage: it leads to the providers and says what is confirmed there (UIA-27).
func (a *API) ssoPage(op uia.Operation, session string) pages.Page {
	p := pages.Page{Title: "Confirm who you are", Text: []string{purpose(op)}}
	for _, provider := range a.Accounts.Providers() {
		p.Links = append(p.Links, pages.Link{
			Name: "Continue with " + provider.Name,
			URL:  "../../../login/sso/redirect/" + url.PathEscape(provider.ID) + "?session=" + url.QueryEscape(session),
		})
	}
	return p
}
