package api

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// plan says how the fields of a request type are filled. It is made once, when the route table is built.
type plan struct {
	path, query []param
	queries     []int   // index of the field that takes the whole query, nil if there is none
	members     *object // the body's members, nil if the type has none
	whole       []int   // index of the field that takes the whole body, nil if there is none
	bodyNeeded  bool    // a request without a body is refused
}

// param is a field that comes from the path or the query.
type param struct {
	name     string
	index    []int
	required bool
	set      setter
	list     bool // a slice, which takes every repetition
	raw      bool // a rawText
}

// rawText is text that may be anything: for parameters of which the handler knows best how to refuse them.
type rawText string

// setter parses text into a field.
type setter func(field reflect.Value, text string) error

// planFor reads the tags of a request type. Parameters of path and query may be strings, bools, integers, anything that
// implements encoding.TextUnmarshaler, pointers to those and, in the query, slices of those. Members of the body may
// also be structs, slices, maps, float64, json.RawMessage and anything that implements json.Unmarshaler, but not any:
// it would lose the literals of numbers (CLIENT-31). Fields of embedded structs count as the type's own. It panics
// on anything else: the type is wrong, not the request.
func planFor(t reflect.Type) *plan {
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("api: request type %s is not a struct", t))
	}
	p := &plan{}
	var members []reflect.StructField
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			continue
		}
		required := f.Tag.Get("required") == "true"
		name, inPath := f.Tag.Lookup("path")
		if inPath {
			p.path = append(p.path, param{name, f.Index, true, setterFor(f.Type), false, false})
			continue
		}
		if f.Tag.Get("query") == "*" {
			if f.Type != reflect.TypeFor[url.Values]() {
				panic(fmt.Sprintf("api: %s.%s takes the query and is not url.Values", t, f.Name))
			}
			p.queries = f.Index
			continue
		}
		if name, ok := f.Tag.Lookup("query"); ok {
			p.query = append(p.query, queryParam(name, f, required))
			continue
		}
		if _, ok := f.Tag.Lookup("body"); ok {
			if f.Type != reflect.TypeFor[json.RawMessage]() {
				panic(fmt.Sprintf("api: %s.%s takes the body and is not a json.RawMessage", t, f.Name))
			}
			p.whole = f.Index
			p.bodyNeeded = p.bodyNeeded || required
			continue
		}
		if _, ok := f.Tag.Lookup("json"); !ok {
			panic(fmt.Sprintf("api: %s.%s has no tag", t, f.Name))
		}
		members = append(members, f)
		p.bodyNeeded = p.bodyNeeded || required
	}
	if len(members) > 0 {
		p.members = newObject(t, members)
	}
	return p
}

func queryParam(name string, f reflect.StructField, required bool) param {
	if f.Type.Kind() == reflect.Slice && !textual(f.Type) {
		return param{name, f.Index, required, setterFor(f.Type.Elem()), true, false}
	}
	return param{name, f.Index, required, setterFor(f.Type), false, f.Type == reflect.TypeFor[rawText]()}
}

// usesBody reports whether the type takes anything from the body.
func (p *plan) usesBody() bool { return p.members != nil || p.whole != nil }

// decode fills in from the request: path, query, body. The first fault is returned.
func (p *plan) decode(req *request, in reflect.Value) error {
	for i := range p.path {
		f := &p.path[i]
		escaped, ok := req.vars[f.name]
		if !ok {
			continue
		}
		text, err := url.PathUnescape(escaped)
		if err != nil {
			return mxerr.InvalidParam(f.name, "is not percent-encoded correctly")
		}
		if err := f.parse(in.FieldByIndex(f.index), text); err != nil {
			return err
		}
	}
	if len(p.query) > 0 {
		if err := p.decodeQuery(req.URL.Query(), in); err != nil {
			return err
		}
	}
	if p.queries != nil {
		in.FieldByIndex(p.queries).Set(reflect.ValueOf(req.URL.Query()))
	}
	if p.whole != nil {
		in.FieldByIndex(p.whole).SetBytes(req.body)
	}
	if p.members != nil {
		if err := p.members.decode(in, gjson.ParseBytes(req.body)); err != nil {
			return shapeResponse(err)
		}
	}
	return nil
}

func (p *plan) decodeQuery(query url.Values, in reflect.Value) error {
	for i := range p.query {
		f := &p.query[i]
		values := query[f.name]
		if len(values) == 0 {
			if f.required {
				return mxerr.MissingParam(f.name)
			}
			continue
		}
		field := in.FieldByIndex(f.index)
		if !f.list {
			if err := f.parse(field, values[0]); err != nil {
				return err
			}
			continue
		}
		list := reflect.MakeSlice(field.Type(), len(values), len(values))
		for i, text := range values {
			if err := f.parse(list.Index(i), text); err != nil {
				return err
			}
		}
		field.Set(list)
	}
	return nil
}

// parse sets the field from text that must be UTF-8 without NUL, unless the field takes any.
func (f *param) parse(field reflect.Value, text string) error {
	if !f.raw && (!utf8.ValidString(text) || hasNUL(text)) {
		return mxerr.InvalidParam(f.name, "is not text in UTF-8")
	}
	if err := f.set(field, text); err != nil {
		return invalid(f.name, err)
	}
	return nil
}

// milliseconds is a time to wait that a client has given; the services bound it.
func milliseconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), time.Hour.Milliseconds())) * time.Millisecond
}

// hasNUL reports whether text has the character that no identifier may contain and not every database can hold.
func hasNUL(text string) bool { return strings.IndexByte(text, 0) >= 0 }

// invalid says that a parameter or member has a value it may not have (ID-13), unless its type knows better.
func invalid(name string, err error) error {
	if _, ok := errors.AsType[*mxerr.Error](err); ok {
		return err
	}
	return mxerr.InvalidParam(name, "is invalid: %v", err).Because(err)
}

// textual reports whether values of the type parse themselves from text.
func textual(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// setterFor returns the parser of a type; it panics if there is none.
func setterFor(t reflect.Type) setter {
	if textual(t) {
		return func(field reflect.Value, text string) error {
			return field.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
		}
	}
	switch t.Kind() {
	case reflect.Pointer:
		set := setterFor(t.Elem())
		return func(field reflect.Value, text string) error {
			field.Set(reflect.New(t.Elem()))
			return set(field.Elem(), text)
		}
	case reflect.String:
		return func(field reflect.Value, text string) error {
			field.SetString(text)
			return nil
		}
	case reflect.Bool:
		return func(field reflect.Value, text string) error {
			if text != "true" && text != "false" {
				return errNotBool
			}
			field.SetBool(text == "true")
			return nil
		}
	case reflect.Int, reflect.Int64:
		return func(field reflect.Value, text string) error {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return errNotInteger
			}
			field.SetInt(n)
			return nil
		}
	}
	panic(fmt.Sprintf("api: no way to parse %s from text", t))
}

// What is wrong with text of the basic types.
var (
	errNotBool    = errors.New("neither true nor false")
	errNotInteger = errors.New("not an integer")
	errNUL        = errors.New("the character NUL")
)
