package oidc_test

import (
	"log"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/uia"
	"github.com/ca4c8834/homeserver/uia/oidc"
)

// People sign in with the accounts of their company, and with nothing else.
func Example() {
	staff, err := oidc.New(oidc.Config{
		Info:     uia.ProviderInfo{ID: "staff", Name: "Example Inc."},
		Issuer:   "https://sso.example.org/realms/staff",
		ClientID: "matrix", ClientSecret: "of the client, from the provider",
	})
	if err != nil {
		log.Fatal(err)
	}
	srv, err := homeserver.New("example.org",
		homeserver.WithPublicURL("https://chat.example.org"),
		homeserver.WithSSO(homeserver.SSO{
			Providers: []uia.IdentityProvider{staff},
			Trusted:   []string{"https://chat.example.org"}, // the web client
		}),
		homeserver.WithAccountRules(homeserver.AccountRules{NoPasswords: true}),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	// Output:
}
