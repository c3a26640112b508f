package api

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// clientBase is what relative templates are relative to, with the version between the two.
const clientBase = "/_matrix/client"

// defaultMaxBody is the largest request body in bytes where a row says nothing else.
const defaultMaxBody = 1 << 20

// route is one row of a module's table. Rows are values: each option returns a changed copy.
type route struct {
	method   string
	path     string   // relative to base and version, or absolute
	base     string   // what a relative path is under
	versions []string // version segments a relative path is served under
	others   []string // further paths of the same endpoint, relative
	features []string // further paths, relative to base and the version "unstable"

	who         access
	allowGuests bool
	ownOnly     bool // only the user of {userId}
	locked      bool // also accounts that are locked
	named       bool // application services must say for whom

	shows bool // that the caller is there, when it succeeds
	waits bool // for something to happen, before it answers

	class   ratelimit.Class
	maxBody int64
	noBody  bool // the body is ignored
	scalars bool // the body need not be an object

	raw   bool
	plan  *plan
	serve func(context.Context, http.ResponseWriter, *request) (any, error)
}

// get makes the row of an endpoint that reads. The path is relative to /_matrix/client/v3 and /r0 unless an option
// says otherwise, or absolute if it starts with /_ or /. as in /_matrix/ and /.well-known/. The request type's plan is made here, so a
// faulty type panics when the table is built.
func get[In, Out any](path string, who access, h func(context.Context, *caller, In) (Out, error)) route {
	return typed(http.MethodGet, path, who, h)
}

// put makes the row of a PUT endpoint; see [get].
func put[In, Out any](path string, who access, h func(context.Context, *caller, In) (Out, error)) route {
	return typed(http.MethodPut, path, who, h)
}

// post makes the row of a POST endpoint; see [get].
func post[In, Out any](path string, who access, h func(context.Context, *caller, In) (Out, error)) route {
	return typed(http.MethodPost, path, who, h)
}

// delete_ makes the row of a DELETE endpoint; see [get].
func delete_[In, Out any](path string, who access, h func(context.Context, *caller, In) (Out, error)) route {
	return typed(http.MethodDelete, path, who, h)
}

// raw makes the row of an endpoint that reads or writes something else than JSON. Path and query are decoded into In,
// which has no body members; the body is the handler's, under the row's limit. A raw GET also answers HEAD, for which
// the handler must not write a body (net/http discards it anyway). An error that is returned after the handler has
// written anything is only logged.
func raw[In any](method, path string, who access, h func(context.Context, http.ResponseWriter, *http.Request, *caller, In) error) route {
	row := newRoute[In](method, path, who)
	row.raw = true
	row.noBody = true
	row.serve = func(ctx context.Context, w http.ResponseWriter, req *request) (any, error) {
		var in In
		if err := row.plan.decode(req, reflect.ValueOf(&in).Elem()); err != nil {
			return nil, err
		}
		return nil, h(ctx, w, req.Request, req.caller, in)
	}
	return row
}

func typed[In, Out any](method, path string, who access, h func(context.Context, *caller, In) (Out, error)) route {
	row := newRoute[In](method, path, who)
	row.serve = func(ctx context.Context, _ http.ResponseWriter, req *request) (any, error) {
		var in In
		if err := row.plan.decode(req, reflect.ValueOf(&in).Elem()); err != nil {
			return nil, err
		}
		return h(ctx, req.caller, in)
	}
	return row
}

func newRoute[In any](method, path string, who access) route {
	return route{
		method: method, path: path, who: who,
		base: clientBase, versions: []string{"v3", "r0"},
		maxBody: defaultMaxBody,
		plan:    planFor(reflect.TypeFor[In]()),
	}
}

// at replaces the versions, v3 and r0, under which the endpoint is served: only what r0.6.1 had stays under r0
// (API-10, API-13).
func (r route) at(versions ...string) route {
	r.versions = versions
	return r
}

// under replaces /_matrix/client, for the media endpoints.
func (r route) under(base string) route {
	r.base = base
	return r
}

// also adds paths, relative like the first one, for endpoints whose last variable may be left out.
func (r route) also(paths ...string) route {
	r.others = append(slices.Clone(r.others), paths...)
	return r
}

// unstable adds paths under /_matrix/client/unstable, such as "/org.matrix.msc2965/auth_issuer".
func (r route) unstable(paths ...string) route {
	r.features = append(slices.Clone(r.features), paths...)
	return r
}

// guests lets guests call, who are refused elsewhere (GUEST-1).
func (r route) guests() route {
	r.allowGuests = true
	return r
}

// own refuses callers who are not the user of the path variable {userId} (AUTH-8).
func (r route) own() route {
	r.ownOnly = true
	return r
}

// whileLocked lets locked accounts call: they may still log out (ADM-5).
func (r route) whileLocked() route {
	r.locked = true
	return r
}

// forNamedUser refuses application services that do not say for whom they call (ASC-9).
func (r route) forNamedUser() route {
	r.named = true
	return r
}

// showsActivity makes a success count as something that the caller has done (PRES-7).
func (r route) showsActivity() route {
	r.shows = true
	return r
}

// longPoll lets the endpoint take its time: see timeout.go.
func (r route) longPoll() route {
	r.waits = true
	return r
}

// limit draws every request from the caller's budget for the class.
func (r route) limit(class ratelimit.Class) route {
	r.class = class
	return r
}

// body replaces the limit of 1 MiB on the size of the body in bytes.
func (r route) body(limit int64) route {
	r.maxBody = limit
	return r
}

// ignoreBody makes the endpoint accept any body, or none, without looking at it (API-1: logout).
func (r route) ignoreBody() route {
	r.noBody = true
	return r
}

// anyJSON makes the endpoint accept bodies that are no JSON objects (RULE-15).
func (r route) anyJSON() route {
	r.scalars = true
	return r
}

// templates returns the absolute paths at which the row is served.
func (r route) templates() []string {
	var all []string
	for _, path := range append([]string{r.path}, r.others...) {
		if strings.HasPrefix(path, "/_") || strings.HasPrefix(path, "/.") {
			all = append(all, path)
			continue
		}
		for _, version := range r.versions {
			all = append(all, r.base+"/"+version+path)
		}
	}
	for _, path := range r.features {
		all = append(all, r.base+"/unstable"+path)
	}
	return all
}

// whom describes the row's rule in words, for [API.Table].
func (r route) whom() string {
	text := r.who.String()
	if r.ownOnly {
		text = "own " + text
	}
	if r.allowGuests {
		text += " or guest"
	}
	return text
}

// check panics if the row contradicts its request type.
func (r route) check() {
	templates := r.templates()
	has := func(variable string) bool {
		return slices.ContainsFunc(templates, func(t string) bool { return strings.Contains(t, "{"+variable+"}") })
	}
	fault := ""
	for _, field := range r.plan.path {
		if !has(field.name) {
			fault = "has no variable " + field.name
		}
	}
	if r.ownOnly && !has("userId") {
		fault = "is for the user of a path that names none"
	}
	if r.plan.usesBody() && (r.noBody || r.method == http.MethodGet) {
		fault = "never reads the body that its request type wants"
	}
	if fault != "" {
		panic(fmt.Sprintf("api: route %s %s %s", r.method, r.path, fault))
	}
}
