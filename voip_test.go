package homeserver_test

import (
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/homeservertest"
)

// Calls are ordinary events to the server, whatever is in them (VOIP-1).
func TestCallEvents(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	for _, name := range []string{
		"invite", "candidates", "answer", "select_answer", "negotiate", "reject", "hangup", "sdp_stream_metadata_changed",
	} {
		const content = `{"call_id":7,"version":["none"]}`
		id := alice.Send(t, room, "m.call."+name, content)
		got := gjson.Result{}
		for _, e := range homeservertest.Timeline(alice.Sync(t), room) {
			if e.Get("event_id").Str == string(id) {
				got = e
			}
		}
		if got.Get("type").Str != "m.call."+name || got.Get("content").Raw != content {
			t.Errorf("m.call.%s: %s", name, got)
		}
	}
}
