package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"sync"

	"github.com/ca4c8834/homeserver/uia"
)

// provider is an identity provider that lets people say who they are.
type provider struct{ id, site string }

func (p provider) About() uia.ProviderInfo {
	return uia.ProviderInfo{ID: p.id, Name: map[string]string{"red": "Red & Sons", "blue": "Blue"}[p.id]}
}

func (p provider) Begin(_ context.Context, r uia.SSORequest) (uia.SSOStart, error) {
	return uia.SSOStart{URL: p.site + "/idp.html?" + url.Values{"callback": {r.Callback}, "state": {r.State}}.Encode()}, nil
}

func (p provider) Finish(_ context.Context, r uia.SSOResponse) (uia.External, error) {
	person := r.Query.Get("person")
	if person == "nobody" {
		return uia.External{}, uia.ErrDenied
	}
	return uia.External{Subject: person, Username: person}, nil
}

// policy is a document that nobody reads.
func policy(id, name, site string) uia.Policy {
	return uia.Policy{ID: id, Version: "1", Texts: map[string]uia.PolicyText{"en": {Name: name, URL: site + "/policy.html"}}}
}

// mailbox keeps the last message to each address.
type mailbox struct {
	mu   sync.Mutex
	last map[string]uia.Message
}

func (m *mailbox) Send(_ context.Context, message uia.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last[message.Address] = message
	return nil
}

func (m *mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_ = json.NewEncoder(w).Encode(m.last[r.FormValue("address")])
}
