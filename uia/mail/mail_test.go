package mail

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver/uia"
)

// received is a message as a mail server has got it.
type received struct {
	from, to string
	secure   bool
	login    string
	*netmail.Message
	text string
}

// listen starts a mail server on loopback that offers what is given (STARTTLS, AUTH PLAIN) and hands over what it gets.
func listen(t *testing.T, cert *tls.Config, offers ...string) (address string, inbox <-chan received) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	box := make(chan received, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn, cert, offers, box)
		}
	}()
	return l.Addr().String(), box
}

// serve speaks SMTP for one connection.
func serve(conn net.Conn, cert *tls.Config, offers []string, box chan<- received) {
	defer conn.Close() //nolint:errcheck // the client has what it wants
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	r, got := bufio.NewReader(conn), received{}
	say := func(lines ...string) {
		for _, line := range lines {
			_, _ = io.WriteString(conn, line+"\r\n")
		}
	}
	say("220 mail.example.org ESMTP")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		verb, rest, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "EHLO", "HELO":
			say("250-mail.example.org")
			for _, offer := range offers {
				if offer != "STARTTLS" || !got.secure {
					say("250-" + offer)
				}
			}
			say("250 8BITMIME")
		case "STARTTLS":
			say("220 go on")
			secure := tls.Server(conn, cert)
			conn, r, got.secure = secure, bufio.NewReader(secure), true
		case "AUTH":
			_, initial, _ := strings.Cut(rest, " ")
			plain, _ := base64.StdEncoding.DecodeString(initial)
			if got.login = strings.ReplaceAll(string(plain), "\x00", "|"); got.login != "|chat|s3cret" {
				say("535 no")
			} else {
				say("235 welcome")
			}
		case "MAIL":
			got.from = rest
			say("250 ok")
		case "RCPT":
			if strings.Contains(rest, "full@") {
				say("452 mailbox full")
				continue
			}
			got.to = rest
			say("250 ok")
		case "DATA":
			say("354 go on")
			var data strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil || line == ".\r\n" {
					break
				}
				data.WriteString(strings.TrimPrefix(line, "."))
			}
			if got.Message, err = netmail.ReadMessage(strings.NewReader(data.String())); err != nil {
				say("550 " + err.Error())
				continue
			}
			body := got.Body
			if got.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
				body = quotedprintable.NewReader(body)
			}
			text, _ := io.ReadAll(body)
			got.text = string(text)
			box <- got
			say("250 queued")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

var message = uia.Message{Server: "example.org", Operation: uia.OpRegister, Address: "alice@example.com", Link: "https://hs.example.org/_matrix/static/validate?token=" + strings.Repeat("x", 43)}

// secured returns the TLS of a server and of a client that trusts it.
func secured(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	host := httptest.NewTLSServer(nil) // has a certificate for 127.0.0.1
	t.Cleanup(host.Close)
	client = host.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	client.ServerName = "127.0.0.1"
	return host.TLS, client
}

// A message arrives over TLS, after signing in, with the link whole, and says that no robot should answer.
func TestSend(t *testing.T) {
	t.Parallel()
	server, client := secured(t)
	address, inbox := listen(t, server, "STARTTLS", "AUTH PLAIN")
	s, err := SMTP(Config{Address: address, From: "Chät <noreply@example.org>", Username: "chat", Password: "s3cret", TLS: client})
	if err != nil {
		t.Fatal(err)
	}
	for operation, says := range map[string]string{
		uia.OpRegister: "register an account", uia.OpChangePassword: "set a new password", uia.OpAddThreePID: "add this address to an account",
	} {
		m := message
		m.Operation = operation
		if err := s.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		got := <-inbox
		from, err := netmail.ParseAddress(got.Header.Get("From"))
		if !got.secure || got.login != "|chat|s3cret" || !strings.HasPrefix(got.from, "FROM:<noreply@example.org>") || !strings.HasPrefix(got.to, "TO:<alice@example.com>") ||
			err != nil || from.Name != "Chät" || got.Header.Get("To") != "<alice@example.com>" || got.Header.Get("Auto-Submitted") != "auto-generated" {
			t.Errorf("got %+v, %v", got, err)
		}
		if !strings.Contains(got.text, says+" at example.org") || !strings.Contains(got.text, "\n"+message.Link+"\r\n") {
			t.Errorf("text %q", got.text)
		}
	}
}

// Without TLS nothing is sent, unless the host wants it so.
func TestPlaintext(t *testing.T) {
	t.Parallel()
	address, inbox := listen(t, nil)
	cfg := Config{Address: address, From: "noreply@example.org", Write: func(m uia.Message) (string, string) { return "Hallo", "Folge " + m.Link }}
	s, err := SMTP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), message); err == nil {
		t.Error("a message was sent in the clear")
	}
	cfg.InsecurePlaintext = true
	if s, err = SMTP(cfg); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	if got := <-inbox; got.secure || got.Header.Get("Subject") != "Hallo" || !strings.HasPrefix(got.text, "Folge https:") {
		t.Errorf("got %+v", got)
	}
}

// What goes wrong is an error that does not hold the link.
func TestSendFails(t *testing.T) {
	t.Parallel()
	server, client := secured(t)
	address, _ := listen(t, server, "STARTTLS", "AUTH PLAIN")
	good := Config{Address: address, From: "noreply@example.org", Username: "chat", Password: "s3cret", TLS: client, Timeout: 5 * time.Second}
	for name, change := range map[string]func(*Config, *uia.Message){
		"wrong password":      func(c *Config, _ *uia.Message) { c.Password = "wrong" },
		"unknown authority":   func(c *Config, _ *uia.Message) { c.TLS = nil },
		"the mailbox is full": func(_ *Config, m *uia.Message) { m.Address = "full@example.com" },
		"no address":          func(_ *Config, m *uia.Message) { m.Address = "a b" },
		"nobody listens":      func(c *Config, _ *uia.Message) { c.Address = "127.0.0.1:1" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, m := good, message
			change(&cfg, &m)
			s, err := SMTP(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Send(t.Context(), m); err == nil || strings.Contains(err.Error(), "token=") || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{
		{}, {Address: "smtp.example.org", From: "a@example.org"}, {Address: "smtp.example.org:smtp", From: "a@example.org"},
		{Address: "smtp.example.org:25"}, {Address: "smtp.example.org:25", From: "nobody"}, {Address: ":25", From: "a@example.org"},
		{Address: "smtp.example.org:0", From: "a@example.org"},
	} {
		if _, err := SMTP(cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
	if _, err := SMTP(Config{Address: "smtp.example.org:465", From: "a@example.org"}); err != nil {
		t.Error(err)
	}
}
