package account

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/url"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// The media of third-party identifiers.
const (
	MediumEmail  = "email"
	MediumMSISDN = "msisdn"
)

const (
	// validationLifetime is enough for a slow mail.
	validationLifetime = 24 * time.Hour
	// maxTries is how many wrong codes a validation survives.
	maxTries = 5
	// maxNextLink bounds what is kept of a client.
	maxNextLink = 2000
)

// Contact is a medium by which people are reached, and can show that an address
// is theirs.
type Contact struct {
	Sender         uia.Sender  // nil: the medium is not offered
	AtRegistration Requirement // whether people need an address to register
}

// Requirement says whether something has to be shown.
type Requirement uint8

// The requirements.
const (
	Unasked Requirement = iota
	Optional
	Required
)

// ValidationRequest asks for a message to an address (REG-17, PWD-6, 3PID-6).
type ValidationRequest struct {
	Purpose string // uia.OpRegister, OpChangePassword or OpAddThreePID
	Medium  string
	Address string // or the phone number
	Country string // of the phone number
	Secret  string // client_secret
	Attempt int64  // send_attempt
	Next    string // next_link
}

// StartedValidation is what the client goes on with.
type StartedValidation struct {
	ID        string // sid
	SubmitURL string // where codes go to; empty if there is only a link to follow
}

// checkOpaque refuses what cannot be a sid or a client_secret (ID-10).
func checkOpaque(name, value string) error {
	if !events.ValidClientSecret(value) {
		return mxerr.InvalidParam(name, "must have 1 to 255 letters, digits and .=_-")
	}
	return nil
}

// checkValidation refuses what cannot name a validation (ID-10).
func checkValidation(id, secret string) error {
	if err := checkOpaque("sid", id); err != nil {
		return err
	}
	return checkOpaque("client_secret", secret)
}

func (in ValidationRequest) check() error {
	if err := checkOpaque("client_secret", in.Secret); err != nil {
		return err
	}
	next, err := url.Parse(in.Next)
	switch {
	case in.Next != "" && (err != nil || next.Scheme != "https" && next.Scheme != "http" || next.Host == "" || len(in.Next) > maxNextLink):
		return mxerr.InvalidParam("next_link", "must be an absolute http or https URL of at most %d bytes", maxNextLink)
	}
	return nil
}

// RequestValidation sends a message to an address, unless one was sent for this
// attempt already (REG-19). M_THREEPID_DENIED or M_THREEPID_MEDIUM_NOT_SUPPORTED
// where there is no way to (3PID-8), M_INVALID_PARAM, M_THREEPID_IN_USE,
// M_THREEPID_NOT_FOUND.
func (s *Service) RequestValidation(ctx context.Context, in ValidationRequest) (StartedValidation, error) {
	if err := in.check(); err != nil {
		return StartedValidation{}, err
	}
	if s.contact(in.Medium).Sender == nil {
		return StartedValidation{}, noContact(in.Purpose)
	}
	address, err := s.canonical(in.Medium, in.Country, in.Address)
	if err != nil {
		return StartedValidation{}, err
	}
	if err := s.wanted(in.Medium, address); err != nil {
		return StartedValidation{}, err
	}
	now := s.nowMillis()
	v := store.Validation{
		ID: rand.Text(), Purpose: in.Purpose, Medium: in.Medium, Address: address, Secret: hashToken(in.Secret), NextLink: in.Next,
		Attempt: math.MinInt64, ExpiresTS: now + validationLifetime.Milliseconds(),
	}
	token, send := s.validationToken(in.Medium), false
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if err := s.mayValidate(tx, in.Purpose, in.Medium, address); err != nil {
			return err
		}
		old, err := tx.ValidationOf(v.Secret, v.Medium, v.Address, v.Purpose)
		switch {
		case err == nil && old.ExpiresTS > now:
			v.ID, v.Attempt, v.ValidatedTS, v.Tries = old.ID, old.Attempt, old.ValidatedTS, old.Tries
		case err == nil:
			err = tx.DeleteValidation(old.ID)
		case errors.Is(err, store.ErrNotFound):
			err = nil
		}
		if send = in.Attempt > v.Attempt; err != nil || !send {
			return err
		}
		v.Token = s.tokenOf(v.ID, in.Medium, token)
		return tx.PutValidation(v, now)
	})
	started := StartedValidation{ID: v.ID}
	if in.Medium == MediumMSISDN {
		started.SubmitURL = s.PublicURL + "/_matrix/static/validate/code"
	}
	if err != nil || !send {
		return started, err
	}
	if err := s.sendValidation(ctx, v, token); err != nil {
		return StartedValidation{}, err
	}
	// Only now, so that a client whose message could not be sent may ask again.
	return started, s.changeValidation(ctx, v.ID, func(v *store.Validation) { v.Attempt = in.Attempt })
}

