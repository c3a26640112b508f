package homeserver_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// A message to a room of a hundred members: when nobody on the server has a pusher,
// when only others have, and when all of them have, until the gateway has got the last.
func BenchmarkPush(b *testing.B) {
	const members = 100
	got := make(chan struct{}, 10_000)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{}`)
		got <- struct{}{}
	}))
	defer gateway.Close()
	srv, err := homeserver.New("example.org", homeserver.WithRegistration(homeserver.RegistrationOpen), homeserver.WithoutRateLimits(),
		homeserver.WithInsecurePasswordHashing(), quiet(), homeserver.WithPushGateways(homeserver.PushGateways{
			Insecure: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		}))
	if err != nil {
		b.Fatal(err)
	}
	defer srv.Close() //nolint:errcheck // in memory
	d := &direct{b, srv}
	alice := d.user("alice")
	body := strings.Replace(aPusher, "https://push.example.org", gateway.URL, 1)
	push := func(token string) { d.do("POST", "/v3/pushers/set", token, body) }
	room := d.room(alice)
	var tokens []string
	for i := range members - 1 {
		tokens = append(tokens, d.user(fmt.Sprint("u", i)))
		d.do("POST", homeservertest.Path("/v3/rooms/{}/join", room), tokens[i], `{}`)
	}
	n := 0
	say := func(pushes int) {
		n++
		d.do("PUT", homeservertest.Path("/v3/rooms/{}/send/m.room.message/{}", room, fmt.Sprint(n)), alice, `{"body":"hello","msgtype":"m.text"}`)
		for range pushes {
			<-got
		}
	}
	run := func(name string, pushes int) {
		b.Run(name, func(b *testing.B) {
			say(pushes) // the first time all that is unread is counted
			b.ReportAllocs()
			for b.Loop() {
				say(pushes)
			}
		})
	}
	run("nobody", 0)
	push(d.user("other"))
	run("others", 0)
	for i, token := range tokens {
		d.do("POST", "/v3/pushers/set", token, strings.Replace(body, `"key"`, fmt.Sprintf(`"key%d"`, i), 1))
	}
	run("all", members-1)
	read := func() { // by one of them, whose badge goes
		last := gjson.GetBytes(d.get(homeservertest.Path("/v3/rooms/{}/messages?dir=b&limit=1", room), alice), "chunk.0.event_id").Str
		d.do("POST", homeservertest.Path("/v3/rooms/{}/receipt/m.read/{}", room, last), tokens[0], `{}`)
		<-got
	}
	b.Run("all, and one reads", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			say(members - 1)
			read()
		}
	})
}
