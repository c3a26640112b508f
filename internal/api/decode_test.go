package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

type paging struct {
	From  string `query:"from"`
	Limit *int64 `query:"limit"`
}

type queryIn struct {
	paging
	Dir     string          `query:"dir" required:"true"`
	Full    bool            `query:"full_state"`
	Timeout int64           `query:"timeout"`
	Servers []string        `query:"server_name"`
	Rooms   []events.RoomID `query:"room"`
	User    *events.UserID  `query:"user"`
	Room    events.RoomID   `path:"roomId"`
}

func TestDecodePathAndQuery(t *testing.T) {
	t.Parallel()
	var got queryIn
	a := newTestAPI(Config{}, get("/rooms/{roomId}/x", open, func(_ context.Context, _ *caller, in queryIn) (empty, error) {
		got = in
		return empty{}, nil
	}))
	ten, alice := int64(10), events.UserID("@alice:example.org")
	tests := []struct {
		name, target string
		want         queryIn
		code         mxerr.Code
		names        string // what the error names
	}{
		{name: "required only", target: "!a:b/x?dir=b", want: queryIn{Dir: "b", Room: "!a:b"}},
		{name: "everything, embedded fields too", target: "!a:b/x?dir=f&from=t&limit=10&full_state=true&timeout=-5&user=%40alice:example.org",
			want: queryIn{paging: paging{"t", &ten}, Dir: "f", Full: true, Timeout: -5, User: &alice, Room: "!a:b"}},
		{name: "repeated parameters", target: "!a:b/x?dir=b&server_name=a&server_name=b%26c&room=!x:y&room=!z",
			want: queryIn{Dir: "b", Servers: []string{"a", "b&c"}, Rooms: []events.RoomID{"!x:y", "!z"}, Room: "!a:b"}},
		{name: "API-8: unknown parameters are ignored", target: "!a:b/x?dir=b&unknown=1&Timeout=7&%zz=1", want: queryIn{Dir: "b", Room: "!a:b"}},
		{name: "API-3: missing", target: "!a:b/x", code: mxerr.MMissingParam, names: "dir"},
		{name: "not an integer", target: "!a:b/x?dir=b&timeout=1.5", code: mxerr.MInvalidParam, names: "timeout"},
		{name: "integer out of range", target: "!a:b/x?dir=b&timeout=9223372036854775808", code: mxerr.MInvalidParam, names: "timeout"},
		{name: "empty integer", target: "!a:b/x?dir=b&limit=", code: mxerr.MInvalidParam, names: "limit"},
		{name: "not a boolean", target: "!a:b/x?dir=b&full_state=yes", code: mxerr.MInvalidParam, names: "full_state"},
		{name: "ID-13: malformed ID in the query", target: "!a:b/x?dir=b&user=alice", code: mxerr.MInvalidParam, names: "user"},
		{name: "ID-13: one malformed ID of several", target: "!a:b/x?dir=b&room=!a:b&room=c", code: mxerr.MInvalidParam, names: "room"},
		{name: "ID-13: malformed ID in the path", target: "a/x?dir=b", code: mxerr.MInvalidParam, names: "roomId"},
		{name: "ID-6: too long ID in the path", target: "!" + strings.Repeat("a", 255) + "/x?dir=b", code: mxerr.MInvalidParam, names: "roomId"},
		{name: "invalid UTF-8 in the path", target: "!a%FF/x?dir=b", code: mxerr.MInvalidParam, names: "roomId"},
		{name: "invalid UTF-8 in the query", target: "!a:b/x?dir=%FF", code: mxerr.MInvalidParam, names: "dir"},
		{name: "NUL in the query", target: "!a:b/x?dir=%00", code: mxerr.MInvalidParam, names: "dir"},
	}
	for _, tt := range tests {
		got = queryIn{}
		w := do(a, "GET", "/_matrix/client/v3/rooms/"+tt.target, "", "")
		if tt.code != "" {
			want(t, w, 400, tt.code)
			if !strings.Contains(w.Body.String(), tt.names) {
				t.Errorf("%s: %s does not name %s", tt.name, w.Body, tt.names)
			}
			continue
		}
		want(t, w, 200, "")
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(queryIn{}, paging{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

type identifier struct {
	Type string `json:"type" required:"true"`
	User string `json:"user"`
}

type bodyIn struct {
	Whole      json.RawMessage             `body:""`
	Room       string                      `path:"roomId"`
	Typing     *bool                       `json:"typing"`
	Timeout    int64                       `json:"timeout"`
	Name       string                      `json:"display_name"`
	User       events.UserID               `json:"user_id"`
	Identifier *identifier                 `json:"identifier"`
	Direct     identifier                  `json:"direct"`
	Invite     []events.UserID             `json:"invite"`
	Devices    map[events.UserID][]string  `json:"devices"`
	Nested     map[string]map[string]int64 `json:"nested"`
	List       []identifier                `json:"list"`
	Content    json.RawMessage             `json:"content"`
	Order      *float64                    `json:"order"`
	Ignored    string                      `json:"-"`
}

func TestDecodeBody(t *testing.T) {
	t.Parallel()
	var got bodyIn
	a := newTestAPI(Config{}, put("/rooms/{roomId}/x", open, func(_ context.Context, _ *caller, in bodyIn) (empty, error) {
		got = in
		return empty{}, nil
	}))
	yes, half := true, 0.5
	tests := []struct {
		name, body string
		want       bodyIn
		code       mxerr.Code
		names      string
	}{
		{name: "API-2: a missing body is {}", body: "", want: bodyIn{Whole: json.RawMessage(`{}`)}},
		{name: "empty object", body: " {}\n", want: bodyIn{}},
		{name: "simple members", body: `{"typing":true,"timeout":30000,"display_name":"A\u00e9\"<","user_id":"@a:b","order":0.5}`,
			want: bodyIn{Typing: &yes, Timeout: 30000, Name: `Aé"<`, User: "@a:b", Order: &half}},
		{name: "nested members", body: `{"identifier":{"type":"m.id.user","user":"a","x":1},"invite":["@a:b","@c:d"],"devices":{"@a:b":["X","Y"],"@c:d":[]},"nested":{"a":{"b":-1}},"list":[{"type":"t"}]}`,
			want: bodyIn{
				Identifier: &identifier{"m.id.user", "a"}, Invite: []events.UserID{"@a:b", "@c:d"},
				Devices: map[events.UserID][]string{"@a:b": {"X", "Y"}, "@c:d": {}}, Nested: map[string]map[string]int64{"a": {"b": -1}},
				List: []identifier{{Type: "t"}},
			}},
		{name: "CLIENT-30, CLIENT-31: raw members stay as received", body: `{"content": {"a" : 1.0, "b":"\u003c", "c":12345678901234567890} }`,
			want: bodyIn{Content: json.RawMessage(`{"a" : 1.0, "b":"\u003c", "c":12345678901234567890}`)}},
		{name: "null is absent", body: `{"typing":null,"timeout":null,"user_id":null,"invite":null,"identifier":null}`, want: bodyIn{}},
		{name: "but raw members keep it", body: `{"content":null}`, want: bodyIn{Content: json.RawMessage(`null`)}},
		{name: "API-8: unknown members are ignored", body: `{"x":{"typing":true},"Ignored":"x","-":"x","Whole":1,"Room":"!x"}`, want: bodyIn{}},
		{name: "names are case-sensitive", body: `{"typing":true,"TYPING":false,"Timeout":1,"User_Id":5}`, want: bodyIn{Typing: &yes}},
		{name: "escaped names are the same names", body: `{"t\u0079ping":true}`, want: bodyIn{Typing: &yes}},
		{name: "of duplicates the last wins", body: `{"timeout":1,"identifier":{"type":"a","user":"u"},"timeout":2,"identifier":{"type":"b"},"direct":{"type":"a","user":"u"},"direct":{"type":"b"}}`,
			want: bodyIn{Timeout: 2, Identifier: &identifier{Type: "b"}, Direct: identifier{Type: "b"}}},

		{name: "API-2: not JSON", body: `{`, code: mxerr.MNotJSON},
		{name: "text", body: `hello`, code: mxerr.MNotJSON},
		{name: "two values", body: `{}{}`, code: mxerr.MNotJSON},
		{name: "blank", body: ` `, code: mxerr.MNotJSON},
		{name: "API-12, EVT-28: NaN", body: `{"timeout":NaN}`, code: mxerr.MNotJSON},
		{name: "API-12, EVT-28: Infinity", body: `{"x":-Infinity}`, code: mxerr.MNotJSON},
		{name: "API-2, EVT-28: invalid UTF-8", body: "{\"display_name\":\"\xff\"}", code: mxerr.MNotJSON},
		{name: "UTF-16", body: "{\x00}\x00", code: mxerr.MNotJSON},
		{name: "CLIENT-30: lone surrogate", body: `{"x":"\ud800"}`, code: "any"},
		{name: "nested too deep", body: strings.Repeat(`{"x":`, 200) + `1` + strings.Repeat(`}`, 200), code: mxerr.MBadJSON},
		{name: "API-3: array", body: `[]`, code: mxerr.MBadJSON, names: "object"},
		{name: "API-3: string", body: `"x"`, code: mxerr.MBadJSON, names: "object"},
		{name: "API-3: null", body: `null`, code: mxerr.MBadJSON, names: "object"},
		{name: "API-3: wrong type: boolean", body: `{"typing":"true"}`, code: mxerr.MBadJSON, names: "typing must be a boolean"},
		{name: "wrong type: integer", body: `{"timeout":"1"}`, code: mxerr.MBadJSON, names: "timeout must be an integer"},
		{name: "wrong type: float", body: `{"timeout":1.5}`, code: mxerr.MBadJSON, names: "timeout must be an integer"},
		{name: "integer out of range", body: `{"timeout":1e30}`, code: mxerr.MBadJSON, names: "timeout must be an integer"},
		{name: "wrong type: number", body: `{"order":"0.5"}`, code: mxerr.MBadJSON, names: "order must be a number"},
		{name: "wrong type: string", body: `{"display_name":1}`, code: mxerr.MBadJSON, names: "display_name must be a string"},
		{name: "wrong type: ID", body: `{"user_id":1}`, code: mxerr.MBadJSON, names: "user_id must be a string"},
		{name: "wrong type: object", body: `{"identifier":[]}`, code: mxerr.MBadJSON, names: "identifier must be an object"},
		{name: "wrong type: array", body: `{"invite":{}}`, code: mxerr.MBadJSON, names: "invite must be an array"},
		{name: "wrong type: map", body: `{"devices":[]}`, code: mxerr.MBadJSON, names: "devices must be an object"},
		{name: "wrong type further in", body: `{"nested":{"a":{"b":"c"}}}`, code: mxerr.MBadJSON, names: "nested.a.b must be an integer"},
		{name: "null in a list", body: `{"invite":[null]}`, code: mxerr.MBadJSON, names: "invite[0] must be a string"},
		{name: "missing further in", body: `{"list":[{"type":"a"},{"user":"b"}]}`, code: mxerr.MMissingParam, names: "list[1].type"},
		{name: "null is missing", body: `{"identifier":{"type":null}}`, code: mxerr.MMissingParam, names: "identifier.type"},
		{name: "ID-13: malformed ID", body: `{"user_id":"alice"}`, code: mxerr.MInvalidParam, names: "user_id"},
		{name: "ID-13: malformed ID in a list", body: `{"invite":["@a:b","!c:d"]}`, code: mxerr.MInvalidParam, names: "invite[1]"},
		{name: "NUL", body: `{"display_name":"a\u0000b"}`, code: mxerr.MInvalidParam, names: "display_name"},
		{name: "NUL in a list", body: `{"devices":{"@a:b":["X","\u0000"]}}`, code: mxerr.MInvalidParam, names: "devices.@a:b[1]"},
		{name: "NUL in a key", body: `{"nested":{"\u0000":{"b":1}}}`, code: mxerr.MInvalidParam, names: "nested"},
		{name: "ID-13: malformed ID as a key", body: `{"devices":{"alice":[]}}`, code: mxerr.MInvalidParam, names: "devices.alice"},
	}
	for _, tt := range tests {
		got = bodyIn{}
		w := do(a, "PUT", "/_matrix/client/v3/rooms/!a:b/x", "", tt.body)
		switch tt.code {
		case "":
			want(t, w, 200, "")
			tt.want.Room = "!a:b"
			if tt.want.Whole == nil {
				tt.want.Whole = json.RawMessage(tt.body)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
			continue
		case "any":
			if w.Code != 400 {
				t.Errorf("%s: %d", tt.name, w.Code)
			}
		default:
			want(t, w, 400, tt.code)
		}
		if !strings.Contains(w.Body.String(), tt.names) || got.Whole != nil {
			t.Errorf("%s: handler called with %+v, or %s does not name %s", tt.name, got, w.Body, tt.names)
		}
	}
}

// API-1, API-2: which requests need a body, and what becomes of one that is not needed.
func TestWhichRequestsNeedABody(t *testing.T) {
	t.Parallel()
	type needed struct {
		Reason string `json:"reason" required:"true"`
	}
	type event struct {
		Content json.RawMessage `body:"" required:"true"`
	}
	type auth struct {
		Auth json.RawMessage `json:"auth"`
	}
	a := newTestAPI(Config{},
		post("/plain", open, nothing), post("/logout", open, nothing).ignoreBody(), post("/needed", open, echo[needed]),
		put("/event", open, echo[event]), delete_("/plain", open, nothing), delete_("/auth", open, echo[auth]), get("/plain", open, nothing),
	)
	tests := []struct {
		method, path, body string
		status             int
		code               mxerr.Code
	}{
		{"POST", "/plain", "", 200, ""}, // API-2, CLIENTA-29
		{"POST", "/plain", "{}", 200, ""},
		{"POST", "/plain", "{", 400, mxerr.MNotJSON},  // API-2
		{"POST", "/plain", "[]", 400, mxerr.MBadJSON}, // API-3
		{"POST", "/logout", "{", 200, ""},             // API-1
		{"POST", "/logout", "", 200, ""},              // API-1
		{"POST", "/needed", "", 400, mxerr.MNotJSON},  // API-2
		{"POST", "/needed", "{}", 400, mxerr.MMissingParam},
		{"POST", "/needed", `{"reason":""}`, 200, ""}, // REP-5: required may be empty
		{"PUT", "/event", "", 400, mxerr.MNotJSON},
		{"PUT", "/event", "{}", 200, ""},
		{"DELETE", "/plain", "{", 200, ""},
		{"DELETE", "/auth", "", 200, ""}, // SDEV-10
		{"DELETE", "/auth", "{", 400, mxerr.MNotJSON},
		{"GET", "/plain", "{", 200, ""},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path+" "+tt.body, func(t *testing.T) {
			t.Parallel()
			want(t, do(a, tt.method, "/_matrix/client/v3"+tt.path, "", tt.body), tt.status, tt.code)
		})
	}
}

// API-4: the request's Content-Type does not matter.
func TestContentTypeIsNotNeeded(t *testing.T) {
	t.Parallel()
	a := newTestAPI(Config{}, post("/x", open, echo[identifier]))
	for _, contentType := range []string{"", "text/plain", "application/json; charset=utf-8", "application/x-www-form-urlencoded"} {
		r := httptest.NewRequest("POST", "/_matrix/client/v3/x", strings.NewReader(`{"type":"a"}`))
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		want(t, w, 200, "")
		if w.Body.String() != `{"type":"a","user":""}` {
			t.Error(w.Body)
		}
	}
}

// endless is a body that counts what is read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return copy(p, bytes.Repeat([]byte(" "), len(p))), nil
}

func TestBodiesHaveALimit(t *testing.T) {
	t.Parallel()
	a := newTestAPI(Config{}, post("/small", open, nothing).body(100), post("/default", open, nothing))
	padded := func(size int) string { return "{" + strings.Repeat(" ", size-2) + "}" }
	want(t, do(a, "POST", "/_matrix/client/v3/small", "", padded(100)), 200, "")
	want(t, do(a, "POST", "/_matrix/client/v3/small", "", padded(101)), 413, mxerr.MTooLarge)
	want(t, do(a, "POST", "/_matrix/client/v3/default", "", padded(1<<20)), 200, "")
	want(t, do(a, "POST", "/_matrix/client/v3/default", "", padded(1<<20+1)), 413, mxerr.MTooLarge)

	for _, length := range []int64{-1, 50, 1 << 40} { // unknown, a lie, and a boast
		body := &endless{}
		r := httptest.NewRequest("POST", "/_matrix/client/v3/small", io.NopCloser(body))
		r.ContentLength = length
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		want(t, w, 413, mxerr.MTooLarge)
		if body.read > 4096 || length > 100 && body.read > 0 {
			t.Errorf("length %d: read %d bytes", length, body.read)
		}
	}
}

func TestBodyThatEndsTooEarly(t *testing.T) {
	t.Parallel()
	a := newTestAPI(Config{}, post("/x", open, nothing))
	r := httptest.NewRequest("POST", "/_matrix/client/v3/x", io.MultiReader(strings.NewReader(`{`), brokenReader{}))
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	want(t, w, 400, mxerr.MNotJSON)
}

// API-2, API-3: a body in chunks, whose length nobody knows beforehand, is read like any other: whole, up to the limit, and
// not if it breaks off.
func TestBodiesInChunks(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	host := httptest.NewServer(s)
	defer host.Close()
	const body = `{"auth":{"type":"m.login.dummy"},"username":"alice","password":"x"}`
	spaces := func(n int) string { return "{" + strings.Repeat(" ", n-2) + "}" }
	for _, test := range []struct {
		name, path string
		body       io.Reader
		status     int
		code       mxerr.Code
	}{
		{"small chunks", registerPath, iotest.OneByteReader(strings.NewReader(body)), 200, ""},
		{"empty", registerPath, io.MultiReader(), 401, ""},
		{"not JSON", registerPath, iotest.HalfReader(strings.NewReader(body[1:])), 400, mxerr.MNotJSON},
		{"as long as may be", loginPath, io.MultiReader(strings.NewReader(spaces(1 << 20))), 400, mxerr.MMissingParam},
		{"a byte longer", loginPath, io.MultiReader(strings.NewReader(spaces(1<<20 + 1))), 413, mxerr.MTooLarge},
		{"much longer", loginPath, io.MultiReader(strings.NewReader(spaces(2 << 20))), 413, mxerr.MTooLarge},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", host.URL+test.path, test.body)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
		res, err := host.Client().Do(r)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		answer, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if code := gjson.GetBytes(answer, "errcode").Str; err != nil || res.StatusCode != test.status || code != string(test.code) {
			t.Errorf("%s: %d %s %v, want %d %s", test.name, res.StatusCode, answer, err, test.status, test.code)
		}
	}

	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", host.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "POST "+registerPath+" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"+
		strconv.FormatInt(int64(len(body)), 16)+"\r\n"+strings.Replace(body, "alice", "bobby", 1)+"\r\n") // and no last chunk
	if err = errors.Join(err, conn.(*net.TCPConn).CloseWrite()); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(res.Body)
	if _ = res.Body.Close(); res.StatusCode != 400 || gjson.GetBytes(answer, "errcode").Str != "M_NOT_JSON" {
		t.Errorf("without the last chunk: %s %s", res.Status, answer)
	}
	want(t, do(s, "GET", "/_matrix/client/v3/profile/@bobby:example.org", "", ""), 404, mxerr.MNotFound)
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// FuzzDecode: no body or query makes the decoder panic or answer anything but 200 or 400, and whatever it accepts
// is what encoding/json understands by it.
func FuzzDecode(f *testing.F) {
	var got bodyIn
	a := newTestAPI(Config{}, put("/rooms/{roomId}/x", open, func(_ context.Context, _ *caller, in bodyIn) (empty, error) {
		got = in
		return empty{}, nil
	}), put("/q/{roomId}", open, echo[queryIn]))
	f.Add(`{"typing":true,"timeout":1,"display_name":"\ud83d\ude00"}`, "dir=b&limit=1")
	f.Add(`{"identifier":{"type":"a"},"invite":["@a:b"],"devices":{"@a:b":["x"]},"list":[{"type":""}]}`, "dir=%ff;&room=!a")
	f.Add(`{"order":1e400,"nested":{"a":{"b":1}},"content":null}`, "%")
	f.Fuzz(func(t *testing.T, body, query string) {
		r := httptest.NewRequest("PUT", "/_matrix/client/v3/rooms/!a:b/x", strings.NewReader(body))
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if w.Code == 200 && body != "" {
			var std struct {
				Typing  *bool  `json:"typing"`
				Timeout int64  `json:"timeout"`
				Name    string `json:"display_name"`
			}
			exact := map[string]json.RawMessage{} // names as they are, to compare where no other spelling interferes
			if err := json.Unmarshal([]byte(body), &exact); err != nil {
				t.Fatalf("%q accepted, encoding/json says %v", body, err)
			}
			for name := range exact {
				lower := strings.ToLower(name)
				if lower != name && (lower == "typing" || lower == "timeout" || lower == "display_name") {
					return
				}
			}
			if err := json.Unmarshal([]byte(body), &std); err == nil && !strings.Contains(body, "\u017f") &&
				(std.Timeout != got.Timeout || std.Name != got.Name || (std.Typing == nil) != (got.Typing == nil)) {
				t.Errorf("%q: %+v, encoding/json has %+v", body, got, std)
			}
		} else if w.Code != 200 && w.Code != 400 {
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
		r = httptest.NewRequest("PUT", "/_matrix/client/v3/q/!a:b", nil)
		r.URL.RawQuery = query
		w = httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 {
			t.Errorf("%q: %d %s", query, w.Code, w.Body)
		}
	})
}
