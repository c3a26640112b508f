package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// Authenticator decides whom an access token belongs to.
//
// Called from: every request to an endpoint that needs a token, and those that take one.
// Concurrency: any number of calls at once. Context: ends with the client's request.
// Errors: an *mxerr.Error is sent as it is: M_UNKNOWN_TOKEN, with soft_logout where the device lives on (AUTH-4),
// M_USER_LOCKED, M_FORBIDDEN and M_UNKNOWN_DEVICE for a service's assertions (ASC-4, ASC-5). Any other is a fault: 500.
// Ownership: the result belongs to the request; Presented is filled in by the caller of Authenticate.
type Authenticator interface {
	Authenticate(ctx context.Context, presented Credentials) (*Caller, error)
}

// Credentials is what a request says about its sender. Nothing in it has been checked.
type Credentials struct {
	Token     string // the access token, "" if none was sent
	User      string // user_id, with which an application service asserts whom it acts for (ASC-4)
	Device    string // device_id, likewise (ASC-5)
	Address   string // the client's network address
	UserAgent string
	// EvenIfLocked asks for the caller even if the account is locked, which must stay able to log out (ADM-5).
	EvenIfLocked bool
}

// Caller is who makes a request.
type Caller struct {
	// User is empty if the request is anonymous.
	User events.UserID
	// Device is the token's device, empty for anonymous requests and for services that name none.
	Device string
	// Guest is set for guest accounts.
	Guest bool
	// Suspended is set for suspended accounts, which may only read and leave (SEND-11).
	Suspended bool
	// Service is the ID of the application service whose token was used, empty for ordinary users.
	Service string
	// Unlimited exempts the caller from rate limits (RATE-6).
	Unlimited bool
	// Presented is what came with the request. On an endpoint that needs no token the token in it is unverified.
	Presented Credentials
}

// caller is how handlers spell it.
type caller = Caller

// access is who may call an endpoint. The options guests, own and whileLocked of a row refine it.
type access uint8

const (
	// open endpoints need no token and ignore one, valid or not (AUTH-5, AUTH-7); that of an application service lifts
	// the rate limit.
	open access = iota
	// recognised endpoints need no token either, and ignore one that is not valid; of one that is, they know the user.
	recognised
	// optional endpoints work without a token; one that is sent must be valid (AUTH-6).
	optional
	// byUser endpoints are for users who are not guests, and for application services acting as a user.
	byUser
	// byService endpoints are for application services.
	byService
)

// String names the rule for [API.Table].
func (a access) String() string {
	return [...]string{"anyone", "anyone", "anyone or user", "user", "service"}[a]
}

// authenticate applies the row's rule. The caller is nil only beside an error.
func (a *API) authenticate(r *http.Request, row *route) (*Caller, error) {
	presented := Credentials{
		Token:        accessToken(r),
		Address:      a.ClientAddress(r),
		UserAgent:    r.UserAgent(),
		EvenIfLocked: row.locked,
	}
	if row.who == open || row.who < byUser && presented.Token == "" {
		byService := row.class != ratelimit.None && a.Services.ByToken(presented.Token) != nil
		return &Caller{Presented: presented, Unlimited: byService}, nil // RATE-6: a service registers users as its sender
	}
	if presented.Token == "" {
		return nil, mxerr.MissingToken("an access token is needed")
	}
	service := a.Services.ByToken(presented.Token) != nil
	if service || strings.Contains(r.URL.RawQuery, "_id=") { // spares everybody else the parsing
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil && service { // or the sender would act in another's place
			return nil, mxerr.InvalidParam("user_id", "may be in a part of the query that cannot be read")
		}
		presented.User = query.Get("user_id")
		presented.Device = query.Get("device_id")
		if presented.Device == "" {
			presented.Device = query.Get("org.matrix.msc3202.device_id") // CLIENTA-15
		}
	}
	c, err := a.Authenticator.Authenticate(r.Context(), presented)
	if refusal := (*mxerr.Error)(nil); row.who == recognised && errors.As(err, &refusal) {
		return &Caller{Presented: presented}, nil // AUTH-7
	}
	if err != nil {
		return nil, err
	}
	c.Presented = presented
	switch {
	case row.named && c.Service != "" && presented.User == "":
		return nil, mxerr.MissingParam("user_id") // ASC-9
	case row.who == byService && c.Service == "":
		return nil, mxerr.Forbidden("only application services may do this") // ASC-14
	case (row.who == byUser || row.who == optional) && c.Guest && !row.allowGuests:
		return nil, mxerr.GuestAccessForbidden("guests may not do this") // GUEST-1
	}
	return c, nil
}

// accessToken returns the token of the header or else of the query, "" if there is none (AUTH-1, AUTH-2).
func accessToken(r *http.Request) string {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if strings.EqualFold(scheme, "Bearer") {
			return strings.TrimSpace(token)
		}
	}
	if strings.Contains(r.URL.RawQuery, "access_token=") {
		return r.URL.Query().Get("access_token")
	}
	return ""
}
