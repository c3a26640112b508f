package homeservertest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/record"
)

const (
	// Name is the name of every server of this package.
	Name = "example.org"
	// Password is the password of the users that [Server.User] makes.
	Password = "correct horse battery staple"
)

// patience is how long a client waits for one answer, and how long a server
// waits for the requests in progress when the test ends.
const patience = time.Minute

// Server is a homeserver that listens.
type Server struct {
	*homeserver.Server
	// URL is where clients find it, such as "http://127.0.0.1:40123".
	URL string

	http  *http.Client
	front *front
}

// New starts a server that is stopped when the test ends. Its warnings and
// errors go to the test's log.
func New(tb testing.TB, options ...homeserver.Option) *Server {
	tb.Helper()
	listener := httptest.NewUnstartedServer(nil)
	url := "http://" + listener.Listener.Addr().String()
	log := slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	srv, err := homeserver.New(Name, append([]homeserver.Option{
		homeserver.WithPublicURL(url),
		homeserver.WithRegistration(homeserver.RegistrationOpen),
		homeserver.WithoutRateLimits(),
		homeserver.WithInsecurePasswordHashing(),
		homeserver.WithLogger(log),
	}, options...)...)
	if err != nil {
		listener.Close()
		tb.Fatal(err)
	}
	front := &front{server: record.Handler(srv)}
	listener.Config.Handler = front
	listener.Start()
	client := listener.Client()
	client.Timeout = patience
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = 100
	tb.Cleanup(func() {
		// The test's context has ended; the long polls have to go before the
		// listener, which waits for them.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			tb.Errorf("stop homeserver: %v", err)
		}
		listener.Close()
	})
	return &Server{srv, url, client, front}
}

// User registers a user and returns a client that is signed in. The password is
// [Password]. Beside homeserver.WithAuthProvider nobody registers: there, Login signs
// in whom the provider knows with that password, and Server.SignIn anybody.
func (s *Server) User(tb testing.TB, username string) *Client {
	tb.Helper()
	return s.signedIn(s.Anonymous().MustDo(tb, "POST", "/v3/register", map[string]any{
		"auth": map[string]any{"type": "m.login.dummy"}, "username": username, "password": Password,
	}))
}

// Login signs a user in with [Password], such as one of [Server.User] once more, on a new
// device.
func (s *Server) Login(tb testing.TB, username string) *Client {
	tb.Helper()
	return s.signedIn(s.Anonymous().MustDo(tb, "POST", "/v3/login", map[string]any{
		"type":       "m.login.password",
		"identifier": map[string]any{"type": "m.id.user", "user": username}, "password": Password,
	}))
}

func (s *Server) signedIn(answer gjson.Result) *Client {
	c := s.Anonymous()
	c.User = events.UserID(answer.Get("user_id").String())
	c.Device = answer.Get("device_id").String()
	c.Token = answer.Get("access_token").String()
	return c
}

// Anonymous returns a client that is not signed in.
func (s *Server) Anonymous() *Client { return &Client{url: s.URL, http: s.http} }

// String returns name and address.
func (s *Server) String() string { return fmt.Sprintf("%s at %s", s.Name(), s.URL) }
