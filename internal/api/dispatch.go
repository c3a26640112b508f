package api

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/gorilla/mux"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// index finds the endpoint of a path.
//
// gorilla/mux tries its routes one after the other, so one router for everything would cost the last endpoint of 400
// paths a tenth of a millisecond. The index cuts the search to a handful: templates are filed under what is literal in
// them, and each bucket is a small router. A look-up costs a few map accesses and, in most cases, one pattern.
//
// Paths are matched in their escaped form and cut at the slashes before anything is decoded, so that an encoded slash
// belongs to its segment, and they are never cleaned: "//" and ".." are not special (API-7, EVT-33, CLIENT-33).
type index struct {
	buckets map[bucketKey]*bucket
	slashes int // the most that any template has
}

// bucketKey is the literal text of a template up to its first variable, and the literal segment that follows
// that variable. A template without variables is all head.
type bucketKey struct{ head, next string }

// bucket is a few templates. They become patterns when one is looked for: a server that lives for one test is never
// asked for most of its endpoints.
type bucket struct {
	resources []*resource
	patterns  func() patterns // made once, by the first call
}

type patterns struct {
	router    *mux.Router
	resources map[*mux.Route]*resource
}

func newBucket() *bucket {
	b := new(bucket)
	b.patterns = sync.OnceValue(func() patterns {
		p := patterns{mux.NewRouter(), make(map[*mux.Route]*resource)}
		for _, res := range b.resources {
			p.resources[p.router.Path(res.template)] = res
		}
		return p
	})
	return b
}

// resource is a path with the endpoints that its methods stand for.
type resource struct {
	template string
	methods  map[string]*route
}

// allow is the value of the header of that name, which goes with every 405.
func (res *resource) allow() string {
	methods := append(slices.Sorted(maps.Keys(res.methods)), http.MethodOptions)
	return strings.Join(methods, ", ")
}

// newIndex files every template of every row. It panics if two rows claim the same method and path, or if a row
// contradicts itself.
func newIndex(rows []route) *index {
	x := &index{buckets: make(map[bucketKey]*bucket)}
	resources := make(map[string]*resource)
	for i := range rows {
		row := &rows[i]
		row.check()
		for _, template := range row.templates() {
			res := resources[template]
			if res == nil {
				res = &resource{template, make(map[string]*route)}
				resources[template] = res
				x.file(res)
				x.slashes = max(x.slashes, strings.Count(template, "/"))
			}
			if res.methods[row.method] != nil {
				panic(fmt.Sprintf("api: two routes for %s %s", row.method, template))
			}
			res.methods[row.method] = row
		}
	}
	return x
}

func (x *index) file(res *resource) {
	key := bucketKey{head: res.template}
	if head, rest, ok := strings.Cut(res.template, "{"); ok {
		key.head = head
		_, rest, _ = strings.Cut(rest, "}")
		key.next, _, _ = strings.Cut(strings.TrimPrefix(rest, "/"), "/")
		if strings.HasPrefix(key.next, "{") {
			key.next = ""
		}
	}
	b := x.buckets[key]
	if b == nil {
		b = newBucket()
		x.buckets[key] = b
	}
	b.resources = append(b.resources, res)
}

// find returns the resource of an escaped path and its variables, still escaped, or nil.
func (x *index) find(path string) (*resource, map[string]string) {
	if strings.Count(path, "/") > x.slashes {
		return nil, nil // or a megabyte of slashes would mean a million look-ups
	}
	// The router looks at the path only. A probe whose plain path is the escaped one spares it the escaping,
	// which it would do anew for every pattern.
	probe := &http.Request{URL: &url.URL{Path: path}}
	if res, vars := x.try(probe, bucketKey{head: path}); res != nil {
		return res, vars
	}
	for end := len(path); ; {
		slash := strings.LastIndexByte(path[:end], '/')
		if slash < 0 {
			return nil, nil
		}
		_, next, _ := strings.Cut(path[slash+1:], "/")
		next, _, _ = strings.Cut(next, "/")
		head := path[:slash+1]
		if next != "" {
			if res, vars := x.try(probe, bucketKey{head, next}); res != nil {
				return res, vars
			}
		}
		if res, vars := x.try(probe, bucketKey{head: head}); res != nil {
			return res, vars
		}
		end = slash
	}
}

func (x *index) try(probe *http.Request, key bucketKey) (*resource, map[string]string) {
	b := x.buckets[key]
	if b == nil {
		return nil, nil
	}
	p := b.patterns()
	var match mux.RouteMatch
	if !p.router.Match(probe, &match) {
		return nil, nil
	}
	return p.resources[match.Route], match.Vars
}

// route returns the row of the method, or the refusal of API-6. A raw GET answers HEAD too.
func (res *resource) route(method string) (*route, error) {
	if row := res.methods[method]; row != nil {
		return row, nil
	}
	if method == http.MethodHead {
		if row := res.methods[http.MethodGet]; row != nil && row.raw {
			return row, nil
		}
	}
	return nil, mxerr.MethodNotAllowed()
}
