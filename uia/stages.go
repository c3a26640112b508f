package uia

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// The types of stages that the specification names and this library has.
const (
	TypeDummy             = "m.login.dummy"
	TypePassword          = "m.login.password"
	TypeRegistrationToken = "m.login.registration_token"
	TypeTerms             = "m.login.terms"
	TypeReCaptcha         = "m.login.recaptcha"
	TypeEmail             = "m.login.email.identity"
	TypeMSISDN            = "m.login.msisdn"
	TypeSSO               = "m.login.sso"
)

// ErrPending is returned by a [Stage] whose proof is made elsewhere and is not
// there yet: the client polls.
var ErrPending = errors.New("stage is not completed yet")

// Attempt is a client's try at a stage.
type Attempt struct {
	Session   string // empty in a first request that already brings proof
	Operation Operation
	Auth      json.RawMessage // the request's whole auth object
}

// Stage checks one kind of proof.
//
// Called from: requests to the endpoints guarded by [Do]. Concurrency: any
// number of calls at once, but one at a time for a session. Context: ends with
// the client's request; Check may block on the network. Errors: see the package
// comment. Ownership: do not keep the attempt.
type Stage interface {
	// Type is the stage's name in flows and in auth.type. It never changes.
	Type() string

	// Check passes by returning no error, and says what that proves.
	Check(ctx context.Context, a Attempt) (Passed, error)
}

// Passed is what passing a stage proves.
type Passed struct {
	// User is whom the stage has identified; empty when it proves something
	// else than who the client is.
	User events.UserID
	// Detail is whatever else the guarded call may want to know, such as the
	// e-mail address that was validated: see [Proof]. It must not be changed
	// later.
	Detail any
}

// Parameterized is a [Stage] that tells clients what they need for it.
type Parameterized interface {
	Stage

	// Params returns what stands under the stage's type in `params`:
	// a value that marshals to a JSON object. It must be quick.
	Params(session string, op Operation) any
}

// Dummy returns the m.login.dummy stage, which always passes.
func Dummy() Stage { return dummy{} }

type dummy struct{}

var _ Asker = dummy{}

func (dummy) Type() string { return TypeDummy }

func (dummy) Check(context.Context, Attempt) (Passed, error) { return Passed{}, nil }

// Form implements Asker.
func (dummy) Form(Operation) Form {
	return Form{Title: "Continue", Text: "There is nothing to prove here.", Submit: "Continue"}
}

// Password returns the m.login.password stage. identify finds the user
// whom an auth object names in any form that /login knows; it returns
// [ErrUnknownUser] for a third-party identifier that is nobody's.
func Password(p Provider, identify func(ctx context.Context, auth json.RawMessage) (events.UserID, error)) Stage {
	return password{p, identify}
}

type password struct {
	provider Provider
	identify func(context.Context, json.RawMessage) (events.UserID, error)
}

var _ Asker = password{}

func (password) Type() string { return TypePassword }

func (p password) Check(ctx context.Context, a Attempt) (Passed, error) {
	secret := gjson.GetBytes(a.Auth, "password")
	if secret.Type != gjson.String {
		return Passed{}, mxerr.MissingParam("auth.password")
	}
	user, err := p.identify(ctx, a.Auth)
	if err != nil {
		return Passed{}, err
	}
	return Passed{User: user}, p.provider.CheckPassword(ctx, user, secret.Str)
}

// Form implements Asker.
func (password) Form(op Operation) Form {
	return Form{
		Title: "Enter your password",
		Fields: []Field{
			{Name: "user", Label: "Username", Type: "text", Value: string(op.User), Autocomplete: "username"},
			{Name: "password", Label: "Password", Type: "password", Autocomplete: "current-password"},
		},
		Submit: "Continue",
	}
}
