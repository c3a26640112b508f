// Command server is a homeserver to run by itself, with the settings that most
// need as flags. It stops gently on SIGINT and SIGTERM, and its exit status is 0
// if all went well, 1 if it did not and 2 if it does not understand its flags.
//
//	go run ./examples/server -name example.org -data /var/lib/homeserver -public-url https://matrix.example.org
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/media"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the program at once
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stderr))
}

// run serves until ctx ends and returns the exit status.
func run(ctx context.Context, args []string, stderr io.Writer) int {
	s, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: s.logLevel}))
	if err := serve(ctx, s, log); err != nil {
		log.Error("stop", "error", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, s settings, log *slog.Logger) error {
	srv, err := open(s, log)
	if err != nil {
		return err
	}
	defer func() { _ = srv.Close() }() // for the ways out below; stop has closed it on the others
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return err
	}
	web := &http.Server{
		Handler:           srv,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // broken connections
	}
	if os.Getenv("GOMEMLIMIT") == "" { // somebody else's wish comes first
		web.ConnState = limitMemory(int64(s.roomMemory) << 20)
	}
	scheme := "http"
	if s.tlsCert != "" {
		scheme = "https"
	}
	log.Info("serve", "url", scheme+"://"+listener.Addr().String(), "name", srv.Name())
	failed := make(chan error, 1)
	go func() {
		if s.tlsCert != "" {
			failed <- web.ServeTLS(listener, s.tlsCert, s.tlsKey)
		} else {
			failed <- web.Serve(listener)
		}
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	return stop(web, srv)
}

// limitMemory has the garbage collector keep the memory in use small, and returns what
// tells it of connections: all else that the server remembers is bounded, and fits
// under the limit without any. A burst of garbage, such as many logins make, would
// otherwise stay for minutes. Below the limit, there is no hurry to collect.
func limitMemory(rooms int64) func(net.Conn, http.ConnState) {
	const (
		perConnection = 64 << 10 // buffers and stacks, and those of TLS
		step          = 256      // connections; changing the limit stops the world for a moment
	)
	withoutConnections := 32<<20 + 2*rooms // as much again for their garbage
	debug.SetMemoryLimit(withoutConnections + step*perConnection)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	var open atomic.Int64
	return func(_ net.Conn, state http.ConnState) {
		change := int64(0)
		switch state {
		case http.StateNew:
			change = 1
		case http.StateClosed, http.StateHijacked:
			change = -1
		}
		if n := open.Add(change); change != 0 && n%step == 0 {
			debug.SetMemoryLimit(withoutConnections + (n+step)*perConnection)
		}
	}
}

// stop lets requests in progress finish, within limits. The homeserver comes
// first: it releases the long polls, for which the web server would wait. What is
// left then are answers on their way, and connections without a request.
func stop(web *http.Server, srv *homeserver.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := srv.Shutdown(ctx)
	ctx, cancel = context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if web.Shutdown(ctx) != nil {
		err = errors.Join(err, web.Close())
	}
	return err
}

// open makes the homeserver over its data directory.
func open(s settings, log *slog.Logger) (*homeserver.Server, error) {
	if err := os.MkdirAll(s.data, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	options := []homeserver.Option{
		homeserver.WithLogger(log), homeserver.WithRegistration(s.registration), homeserver.WithRoomMemory(s.roomMemory << 20),
	}
	if s.registration == homeserver.RegistrationByToken {
		file := filepath.Join(s.data, "registration-tokens")
		tokens, err := registrationTokens(file)
		if err != nil {
			return nil, err
		}
		log.Info("registration needs a token", "file", file)
		options = append(options, homeserver.WithRegistrationTokens(tokens...))
	}
	if s.appServices != "" {
		services, err := appServices(s.appServices)
		if err != nil {
			return nil, err
		}
		options = append(options, homeserver.WithAppServices(services...))
	}
	if s.publicURL != "" {
		options = append(options, homeserver.WithPublicURL(s.publicURL))
	}
	if len(s.proxies) > 0 {
		options = append(options, homeserver.WithClientAddress(homeserver.ForwardedFor(s.proxies...)))
	}
	if !s.rateLimits {
		options = append(options, homeserver.WithoutRateLimits())
	}
	st, err := sqlite.Open(filepath.Join(s.data, "homeserver.db"))
	if err != nil {
		return nil, err
	}
	options = append(options, homeserver.WithStore(st), homeserver.WithMediaStore(media.Dir(filepath.Join(s.data, "media"))))
	srv, err := homeserver.New(s.name, options...)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return srv, nil
}
