package uia

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// Flow is a sequence of stage types; passing all of them in order is one way to
// be authenticated.
type Flow []string

// Operation is what a client asks for.
type Operation struct {
	Name   string        // the endpoint
	Target string        // what it acts on, if a session must not serve for another one
	User   events.UserID // owner of the access token; empty if the request has none
	Flows  []Flow        // any one of them is enough; must not be changed later

	// Once has every request prove itself: the repeat of one that was granted is
	// challenged anew, instead of being given the same result.
	Once bool
	// Allowed, if not nil, may refuse a request before any proof is asked for or
	// looked at. It is not called for the repeat of a request
	// that was granted.
	Allowed func(context.Context) error
}

// same reports whether a session of o may serve for p (UIA-14).
func (o Operation) same(p Operation) bool {
	return o.Name == p.Name && o.Target == p.Target && o.User == p.User
}

// Proof is what the passed stages have shown.
type Proof struct {
	// User is whom the stages have identified; empty if none of them does
	// that. It never differs from the Operation's.
	User events.UserID
	// Details has what the stages have shown beside that, by type.
	Details map[string]any
}

// Engine knows the stages and keeps the sessions. It is safe for concurrent
// use and starts no goroutine.
type Engine struct {
	stages   map[string]Stage
	sessions *sessions
}

// New makes an engine with the stages that flows may name; of two with the same
// type the later one wins. now is the clock.
func New(now func() time.Time, stages ...Stage) *Engine {
	e := &Engine{stages: make(map[string]Stage, len(stages)), sessions: newSessions(now, maxSessions)}
	for _, s := range stages {
		e.stages[s.Type()] = s
	}
	return e
}

// Do calls run once the client has passed all stages of one flow, and returns
// what run returns. auth is the request's `auth`, empty if it has none.
//
// Until then Do returns a [*Required], or another error when the request fails
// for a reason that more proof would not mend: a malformed auth (400), a session
// of another operation or proof of being another user (403), or the error of
// the stage.
//
// An error from run leaves the session as it is, so that the client may correct
// its request; a result is kept, and given to those who repeat theirs, unless
// the operation is to be proved once for each.
func Do[T any](ctx context.Context, e *Engine, op Operation, auth json.RawMessage, run func(context.Context, Proof) (T, error)) (T, error) {
	var none T
	in, err := parseAuth(auth)
	if err != nil {
		return none, err
	}
	s, in, err := e.find(ctx, op, in)
	if err != nil {
		return none, err
	}
	defer s.unlock()
	if s.done && !op.Once {
		result, ok := s.result.(T)
		if !ok {
			return none, fmt.Errorf("repeat %s: result is a %T", op.Name, s.result)
		}
		return result, nil
	}
	if op.Allowed != nil {
		if err := op.Allowed(ctx); err != nil {
			return none, err
		}
	}
	if s.done { // UIA-16
		return none, e.challenge(newSession(op), nil)
	}
	if err := e.attempt(ctx, s, in); err != nil {
		return none, err
	}
	result, err := run(ctx, Proof{User: s.proved, Details: maps.Clone(s.details)})
	if err == nil {
		s.done, s.result = true, result
	}
	return result, err
}

// Complete records that a stage was passed outside of the client's own request,
// and what that proves. The client goes on with its session alone. It
// returns a Matrix error when there is no such session, when the stage is not
// its turn, or when the user is not the one whom the session is for.
func (e *Engine) Complete(ctx context.Context, id, stage string, passed Passed) error {
	return e.outside(ctx, id, stage, func(s *session) error { return s.pass(stage, passed) })
}

// Submit lets a stage check an auth object that comes from its fallback page.
// The type in it is ignored in favour of stage. It returns what the stage or
// [Engine.Complete] would; nothing if the stage is passed.
func (e *Engine) Submit(ctx context.Context, id, stage string, auth json.RawMessage) error {
	return e.outside(ctx, id, stage, func(s *session) error {
		return e.check(ctx, s, authObject{typ: stage, session: id, raw: auth})
	})
}

