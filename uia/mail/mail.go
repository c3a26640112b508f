// Package mail sends the messages of interactive authentication by e-mail, through a mail
// server that takes them over SMTP.
//
//	sender, err := mail.SMTP(mail.Config{
//		Address: "smtp.example.org:587", From: "Chat <noreply@example.org>",
//		Username: "chat", Password: secret,
//	})
//	srv, err := homeserver.New("example.org", homeserver.WithPublicURL(url), homeserver.WithEmail(sender, homeserver.Optional))
//
// # What is sent
//
// A message goes to somebody who registers with an address, adds one to their account, or
// has forgotten their password. It holds a link, and who follows it has shown that the
// address is theirs. So the link is a secret: it is not in logs and not in errors, and
// messages go over TLS or, unless [Config.InsecurePlaintext] is set, not at all.
//
// The messages are plain text in English. [Config.Write] makes others: in the language of
// the host's users, and with its name. The header Auto-Submitted keeps the robots that
// answer mail from answering.
//
// # When it fails
//
// [SMTP] checks what it is given and does not connect. Each message has a connection of
// its own, which ends with the client's request or after [Config.Timeout]. Nothing is
// queued and nothing is tried again: the client is told that the message could not be
// sent, and asks once more if its user wants it. What happens after the mail server has
// taken the message, a bounce for one, is not noticed; the user asks again there, too.
//
// A host that sends its mail in another way, such as over the HTTP interface of a
// provider, implements uia.Sender itself.
package mail

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/ca4c8834/homeserver/uia"
)

// Config says how to send. Fields that are not marked as required may be left
// out.
type Config struct {
	// Address is the host and port of the mail server; required. Port 465 is TLS
	// from the start, all others begin with STARTTLS.
	Address string
	From    string // such as "Chat <noreply@example.org>"; required
	// Username and Password are for a server that wants them.
	Username, Password string
	// InsecurePlaintext sends without TLS if the server offers none: for a
	// server on the same machine, and for tests.
	InsecurePlaintext bool
	// TLS is used in place of the defaults.
	TLS *tls.Config
	// Write makes subject and text of a message; nil: in English.
	Write func(m uia.Message) (subject, text string)
	// Timeout is for a whole message; zero: 30 seconds.
	Timeout time.Duration
}

const (
	implicitTLS = 465
	patience    = 30 * time.Second
)

// SMTP makes a sender. It does not connect before there is something to send, and
// keeps no connection open. The error names all that is wrong with cfg. The sender
// may be used from any goroutine.
func SMTP(cfg Config) (uia.Sender, error) {
	host, portText, err := net.SplitHostPort(cfg.Address)
	port, portErr := strconv.ParseUint(portText, 10, 16)
	var faults []error
	if err != nil || portErr != nil || host == "" {
		faults = append(faults, fmt.Errorf("the address %q is not a host and a port", cfg.Address))
	}
	if _, err := mail.ParseAddress(cfg.From); err != nil {
		faults = append(faults, fmt.Errorf("the sender %q is not an e-mail address: %w", cfg.From, err))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("make mail sender: %w", errors.Join(faults...))
	}
	policy := gomail.TLSMandatory
	if cfg.InsecurePlaintext {
		policy = gomail.TLSOpportunistic
	}
	options := []gomail.Option{
		gomail.WithPort(int(port)), gomail.WithTimeout(cmp.Or(cfg.Timeout, patience)), gomail.WithTLSPolicy(policy), gomail.WithoutNoop(),
	}
	if port == implicitTLS {
		options = append(options, gomail.WithSSL())
	}
	if cfg.TLS != nil {
		options = append(options, gomail.WithTLSConfig(cfg.TLS))
	}
	if cfg.Username != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(cfg.Username), gomail.WithPassword(cfg.Password))
	}
	if cfg.Write == nil {
		cfg.Write = english
	}
	if _, err := gomail.NewClient(host, options...); err != nil {
		return nil, fmt.Errorf("make mail sender: %w", err)
	}
	return sender{cfg, host, options}, nil
}

type sender struct {
	Config
	host    string
	options []gomail.Option
}

// Send implements uia.Sender.
func (s sender) Send(ctx context.Context, m uia.Message) error {
	subject, text := s.Write(m)
	message := gomail.NewMsg()
	if err := errors.Join(message.From(s.From), message.To(m.Address)); err != nil {
		return fmt.Errorf("write mail: %w", err)
	}
	message.Subject(subject)
	message.SetBodyString(gomail.TypeTextPlain, text)
	message.SetGenHeader("Auto-Submitted", "auto-generated") // no answers from robots
	client, err := gomail.NewClient(s.host, s.options...)
	if err != nil {
		return fmt.Errorf("send mail: %w", err)
	}
	if err := client.DialAndSendWithContext(ctx, message); err != nil {
		return fmt.Errorf("send mail: %w", err)
	}
	return nil
}

// english is the usual text.
func english(m uia.Message) (subject, text string) {
	want := map[string]string{
		uia.OpRegister:       "register an account",
		uia.OpChangePassword: "set a new password",
		uia.OpAddThreePID:    "add this address to an account",
	}[m.Operation]
	return "Confirm your e-mail address", fmt.Sprintf(
		"Somebody wants to %s at %s with this address.\r\n\r\nIf it was you, follow this link:\r\n\r\n%s\r\n\r\nIf not, there is nothing to do.\r\n",
		want, m.Server, m.Link)
}
