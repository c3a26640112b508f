// Package record writes down what a server answers in tests, so that every
// answer of every test can be checked against the specification afterwards.
//
// With the environment variable HOMESERVER_TEST_RECORD set to a directory, each
// exchange becomes a line of JSON in a file there, one file for each test
// process:
//
//	{"method":"GET","url":"/_matrix/client/versions","status":200,"header":{…},"body":"…"}
//
// The URL is percent-encoded as it came, "request_body" is left out when it is
// empty, and "aborted" is set where the body has not reached its end.
package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// Variable is the environment variable that says where to record to.
const Variable = "HOMESERVER_TEST_RECORD"

// Handler returns a handler that does what next does and records it, or next
// itself if [Variable] is not set. It panics when it cannot write: a recording
// with gaps would pass for a complete one.
func Handler(next http.Handler) http.Handler {
	dir := os.Getenv(Variable)
	if dir == "" {
		return next
	}
	name := filepath.Join(dir, fmt.Sprintf("%s-%d.jsonl", filepath.Base(os.Args[0]), os.Getpid()))
	return &recorder{next, name}
}

type recorder struct {
	next http.Handler
	file string
}

type exchange struct {
	Method      string      `json:"method"`
	URL         string      `json:"url"`
	RequestBody string      `json:"request_body,omitempty"`
	Status      int         `json:"status"`
	Header      http.Header `json:"header"`
	Body        string      `json:"body"`
	Aborted     bool        `json:"aborted,omitempty"`
}

// ServeHTTP implements http.Handler.
func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var sent bytes.Buffer
	x := exchange{Method: r.Method, URL: r.URL.RequestURI()}
	if r.Body != nil {
		body := r.Body
		defer func() { r.Body = body }()
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(body, &sent), body}
	}
	out := &writer{ResponseWriter: w}
	rec.next.ServeHTTP(out, r)
	if out.status == 0 {
		if r.Context().Err() != nil {
			return // nobody was there to be answered
		}
		out.WriteHeader(http.StatusOK)
	}
	x.RequestBody = sent.String()
	x.Status, x.Header, x.Body = out.status, out.header, out.body.String()
	if r.Method == http.MethodHead {
		x.Body = ""
	} else if length, err := strconv.Atoi(out.header.Get("Content-Length")); err == nil {
		x.Aborted = length != out.body.Len()
	}
	if err := rec.write(x); err != nil {
		panic(fmt.Sprintf("record: %v", err))
	}
}

// write appends a line. One write of a file opened for appending is atomic, so
// that the servers of a process may share the file without knowing each other.
func (rec *recorder) write(x exchange) (err error) {
	line, err := json.Marshal(x)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(rec.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		_ = f.Close() // the first error says more
		return err
	}
	return f.Close()
}

// writer keeps a copy of what passes through it.
type writer struct {
	http.ResponseWriter
	status int // 0 before the header is written
	header http.Header
	body   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (w *writer) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status, w.header = status, w.Header().Clone()
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *writer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(p)
	w.body.Write(p[:n])
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
