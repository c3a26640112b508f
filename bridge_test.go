package homeserver_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// A bridge of the mautrix family starts: it looks at the versions, asks who it is, has
// itself pinged, and takes a device for its sender to encrypt with. As nothing is pushed
// to services, the sender syncs (CLIENTC-16, CLIENTC-18).
func TestBridgeStarts(t *testing.T) {
	t.Parallel()
	var pinged string
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		pinged = r.URL.Path + " " + gjson.GetBytes(body, "transaction_id").Str
	}))
	t.Cleanup(service.Close)
	registration, err := homeserver.ParseAppService([]byte(`
id: telegram
url: ` + service.URL + `
as_token: as-secret
hs_token: hs-secret
sender_localpart: telegrambot
rate_limited: false
namespaces:
    users:
        - {regex: '^@telegram_.*:example\.org$', exclusive: true}
        - {regex: '^@telegrambot:example\.org$', exclusive: true}
de.sorunome.msc2409.push_ephemeral: true
receive_ephemeral: true
org.matrix.msc3202: true
io.element.msc4190: true
`))
	if err != nil {
		t.Fatal(err)
	}
	hs := homeservertest.New(t, homeserver.WithAppServices(registration), homeserver.WithRateLimit(homeserver.RateAccount, time.Hour, 1))
	bridge, alice := hs.Anonymous(), hs.User(t, "alice")
	bridge.Token = "as-secret"

	var versions []string
	for _, v := range bridge.Get(t, "/versions").Get("versions").Array() {
		versions = append(versions, v.Str)
	}
	if !slices.Contains(versions, "v1.4") || !slices.Contains(versions, "v1.7") { // CLIENTC-16
		t.Errorf("versions %v", versions)
	}
	same(t, "the sender", bridge.Get(t, "/v3/account/whoami").Get("user_id").Str, "@telegrambot:example.org") // CLIENTC-16
	user := ghost(t, bridge, "telegram_1")
	for range 3 { // CLIENTC-18: without limits, as registered
		bridge.Get(t, as(user, "/v3/account/whoami"))
	}
	bridge.Post(t, "/v1/appservice/telegram/ping", `{"transaction_id":"t1"}`) // CLIENTC-16
	same(t, "pinged", pinged, "/_matrix/app/v1/ping t1")

	// CLIENTC-17, CLIENTC-18
	flow := false
	for _, f := range bridge.Get(t, "/v3/login").Get("flows.#.type").Array() {
		flow = flow || f.Str == "m.login.application_service"
	}
	same(t, "the login is offered", flow, true)
	bot := "?user_id=@telegrambot:example.org&device_id=BRIDGE&org.matrix.msc3202.device_id=BRIDGE"
	bridge.Do(t, "PUT", as("@telegrambot:example.org", "/v3/devices/BRIDGE"), `{}`).Want(201)
	bridge.Post(t, "/v3/keys/upload"+bot, `{"one_time_keys":{"signed_curve25519:A":{"key":"k","signatures":{}}}}`)
	alice.Put(t, "/v3/sendToDevice/m.room.encrypted/1", `{"messages":{"@telegrambot:example.org":{"BRIDGE":{"x":1}}}}`)
	answer := bridge.Get(t, "/v3/sync"+bot)
	same(t, "messages to the device", answer.Get("to_device.events.0.content").Raw, `{"x":1}`)
	same(t, "keys", answer.Get("device_one_time_keys_count.signed_curve25519").Int(), 1)
	room := alice.CreateRoom(t, nil)
	alice.Invite(t, room, "@telegrambot:example.org")
	answer = bridge.Get(t, "/v3/sync"+bot+"&since="+answer.Get("next_batch").Str)
	same(t, "invited", homeservertest.Room(answer, "invite", room).Exists(), true)
}
