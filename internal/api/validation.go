package api

import (
	"context"
	"net/http"

	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/pages"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/uia"
)

// validation serves how people show that an address is theirs.
func (a *API) validation() []route {
	const link = "/_matrix/static/validate"
	rows := []route{
		post(link+"/code", open, a.postCode).limit(ratelimit.Login),
		raw(http.MethodGet, link, open, a.getLink).limit(ratelimit.Login),
		raw(http.MethodPost, link, open, a.postLink).limit(ratelimit.Login),
	}
	for path, purpose := range map[string]string{
		"/register": uia.OpRegister, "/account/password": uia.OpChangePassword, "/account/3pid": uia.OpAddThreePID,
	} {
		for _, medium := range []string{account.MediumEmail, account.MediumMSISDN} {
			rows = append(rows, post(path+"/"+medium+"/requestToken", open, a.requestToken(purpose, medium)).limit(ratelimit.Register))
		}
	}
	return rows
}

type requestTokenIn struct {
	Secret  string  `json:"client_secret" required:"true"`
	Email   *string `json:"email"`
	Country string  `json:"country"`
	Phone   *string `json:"phone_number"`
	Attempt int64   `json:"send_attempt" required:"true"`
	Next    string  `json:"next_link"`
}

type requestTokenOut struct {
	ID        string `json:"sid"`
	SubmitURL string `json:"submit_url,omitempty"`
}

func (a *API) requestToken(purpose, medium string) func(context.Context, *caller, requestTokenIn) (requestTokenOut, error) {
	return func(ctx context.Context, _ *caller, in requestTokenIn) (requestTokenOut, error) {
		address, name := in.Email, "email"
		if medium == account.MediumMSISDN {
			address, name = in.Phone, "phone_number"
		}
		if address == nil {
			return requestTokenOut{}, mxerr.MissingParam(name)
		}
		started, err := a.Accounts.RequestValidation(ctx, account.ValidationRequest{
			Purpose: purpose, Medium: medium, Address: *address, Country: in.Country, Secret: in.Secret, Attempt: in.Attempt, Next: in.Next,
		})
		return requestTokenOut(started), err
	}
}

type codeIn struct {
	ID     string `json:"sid" required:"true"`
	Secret string `json:"client_secret" required:"true"`
	Code   string `json:"token" required:"true"`
}

type codeOut struct {
	Success bool `json:"success"`
}

func (a *API) postCode(ctx context.Context, _ *caller, in codeIn) (codeOut, error) {
	return codeOut{true}, a.Accounts.SubmitCode(ctx, in.ID, in.Secret, in.Code)
}

type linkIn struct {
	Token string `query:"token" required:"true"`
}

// getLink asks before anything happens: programs that look into mail follow links, too.
func (a *API) getLink(ctx context.Context, w http.ResponseWriter, r *http.Request, _ *caller, in linkIn) error {
	address, purpose, err := a.Accounts.LinkedValidation(ctx, in.Token)
	if err != nil {
		return sorry(w, r, err)
	}
	return page(w, r, http.StatusOK, pages.Page{
		Title: "Is this your address?",
		Text: []string{
			"Somebody wants to " + purposes[purpose] + " at " + string(a.Accounts.Server) + ", with the address " + address + ".",
			"Go on only if it was you.",
		},
		Form:    &pages.Form{Submit: "Yes, it was me"},
		Targets: []string{"https:", "http:"}, // where next_link leads
	})
}

func (a *API) postLink(ctx context.Context, w http.ResponseWriter, r *http.Request, _ *caller, in linkIn) error {
	next, err := a.Accounts.FollowLink(ctx, in.Token)
	if err != nil {
		return sorry(w, r, err)
	}
	if next != "" {
		return redirect(w, r, next, http.StatusSeeOther) // REG-20
	}
	return page(w, r, http.StatusOK, pages.Page{
		Title: "Thank you", Text: []string{"The address is confirmed. You may now close this page and go back to your app."},
	})
}
