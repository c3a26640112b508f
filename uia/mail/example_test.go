package mail_test

import (
	"log"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/uia/mail"
)

// Users may have an e-mail address.
func Example() {
	sender, err := mail.SMTP(mail.Config{
		Address: "smtp.example.org:587", From: "Chat <noreply@example.org>", Username: "chat", Password: "secret",
	})
	if err != nil {
		log.Fatal(err)
	}
	srv, err := homeserver.New("example.org",
		homeserver.WithPublicURL("https://chat.example.org"),
		homeserver.WithEmail(sender, homeserver.Optional),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	// Output:
}
