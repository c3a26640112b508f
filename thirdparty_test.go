package homeserver_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// Without application services no other network is known.
func TestThirdParty(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	if got := alice.Get(t, "/v3/thirdparty/protocols").Raw; got != `{}` { // 3PN-1
		t.Errorf("protocols %s", got)
	}
	for _, path := range []string{ // 3PN-2, 3PN-4
		"/v3/thirdparty/protocol/irc",
		"/v3/thirdparty/location/irc?channel=x", "/v3/thirdparty/user/irc?nick=x",
		"/v3/thirdparty/location?alias=%23x:example.org", "/v3/thirdparty/user?userid=@x:example.org",
	} {
		alice.Do(t, "GET", path, nil).WantError(404, "M_NOT_FOUND")
		hs.Anonymous().Do(t, "GET", path, nil).WantError(401, "M_MISSING_TOKEN")
	}
}

// network is a service that answers what it is asked about networks, by path and query
// below /_matrix/app/v1/thirdparty/, and remembers it.
type network struct {
	answers map[string]string

	mu    sync.Mutex
	asked []string
}

func (n *network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	question := strings.TrimPrefix(r.URL.RequestURI(), "/_matrix/app/v1/thirdparty/")
	n.mu.Lock()
	n.asked = append(n.asked, r.Method+" "+question+" "+r.Header.Get("Authorization"))
	n.mu.Unlock()
	answer, ok := n.answers[question]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		answer = `{"errcode":"M_NOT_FOUND"}`
	}
	_, _ = io.WriteString(w, answer)
}

// service starts the network's service and says what the server has to know of it.
func (n *network) service(t *testing.T, id string, protocols ...string) homeserver.AppService {
	t.Helper()
	server := httptest.NewServer(n)
	t.Cleanup(server.Close)
	return homeserver.AppService{
		ID: id, URL: server.URL, Token: id + "-token", ServerToken: id + "-secret", Sender: id, Protocols: protocols,
	}
}

