// Package mxerr holds the one error type that becomes a Matrix error response.
//
// A service refuses a request by returning an *[Error], made by the constructor named after its code:
//
//	return mxerr.Forbidden("you are not allowed to ban in this room")
//	return mxerr.MissingParam("redirectUrl")
//	return mxerr.NotFound("room not found").Because(err)
//
// The HTTP layer sends Status, Code, Message, the Extra members and the rate-limit headers, and never the cause,
// which is for the log. Anything that is not an *Error is a fault of the server and reaches the client as 500 M_UNKNOWN
// without its text (ERR-18).
//
// Callers in the same process branch on codes with the standard library: every [Code] is an error and an *Error
// matches its own code.
//
//	if errors.Is(err, mxerr.MUserInUse) { ... }
//
//	var refused *mxerr.Error
//	if errors.As(err, &refused) { ... }
//
// Messages are written for people, in English, without the values of secrets. They name the offending field where
// there is one, in the spelling of the wire.
//
// The codes and their usual status are listed in codes.go. Values of Error are not safe to change once they have been
// returned: With, After and Because are for the place that makes the error.
package mxerr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"time"
)

// Code is a Matrix error code such as M_FORBIDDEN (ERR-2). It is an error so that errors.Is can look for it.
type Code string

// Error returns the code itself.
func (c Code) Error() string { return string(c) }

// Error is a refusal as the client sees it, with the cause kept for the log.
type Error struct {
	// Status is the HTTP status, 4xx or 5xx.
	Status int
	// Code is the errcode.
	Code Code
	// Message is the human-readable "error" member; the client may show it.
	Message string
	// Extra holds further members of the response, such as soft_logout. Values must marshal to JSON. The keys
	// errcode, error and retry_after_ms are ignored here.
	Extra map[string]any
	// RetryAfter says how long to wait. It is sent, also when zero, with M_LIMIT_EXCEEDED (RATE-2, RATE-3), and on
	// other errors when positive.
	RetryAfter time.Duration

	cause error
}

// New makes an error from its parts, for codes that have no constructor or need another status. The message is
// formatted as by fmt.Sprintf.
func New(status int, code Code, format string, args ...any) *Error {
	message := format
	if len(args) > 0 {
		message = fmt.Sprintf(format, args...)
	}
	return &Error{Status: status, Code: code, Message: message}
}

// With adds a member to the response and returns e.
func (e *Error) With(key string, value any) *Error {
	if e.Extra == nil {
		e.Extra = make(map[string]any, 1)
	}
	e.Extra[key] = value
	return e
}

// Because records the cause, which is found by errors.Is and errors.As and never sent, and returns e.
func (e *Error) Because(cause error) *Error {
	e.cause = cause
	return e
}

// Error returns code, message and cause, for logs and tests.
func (e *Error) Error() string {
	text := string(e.Code) + ": " + e.Message
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is the error's code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// MatrixResponse returns the status and the JSON body to send (ERR-1).
func (e *Error) MatrixResponse() (status int, body []byte) {
	members := make(map[string]any, len(e.Extra)+3)
	maps.Copy(members, e.Extra)
	members["errcode"] = e.Code
	members["error"] = e.Message
	delete(members, "retry_after_ms")
	if e.limits() {
		members["retry_after_ms"] = max(e.RetryAfter, 0).Milliseconds()
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(members); err != nil {
		// Only a value in Extra can fail; the refusal itself must still go out.
		fallback := Error{Status: e.Status, Code: e.Code, Message: e.Message, RetryAfter: e.RetryAfter}
		return fallback.MatrixResponse()
	}
	return e.Status, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// RetryAfterSeconds returns the value of the Retry-After header in whole seconds, rounded up, and whether to send
// one (RATE-2).
func (e *Error) RetryAfterSeconds() (seconds int64, ok bool) {
	if !e.limits() {
		return 0, false
	}
	return int64((max(e.RetryAfter, 0) + time.Second - 1) / time.Second), true
}

func (e *Error) limits() bool {
	return e.RetryAfter > 0 || e.Status == http.StatusTooManyRequests
}
