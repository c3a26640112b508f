package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// login serves how sessions begin, and whose they are.
func (a *API) login() []route {
	return []route{
		get("/login", open, a.getLogin).limit(ratelimit.Login),
		post("/login", open, a.postLogin).limit(ratelimit.Login),
		post("/login/get_token", byUser, a.postGetToken).at("v1").limit(ratelimit.Probe),
		post("/refresh", open, a.postRefresh).at("v3").limit(ratelimit.Login),
		get("/account/whoami", byUser, a.getWhoami).guests().limit(ratelimit.Account),
	}
}

// The types of login.
const (
	loginPassword = "m.login.password"
	loginToken    = "m.login.token"
	loginSSO      = "m.login.sso"
	loginService  = "m.login.application_service"
)

type loginFlow struct {
	Type     string `json:"type"`
	GetToken bool   `json:"get_login_token,omitempty"` // LOGIN-2, only m.login.token
	// Providers is what m.login.sso is offered with (SSO-4).
	Providers []identityProvider `json:"identity_providers,omitempty"`
}

type identityProvider struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Icon  string `json:"icon,omitempty"`
	Brand string `json:"brand,omitempty"`
}

type loginFlowsOut struct {
	Flows []loginFlow `json:"flows"`
}

func (a *API) getLogin(context.Context, *caller, empty) (loginFlowsOut, error) {
	if !a.Accounts.LegacyLogin() {
		return loginFlowsOut{}, mxerr.Unrecognized("nobody signs in here by /login") // LOGIN-1
	}
	flows := []loginFlow{}
	if !a.Accounts.NoPasswords {
		flows = append(flows, loginFlow{Type: loginPassword})
	}
	providers := a.Accounts.Providers()
	if len(providers) > 0 {
		sso := loginFlow{Type: loginSSO}
		for _, p := range providers {
			sso.Providers = append(sso.Providers, identityProvider(p))
		}
		flows = append(flows, sso)
	}
	if a.Accounts.LoginTokens || len(providers) > 0 { // SSO-6
		flows = append(flows, loginFlow{Type: loginToken, GetToken: a.Accounts.LoginTokens})
	}
	if len(a.Accounts.Services.All()) > 0 {
		flows = append(flows, loginFlow{Type: loginService})
	}
	return loginFlowsOut{flows}, nil
}

type loginIn struct {
	Type       string          `json:"type" required:"true"`
	Password   *string         `json:"password"`
	Token      *string         `json:"token"`
	Device     string          `json:"device_id"`
	DeviceName string          `json:"initial_device_display_name"`
	Refresh    bool            `json:"refresh_token"`
	Body       json.RawMessage `body:""` // has the identifier, in one of its forms
}

// sessionOut is the answer of login and of registration (LOGIN-5, REG-7).
type sessionOut struct {
	User       events.UserID     `json:"user_id"`
	Token      string            `json:"access_token,omitempty"`
	Device     string            `json:"device_id,omitempty"`
	Refresh    string            `json:"refresh_token,omitempty"`
	ExpiresMS  int64             `json:"expires_in_ms,omitempty"`
	HomeServer events.ServerName `json:"home_server"` // for clients of r0
}

func newSessionOut(s account.Session) sessionOut {
	return sessionOut{s.User, s.Token, s.Device, s.Refresh, s.Expires.Milliseconds(), s.User.Server()}
}

func (a *API) postLogin(ctx context.Context, c *caller, in loginIn) (sessionOut, error) {
	session, err := a.signIn(ctx, c, in, clientOf(c, in.Device, in.DeviceName, in.Refresh))
	return newSessionOut(session), err
}

func (a *API) signIn(ctx context.Context, c *caller, in loginIn, client account.Client) (account.Session, error) {
	switch in.Type {
	case loginPassword:
		if in.Password == nil {
			return account.Session{}, mxerr.MissingParam("password")
		}
		id, err := account.ParseIdentifier(in.Body)
		if err != nil {
			return account.Session{}, err
		}
		return a.Accounts.Login(ctx, id, *in.Password, client)
	case loginToken:
		if in.Token == nil {
			return account.Session{}, mxerr.MissingParam("token")
		}
		return a.Accounts.LoginWithToken(ctx, *in.Token, client)
	case loginService:
		id, err := account.ParseIdentifier(in.Body)
		if err != nil {
			return account.Session{}, err
		}
		return a.Accounts.LoginByService(ctx, c.Presented.Token, id, client)
	}
	return account.Session{}, mxerr.New(http.StatusBadRequest, mxerr.MUnknown, "type %q is not supported", in.Type) // LOGIN-3
}

type getTokenIn struct {
	Auth json.RawMessage `json:"auth"`
}

type getTokenOut struct {
	Token     string `json:"login_token"`
	ExpiresMS int64  `json:"expires_in_ms"`
}

func (a *API) postGetToken(ctx context.Context, c *caller, in getTokenIn) (getTokenOut, error) {
	token, lifetime, err := a.Accounts.LoginToken(ctx, c.User, in.Auth)
	return getTokenOut{token, lifetime.Milliseconds()}, err
}

// clientOf describes the program that signs in.
func clientOf(c *caller, device, name string, refresh bool) account.Client {
	return account.Client{
		Device: device, DeviceName: name, Refresh: refresh,
		Address: c.Presented.Address, UserAgent: c.Presented.UserAgent,
	}
}

type refreshIn struct {
	Token string `json:"refresh_token" required:"true"`
}

type refreshOut struct {
	Token     string `json:"access_token"`
	Refresh   string `json:"refresh_token"`
	ExpiresMS int64  `json:"expires_in_ms"`
}

func (a *API) postRefresh(ctx context.Context, _ *caller, in refreshIn) (refreshOut, error) {
	s, err := a.Accounts.Refresh(ctx, in.Token)
	return refreshOut{s.Token, s.Refresh, s.Expires.Milliseconds()}, err
}

type whoamiOut struct {
	User   events.UserID `json:"user_id"`
	Device string        `json:"device_id,omitempty"`
	Guest  bool          `json:"is_guest"`
}

func (a *API) getWhoami(_ context.Context, c *caller, _ empty) (whoamiOut, error) {
	return whoamiOut{c.User, c.Device, c.Guest}, nil
}

// Accounts is an [Authenticator] over the accounts of the server.
type Accounts struct{ *account.Service }

var _ Authenticator = Accounts{}

// Authenticate implements Authenticator.
func (a Accounts) Authenticate(ctx context.Context, p Credentials) (*Caller, error) {
	if service := a.Services.ByToken(p.Token); service != nil {
		as := account.Assertion{User: p.User, Device: p.Device}
		id, err := a.Act(ctx, service, as, p.Address, p.UserAgent, p.EvenIfLocked)
		if err != nil {
			return nil, err
		}
		return &Caller{
			User: id.User, Device: id.Device, Suspended: id.Suspended, Service: service.ID,
			Unlimited: service.Unlimited || id.User == service.User, // RATE-6
		}, nil
	}
	id, err := a.Service.Authenticate(ctx, p.Token, p.Address, p.UserAgent, p.EvenIfLocked)
	if err != nil {
		return nil, err
	}
	return &Caller{User: id.User, Device: id.Device, Guest: id.Guest, Suspended: id.Suspended}, nil
}