// What services know of other networks is put together.
func TestThirdPartyNetworks(t *testing.T) {
	t.Parallel()
	libera := &network{answers: map[string]string{
		"protocol/irc": `{"user_fields":["network","nickname"],"location_fields":["network","channel"],"icon":"mxc://a/irc",
			"field_types":{"network":{"regexp":"[a-z.]+","placeholder":"irc.example"}},
			"instances":[
				{"desc":"Libera","network_id":"libera","icon":"mxc://a/l","fields":{"network":"libera"}},
				{"desc":"Again","network_id":"libera","fields":{}},
				{"desc":"Nameless","fields":{}}]}`,
		"user/irc?network=libera&nickname=a%26b+c": `[{"userid":"@irc_a:example.org","protocol":"irc","fields":{"nickname":"a"}},{"userid":1}]`,
		"location/irc?channel=%23x":                `[{"alias":"#irc_x:example.org","protocol":"irc","fields":{"channel":"#x"}}]`,
		"location?alias=%23irc_x%3Aexample.org":    `[{"alias":"#irc_x:example.org","protocol":"irc","fields":{}}]`,
		"user/irc?user_id=7":                       `[{"userid":"@irc_7:example.org","protocol":"irc","fields":{}}]`,
	}}
	oftc := &network{answers: map[string]string{
		"protocol/irc":   `{"user_fields":["other"],"instances":[{"desc":"OFTC","network_id":"libera","fields":{}}]}`,
		"protocol/x%2Fy": `{}`,
		"user/irc?network=libera&nickname=a%26b+c": `[{"userid":"@oftc_a:example.org","protocol":"irc","fields":{}}]`,
		"user?userid=%40oftc_a%3Aexample.org":      `[{"userid":"@oftc_a:example.org","protocol":"irc","fields":{"nickname":"a"}}]`,
	}}
	nonsense := &network{answers: map[string]string{
		"protocol/irc":  `[`,
		"protocol/gone": `"{}"`,
		"user/irc?network=libera&nickname=a%26b+c": "[{\"userid\":\"@\xff:example.org\",\"protocol\":\"irc\",\"fields\":{}}]",
		"location/irc?channel=%23x":                `[` + strings.Repeat(" ", 2<<20) + `]`,
	}}
	xmpp := &network{answers: map[string]string{"protocol/xmpp": `{}`}}
	silent := homeserver.AppService{ID: "silent", Token: "s", ServerToken: "s", Sender: "silent", Protocols: []string{"irc"}}
	down := nonsense.service(t, "down", "irc")
	down.URL = "http://127.0.0.1:1"
	hs := homeservertest.New(t, homeserver.WithAppServices(
		nonsense.service(t, "nonsense", "irc", "gone"), libera.service(t, "libera", "irc"), down, silent,
		oftc.service(t, "oftc", "irc", "x/y"), xmpp.service(t, "xmpp", "xmpp")))
	alice := hs.User(t, "alice")
	const instances = `[
		{"desc":"Libera","network_id":"libera","icon":"mxc://a/l","fields":{"network":"libera"},"instance_id":"libera|libera"},
		{"desc":"OFTC","network_id":"libera","fields":{},"instance_id":"oftc|libera"}]`
	const irc = `{"user_fields":["network","nickname"],"location_fields":["network","channel"],"icon":"mxc://a/irc",
		"field_types":{"network":{"regexp":"[a-z.]+","placeholder":"irc.example"}},"instances":` + instances + `}`
	const bare = `{"user_fields":[],"location_fields":[],"icon":"","field_types":{},"instances":[]}`

	for _, tt := range []struct{ says, path, want string }{
		{
			"3PN-3, AS-35: the instances of all services are merged, each with an ID that nobody else has",
			"/v3/thirdparty/protocol/irc", irc,
		},
		{"AS-34: all protocols that somebody answers for", "/v3/thirdparty/protocols", `{"irc":` + irc + `,"x/y":` + bare + `,"xmpp":` + bare + `}`},
		{"a name is escaped", "/v3/thirdparty/protocol/x%2Fy", bare},
		{
			"3PN-5, AS-36: one parameter per field, never the token; results are concatenated",
			"/v3/thirdparty/user/irc?nickname=a%26b%20c&network=libera&access_token=" + alice.Token,
			`[{"userid":"@irc_a:example.org","protocol":"irc","fields":{"nickname":"a"}},{"userid":"@oftc_a:example.org","protocol":"irc","fields":{}}]`,
		},
		{"3PN-5: locations", "/v3/thirdparty/location/irc?channel=%23x", `[{"alias":"#irc_x:example.org","protocol":"irc","fields":{"channel":"#x"}}]`},
		{"a field may be called like a parameter of services", "/v3/thirdparty/user/irc?user_id=7", `[{"userid":"@irc_7:example.org","protocol":"irc","fields":{}}]`},
		{
			"AS-36: all services are asked what an alias stands for",
			"/v3/thirdparty/location?alias=%23irc_x:example.org", `[{"alias":"#irc_x:example.org","protocol":"irc","fields":{}}]`,
		},
		{
			"AS-36: all services are asked who a user is",
			"/v3/thirdparty/user?userid=@oftc_a:example.org", `[{"userid":"@oftc_a:example.org","protocol":"irc","fields":{"nickname":"a"}}]`,
		},
	} {
		t.Run(tt.says, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(decoded(t, tt.want), decoded(t, alice.Get(t, tt.path).Raw)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	for _, tt := range []struct{ says, path string }{
		{"3PN-2: unknown", "/v3/thirdparty/protocol/sms"},
		{"3PN-2: declared by a service that makes no sense", "/v3/thirdparty/protocol/gone"},
		{"3PN-4: nothing found", "/v3/thirdparty/user/irc?nickname=nobody"},
		{"3PN-4: nothing found for an ID", "/v3/thirdparty/user?userid=@nobody:example.org"},
		{"3PN-4: in an unknown network", "/v3/thirdparty/location/sms?number=1"},
	} {
		t.Run(tt.says, func(t *testing.T) {
			t.Parallel()
			alice.Do(t, "GET", tt.path, nil).WantError(404, "M_NOT_FOUND")
		})
	}
	t.Run("3PN-5: asked with the hs_token, and only about what they have declared", func(t *testing.T) {
		alice.Do(t, "GET", "/v3/thirdparty/location/irc?q=last", nil).WantError(404, "M_NOT_FOUND")
		for name, n := range map[string]*network{"libera": libera, "oftc": oftc, "nonsense": nonsense} {
			n.mu.Lock()
			if want := "GET location/irc?q=last Bearer " + name + "-secret"; !slices.Contains(n.asked, want) {
				t.Errorf("%s was not asked %s", name, want)
			}
			n.mu.Unlock()
		}
		xmpp.mu.Lock()
		defer xmpp.mu.Unlock()
		for _, question := range xmpp.asked {
			if strings.Contains(question, "irc?") {
				t.Errorf("xmpp was asked %s", question)
			}
		}
	})
	t.Run("a service's own parameters are not passed on", func(t *testing.T) {
		service := hs.Anonymous()
		service.Token = "oftc-token"
		service.Do(t, "GET", as("@oftc:example.org", "/v3/thirdparty/location/irc?q=mine"), nil).WantError(404, "M_NOT_FOUND")
		libera.mu.Lock()
		defer libera.mu.Unlock()
		if want := "GET location/irc?q=mine Bearer libera-secret"; !slices.Contains(libera.asked, want) {
			t.Errorf("want %s in %q", want, libera.asked)
		}
	})
}

// decoded is JSON as a value that can be compared.
func decoded(t *testing.T, text string) (value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}
