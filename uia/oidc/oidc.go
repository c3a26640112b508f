// Package oidc signs people in with OpenID Connect: any provider with a
// discovery document, such as Keycloak, Authentik, Google or GitLab.
//
//	keycloak, err := oidc.New(oidc.Config{
//		Info:     uia.ProviderInfo{ID: "keycloak", Name: "Example Inc."},
//		Issuer:   "https://sso.example.org/realms/staff",
//		ClientID: "matrix", ClientSecret: secret,
//	})
//	srv, err := homeserver.New("example.org", homeserver.WithPublicURL(url),
//		homeserver.WithSSO(homeserver.SSO{Providers: []uia.IdentityProvider{keycloak}}))
//
// At the provider, register the redirect URI
// <public URL>/_matrix/client/v3/login/sso/callback/<ID>.
//
// It is the authorization code flow with PKCE and a nonce. The ID token is
// verified and nothing else is asked for; it is not kept. People are known by
// the token's subject; a new account is called like its preferred_username, or
// what comes before the @ of its e-mail address.
package oidc

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/ca4c8834/homeserver/uia"
)

// Config describes a provider. Fields that are not marked as required may be
// left out.
type Config struct {
	Info         uia.ProviderInfo // required
	Issuer       string           // URL, exactly as in the ID tokens; required
	ClientID     string           // required
	ClientSecret string           // empty for a public client
	// Scopes are asked for beside openid; nil: profile and email.
	Scopes []string
	// Map turns the verified claims of an ID token into a person, or refuses
	// with an error that wraps uia.ErrDenied; nil: as the package says.
	Map func(ctx context.Context, claims json.RawMessage) (uia.External, error)
	// Client makes all requests to the provider; nil: one with a timeout of
	// 30 seconds.
	Client *http.Client
}

// patience is how long the provider may take to answer a request.
const patience = 30 * time.Second

// New makes a provider. It does not ask the provider anything before somebody
// signs in there.
func New(cfg Config) (uia.IdentityProvider, error) {
	err := cfg.Info.Check()
	if u, e := url.Parse(cfg.Issuer); e != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		err = errors.Join(err, fmt.Errorf("the issuer %q is not an absolute URL", cfg.Issuer))
	}
	if cfg.ClientID == "" {
		err = errors.Join(err, errors.New("the client ID is missing"))
	}
	if err != nil {
		return nil, fmt.Errorf("make identity provider: %w", err)
	}
	if cfg.Scopes == nil {
		cfg.Scopes = []string{"profile", "email"}
	}
	if cfg.Map == nil {
		cfg.Map = mapClaims
	}
	cfg.Client = cmp.Or(cfg.Client, &http.Client{Timeout: patience})
	return &provider{Config: cfg}, nil
}

type provider struct {
	Config

	mu     sync.Mutex
	known  *endpoints // nil before the provider has answered
	asking *question  // nil unless somebody asks it
}

// endpoints is what the provider has said of itself.
type endpoints struct {
	oidc   *oidc.Provider
	client *oauth2.Config // it learns how the provider wants the secret
}

// question is one request for the endpoints, made by one caller for all who need them
// meanwhile: a provider that does not answer keeps them no longer than one of them.
type question struct {
	done      chan struct{} // closed when there is an answer
	err       error
	abandoned bool // whoever asked has gone
}

var _ uia.IdentityProvider = (*provider)(nil)

// About implements uia.IdentityProvider.
func (p *provider) About() uia.ProviderInfo { return p.Info }

