package api

import (
	"context"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/uia"
)

// colour is a stage that a host has added.
type colour struct{}

var _ uia.Asker = colour{}

func (colour) Type() string { return "org.example.colour" }

func (colour) Check(_ context.Context, a uia.Attempt) (uia.Passed, error) {
	if gjson.GetBytes(a.Auth, "colour").Str != "blue" {
		return uia.Passed{}, uia.ErrDenied
	}
	return uia.Passed{}, nil
}

func (colour) Form(uia.Operation) uia.Form {
	return uia.Form{Title: "Your colour", Fields: []uia.Field{{Name: "colour", Label: "<Colour> & shade", Type: "text"}}, Submit: "Tell"}
}
