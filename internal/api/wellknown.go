package api

import (
	"context"
	"encoding/json"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// Discovery is what the host publishes under /.well-known/matrix/ (DISC-1 to DISC-6).
type Discovery struct {
	// BaseURL is the public URL under which /_matrix is mounted; "" answers 404: not configured.
	BaseURL string
	// Extra holds further members of the client document, by name.
	Extra map[string]json.RawMessage
	// Contacts and SupportPage tell whom to ask; without either the support document is 404.
	Contacts    []Contact
	SupportPage string
}

// Contact is a person or a team that runs the server. One of MatrixID and EmailAddress is needed.
type Contact struct {
	Role         string `json:"role"` // m.role.admin, m.role.security or a namespaced one (DISC-5)
	MatrixID     string `json:"matrix_id,omitempty"`
	EmailAddress string `json:"email_address,omitempty"`
}

// wellKnown serves the documents that lead clients and people to the server.
func (a *API) wellKnown() []route {
	return []route{
		get("/.well-known/matrix/client", open, a.getWellKnown),
		get("/.well-known/matrix/support", open, a.getSupport),
		get("/.well-known/matrix/policy_server", open, a.getPolicyServer),
	}
}

type baseURL struct {
	BaseURL string `json:"base_url"`
}

// WellKnown returns the client document, which /login repeats as well_known (LOGIN-5), or nil without a base URL.
func (d *Discovery) WellKnown() map[string]any {
	if d.BaseURL == "" {
		return nil
	}
	doc := make(map[string]any, len(d.Extra)+1)
	for name, value := range d.Extra {
		doc[name] = value
	}
	doc["m.homeserver"] = baseURL{d.BaseURL}
	return doc
}

func (a *API) getWellKnown(context.Context, *caller, empty) (map[string]any, error) {
	doc := a.Discovery.WellKnown()
	if doc == nil {
		return nil, mxerr.NotFound("this server does not publish its address")
	}
	return doc, nil
}

type supportOut struct {
	Contacts    []Contact `json:"contacts,omitempty"`
	SupportPage string    `json:"support_page,omitempty"`
}

func (a *API) getSupport(context.Context, *caller, empty) (supportOut, error) {
	d := &a.Discovery
	if len(d.Contacts) == 0 && d.SupportPage == "" {
		return supportOut{}, mxerr.NotFound("this server does not publish contacts")
	}
	return supportOut{d.Contacts, d.SupportPage}, nil
}

// getPolicyServer says that nobody asks this server whether the events of others are welcome (DISC-6).
func (a *API) getPolicyServer(context.Context, *caller, empty) (empty, error) {
	return empty{}, mxerr.NotFound("this is not a policy server")
}
