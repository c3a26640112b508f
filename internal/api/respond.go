package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// empty is the answer {} (API-5).
type empty struct{}

// rawJSON is an answer that is JSON already. It is sent as it is and not copied.
type rawJSON []byte

// statusCoder is implemented by answers whose status is not always 200.
type statusCoder interface{ statusCode() int }

// response remembers whether and how an answer was begun.
type response struct {
	http.ResponseWriter
	status int // 0 before the header is written
}

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom, so that the connection may take a file without copying it through memory.
func (w *response) ReadFrom(r io.Reader) (int64, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return io.Copy(w.ResponseWriter, r)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// writeJSON sends an answer. The error says that it cannot be marshalled; then nothing has been written.
func (w *response) writeJSON(answer any) error {
	status := http.StatusOK
	if s, ok := answer.(statusCoder); ok {
		status = s.statusCode()
	}
	body, err := encode(answer)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.send(status, body)
	return nil
}

// send writes a complete JSON response (API-4). A client that has gone is not an error.
func (w *response) send(status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// encode marshals an answer without the escapes that encoding/json makes for HTML (CLIENT-30).
func encode(answer any) ([]byte, error) {
	switch v := answer.(type) {
	case rawJSON:
		return v, nil
	case json.RawMessage:
		return v, nil
	case empty:
		return []byte("{}"), nil
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(answer); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
