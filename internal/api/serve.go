package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// request is a request on its way from the dispatcher to the handler.
type request struct {
	*http.Request
	row    *route
	vars   map[string]string // of the template, still escaped
	caller *Caller
	body   []byte // validated; nil if the row has none
}

// ServeHTTP answers a request whose path starts with /_matrix/ or /.well-known/matrix/: whoever mounts the API under a
// prefix strips it, from the raw path too (http.StripPrefix does).
//
// The order is fixed: CORS and preflights, the endpoint, the caller, the budget, the request's own parts, the handler.
// So a preflight costs nothing (CORS-1), an unknown path is the same for everybody (API-6), and a body is read only from
// somebody who may send one.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	allowOrigins(w.Header())
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusOK)
		return
	}
	out := &response{ResponseWriter: w}
	res, vars := a.index.find(r.URL.EscapedPath())
	if res == nil {
		a.fail(out, r, "", mxerr.Unrecognized("no such endpoint"))
		return
	}
	if row, err := res.route(r.Method); err != nil {
		w.Header().Set("Allow", res.allow())
		a.fail(out, r, res.template, err)
	} else {
		a.handle(out, res.template, &request{Request: r, row: row, vars: vars})
	}
}

// Refuse answers a request with an error instead of serving it.
func (a *API) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	allowOrigins(w.Header())
	a.fail(&response{ResponseWriter: w}, r, "", err)
}

// handle runs one endpoint and writes its answer.
func (a *API) handle(w *response, template string, req *request) {
	defer func() {
		if cause := recover(); cause != nil {
			a.fail(w, req.Request, template, newPanic(cause))
		}
	}()
	answer, err := a.run(req.Context(), w, req)
	if err == nil && !req.row.raw {
		err = w.writeJSON(answer)
	}
	if err != nil {
		a.fail(w, req.Request, template, err)
	}
}

func (a *API) run(ctx context.Context, w *response, req *request) (answer any, err error) {
	row := req.row
	if req.caller, err = a.authenticate(req.Request, row); err != nil {
		return nil, err
	}
	if err = a.charge(row.class, req.caller); err != nil {
		return nil, err
	}
	if row.ownOnly {
		if user, err := url.PathUnescape(req.vars["userId"]); err != nil || events.UserID(user) != req.caller.User {
			return nil, mxerr.Forbidden("this belongs to another user")
		}
	}
	if !row.noBody && row.method != http.MethodGet {
		if req.body, err = readBody(w, req.Request, row); err != nil {
			return nil, err
		}
	}
	if row.waits {
		suspendWriteTimeout(w, req.Request)
		defer startWriteTimeout(w, req.Request, 0)
	}
	answer, err = row.serve(ctx, w, req)
	if err == nil && row.waits {
		err = a.stillThere(req)
	}
	if err == nil && row.shows {
		a.active(ctx, req.caller)
	}
	return answer, err
}

// stillThere refuses what was waited for to those who may not have it any more: the account was locked meanwhile (ADM-5),
// or the session has ended for good. One that goes on with another token may have it.
func (a *API) stillThere(req *request) error {
	_, err := a.authenticate(req.Request, req.row)
	if e, ok := errors.AsType[*mxerr.Error](err); ok && e.Code == mxerr.MUnknownToken && e.Extra["soft_logout"] == true {
		return nil
	}
	return err
}

// charge draws one request from the caller's budget (RATE-1). Anonymous callers share their address's.
func (a *API) charge(class ratelimit.Class, c *Caller) error {
	if a.Limiter == nil || class == ratelimit.None || c.Unlimited {
		return nil
	}
	key := string(c.User)
	if key == "" {
		key = ratelimit.Address(c.Presented.Address)
	}
	if wait := a.Limiter.Allow(class, key); wait > 0 {
		return mxerr.LimitExceeded(max(wait, time.Millisecond))
	}
	return nil
}
