package pushers

import (
	"encoding/json"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// GW-4: whatever a client gives for its gateway arrives there as it was, but for the URL.
func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"url":"u"}`), "app", "key", true)
	f.Add([]byte(`{"a":1.50,"url":"u","url":{"b":[]},"format":"event_id_only"," ":"\u00e9<>"}`), "\"", "\\", true)
	f.Add([]byte(`{ "a" : [ 1 , 2 ] , "u\u0072l" : 1 }`), "", "\xff", false)
	h := newHouse(f)
	defer h.end()
	room, err := h.Memory.Room(f.Context(), h.room("r", bob))
	if err != nil {
		f.Fatal(err)
	}
	h.say(room.ID, "hello")
	tail, _ := room.TailAfter(0, store.MaxPos, 100)
	f.Fuzz(func(t *testing.T, data []byte, app, key string, event bool) {
		if !gjson.ValidBytes(data) || !gjson.ParseBytes(data).IsObject() {
			t.Skip()
		}
		m := message{scope: reader.NewScope(room, bob), notice: notice{tweaks: []byte(`{}`)}}
		m.pusher.AppID, m.pusher.Key, m.pusher.Data = app, key, data
		if event {
			m.event = tail[len(tail)-1]
		}
		body := m.append(nil)
		if !json.Valid(body) {
			t.Fatalf("not JSON: %s", body)
		}
		want := map[string]string{}
		gjson.ParseBytes(data).ForEach(func(name, value gjson.Result) bool {
			if name.Str != "url" {
				want[name.Str] = value.Raw
			}
			return true
		})
		got := map[string]string{}
		gjson.GetBytes(body, "notification.devices.0.data").ForEach(func(name, value gjson.Result) bool {
			got[name.Str] = value.Raw
			return true
		})
		same(t, "data", got, want)
	})
}
