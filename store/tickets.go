package store

import "github.com/ca4c8834/homeserver/events"

// Ticket is a token that is good for one purpose and a short time, such as a
// login token.
type Ticket struct {
	Hash      TokenHash
	Purpose   string // as the account service names it
	User      events.UserID
	ExpiresTS int64 // milliseconds
}

// Tickets reads tickets.
type Tickets interface {
	// Ticket returns the ticket with this hash. ErrNotFound. An expired ticket
	// is returned like any other.
	Ticket(hash TokenHash) (Ticket, error)
}

// TicketWriter changes tickets.
type TicketWriter interface {
	// PutTicket adds a ticket, and removes all tickets that expired before now,
	// in milliseconds.
	PutTicket(t Ticket, now int64) error

	// DeleteTicket removes a ticket; none is no error.
	DeleteTicket(hash TokenHash) error

	// DeleteTickets removes all tickets of a user; none is no error.
	DeleteTickets(user events.UserID) error
}
