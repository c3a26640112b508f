package homeserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/media"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/uia"
)

// A homeserver by itself, whose data is in a file and a directory.
func Example() {
	st, err := sqlite.Open("chat.db")
	if err != nil {
		log.Fatal(err)
	}
	srv, err := homeserver.New("example.org",
		homeserver.WithStore(st),
		homeserver.WithMediaStore(media.Dir("media")),
		homeserver.WithPublicURL("https://example.org"))
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	log.Print(http.ListenAndServe(":8008", srv)) // or, in a program that has a web server: mux.Handle("/chat/", srv)
}

// A homeserver inside a program that serves other things.
func Example_mounting() {
	srv, err := homeserver.New("example.org", homeserver.WithPublicURL("https://app.example.org/chat"))
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	mux := http.NewServeMux()
	mux.Handle("/chat/", srv)
	mux.Handle("/", http.FileServer(http.Dir("static")))
	log.Print(http.ListenAndServe(":8080", mux))
}

// The web server waits for requests in progress, so the homeserver has to end
// the long polls first.
func ExampleServer_Shutdown() {
	srv, err := homeserver.New("example.org")
	if err != nil {
		log.Fatal(err)
	}
	web := &http.Server{Addr: ":8008", Handler: srv}
	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go func() {
		<-interrupted.Done()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(srv.Shutdown(ctx), web.Shutdown(ctx)); err != nil {
			log.Print(err)
		}
	}()
	log.Print(web.ListenAndServe())
}

// users is a program's own table of accounts.
type users map[string]string

// CheckPassword implements uia.Provider.
func (u users) CheckPassword(_ context.Context, user events.UserID, password string) error {
	switch want, ok := u[user.Localpart()]; {
	case !ok:
		return uia.ErrUnknownUser
	case password != want: // a real one compares hashes
		return uia.ErrDenied
	}
	return nil
}

// Users sign in with the passwords that they have at the program.
func ExampleWithAuthProvider() {
	srv, err := homeserver.New("example.org", homeserver.WithAuthProvider(users{"alice": "secret"}))
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
}

// sessions is a program's own table of sessions, by their tokens.
type sessions map[string]string

// CheckPassword implements uia.Provider: nobody signs in with a password.
func (sessions) CheckPassword(context.Context, events.UserID, string) error { return uia.ErrDenied }

// VerifyToken implements uia.TokenVerifier.
func (s sessions) VerifyToken(_ context.Context, token string) (uia.Verified, error) {
	name, ok := s[token]
	if !ok {
		return uia.Verified{}, uia.ErrUnknownToken
	}
	user, err := events.NewUserID(name, "example.org")
	return uia.Verified{User: user, Device: "APP", Until: time.Now().Add(10 * time.Second)}, err
}

// Clients use the tokens of the program as access tokens; accounts and devices are made
// as they come.
func ExampleWithAuthProvider_tokens() {
	srv, err := homeserver.New("example.org", homeserver.WithAuthProvider(sessions{"0a1b2c": "alice"}))
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	r := httptest.NewRequest("GET", "/_matrix/client/v3/account/whoami", nil)
	r.Header.Set("Authorization", "Bearer 0a1b2c")
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, r)
	fmt.Println(w.Body)
	// Output: {"user_id":"@alice:example.org","device_id":"APP","is_guest":false}
}

// invitation is a stage of the program's own: it lets register who shows an
// invitation.
type invitation struct{ code string }

// Type implements uia.Stage.
func (invitation) Type() string { return "org.example.invitation" }

// Check implements uia.Stage.
func (i invitation) Check(_ context.Context, a uia.Attempt) (uia.Passed, error) {
	var auth struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal(a.Auth, &auth); err != nil || auth.Code != i.code { // a real one compares in constant time
		return uia.Passed{}, &homeserver.Error{Status: http.StatusUnauthorized, Code: "M_UNAUTHORIZED", Message: "nobody has invited you"}
	}
	return uia.Passed{}, nil
}

// People register with an invitation, and prove who they are in the usual ways
// for all else.
func ExampleWithStages() {
	stage := invitation{"welcome"}
	srv, err := homeserver.New("example.org",
		homeserver.WithRegistration(homeserver.RegistrationOpen),
		homeserver.WithStages(stage),
		homeserver.WithFlows(func(operation string, _ events.UserID, usual []uia.Flow) []uia.Flow {
			if operation == uia.OpRegister {
				return []uia.Flow{{stage.Type()}}
			}
			return usual
		}))
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	register := func(auth string) {
		r := httptest.NewRequest("POST", "/_matrix/client/v3/register",
			strings.NewReader(`{"username":"alice","password":"wonderland","inhibit_login":true,"auth":`+auth+`}`))
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	register(`{"type":"org.example.invitation","code":"please"}`)
	register(`{"type":"org.example.invitation","code":"welcome"}`)
	// Output:
	// 401
	// 200
}

// Everybody has room for a hundred megabytes.
func ExampleWithMediaRules() {
	srv, err := homeserver.New("example.org", homeserver.WithMediaRules(homeserver.MediaRules{
		MaxUpload: 10 << 20,
		Quota: func(context.Context, events.UserID) (homeserver.MediaQuota, error) {
			return homeserver.MediaQuota{Bytes: 100 << 20}, nil
		},
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
}

// A user who is signed in at the program gets a session at the homeserver
// without another password.
func ExampleServer_SignIn() {
	srv, err := homeserver.New("example.org")
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	username := func(*http.Request) string { return "alice" } // of the program's own cookie
	http.HandleFunc("POST /chat/session", func(w http.ResponseWriter, r *http.Request) {
		session, err := srv.SignIn(r.Context(), username(r), homeserver.Device{Name: "web chat"})
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{
			"user_id": string(session.User), "device_id": session.Device, "access_token": session.Token,
		})
	})
}

// What a method refuses has the code that a client would see.
func ExampleServer_CreateUser() {
	srv, err := homeserver.New("example.org")
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	user, err := srv.CreateUser(context.Background(), "alice", "wonderland")
	fmt.Println(user, err)
	_, err = srv.CreateUser(context.Background(), "alice", "looking-glass")
	fmt.Println(errors.Is(err, homeserver.ErrorCode("M_USER_IN_USE")))
	// Output:
	// @alice:example.org <nil>
	// true
}

// A proxy on the same machine tells the addresses of clients.
func ExampleForwardedFor() {
	srv, err := homeserver.New("example.org",
		homeserver.WithClientAddress(homeserver.ForwardedFor(netip.MustParsePrefix("127.0.0.1/32"))))
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
}
