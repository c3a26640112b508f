package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// firstRead bounds what is set aside for a body on the word of its Content-Length.
const firstRead = 64 << 10

// readBody returns the body, which is a JSON object (or any JSON, if the row says so) in UTF-8 of at most the row's limit, or {} for one that is
// missing where nothing in it is required (API-1 to API-3).
func readBody(w http.ResponseWriter, r *http.Request, row *route) ([]byte, error) {
	if row.method == http.MethodDelete && !row.plan.usesBody() {
		return nil, nil
	}
	tooLarge := mxerr.TooLarge("the body may have at most %d bytes", row.maxBody)
	if r.ContentLength > row.maxBody {
		return nil, tooLarge
	}
	var buf bytes.Buffer
	buf.Grow(int(min(max(r.ContentLength, 0), firstRead)) + bytes.MinRead)
	if _, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, row.maxBody)); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, tooLarge
		}
		// A body that breaks off ends the context, but the client may have closed only its half of the connection.
		if r.Context().Err() != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, r.Context().Err()
		}
		return nil, mxerr.NotJSON("the body ends too early").Because(err)
	}
	body := buf.Bytes()
	if len(body) == 0 {
		if row.plan.bodyNeeded {
			return nil, mxerr.NotJSON("the body is missing")
		}
		return []byte("{}"), nil
	}
	if err := events.Valid(body); err != nil {
		return nil, err
	}
	if !row.scalars && bytes.TrimLeft(body, " \t\r\n")[0] != '{' {
		return nil, mxerr.BadJSON("the body must be an object")
	}
	return body, nil
}

// The body's members are decoded over gjson and not by encoding/json for two reasons: names must match exactly, while
// encoding/json also takes "ROOM_ID" for room_id; and errors must name the field that is wrong.

// decoder fills a field from a JSON value.
type decoder func(field reflect.Value, value gjson.Result) error

// object decodes the members of a JSON object into the fields of a struct. Unknown members are ignored (API-8); of
// duplicates the last wins.
type object struct {
	members map[string]*member
	needed  []*member
}

type member struct {
	name   string
	index  []int
	bit    uint64 // marks the required member as seen
	nulls  bool   // the type tells null from absent
	decode decoder
}

func newObject(t reflect.Type, fields []reflect.StructField) *object {
	o := &object{members: make(map[string]*member)}
	for _, f := range fields {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if name == "" || !f.IsExported() || o.members[name] != nil {
			panic(fmt.Sprintf("api: field %s.%s cannot be a member", t, f.Name))
		}
		m := &member{name: name, index: f.Index, nulls: f.Type == rawMessage, decode: decoderFor(f.Type)}
		if f.Tag.Get("required") == "true" {
			m.bit = 1 << len(o.needed) // 64 are more than any endpoint requires
			o.needed = append(o.needed, m)
		}
		o.members[name] = m
	}
	return o
}