// discover returns where the endpoints of the provider are, and asks it if that is not
// known yet. An answer that fails is that of all who wait for it; the next caller asks
// again.
func (p *provider) discover(ctx context.Context) (*endpoints, error) {
	for {
		p.mu.Lock()
		known, asking := p.known, p.asking
		if known == nil && asking == nil {
			p.asking = &question{done: make(chan struct{})}
		}
		p.mu.Unlock()
		switch {
		case known != nil:
			return known, nil
		case asking == nil:
			return p.ask(ctx)
		}
		select {
		case <-asking.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if asking.err != nil && !asking.abandoned {
			return nil, asking.err
		}
	}
}

// ask answers the question that its caller has put.
func (p *provider) ask(ctx context.Context) (*endpoints, error) {
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.Client), p.Issuer)
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.asking
	p.asking = nil
	defer close(q.done)
	if err != nil {
		q.err, q.abandoned = fmt.Errorf("discover %s: %w", p.Issuer, err), ctx.Err() != nil
		return nil, q.err
	}
	p.known = &endpoints{found, &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: found.Endpoint(),
		Scopes: append([]string{oidc.ScopeOpenID}, p.Scopes...),
	}}
	return p.known, nil
}

func redirectTo(callback string) oauth2.AuthCodeOption {
	return oauth2.SetAuthURLParam("redirect_uri", callback)
}

// Begin implements uia.IdentityProvider. The secret is the verifier of PKCE, and
// the nonce is made from it.
func (p *provider) Begin(ctx context.Context, r uia.SSORequest) (uia.SSOStart, error) {
	at, err := p.discover(ctx)
	if err != nil {
		return uia.SSOStart{}, err
	}
	verifier := oauth2.GenerateVerifier()
	options := []oauth2.AuthCodeOption{redirectTo(r.Callback), oauth2.S256ChallengeOption(verifier), oidc.Nonce(nonce(verifier))}
	if r.Register {
		options = append(options, oauth2.SetAuthURLParam("prompt", "create"))
	}
	return uia.SSOStart{URL: at.client.AuthCodeURL(r.State, options...), Secret: verifier}, nil
}

// nonce binds an ID token to a sign-on. It does not give away the verifier.
func nonce(verifier string) string { return oauth2.S256ChallengeFromVerifier("nonce " + verifier) }

// Finish implements uia.IdentityProvider.
func (p *provider) Finish(ctx context.Context, r uia.SSOResponse) (uia.External, error) {
	if code := r.Query.Get("error"); code != "" {
		return uia.External{}, fmt.Errorf("%s: %s: %w", code, r.Query.Get("error_description"), uia.ErrDenied)
	}
	at, err := p.discover(ctx)
	if err != nil {
		return uia.External{}, err
	}
	ctx = oidc.ClientContext(ctx, p.Client)
	token, err := at.client.Exchange(ctx, r.Query.Get("code"), redirectTo(r.Callback), oauth2.VerifierOption(r.Secret))
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.ErrorCode == "invalid_grant" {
		return uia.External{}, fmt.Errorf("exchange code: %s: %w", refused.ErrorCode, uia.ErrDenied)
	}
	if err != nil {
		return uia.External{}, fmt.Errorf("exchange code: %w", err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := at.oidc.VerifierContext(ctx, &oidc.Config{ClientID: p.ClientID}).Verify(ctx, raw)
	if err != nil {
		return uia.External{}, fmt.Errorf("verify ID token: %w", err)
	}
	if id.Nonce != nonce(r.Secret) {
		return uia.External{}, fmt.Errorf("the ID token is of another sign-on: %w", uia.ErrDenied)
	}
	var claims json.RawMessage
	if err := id.Claims(&claims); err != nil {
		return uia.External{}, fmt.Errorf("read claims: %w", err)
	}
	who, err := p.Map(ctx, claims)
	who.Subject = cmp.Or(who.Subject, id.Subject)
	return who, err
}

// mapClaims takes a person from the standard claims.
func mapClaims(_ context.Context, raw json.RawMessage) (uia.External, error) {
	var claims struct {
		Username string `json:"preferred_username"`
		Email    string `json:"email"`
		Name     string `json:"name"`
	}
	if err := json.Unmarshal(raw, &claims); err != nil {
		return uia.External{}, fmt.Errorf("read claims: %w", err)
	}
	local, _, _ := strings.Cut(claims.Email, "@")
	name, _, _ := strings.Cut(claims.Username, "@") // some providers have addresses there
	return uia.External{Username: cmp.Or(name, local), DisplayName: claims.Name}, nil
}
