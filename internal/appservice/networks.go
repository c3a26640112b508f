package appservice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// patience is how long a service may take to answer somebody who searches a network.
const patience = 10 * time.Second

// Networks asks services about the networks that they connect to. The services that an
// answer depends on are asked at once; one that gives none is logged and left out. Any
// number of calls may be made at once.
type Networks struct {
	Services *Registry
	Client   *Client
	Logger   *slog.Logger
}

// Kind is what can be found on a network.
type Kind string

// Locations are rooms, found by alias; Users are people, found by user ID.
const (
	Locations Kind = "location"
	Users     Kind = "user"
)

// id is the member that a result of the kind is known by.
func (k Kind) id() string {
	if k == Users {
		return "userid"
	}
	return "alias"
}

// InstanceID is how clients call a network of an application service
// (third_party_instance_id, RDIR-16).
func InstanceID(service, network string) string { return service + "|" + network }

// Protocols describes all protocols that services have declared and answer for
// (3PN-1).
func (n *Networks) Protocols(ctx context.Context) (map[string]json.RawMessage, error) {
	return n.describe(ctx, func(string) bool { return true })
}

// Protocol describes one protocol (3PN-2). M_NOT_FOUND if no service has declared it,
// or none answers.
func (n *Networks) Protocol(ctx context.Context, protocol string) (json.RawMessage, error) {
	found, err := n.describe(ctx, func(declared string) bool { return declared == protocol })
	if err == nil && found[protocol] == nil {
		err = mxerr.NotFound("no such network is connected to this server")
	}
	return found[protocol], err
}

// Find looks for people or rooms of a protocol by its fields, or with an empty protocol
// for what an ID of this server stands for, in any network (3PN-4, 3PN-5). The results
// are those of all services in the order of their registration. M_NOT_FOUND if there
// are none.
func (n *Networks) Find(ctx context.Context, kind Kind, protocol string, fields url.Values) ([]json.RawMessage, error) {
	path := "thirdparty/" + string(kind)
	var questions []question
	for _, s := range n.Services.All() {
		switch {
		case protocol == "":
			questions = append(questions, question{s, "", path + "?" + fields.Encode()})
		case slices.Contains(s.Protocols, protocol):
			questions = append(questions, question{s, protocol, path + "/" + url.PathEscape(protocol) + "?" + fields.Encode()})
		}
	}
	var found []json.RawMessage
	for _, answer := range n.ask(ctx, questions) {
		for _, result := range answer.Array() {
			// What a client could not make sense of stays out.
			if result.Get(kind.id()).Type == gjson.String && result.Get("protocol").Type == gjson.String && result.Get("fields").IsObject() {
				found = append(found, json.RawMessage(result.Raw))
			}
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err() // whoever asked has gone
	}
	if len(found) == 0 {
		return nil, mxerr.NotFound("nothing like that is known in another network")
	}
	return found, nil
}

// describe puts together what services say of the protocols that are wanted.
func (n *Networks) describe(ctx context.Context, wanted func(protocol string) bool) (map[string]json.RawMessage, error) {
	var questions []question
	for _, s := range n.Services.All() {
		for _, p := range s.Protocols {
			if wanted(p) {
				questions = append(questions, question{s, p, "thirdparty/protocol/" + url.PathEscape(p)})
			}
		}
	}
	protocols, instances := make(map[string][]byte), make(map[string][]byte)
	for i, answer := range n.ask(ctx, questions) {
		if !answer.IsObject() {
			continue
		}
		protocol, service := questions[i].protocol, questions[i].service
		if protocols[protocol] == nil {
			protocols[protocol], instances[protocol] = complete(answer), []byte("[]")
		}
		// Of instances that could not be told apart there is one.
		seen := make(map[string]bool)
		for _, instance := range answer.Get("instances").Array() {
			if network := instance.Get("network_id"); network.Type == gjson.String && !seen[network.Str] {
				seen[network.Str] = true
				named := set([]byte(instance.Raw), "instance_id", InstanceID(service.ID, network.Str))
				instances[protocol] = setRaw(instances[protocol], "-1", named)
			}
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	described := make(map[string]json.RawMessage, len(protocols))
	for protocol, metadata := range protocols {
		described[protocol] = setRaw(metadata, "instances", instances[protocol])
	}
	return described, nil
}

// complete gives a description all that it must have, whatever the service has left
// out.
func complete(description gjson.Result) []byte {
	out := []byte(description.Raw)
	for _, member := range []struct {
		name, empty string
		ok          bool
	}{
		{"user_fields", `[]`, description.Get("user_fields").IsArray()},
		{"location_fields", `[]`, description.Get("location_fields").IsArray()},
		{"icon", `""`, description.Get("icon").Type == gjson.String},
		{"field_types", `{}`, description.Get("field_types").IsObject()},
	} {
		if !member.ok {
			out = setRaw(out, member.name, []byte(member.empty))
		}
	}
	return out
}

// set and setRaw change JSON that is known to be valid by paths that are, too, which
// cannot fail.
func set(object []byte, path, value string) []byte {
	out, _ := sjson.SetBytes(object, path, value)
	return out
}

func setRaw(object []byte, path string, value []byte) []byte {
	out, _ := sjson.SetRawBytes(object, path, value)
	return out
}

// question is what a service is asked: the path is as in [Client.call].
type question struct {
	service  *Service
	protocol string // "": any
	path     string
}

// ask puts all questions at once and returns the answers in the same order; the zero
// Result where there is none.
func (n *Networks) ask(ctx context.Context, questions []question) []gjson.Result {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answers := make([]gjson.Result, len(questions))
	var all sync.WaitGroup
	for i, q := range questions {
		if q.service.URL == "" {
			continue
		}
		all.Go(func() {
			answer, err := n.Client.look(ctx, q)
			if err != nil && !errors.Is(err, context.Canceled) {
				n.Logger.WarnContext(ctx, "ask application service about a network",
					slog.String("service", q.service.ID), slog.String("protocol", q.protocol), slog.Any("error", err))
			}
			answers[i] = answer
		})
	}
	all.Wait()
	return answers
}

// look puts one question. That there is nothing to be found is an answer.
func (c *Client) look(ctx context.Context, q question) (gjson.Result, error) {
	status, answer, err := c.call(ctx, q.service, http.MethodGet, q.path, nil)
	switch {
	case err != nil:
		return gjson.Result{}, err
	case status == http.StatusNotFound:
		return gjson.Result{}, nil
	case status != http.StatusOK:
		return gjson.Result{}, fmt.Errorf("the answer is %d", status)
	case !json.Valid(answer) || !utf8.Valid(answer):
		return gjson.Result{}, fmt.Errorf("the answer is no JSON, or larger than %d bytes", maxAnswer)
	}
	return gjson.ParseBytes(answer), nil
}
