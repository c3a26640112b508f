package homeserver_test

import (
	"strings"
	"testing"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// DISC-1, DISC-2, DISC-4: what the host publishes, and nothing by default.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	plain := homeservertest.New(t).Anonymous()
	plain.Do(t, "GET", "/.well-known/matrix/support", nil).WantError(404, "M_NOT_FOUND")

	hs := homeservertest.New(t,
		homeserver.WithPublicURL("https://example.org/chat/"),
		homeserver.WithWellKnown("m.identity_server", map[string]string{"base_url": "https://id.example.org"}),
		homeserver.WithWellKnown("org.example.foci", []int{1}),
		homeserver.WithSupport("https://example.org/old", homeserver.Contact{Role: "m.role.admin", MatrixID: "@admin:example.org"}),
		homeserver.WithSupport("https://example.org/help", homeserver.Contact{Role: "m.role.security", EmailAddress: "s@example.org"}),
	).Anonymous()
	for path, want := range map[string]string{
		"/.well-known/matrix/client": `{"m.homeserver":{"base_url":"https://example.org/chat"},` +
			`"m.identity_server":{"base_url":"https://id.example.org"},"org.example.foci":[1]}`,
		"/.well-known/matrix/support": `{"contacts":[{"role":"m.role.admin","matrix_id":"@admin:example.org"},` +
			`{"role":"m.role.security","email_address":"s@example.org"}],"support_page":"https://example.org/help"}`,
	} {
		if got := hs.Get(t, path).Raw; got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

// DISC-5, ID-9: what could not be published is refused.
func TestDiscoveryFaults(t *testing.T) {
	t.Parallel()
	for fault, option := range map[string]homeserver.Option{
		`"help" is not an absolute URL`:  homeserver.WithSupport("help"),
		`role ""`:                        homeserver.WithSupport("", homeserver.Contact{EmailAddress: "s@example.org"}),
		"neither a Matrix ID":            homeserver.WithSupport("", homeserver.Contact{Role: "m.role.admin"}),
		`user ID "admin"`:                homeserver.WithSupport("", homeserver.Contact{Role: "m.role.admin", MatrixID: "admin"}),
		`role "m.role.cook"`:             homeserver.WithSupport("", homeserver.Contact{Role: "m.role.cook", EmailAddress: "s@example.org"}),
		`role "Org.example"`:             homeserver.WithSupport("", homeserver.Contact{Role: "Org.example", EmailAddress: "s@example.org"}),
		`role "org.example role"`:        homeserver.WithSupport("", homeserver.Contact{Role: "org.example role", EmailAddress: "s@example.org"}),
		`"Mel <s@example.org>" is not`:   homeserver.WithSupport("", homeserver.Contact{Role: "m.role.admin", EmailAddress: "Mel <s@example.org>"}),
		`"example.org" is not an e-mail`: homeserver.WithSupport("", homeserver.Contact{Role: "m.role.admin", MatrixID: "@a:example.org", EmailAddress: "example.org"}),
		`"m.homeserver" is neither`:      homeserver.WithWellKnown("m.homeserver", 1),
		`"m.identity" is neither`:        homeserver.WithWellKnown("m.identity", 1),
		`"foci" is neither`:              homeserver.WithWellKnown("foci", 1),
		`"org.Example" is neither`:       homeserver.WithWellKnown("org.Example", 1),
		"org.example.f: json":            homeserver.WithWellKnown("org.example.f", func() {}),
	} {
		if _, err := homeserver.New("example.org", option); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("want a fault with %q, got %v", fault, err)
		}
	}
}
