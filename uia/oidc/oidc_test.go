package oidc

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/uia"
	"github.com/ca4c8834/homeserver/uia/uiatest"
)

// issuer is a small OpenID Connect server that lets everybody in as alice.
type issuer struct {
	*httptest.Server
	key    *rsa.PrivateKey             // that signs
	public any                         // that is said to sign
	change func(claims map[string]any) // of the next ID token

	asked    url.Values // of the authorization request
	redeemed bool       // the code
	discover int        // how often
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key, public: key.Public(), change: func(map[string]any) {}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.configuration)
	mux.HandleFunc("GET /keys", i.keys)
	mux.HandleFunc("GET /auth", i.authorize)
	mux.HandleFunc("POST /token", i.token)
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (i *issuer) configuration(w http.ResponseWriter, _ *http.Request) {
	i.discover++
	answer(w, 200, map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/auth", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

func (i *issuer) keys(w http.ResponseWriter, _ *http.Request) {
	answer(w, 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.public, KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
}

func (i *issuer) authorize(w http.ResponseWriter, r *http.Request) {
	i.asked, i.redeemed = r.URL.Query(), false
	back := i.asked.Get("redirect_uri") + "?" + url.Values{"state": {i.asked.Get("state")}, "code": {"c0de"}}.Encode()
	http.Redirect(w, r, back, http.StatusFound)
}

func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	user, secret, ok := r.BasicAuth()
	if !ok {
		user, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	}
	challenge := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	switch {
	case user != "matrix" || secret != "s3cret":
		answer(w, 401, map[string]string{"error": "invalid_client"})
		return
	case r.FormValue("code") != "c0de" || i.redeemed || r.FormValue("redirect_uri") != i.asked.Get("redirect_uri") ||
		base64.RawURLEncoding.EncodeToString(challenge[:]) != i.asked.Get("code_challenge"):
		answer(w, 400, map[string]string{"error": "invalid_grant"})
		return
	}
	i.redeemed = true
	claims := map[string]any{
		"iss": i.URL, "aud": "matrix", "sub": "42", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
		"nonce": i.asked.Get("nonce"), "preferred_username": "alice", "email": "al@example.com", "name": "Alice Example",
	}
	i.change(claims)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: i.key}, (&jose.SignerOptions{}).WithHeader("kid", "1"))
	if err != nil {
		panic(err)
	}
	payload, _ := json.Marshal(claims)
	signed, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	id, _ := signed.CompactSerialize()
	answer(w, 200, map[string]any{"access_token": "x", "token_type": "Bearer", "expires_in": 60, "id_token": id})
}

