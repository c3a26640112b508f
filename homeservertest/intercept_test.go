package homeservertest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ca4c8834/homeserver/homeservertest"
)

// What is intercepted is what strangers send: a failure reaches them, the server
// hears of the rest, and nil ends it.
func TestIntercept(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	bot := hs.User(t, "bot")
	room := bot.CreateRoom(t, nil)
	// say sends a message as the bot under test does, not with a Client.
	say := func(transaction string) (status int, body string, err error) {
		path := homeservertest.Path("/_matrix/client/v3/rooms/{}/send/m.room.message/{}", room, transaction)
		r, err := http.NewRequestWithContext(t.Context(), "PUT", hs.URL+path, strings.NewReader(`{"msgtype":"m.text","body":"`+transaction+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+bot.Token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close() //nolint:errcheck // only read
		answer, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(answer), err
	}
	said := func() (texts []string) {
		for _, e := range bot.History(t, room, 10) {
			if e.Get("type").Str == "m.room.message" {
				texts = append(texts, e.Get("content.body").Str)
			}
		}
		return texts
	}

	hs.Intercept(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	})
	if status, _, err := say("refused"); status != http.StatusBadGateway || err != nil {
		t.Errorf("refused: %d, %v", status, err)
	}
	if texts := said(); len(texts) != 0 {
		t.Errorf("what was refused is there: %q", texts)
	}

	hs.Intercept(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		})
	})
	if status, _, err := say("lost"); err == nil {
		t.Errorf("the answer is not lost: %d", status)
	}

	hs.Intercept(nil)
	_, first, err := say("lost")
	if err != nil {
		t.Fatal(err)
	}
	if texts := said(); len(texts) != 1 || texts[0] != "lost" || !strings.Contains(first, "event_id") {
		t.Errorf("sent again, it is %q: %s", texts, first)
	}
}
