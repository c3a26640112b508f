package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// responder is an error that knows its own response: *mxerr.Error, or the challenge of user-interactive
// authentication with its flows (UIA-2). The body is a JSON object.
type responder interface {
	error
	MatrixResponse() (status int, body []byte)
}

// refusal maps an error to what the client is told, or nil if it is a fault of the server. This is the only place
// where errors become responses.
func refusal(err error) responder {
	if r, ok := errors.AsType[responder](err); ok {
		return r
	}
	if e, ok := errors.AsType[*events.FilterError](err); ok { // before the IDError that it may wrap
		return mxerr.BadJSON("%s", e.Error()) // FILT-5
	}
	if e, ok := errors.AsType[*events.IDError](err); ok {
		return mxerr.New(http.StatusBadRequest, mxerr.MInvalidParam, "%s", e.Error()) // ID-13
	}
	if e, ok := errors.AsType[*events.JSONError](err); ok {
		if e.Kind == events.NotJSON {
			return mxerr.NotJSON("%s", e.Error())
		}
		return mxerr.BadJSON("%s", e.Error())
	}
	if e, ok := errors.AsType[*events.FieldError](err); ok {
		return mxerr.BadJSON("%s", e.Error())
	}
	if e, ok := errors.AsType[*events.AuthError](err); ok {
		return mxerr.Forbidden("%s", e.Reason) // ERR-6
	}
	if e, ok := errors.AsType[*events.SizeError](err); ok {
		return mxerr.TooLarge("%s", e.Error())
	}
	return nil
}

// fail answers with an error. A fault is logged with an ID that the client is told too, so that one can be found from
// the other; neither the token nor the body is ever logged. For a client that has gone, or if a raw handler has already
// begun its answer, the connection is cut, so that nobody takes nothing or half of it for the whole: somebody may still
// listen who has only stopped to send.
//
// Whoever cancels the context of a request says to the client why, with a refusal as the cause.
func (a *API) fail(w *response, r *http.Request, template string, err error) {
	told := refusal(err)
	if told == nil && r.Context().Err() != nil {
		told = refusal(context.Cause(r.Context()))
	}
	if told == nil && errors.Is(err, context.DeadlineExceeded) && errors.Is(r.Context().Err(), context.DeadlineExceeded) {
		// The client is still there: it is the host's middleware that lets no request take so long.
		told = mxerr.New(http.StatusGatewayTimeout, mxerr.MUnknown, "the request has taken too long")
	}
	if told == nil {
		if r.Context().Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
			cut(w)
			return
		}
		id := rand.Text()[:12]
		attrs := []slog.Attr{
			slog.String("request_id", id), slog.String("method", r.Method), slog.String("route", template),
			slog.Any("error", err),
		}
		if p, ok := errors.AsType[*panicError](err); ok {
			attrs = append(attrs, slog.String("stack", string(p.stack)))
		}
		a.Logger.LogAttrs(r.Context(), slog.LevelError, "answer request", attrs...)
		told = mxerr.New(http.StatusInternalServerError, mxerr.MUnknown, "internal server error (request %s)", id)
	}
	if w.status != 0 {
		cut(w)
		return
	}
	if e, ok := told.(*mxerr.Error); ok {
		if seconds, ok := e.RetryAfterSeconds(); ok {
			w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10)) // RATE-2
		}
	}
	status, body := told.MatrixResponse()
	w.send(status, body)
}

// cut makes an answer fail that net/http would end properly, or begin as 200, whatever the handler thinks of it.
func cut(w *response) { _ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)) }

// panicError is a panic of a handler, kept from reaching the host.
type panicError struct {
	cause any
	stack []byte
}

func newPanic(cause any) *panicError { return &panicError{cause, debug.Stack()} }

// Error implements error.
func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.cause) }
