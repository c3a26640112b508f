package homeservertest

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/tidwall/gjson"
)

// Response is an answer of the server.
type Response struct {
	Status int
	Header http.Header
	Body   []byte

	tb      testing.TB
	request string
}

// JSON returns the body, which ends the test if it is not JSON.
func (r *Response) JSON() gjson.Result {
	r.tb.Helper()
	if !gjson.ValidBytes(r.Body) {
		r.tb.Fatalf("%v\nwhich is not JSON", r)
	}
	return gjson.ParseBytes(r.Body)
}

// Want ends the test unless the status is this one. It returns the body, which
// must be JSON.
func (r *Response) Want(status int) gjson.Result {
	r.tb.Helper()
	if r.Status != status {
		r.tb.Fatalf("%v\nwant status %d", r, status)
	}
	return r.JSON()
}

// WantError ends the test unless the answer is an error with this status and
// this errcode, such as M_FORBIDDEN. It returns the body.
func (r *Response) WantError(status int, code string) gjson.Result {
	r.tb.Helper()
	body := r.Want(status)
	if got := body.Get("errcode"); got.Type != gjson.String || got.Str != code {
		r.tb.Fatalf("%v\nwant errcode %s", r, code)
	}
	return body
}

// String describes the exchange.
func (r *Response) String() string {
	return fmt.Sprintf("%s\nand gets %d %s", r.request, r.Status, clip(r.Body))
}

// clip shortens what nobody would read to the end.
func clip(body []byte) string {
	const most = 4000
	if len(body) > most {
		return fmt.Sprintf("%s… (%d bytes)", body[:most], len(body))
	}
	return string(body)
}
