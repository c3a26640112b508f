package uia

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// Required is the error that asks the client for proof: what the HTTP layer
// sends as 401 with the flows and the session.
type Required struct {
	Session   string
	Flows     []Flow
	Completed []string       // stages passed so far, in the order of passing
	Params    map[string]any // by stage type; always sent, if empty as {}

	// Code and Message say why the last attempt was refused; both empty if
	// none was.
	Code    mxerr.Code
	Message string
}

// Error says what is missing, for logs.
func (r *Required) Error() string {
	flows := make([]string, len(r.Flows))
	for i, f := range r.Flows {
		flows[i] = strings.Join(f, "+")
	}
	text := "interactive authentication required: " + strings.Join(flows, " or ")
	if r.Code != "" {
		text = fmt.Sprintf("%s: %s: %s", text, r.Code, r.Message)
	}
	return text
}

// MatrixResponse returns the status and body to send.
func (r *Required) MatrixResponse() (status int, body []byte) {
	type flow struct {
		Stages []string `json:"stages"`
	}
	out := struct {
		Code      mxerr.Code     `json:"errcode,omitempty"`
		Message   string         `json:"error,omitempty"`
		Session   string         `json:"session"`
		Flows     []flow         `json:"flows"`
		Completed []string       `json:"completed"`
		Params    map[string]any `json:"params"`
	}{
		Code: r.Code, Message: r.Message, Session: r.Session,
		Flows:     make([]flow, len(r.Flows)),
		Completed: append([]string{}, r.Completed...),
		Params:    r.Params,
	}
	for i, f := range r.Flows {
		out.Flows[i].Stages = f
	}
	if out.Params == nil {
		out.Params = map[string]any{}
	}
	body, err := json.Marshal(out)
	if err != nil { // only a stage's params can fail
		return mxerr.Unknown("internal server error").MatrixResponse()
	}
	return http.StatusUnauthorized, body
}