func noContact(purpose string) error {
	if purpose == uia.OpAddThreePID {
		return mxerr.ThreePIDMediumNotSupported("this server cannot send such messages")
	}
	return mxerr.ThreePIDDenied("this server cannot send such messages")
}

// contact returns how people are reached by a medium.
func (s *Service) contact(medium string) Contact {
	switch medium {
	case MediumEmail:
		return s.Email
	case MediumMSISDN:
		return s.Phone
	}
	return Contact{}
}

// canonical returns the canonical form of an address (ID-11). M_INVALID_PARAM.
func (s *Service) canonical(medium, country, address string) (string, error) {
	if medium == MediumEmail {
		canonical, err := events.CanonicalEmail(address)
		if err != nil {
			return "", mxerr.InvalidParam("email", "is not an e-mail address").Because(err)
		}
		return canonical, nil
	}
	if !isCountry(country) {
		return "", mxerr.InvalidParam("country", "must be two upper-case letters")
	}
	parse := s.ParsePhone
	if parse == nil {
		parse = func(_, number string) (string, error) { return events.CanonicalMSISDN(number) }
	}
	number, err := parse(country, address)
	if err == nil {
		number, err = events.CanonicalMSISDN(number)
	}
	if err != nil {
		return "", mxerr.InvalidParam("phone_number", "is not a phone number of this country").Because(err)
	}
	return number, nil
}

// wanted refuses addresses that the host does not want, and too many messages to
// one of them: else anybody could fill anybody's mailbox.
func (s *Service) wanted(medium, address string) error {
	if s.CheckThreePID != nil {
		if err := s.CheckThreePID(medium, address); err != nil {
			return mxerr.ThreePIDDenied("%s", err)
		}
	}
	if s.Limiter != nil {
		if wait := s.Limiter.Allow(ratelimit.Probe, medium+":"+address); wait > 0 {
			return mxerr.LimitExceeded(wait)
		}
	}
	return nil
}

// mayValidate refuses addresses for which nothing is to be sent (REG-18, PWD-7,
// 3PID-7).
func (s *Service) mayValidate(v store.View, purpose, medium, address string) error {
	_, err := v.ThreePID(medium, address)
	switch known := err == nil; {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	case known && purpose != uia.OpChangePassword:
		return mxerr.ThreePIDInUse("this address belongs to an account already")
	case !known && purpose == uia.OpChangePassword:
		return mxerr.ThreePIDNotFound("this address does not belong to an account")
	}
	return nil
}

// validationToken returns what a message says: a secret for a link, or six digits
// that people can type.
func (s *Service) validationToken(medium string) string {
	if medium == MediumEmail {
		return newToken("")
	}
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil { // never: the reader does not fail
		return newToken("")
	}
	return fmt.Sprintf("%06d", n)
}

// tokenOf hashes what a message says; a code is nothing without its validation.
func (s *Service) tokenOf(id, medium, token string) store.TokenHash {
	if medium == MediumMSISDN {
		token = id + ":" + token
	}
	return hashToken(token)
}

func (s *Service) sendValidation(ctx context.Context, v store.Validation, token string) error {
	m := uia.Message{Server: string(s.Server), Operation: v.Purpose, Address: v.Address}
	if v.Medium == MediumEmail {
		m.Link = s.PublicURL + "/_matrix/static/validate?token=" + url.QueryEscape(token)
	} else {
		m.Code = token
	}
	if err := s.contact(v.Medium).Sender.Send(ctx, m); err != nil {
		return fmt.Errorf("send validation by %s: %w", v.Medium, err)
	}
	return nil
}

func (s *Service) changeValidation(ctx context.Context, id string, change func(*store.Validation)) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		v, err := tx.Validation(id)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		change(&v)
		return tx.PutValidation(v, s.nowMillis())
	})
}
