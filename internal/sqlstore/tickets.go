package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Ticket implements store.Tickets.
func (v *view) Ticket(hash store.TokenHash) (store.Ticket, error) {
	return one(v, func(r row) store.Ticket {
		return store.Ticket{Hash: hash, Purpose: r.text(0), User: events.UserID(r.text(1)), ExpiresTS: r.int(2)}
	}, `SELECT purpose, user_id, expires_ts FROM hs_tickets WHERE hash = ?`, hash[:])
}

// PutTicket implements store.TicketWriter.
func (t *tx) PutTicket(k store.Ticket, now int64) error {
	if _, err := t.exec(`DELETE FROM hs_tickets WHERE expires_ts < ?`, now); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO hs_tickets (hash, purpose, user_id, expires_ts) VALUES (?, ?, ?, ?)`,
		k.Hash[:], k.Purpose, string(k.User), k.ExpiresTS)
	return err
}

// DeleteTicket implements store.TicketWriter.
func (t *tx) DeleteTicket(hash store.TokenHash) error {
	_, err := t.exec(`DELETE FROM hs_tickets WHERE hash = ?`, hash[:])
	return err
}

// DeleteTickets implements store.TicketWriter.
func (t *tx) DeleteTickets(user events.UserID) error {
	_, err := t.exec(`DELETE FROM hs_tickets WHERE user_id = ?`, string(user))
	return err
}
