// Command pages is a server that asks people for everything, for the test of the
// pages in a browser: it runs a homeserver under a prefix, and on another origin what
// belongs to others: identity providers, a captcha, policies, an app and a mailbox.
//
// It writes the two URLs to standard output and ends with standard input.
package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/uia"
)

const prefix = "/chat"

//go:embed site
var site embed.FS

func main() {
	ours, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	others, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	public, elsewhere := "http://"+ours.Addr().String()+prefix, "http://"+others.Addr().String()
	mail := &mailbox{last: make(map[string]uia.Message)}
	srv, err := homeserver.New("example.org",
		homeserver.WithPublicURL(public),
		homeserver.WithoutRateLimits(), homeserver.WithInsecurePasswordHashing(),
		homeserver.WithRegistration(homeserver.RegistrationByToken), homeserver.WithRegistrationTokens("friend"),
		homeserver.WithCaptcha(uia.Captcha{
			SiteKey: "site", Secret: "secret", ScriptURL: elsewhere + "/captcha.js", VerifyURL: elsewhere + "/verify", Origins: []string{elsewhere},
		}),
		homeserver.WithTerms(policy("terms_of_service", "Terms of service", elsewhere), policy("privacy_policy", "Privacy policy", elsewhere)),
		homeserver.WithEmail(mail, homeserver.Required),
		homeserver.WithTextMessages(mail, func(_, number string) (string, error) { return number, nil }, homeserver.Required),
		homeserver.WithSSO(homeserver.SSO{Providers: []uia.IdentityProvider{provider{"red", elsewhere}, provider{"blue", elsewhere}}}),
		homeserver.WithFlows(func(operation string, _ events.UserID, usual []uia.Flow) []uia.Flow {
			if operation == uia.OpLoginToken {
				return []uia.Flow{{uia.TypePassword, uia.TypeDummy}}
			}
			return usual
		}),
		homeserver.WithAccountRules(homeserver.AccountRules{LoginTokens: true}),
	)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := srv.CreateUser(context.Background(), "alice", "wonderland"); err != nil {
		log.Fatal(err)
	}
	files, err := fs.Sub(site, "site")
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("POST /verify", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]bool{"success": r.FormValue("secret") == "secret" && r.FormValue("response") == "solved"})
	})
	mux.Handle("GET /mail", mail)
	go serve(ours, http.StripPrefix(prefix, srv))
	go serve(others, mux)
	fmt.Printf("{\"homeserver\":%q,\"site\":%q}\n", public, elsewhere)
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := srv.Close(); err != nil {
		log.Fatal(err)
	}
}

func serve(l net.Listener, h http.Handler) { log.Fatal(http.Serve(l, h)) }
