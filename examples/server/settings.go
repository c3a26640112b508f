package main

import (
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/ca4c8834/homeserver"
)

type settings struct {
	listen, name, data, publicURL string
	tlsCert, tlsKey               string
	appServices                   string
	registration                  homeserver.RegistrationPolicy
	roomMemory                    int // MiB
	rateLimits                    bool
	proxies                       []netip.Prefix
	logLevel                      slog.Level
}

// parse reads the flags; what is wrong with them it tells the user.
func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.listen, "listen", "127.0.0.1:8008", "`address` to listen on")
	flags.StringVar(&s.name, "name", "localhost", "`name` of the server, the part of user IDs after the colon; it cannot be changed later")
	flags.StringVar(&s.data, "data", "data", "`directory` for everything that is kept")
	flags.StringVar(&s.publicURL, "public-url", "", "`URL` under which clients reach the server")
	flags.StringVar(&s.tlsCert, "tls-cert", "", "`file` with the certificate chain, to serve https")
	flags.StringVar(&s.tlsKey, "tls-key", "", "`file` with the key of the certificate")
	flags.StringVar(&s.appServices, "appservices", "", "`directory` with registration files of application services, named *.yaml")
	flags.Func("trusted-proxies", "comma-separated `networks` of proxies that tell the addresses of clients with X-Forwarded-For,\nsuch as 127.0.0.0/8; without it the proxy is taken for the client", func(list string) error {
		for network := range strings.SplitSeq(list, ",") {
			prefix, err := netip.ParsePrefix(strings.TrimSpace(network))
			if err != nil {
				return err
			}
			s.proxies = append(s.proxies, prefix)
		}
		return nil
	})
	flags.IntVar(&s.roomMemory, "room-memory", 24, "`MiB` of memory for rooms in use, about 1 KB for each member; the program takes some 60 MiB and twice this")
	flags.BoolVar(&s.rateLimits, "rate-limits", true, "limit how often clients may do what costs work")
	flags.TextVar(&s.logLevel, "log-level", slog.LevelInfo, "least `level` to log: debug, info, warn or error")
	flags.Func("registration", "`who` may register: closed, token (one that stands in the data directory's file\nregistration-tokens) or open (default closed)", func(who string) error {
		policies := map[string]homeserver.RegistrationPolicy{
			"closed": homeserver.RegistrationClosed,
			"token":  homeserver.RegistrationByToken,
			"open":   homeserver.RegistrationOpen,
		}
		policy, ok := policies[who]
		if !ok {
			return errors.New("must be closed, token or open")
		}
		s.registration = policy
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	var err error
	switch {
	case flags.NArg() > 0:
		err = fmt.Errorf("there are only flags, so what is %q?", flags.Arg(0))
	case s.roomMemory <= 0:
		err = errors.New("-room-memory must be positive")
	case (s.tlsCert == "") != (s.tlsKey == ""):
		err = errors.New("-tls-cert and -tls-key belong together")
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		flags.Usage()
	}
	return s, err
}

// appServices reads the registration files in a directory.
func appServices(dir string) ([]homeserver.AppService, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("application services: %w", err)
	}
	var list []homeserver.AppService
	for _, entry := range entries {
		file := filepath.Join(dir, entry.Name())
		if filepath.Ext(file) != ".yaml" {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("application services: %w", err)
		}
		service, err := homeserver.ParseAppService(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		list = append(list, service)
	}
	return list, nil
}

// registrationTokens reads tokens from a file, one a line. If there is no file
// it makes one with one token.
func registrationTokens(file string) ([]string, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		content = []byte(rand.Text() + "\n")
		err = os.WriteFile(file, content, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("registration tokens: %w", err)
	}
	tokens := strings.Fields(string(content))
	if len(tokens) == 0 {
		return nil, fmt.Errorf("registration tokens: there is none in %s; remove it to have one made", file)
	}
	return tokens, nil
}
