package homeservertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
)

// Client sends requests to a [Server]. It may be used by several goroutines at
// once, but for the methods that sync.
type Client struct {
	// User, Device and Token are empty if the client is not signed in.
	User   events.UserID
	Device string
	Token  string
	// Since is where the next [Client.Sync] goes on.
	Since string

	url   string
	http  *http.Client
	heard []heard // what syncs have brought, in their order
}

// Path builds a path out of a template, in which each {} stands for one of the
// parts, strings of any type, which are percent-encoded:
//
//	Path("/v3/rooms/{}/state/{}/", room, "m.room.name")
//
// It panics if their number is not right.
func Path(template string, parts ...any) string {
	literals := strings.Split(template, "{}")
	if len(literals) != len(parts)+1 {
		panic(fmt.Sprintf("homeservertest: %d parts for the path %s", len(parts), template))
	}
	path := literals[0]
	for i, part := range parts {
		path += url.PathEscape(fmt.Sprint(part)) + literals[i+1]
	}
	return path
}

// Do sends a request and returns the answer, whatever it is. A path that begins
// with neither /_matrix/ nor /.well-known/ is relative to /_matrix/client; it is
// sent as it is, so IDs in it have to be encoded ([Path]). A nil body is none.
func (c *Client) Do(tb testing.TB, method, path string, body any) *Response {
	tb.Helper()
	if !strings.HasPrefix(path, "/_matrix/") && !strings.HasPrefix(path, "/.well-known/") {
		path = "/_matrix/client" + path
	}
	sent, err := encode(body)
	if err != nil {
		tb.Fatalf("%s %s: encode body: %v", method, path, err)
	}
	req, err := http.NewRequestWithContext(tb.Context(), method, c.url+path, bytes.NewReader(sent))
	if err != nil {
		tb.Fatalf("%s %s: %v", method, path, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set(ownHeader, "1")
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		tb.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatalf("%s %s: read answer: %v", method, path, err)
	}
	r := &Response{Status: resp.StatusCode, Header: resp.Header, Body: answer, tb: tb}
	r.request = fmt.Sprintf("%s sends %s %s", c, method, path)
	if len(sent) > 0 {
		r.request += " " + clip(sent)
	}
	return r
}

func encode(body any) ([]byte, error) {
	switch b := body.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(b), nil
	case []byte:
		return b, nil
	}
	return json.Marshal(body)
}

// MustDo sends a request that must succeed and returns the JSON of the answer.
func (c *Client) MustDo(tb testing.TB, method, path string, body any) gjson.Result {
	tb.Helper()
	return c.Do(tb, method, path, body).Want(http.StatusOK)
}

// Get sends a GET request that must succeed and returns the JSON of the answer.
func (c *Client) Get(tb testing.TB, path string) gjson.Result {
	tb.Helper()
	return c.MustDo(tb, "GET", path, nil)
}

// Put sends a PUT request that must succeed and returns the JSON of the answer.
func (c *Client) Put(tb testing.TB, path string, body any) gjson.Result {
	tb.Helper()
	return c.MustDo(tb, "PUT", path, body)
}

// Post sends a POST request that must succeed and returns the JSON of the
// answer.
func (c *Client) Post(tb testing.TB, path string, body any) gjson.Result {
	tb.Helper()
	return c.MustDo(tb, "POST", path, body)
}

// String returns who the client is.
func (c *Client) String() string {
	if c.User == "" {
		return "somebody"
	}
	return string(c.User)
}
