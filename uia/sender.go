package uia

import "context"

// Sender sends short messages to people, to show that an address is theirs.
// Package uia/mail has one for e-mail.
//
// Called from: requests for validation. Concurrency: any number of calls at
// once. Context: ends with the client's request; may block on the network.
// Errors: the client gets 500 and may ask again; a Matrix error is sent as it
// is. Ownership: do not log the link or the code.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// Message is what a [Sender] sends.
type Message struct {
	Server    string // name of the server
	Operation string // what it is for: OpRegister, OpChangePassword or OpAddThreePID
	Address   string // where to: an e-mail address, or a phone number as E.164 digits without "+"
	// Link is what the person follows (e-mail), Code what they type (text
	// messages); the other one is empty.
	Link, Code string
}