// provider makes the provider of an issuer.
func (i *issuer) provider(t *testing.T, change func(*Config)) uia.IdentityProvider {
	t.Helper()
	cfg := Config{
		Info:   uia.ProviderInfo{ID: "test", Name: "Test"},
		Issuer: i.URL, ClientID: "matrix", ClientSecret: "s3cret", Client: i.Client(),
	}
	if change != nil {
		change(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const callback = "https://hs.example.org/callback"

// visit goes to the issuer, which sends back.
func (i *issuer) visit(t *testing.T, target string) *url.URL {
	t.Helper()
	client := *i.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	back, err := res.Location()
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// browse begins a sign-on, goes to the issuer and comes back.
func (i *issuer) browse(t *testing.T, p uia.IdentityProvider) uia.SSOResponse {
	t.Helper()
	start, err := p.Begin(t.Context(), uia.SSORequest{Callback: callback, State: "st4te"})
	if err != nil {
		t.Fatal(err)
	}
	return uia.SSOResponse{Callback: callback, Secret: start.Secret, Query: i.visit(t, start.URL).Query()}
}

// The contract of identity providers.
func TestContract(t *testing.T) {
	t.Parallel()
	uiatest.RunIdentityProvider(t, func(t *testing.T) (uia.IdentityProvider, uiatest.Browse) {
		i := newIssuer(t)
		return i.provider(t, nil), i.visit
	})
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	p := i.provider(t, nil)
	if i.discover != 0 {
		t.Error("New asks the provider")
	}
	for range 2 {
		got, err := p.Finish(t.Context(), i.browse(t, p))
		want := uia.External{Subject: "42", Username: "alice", DisplayName: "Alice Example"}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Fatalf("%v (-want +got)\n%s", err, diff)
		}
	}
	if i.discover != 1 {
		t.Errorf("discovered %d times", i.discover)
	}
	if scope := i.asked.Get("scope"); scope != "openid profile email" || i.asked.Get("code_challenge_method") != "S256" || i.asked.Get("prompt") != "" {
		t.Errorf("asked for %v", i.asked)
	}
	start, err := p.Begin(t.Context(), uia.SSORequest{Callback: callback, State: "x", Register: true})
	if err != nil || !strings.Contains(start.URL, "prompt=create") {
		t.Errorf("register: %s, %v", start.URL, err)
	}
}

func TestUsernames(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	p := i.provider(t, nil)
	for want, change := range map[string]func(map[string]any){
		"alice": func(c map[string]any) { c["preferred_username"] = "alice@example.com" },
		"al":    func(c map[string]any) { delete(c, "preferred_username") },
		"":      func(c map[string]any) { delete(c, "preferred_username"); delete(c, "email") },
	} {
		i.change = change
		if got, err := p.Finish(t.Context(), i.browse(t, p)); err != nil || got.Username != want || got.Subject != "42" {
			t.Errorf("got %+v, %v, want %q", got, err, want)
		}
	}
}

func TestMap(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	p := i.provider(t, func(c *Config) {
		c.Scopes = []string{"groups"}
		c.Map = func(_ context.Context, claims json.RawMessage) (uia.External, error) {
			if !strings.Contains(string(claims), `"staff"`) {
				return uia.External{}, uia.ErrDenied
			}
			return uia.External{User: "@alice:example.org"}, nil
		}
	})
	if _, err := p.Finish(t.Context(), i.browse(t, p)); !errors.Is(err, uia.ErrDenied) {
		t.Errorf("got %v", err)
	}
	i.change = func(c map[string]any) { c["groups"] = []string{"staff"} }
	got, err := p.Finish(t.Context(), i.browse(t, p))
	if diff := cmp.Diff(uia.External{Subject: "42", User: "@alice:example.org"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if scope := i.asked.Get("scope"); scope != "openid groups" {
		t.Errorf("asked for %s", scope)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		issuer   func(*issuer)
		response func(*uia.SSOResponse)
		denied   bool // else it is a fault
	}{
		"the provider says no":         {response: func(r *uia.SSOResponse) { r.Query = url.Values{"error": {"access_denied"}} }, denied: true},
		"wrong code":                   {response: func(r *uia.SSOResponse) { r.Query.Set("code", "x") }, denied: true},
		"another verifier":             {response: func(r *uia.SSOResponse) { r.Secret = strings.Repeat("x", 43) }, denied: true},
		"another nonce":                {issuer: func(i *issuer) { i.change = func(c map[string]any) { c["nonce"] = "x" } }, denied: true},
		"another audience":             {issuer: func(i *issuer) { i.change = func(c map[string]any) { c["aud"] = "x" } }},
		"another issuer":               {issuer: func(i *issuer) { i.change = func(c map[string]any) { c["iss"] = "https://evil.example" } }},
		"expired":                      {issuer: func(i *issuer) { i.change = func(c map[string]any) { c["exp"] = 1 } }},
		"a signature of somebody else": {issuer: func(i *issuer) { i.key = other }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t)
			p := i.provider(t, nil)
			if _, err := p.Finish(t.Context(), i.browse(t, p)); err != nil {
				t.Fatal(err)
			}
			response := i.browse(t, p)
			if test.response != nil {
				test.response(&response)
			}
			if test.issuer != nil {
				test.issuer(i)
			}
			got, err := p.Finish(t.Context(), response)
			if err == nil || errors.Is(err, uia.ErrDenied) != test.denied {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Info: uia.ProviderInfo{ID: "a b", Icon: "https://x", Brand: "X"}, Issuer: "example.org"})
	if err == nil {
		t.Fatal("no fault was found")
	}
	for _, fault := range []string{"the ID", "has no name", "mxc", "brand", "issuer", "client ID"} {
		if !strings.Contains(err.Error(), fault) {
			t.Errorf("%q does not mention %s", err, fault)
		}
	}
	down := httptest.NewServer(http.NotFoundHandler())
	defer down.Close()
	p, err := New(Config{Info: uia.ProviderInfo{ID: "a", Name: "A"}, Issuer: down.URL, ClientID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Begin(t.Context(), uia.SSORequest{}); err == nil || errors.Is(err, uia.ErrDenied) {
		t.Errorf("a provider that is down: %v", err)
	}
}

// silent is a provider whose discovery document takes as long as the test likes.
type silent struct {
	asked   atomic.Int64
	answers chan int // statuses
}

// RoundTrip implements http.RoundTripper.
func (s *silent) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked.Add(1)
	select {
	case status := <-s.answers:
		w := httptest.NewRecorder()
		answer(w, status, map[string]any{"issuer": "https://idp.example.com", "authorization_endpoint": "https://idp.example.com/auth"})
		return w.Result(), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// A provider that does not answer is asked once for all who wait, each of whom may go; when it fails it fails for all of
// them, and the next one asks again. If whoever asked has gone, another one does.
func TestDiscoveryIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := &silent{answers: make(chan int)}
		p, err := New(Config{
			Info: uia.ProviderInfo{ID: "idp", Name: "IdP"}, Issuer: "https://idp.example.com", ClientID: "x", Client: &http.Client{Transport: idp},
		})
		if err != nil {
			t.Fatal(err)
		}
		results := make(chan error)
		begin := func(ctx context.Context) {
			go func() {
				_, err := p.Begin(ctx, uia.SSORequest{Callback: callback, State: "x"})
				results <- err
			}()
			synctest.Wait()
		}
		asked := func(want int64) {
			t.Helper()
			if synctest.Wait(); idp.asked.Load() != want {
				t.Errorf("asked %d times, want %d", idp.asked.Load(), want)
			}
		}
		first, goFirst := context.WithCancel(t.Context())
		second, goSecond := context.WithCancel(t.Context())
		begin(first)
		begin(second)
		begin(t.Context())
		begin(t.Context())
		asked(1)
		goSecond()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("whoever has gone got %v", err)
		}
		asked(1)
		goFirst()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("whoever asked and has gone got %v", err)
		}
		asked(2)
		idp.answers <- http.StatusBadGateway
		for range 2 {
			if err := <-results; err == nil || errors.Is(err, context.Canceled) {
				t.Errorf("those who waited got %v", err)
			}
		}
		asked(2)
		begin(t.Context())
		begin(t.Context())
		asked(3)
		idp.answers <- http.StatusOK
		for range 2 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		begin(t.Context())
		if err := <-results; err != nil {
			t.Error(err)
		}
		asked(3)
	})
}