// outside runs pass on a session whose turn the stage is.
func (e *Engine) outside(ctx context.Context, id, stage string, pass func(*session) error) error {
	s := e.sessions.get(id)
	if s == nil {
		return errNoSession()
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	if s.passed(stage) {
		return nil
	}
	if !s.turnOf(stage) {
		return mxerr.Forbidden("stage %s is not to be completed now", stage)
	}
	return pass(s)
}

func errNoSession() error {
	return mxerr.NotFound("this authentication session is unknown or has expired")
}

// Asked returns what a session is for, for the page that asks its user to
// confirm it, and whether the stage was passed already. M_NOT_FOUND if there is
// no such session, M_FORBIDDEN if it has no such stage.
func (e *Engine) Asked(ctx context.Context, id, stage string) (op Operation, passed bool, err error) {
	s := e.sessions.get(id)
	if s == nil {
		return op, false, errNoSession()
	}
	if err := s.lock(ctx); err != nil {
		return op, false, err
	}
	defer s.unlock()
	if !slices.ContainsFunc(s.op.Flows, func(f Flow) bool { return slices.Contains(f, stage) }) {
		return op, false, mxerr.Forbidden("stage %s is not part of this authentication session", stage)
	}
	return s.op, s.passed(stage), nil
}

// Stage returns the stage of a type, or nil.
func (e *Engine) Stage(typ string) Stage { return e.stages[typ] }

// authObject is what every stage's auth has in common.
type authObject struct {
	typ, session string
	raw          json.RawMessage
}

func parseAuth(raw json.RawMessage) (authObject, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return authObject{}, nil
	}
	if raw[0] != '{' || !gjson.ValidBytes(raw) {
		return authObject{}, mxerr.BadJSON("auth must be an object")
	}
	in := authObject{raw: raw}
	for key, dst := range map[string]*string{"type": &in.typ, "session": &in.session} {
		switch v := gjson.GetBytes(raw, key); v.Type {
		case gjson.String:
			*dst = v.Str
		case gjson.Null: // absent, too
		default:
			return authObject{}, mxerr.BadJSON("auth.%s must be a string", key)
		}
	}
	return in, nil
}

// find returns the session of a request, locked: its own, or a new one that
// only challenge makes known. Nothing is looked at of what comes with a session
// that is unknown or has expired (UIA-13).
func (e *Engine) find(ctx context.Context, op Operation, in authObject) (*session, authObject, error) {
	s := e.sessions.get(in.session)
	switch {
	case s == nil:
		s = newSession(op)
		if in.session != "" {
			in = authObject{}
		}
	case !s.op.same(op):
		return nil, in, mxerr.Forbidden("this authentication session belongs to another operation")
	}
	return s, in, s.lock(ctx)
}

// attempt lets the client try the stage it names, and returns nil if all stages
// of a flow are passed.
func (e *Engine) attempt(ctx context.Context, s *session, in authObject) error {
	// Without a type the client only asks how far it is (UIA-12), and what is
	// passed is not tried again (UIA-11).
	if in.typ != "" && !s.passed(in.typ) {
		if e.stages[in.typ] == nil || !s.turnOf(in.typ) { // UIA-10
			return e.challenge(s, mxerr.Forbidden("stage %s is not to be completed now", in.typ))
		}
		err := e.check(ctx, s, in)
		if refused, ok := refusal(err); ok {
			return e.challenge(s, refused)
		}
		if err != nil {
			return err
		}
	}
	if s.complete() {
		return nil
	}
	return e.challenge(s, nil)
}

// check lets a stage look at an auth object, and records that it is passed.
func (e *Engine) check(ctx context.Context, s *session, in authObject) error {
	stage := e.stages[in.typ]
	if stage == nil {
		return mxerr.Forbidden("stage %s is not to be completed here", in.typ)
	}
	passed, err := stage.Check(ctx, Attempt{Session: in.session, Operation: s.op, Auth: in.raw})
	if err != nil {
		return err
	}
	return s.pass(in.typ, passed)
}

// Refusal reports whether the error of a stage leaves people another try, and
// returns what to tell them on a page.
func Refusal(err error) (*mxerr.Error, bool) {
	refused, ok := refusal(err)
	if ok && refused == nil {
		refused = mxerr.Unauthorized("this has not been confirmed yet")
	}
	return refused, ok
}

// refusal reports whether the error of a stage leaves the client another try
// (UIA-7), and what it is told: nothing while it is only to wait (UIA-22).
func refusal(err error) (*mxerr.Error, bool) {
	var matrix *mxerr.Error
	switch {
	case errors.Is(err, ErrPending):
		return nil, true
	case errors.Is(err, ErrDenied), errors.Is(err, ErrUnknownUser):
		return mxerr.Forbidden("invalid username or password"), true
	case errors.As(err, &matrix) && matrix.Status == http.StatusUnauthorized:
		return matrix, true
	}
	return nil, false
}

// challenge is the answer to a client that has more to do; from here on its
// session is known.
func (e *Engine) challenge(s *session, refused *mxerr.Error) *Required {
	e.sessions.keep(s)
	r := &Required{
		Session:   s.id,
		Flows:     s.op.Flows,
		Completed: slices.Clone(s.completed),
		Params:    make(map[string]any),
	}
	for _, flow := range s.op.Flows {
		for _, typ := range flow {
			if stage, ok := e.stages[typ].(Parameterized); ok {
				r.Params[typ] = stage.Params(s.id, s.op)
			}
		}
	}
	if refused != nil {
		r.Code, r.Message = refused.Code, refused.Message
	}
	return r
}