func (o *object) decode(in reflect.Value, value gjson.Result) (err error) {
	if !value.IsObject() {
		return &shapeError{want: "an object"}
	}
	var seen uint64
	value.ForEach(func(key, value gjson.Result) bool {
		m := o.members[key.Str]
		if m == nil || value.Type == gjson.Null && !m.nulls {
			return true
		}
		seen |= m.bit
		if err = m.decode(in.FieldByIndex(m.index), value); err != nil {
			err = within(m.name, err)
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	for _, m := range o.needed {
		if seen&m.bit == 0 {
			return &shapeError{path: m.name}
		}
	}
	return nil
}

// shapeError says which member is missing, has the wrong type or an impossible value.
type shapeError struct {
	path  string // as in identifier.user or events[3].type
	want  string // the type it should have, with its article
	cause error  // why the value is impossible
	// neither: the member is missing
}

// Error implements error.
func (e *shapeError) Error() string { return e.path + " must be " + e.want }

// within puts a name in front of the path of a fault that was found further in.
func within(name string, err error) error {
	e, ok := err.(*shapeError)
	if !ok {
		return &shapeError{path: name, cause: err}
	}
	switch {
	case e.path == "":
		e.path = name
	case e.path[0] == '[':
		e.path = name + e.path
	default:
		e.path = name + "." + e.path
	}
	return e
}

// shapeResponse turns a fault into the refusal of API-3.
func shapeResponse(err error) error {
	e, ok := err.(*shapeError)
	switch {
	case !ok:
		return err
	case e.cause != nil:
		return invalid(e.path, e.cause)
	case e.want != "":
		return mxerr.BadJSON("%s", e.Error())
	default:
		return mxerr.MissingParam(e.path)
	}
}

var rawMessage = reflect.TypeFor[json.RawMessage]()

// decoderFor returns the decoder of a type; it panics if there is none, and for any.
func decoderFor(t reflect.Type) decoder {
	switch {
	case t == rawMessage:
		return func(field reflect.Value, value gjson.Result) error {
			field.SetBytes([]byte(value.Raw))
			return nil
		}
	case reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()):
		return func(field reflect.Value, value gjson.Result) error {
			return field.Addr().Interface().(json.Unmarshaler).UnmarshalJSON([]byte(value.Raw))
		}
	case textual(t):
		return textDecoder(setterFor(t), false)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return pointerDecoder(t)
	case reflect.Struct:
		return structDecoder(t)
	case reflect.Slice:
		return sliceDecoder(t)
	case reflect.Map:
		return mapDecoder(t)
	case reflect.String:
		return textDecoder(setterFor(t), t == reflect.TypeFor[rawText]())
	case reflect.Bool:
		return func(field reflect.Value, value gjson.Result) error {
			if !value.IsBool() {
				return &shapeError{want: "a boolean"}
			}
			field.SetBool(value.Type == gjson.True)
			return nil
		}
	case reflect.Int, reflect.Int64:
		return func(field reflect.Value, value gjson.Result) error {
			n, err := strconv.ParseInt(value.Raw, 10, 64)
			if err != nil {
				return &shapeError{want: "an integer"}
			}
			field.SetInt(n)
			return nil
		}
	case reflect.Float64:
		return func(field reflect.Value, value gjson.Result) error {
			x, err := strconv.ParseFloat(value.Raw, 64)
			if value.Type != gjson.Number || err != nil {
				return &shapeError{want: "a number"}
			}
			field.SetFloat(x)
			return nil
		}
	}
	panic(fmt.Sprintf("api: no way to decode %s from JSON", t))
}

func textDecoder(set setter, raw bool) decoder {
	return func(field reflect.Value, value gjson.Result) error {
		if value.Type != gjson.String {
			return &shapeError{want: "a string"}
		}
		if !raw && hasNUL(value.Str) {
			return errNUL
		}
		return set(field, value.Str)
	}
}

func pointerDecoder(t reflect.Type) decoder {
	decode := decoderFor(t.Elem())
	return func(field reflect.Value, value gjson.Result) error {
		field.Set(reflect.New(t.Elem()))
		return decode(field.Elem(), value)
	}
}

func structDecoder(t reflect.Type) decoder {
	var fields []reflect.StructField
	for _, f := range reflect.VisibleFields(t) {
		if !f.Anonymous {
			fields = append(fields, f)
		}
	}
	o := newObject(t, fields)
	return func(field reflect.Value, value gjson.Result) error {
		field.SetZero()
		return o.decode(field, value)
	}
}

func sliceDecoder(t reflect.Type) decoder {
	decode := decoderFor(t.Elem())
	return func(field reflect.Value, value gjson.Result) (err error) {
		if !value.IsArray() {
			return &shapeError{want: "an array"}
		}
		list := reflect.MakeSlice(t, 0, 4)
		value.ForEach(func(_, value gjson.Result) bool {
			n := list.Len()
			list = reflect.Append(list, reflect.Zero(t.Elem()))
			if err = decode(list.Index(n), value); err != nil {
				err = within("["+strconv.Itoa(n)+"]", err)
			}
			return err == nil
		})
		field.Set(list)
		return err
	}
}

func mapDecoder(t reflect.Type) decoder {
	setKey, decode := setterFor(t.Key()), decoderFor(t.Elem())
	return func(field reflect.Value, value gjson.Result) (err error) {
		if !value.IsObject() {
			return &shapeError{want: "an object"}
		}
		all := reflect.MakeMap(t)
		value.ForEach(func(key, value gjson.Result) bool {
			k, v := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
			if hasNUL(key.Str) {
				err = errNUL
			} else if err = setKey(k, key.Str); err == nil {
				err = decode(v, value)
			}
			if err != nil {
				err = within(key.Str, err)
			}
			all.SetMapIndex(k, v)
			return err == nil
		})
		field.Set(all)
		return err
	}
}
