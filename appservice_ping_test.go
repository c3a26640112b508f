package homeserver_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/homeservertest"
)

func TestPing(t *testing.T) {
	t.Parallel()
	const ping = "/v1/appservice/irc/ping"
	var (
		mu   sync.Mutex
		seen string
		code = http.StatusOK
	)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		seen = r.Method + " " + r.URL.String() + " " + r.Header.Get("Authorization") + " " + string(body)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"a":1}`)
	}))
	t.Cleanup(service.Close)
	bridge := ircBridge
	bridge.URL = service.URL + "/below/" // AS-4: a path prefix is kept, a slash at the end does not matter
	hs := homeservertest.New(t, homeserver.WithAppServices(bridge, xmppBridge))
	irc, xmpp, alice := hs.Anonymous(), hs.Anonymous(), hs.User(t, "alice")
	irc.Token, xmpp.Token = ircBridge.Token, xmppBridge.Token

	t.Run("calls the service with the transaction ID and its hs_token", func(t *testing.T) { // ASC-13, ASC-16, AS-32
		got := irc.Post(t, ping, `{"transaction_id":"mautrix-go_1"}`)
		if ms := got.Get("duration_ms"); ms.Type != gjson.Number || ms.Int() < 0 {
			t.Error(got)
		}
		if want := `POST /below/_matrix/app/v1/ping Bearer irc-secret {"transaction_id":"mautrix-go_1"}`; seen != want {
			t.Errorf("%s\nwant %s", seen, want)
		}
		irc.Post(t, ping, `{}`)
		if want := `POST /below/_matrix/app/v1/ping Bearer irc-secret {}`; seen != want {
			t.Errorf("%s\nwant %s", seen, want)
		}
	})
	t.Run("403 with another's token, 400 without a URL", func(t *testing.T) { // ASC-14, AS-33
		xmpp.Do(t, "POST", ping, `{}`).WantError(403, "M_FORBIDDEN")
		alice.Do(t, "POST", ping, `{}`).WantError(403, "M_FORBIDDEN")
		irc.Do(t, "POST", "/v1/appservice/none/ping", `{}`).WantError(403, "M_FORBIDDEN")
		xmpp.Do(t, "POST", "/v1/appservice/xmpp/ping", `{}`).WantError(400, "M_URL_NOT_SET")
	})
	t.Run("502 with status and body if the service refuses", func(t *testing.T) { // ASC-14, AS-33, CLIENTA-15
		mu.Lock()
		code = http.StatusUnauthorized
		mu.Unlock()
		got := irc.Do(t, "POST", ping, `{}`).WantError(502, "M_BAD_STATUS")
		if got.Get("status").Int() != 401 || got.Get("body").Str != `{"a":1}` {
			t.Error(got)
		}
	})
	t.Run("502 if nobody is there", func(t *testing.T) { // ASC-14, AS-33
		service.Close()
		irc.Do(t, "POST", ping, `{}`).WantError(502, "M_CONNECTION_FAILED")
	})
}
