package api

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/pages"
	"github.com/ca4c8834/homeserver/uia"
)

// isContact reports whether a stage shows an address. Its page has two steps: it takes the address, and then waits for what
// the message to it says.
func isContact(stage string) bool { return stage == uia.TypeEmail || stage == uia.TypeMSISDN }

func mediumOf(stage string) string {
	if stage == uia.TypeEmail {
		return account.MediumEmail
	}
	return account.MediumMSISDN
}

// addressPage is the first step.
func addressPage(stage string, op uia.Operation, refused error) pages.Page {
	p := pages.Page{Title: "Confirm your e-mail address", Text: []string{purpose(op)}, Error: told(refused), Form: &pages.Form{Submit: "Send me a message"}}
	if stage == uia.TypeEmail {
		p.Form.Fields = []pages.Field{{Name: "address", Label: "E-mail address", Type: "email", Autocomplete: "email"}}
		return p
	}
	p.Title = "Confirm your phone number"
	p.Form.Fields = []pages.Field{
		{Name: "country", Label: "Country, as two letters such as GB", Type: "text", Autocomplete: "country"},
		{Name: "address", Label: "Phone number", Type: "tel", Autocomplete: "tel"},
	}
	return p
}

// sentPage is the second step, with the validation in hidden fields.
func sentPage(stage, id, secret string, refused error) pages.Page {
	p := pages.Page{
		Title: "We have sent you a message", Text: []string{"Follow the link in it. Then come back here and go on."},
		Error: told(refused), Form: &pages.Form{Submit: "Continue"},
	}
	if stage == uia.TypeMSISDN {
		p.Text = []string{"There is a code in it."}
		p.Form.Fields = []pages.Field{{Name: "code", Label: "Code", Type: "text", Autocomplete: "one-time-code"}}
	}
	p.Form.Fields = append(p.Form.Fields,
		pages.Field{Name: "sid", Type: "hidden", Value: id}, pages.Field{Name: "client_secret", Type: "hidden", Value: secret})
	return p
}

// told returns what people are told of a refusal.
func told(err error) string {
	if e, ok := errors.AsType[*mxerr.Error](err); ok {
		return e.Message
	}
	return ""
}

func (a *API) postContact(ctx context.Context, w http.ResponseWriter, r *http.Request, in stageIn, op uia.Operation, filled url.Values) error {
	if filled.Get("sid") != "" {
		return a.postSent(ctx, w, r, in, filled)
	}
	request := account.ValidationRequest{
		Purpose: uia.OpChangePassword, Medium: mediumOf(in.Type), Address: filled.Get("address"), Country: filled.Get("country"),
		Secret: rand.Text(), Attempt: 1,
	}
	if op.Name == uia.OpRegister {
		request.Purpose = uia.OpRegister
	}
	started, err := a.Accounts.RequestValidation(ctx, request)
	refused, ok := errors.AsType[*mxerr.Error](err)
	switch {
	case ok:
		return page(w, r, refused.Status, addressPage(in.Type, op, refused))
	case err != nil:
		return err
	}
	return page(w, r, http.StatusOK, sentPage(in.Type, started.ID, request.Secret, nil))
}

func (a *API) postSent(ctx context.Context, w http.ResponseWriter, r *http.Request, in stageIn, filled url.Values) error {
	id, secret := filled.Get("sid"), filled.Get("client_secret")
	var err error
	if in.Type == uia.TypeMSISDN {
		err = a.Accounts.SubmitCode(ctx, id, secret, filled.Get("code"))
	}
	if err == nil {
		auth, _ := json.Marshal(map[string]any{"threepid_creds": credentials{id, secret}}) // strings always marshal
		err = a.Accounts.Interactive().Submit(ctx, in.Session, in.Type, auth)
	}
	if err == nil {
		return done(w, r)
	}
	refused, ok := uia.Refusal(err)
	if !ok {
		ok = errors.As(err, &refused)
	}
	if !ok {
		return err
	}
	return page(w, r, refused.Status, sentPage(in.Type, id, secret, refused))
}
