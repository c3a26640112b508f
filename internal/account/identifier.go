package account

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// Types of identifiers.
const (
	identifierUser       = "m.id.user"
	identifierThirdParty = "m.id.thirdparty"
	identifierPhone      = "m.id.phone"
)

// Identifier is how a client names the user who signs in.
type Identifier struct {
	Type            string
	User            string // m.id.user: a localpart or a user ID
	Medium, Address string // m.id.thirdparty
	Country, Phone  string // m.id.phone
}

// ParseIdentifier reads the identifier from the object it is a member of: the
// body of /login, or the auth of the m.login.password stage. The forms of older
// clients, with the members at the top level, are the same to the caller
// (LOGIN-11, UIA-19).
func ParseIdentifier(object json.RawMessage) (Identifier, error) {
	prefix := "identifier."
	from := gjson.GetBytes(object, "identifier")
	if !from.Exists() || from.Type == gjson.Null {
		prefix, from = "", gjson.ParseBytes(object)
	}
	if !from.IsObject() {
		return Identifier{}, mxerr.BadJSON("identifier must be an object")
	}
	var id Identifier
	for key, dst := range map[string]*string{
		"type": &id.Type, "user": &id.User, "medium": &id.Medium, "address": &id.Address,
		"country": &id.Country, "phone": &id.Phone,
	} {
		switch v := from.Get(key); v.Type {
		case gjson.String:
			*dst = v.Str
		case gjson.Null: // absent, too
		default:
			return Identifier{}, mxerr.BadJSON("%s%s must be a string", prefix, key)
		}
	}
	if prefix == "" || id.Type == "" { // LOGIN-11, LOGIN-12
		switch {
		case id.Medium != "" && id.Address != "":
			id.Type = identifierThirdParty
		case prefix == "" && id.User != "":
			id.Type = identifierUser
		case prefix == "":
			return Identifier{}, mxerr.MissingParam("identifier")
		}
	}
	return id, id.check()
}

// check names the member that an identifier of its type lacks.
func (id Identifier) check() error {
	var missing string
	switch id.Type {
	case identifierUser:
		missing = firstEmpty("user", id.User)
	case identifierThirdParty:
		missing = firstEmpty("medium", id.Medium, "address", id.Address)
	case identifierPhone:
		missing = firstEmpty("country", id.Country, "phone", id.Phone)
		if missing == "" && !isCountry(id.Country) {
			return mxerr.InvalidParam("identifier.country", "must be two upper-case letters")
		}
	case "":
		missing = "type"
	default:
		return mxerr.InvalidParam("identifier.type", "is not one of m.id.user, m.id.thirdparty, m.id.phone")
	}
	if missing != "" {
		return mxerr.MissingParam("identifier." + missing)
	}
	return nil
}

// firstEmpty takes names and values by turns and returns the first name whose
// value is empty.
func firstEmpty(pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			return pairs[i]
		}
	}
	return ""
}

func isCountry(s string) bool {
	return len(s) == 2 && 'A' <= min(s[0], s[1]) && max(s[0], s[1]) <= 'Z'
}

// identify returns the user whom an identifier names, who need not exist.
// uia.ErrUnknownUser.
func (s *Service) identify(ctx context.Context, id Identifier) (events.UserID, error) {
	switch id.Type {
	case identifierThirdParty: // LOGIN-9
		address, err := canonicalAddress(id.Medium, id.Address)
		if err != nil {
			return "", uia.ErrUnknownUser
		}
		return s.ownerOf(ctx, id.Medium, address)
	case identifierPhone: // LOGIN-10
		number, err := s.canonical(MediumMSISDN, id.Country, id.Phone)
		if err != nil {
			return "", uia.ErrUnknownUser
		}
		return s.ownerOf(ctx, MediumMSISDN, number)
	}
	name := id.User
	if !strings.HasPrefix(name, "@") {
		name = "@" + name + ":" + string(s.Server)
	}
	user, err := events.ParseUserID(name)
	if err != nil || user.Server() != s.Server { // LOGIN-8
		return "", uia.ErrUnknownUser
	}
	var account store.User
	err = s.Store.View(ctx, func(v store.View) (err error) {
		account, err = v.UserFold(user)
		return err
	})
	if errors.Is(err, store.ErrNotFound) { // the host's accounts may still know the user, if there can be one
		if user, err = s.newUserID(user.Localpart()); err != nil {
			return "", uia.ErrUnknownUser
		}
		return user, nil
	}
	return account.ID, err
}

// claimed is identify for somebody who has a password to show. It takes as long
// as checking one where it is nobody's, so that addresses cannot be probed (LOGIN-6).
func (s *Service) claimed(ctx context.Context, id Identifier) (events.UserID, error) {
	user, err := s.identify(ctx, id)
	if p, ours := s.Provider.(*storedPasswords); ours && errors.Is(err, uia.ErrUnknownUser) {
		if err := p.hasher.waste(ctx, ""); err != nil {
			return "", err
		}
	}
	return user, err
}

// isLocal refuses IDs of other servers.
func (s *Service) isLocal(user events.UserID) error {
	if user.Server() != s.Server {
		return mxerr.InvalidParam("user_id", "is not of this server")
	}
	return nil
}

// identifyIn is claimed for the m.login.password stage.
func (s *Service) identifyIn(ctx context.Context, auth json.RawMessage) (events.UserID, error) {
	id, err := ParseIdentifier(auth)
	if err != nil {
		return "", err
	}
	return s.claimed(ctx, id)
}

// lowerASCII leaves everything but A-Z as it is, so that no other letter turns
// into one that a localpart may have (ID-4).
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
