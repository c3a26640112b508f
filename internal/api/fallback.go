package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/pages"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/uia"
)

// fallback serves the pages for stages that a client cannot show itself, and for the whole login.
func (a *API) fallback() []route {
	const stage = "/auth/{type}/fallback/web"
	return []route{
		raw(http.MethodGet, stage, open, a.getStage),
		raw(http.MethodPost, stage, open, a.postStage).limit(ratelimit.Login),
		raw(http.MethodGet, "/_matrix/static/client/login/", open, a.getLoginPage),
		raw(http.MethodGet, "/_matrix/static/{file}", open, a.getStatic),
	}
}

// maxForm is the largest form in bytes.
const maxForm = 64 << 10

type stageIn struct {
	Type    string `path:"type"`
	Session string `query:"session" required:"true"`
}

// page sends a page with the relative URL of its scripts.
func page(w http.ResponseWriter, r *http.Request, status int, p pages.Page) error {
	return pages.Write(w, status, pages.Root(r.URL.EscapedPath()), p)
}

// sorry sends a refusal as a page; faults are errors like anywhere.
func sorry(w http.ResponseWriter, r *http.Request, err error) error {
	var refused *mxerr.Error
	if !errors.As(err, &refused) {
		return err
	}
	return page(w, r, refused.Status, pages.Page{Title: "This did not work", Error: refused.Message})
}

// done sends the page that tells the client that a stage is passed (UIA-29).
func done(w http.ResponseWriter, r *http.Request) error {
	return page(w, r, http.StatusOK, pages.Page{
		Title: "Thank you", Text: []string{"You may now close this page and go back to your app."}, Script: pages.ScriptDone,
	})
}

func (a *API) getStage(ctx context.Context, w http.ResponseWriter, r *http.Request, _ *caller, in stageIn) error {
	op, passed, err := a.Accounts.Interactive().Asked(ctx, in.Session, in.Type)
	switch {
	case err != nil:
		return sorry(w, r, err)
	case passed:
		return done(w, r)
	case in.Type == uia.TypeSSO:
		return page(w, r, http.StatusOK, a.ssoPage(op, in.Session))
	case isContact(in.Type):
		return page(w, r, http.StatusOK, addressPage(in.Type, op, nil))
	}
	form, err := a.stageForm(in.Type, op)
	if err != nil {
		return sorry(w, r, err)
	}
	return page(w, r, http.StatusOK, formPage(form, op, ""))
}

func (a *API) postStage(ctx context.Context, w http.ResponseWriter, r *http.Request, _ *caller, in stageIn) error {
	filled, err := formValues(w, r)
	if err != nil {
		return sorry(w, r, err)
	}
	engine := a.Accounts.Interactive()
	op, _, err := engine.Asked(ctx, in.Session, in.Type)
	if err != nil {
		return sorry(w, r, err)
	}
	if isContact(in.Type) {
		return a.postContact(ctx, w, r, in, op, filled)
	}
	form, err := a.stageForm(in.Type, op)
	if err != nil {
		return sorry(w, r, err)
	}
	err = engine.Submit(ctx, in.Session, in.Type, form.Auth(filled))
	if err == nil {
		return done(w, r)
	}
	told, ok := uia.Refusal(err)
	if !ok {
		return sorry(w, r, err)
	}
	return page(w, r, told.Status, formPage(form, op, told.Message))
}

// stageForm returns what the page of a stage asks for.
func (a *API) stageForm(typ string, op uia.Operation) (uia.Form, error) {
	asker, ok := a.Accounts.Interactive().Stage(typ).(uia.Asker)
	if !ok {
		return uia.Form{}, mxerr.NotFound("there is no page for the stage %s", typ)
	}
	return asker.Form(op), nil
}

// formPage is the page of a stage, with what is confirmed by it.
func formPage(f uia.Form, op uia.Operation, refused string) pages.Page {
	p := pages.Page{Title: f.Title, Text: []string{purpose(op)}, Error: refused, Form: &pages.Form{Submit: f.Submit}}
	if f.Text != "" {
		p.Text = append(p.Text, f.Text)
	}
	for _, link := range f.Links {
		p.Links = append(p.Links, pages.Link{Name: link.Name, URL: link.URL, NewTab: true})
	}
	for _, field := range f.Fields {
		p.Form.Fields = append(p.Form.Fields, pages.Field(field))
	}
	if widget := f.Widget; widget != nil {
		p.Form.Widget = &pages.Widget{Script: widget.Script, Class: widget.Class, SiteKey: widget.SiteKey, Origins: widget.Origins}
	}
	return p
}

// purposes says in words what people confirm (UIA-27).
var purposes = map[string]string{
	uia.OpRegister:       "register an account",
	uia.OpChangePassword: "change your password",
	uia.OpDeactivate:     "close your account for ever",
	uia.OpAddThreePID:    "add an e-mail address or phone number to your account",
	uia.OpDeleteDevices:  "remove devices from your account",
	uia.OpLoginToken:     "sign in on another device",
	uia.OpCrossSigning:   "reset the keys that prove your identity",
}

func purpose(op uia.Operation) string {
	text := purposes[op.Name]
	if text == "" {
		text = "do this: " + op.Name
	}
	text = "An app wants to " + text
	if op.User != "" {
		text += ", as " + string(op.User)
	}
	return text + ". Go on only if you have asked for it."
}

// formValues reads a posted form.
func formValues(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, mxerr.BadJSON("the form cannot be read").Because(err)
	}
	return r.PostForm, nil
}

func (a *API) getLoginPage(_ context.Context, w http.ResponseWriter, r *http.Request, _ *caller, _ empty) error {
	p := pages.Page{Title: "Sign in to " + string(a.Accounts.Server), Script: pages.ScriptLogin}
	if !a.Accounts.NoPasswords {
		p.Form = &pages.Form{
			Fields: []pages.Field{
				{Name: "user", Label: "Username", Type: "text", Autocomplete: "username"},
				{Name: "password", Label: "Password", Type: "password", Autocomplete: "current-password"},
			},
			Submit: "Sign in",
		}
	}
	for _, provider := range a.Accounts.Providers() {
		link := pages.Link{Name: "Sign in with " + provider.Name, URL: "../../../client/v3/login/sso/redirect/" + url.PathEscape(provider.ID)}
		p.Links = append(p.Links, link)
	}
	return page(w, r, http.StatusOK, p)
}

type staticIn struct {
	File string `path:"file"`
}

func (a *API) getStatic(_ context.Context, w http.ResponseWriter, _ *http.Request, _ *caller, in staticIn) error {
	if !pages.Static(w, in.File) {
		return mxerr.Unrecognized("no such endpoint")
	}
	return nil
}
