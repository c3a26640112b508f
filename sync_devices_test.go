package homeserver_test

import (
	"fmt"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/homeservertest"
)

// sendToDevice sends a message to a device of a user.
func sendToDevice(t *testing.T, c *homeservertest.Client, to *homeservertest.Client, n int) {
	t.Helper()
	c.Put(t, homeservertest.Path("/v3/sendToDevice/m.test/{}", fmt.Sprint("txn", n)), map[string]any{
		"messages": map[string]any{string(to.User): map[string]any{to.Device: map[string]any{"n": n}}},
	})
}

// received lists the numbers of the messages in an answer.
func received(answer gjson.Result) []int64 {
	out := []int64{}
	for _, m := range answer.Get("to_device.events").Array() {
		out = append(out, m.Get("content.n").Int())
	}
	return out
}

func TestSyncToDevice(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	tablet := hs.Login(t, "bob")
	token := syncWith(t, bob, "", "").Get("next_batch").Str
	got := make(chan gjson.Result, 1)
	go func() { got <- syncWith(t, bob, token, "", "timeout", forever) }()
	sendToDevice(t, alice, bob, 1)
	// TD-11, SYNC-10: it wakes; TD-5: what is told.
	answer := <-got
	same(t, "message", answer.Get("to_device.events.0").Raw, `{"content":{"n":1},"sender":"@alice:example.org","type":"m.test"}`)
	same(t, "for another device", received(syncWith(t, tablet, token, "")), []int64{})
	// SYNC-53, TD-8, TD-9: until the device has used the token that came with it.
	same(t, "asked again", received(syncWith(t, bob, token, "")), []int64{1})
	sendToDevice(t, alice, bob, 2)
	second := syncWith(t, bob, answer.Get("next_batch").Str, "")
	same(t, "the next", received(second), []int64{2})
	same(t, "an old token brings back what was not acknowledged", received(syncWith(t, bob, token, "")), []int64{2})
	// TD-10
	same(t, "a first sync", received(syncWith(t, bob, "", "")), []int64{2})
	// CLIENT-28: filters don't touch it.
	nothing := `{"presence":{"types":[]},"account_data":{"types":[]},"room":{"not_rooms":["*"],"timeline":{"types":[]}}}`
	same(t, "with filters", received(syncWith(t, bob, answer.Get("next_batch").Str, nothing)), []int64{2})
	// SYNC-52, TD-7, CLIENT-10: a hundred at a time, in order, at once, and nothing is lost.
	last := syncWith(t, bob, second.Get("next_batch").Str, "").Get("next_batch").Str
	for n := range 230 {
		sendToDevice(t, alice, bob, 100+n)
	}
	var all []int64
	for range 3 {
		answer := syncWith(t, bob, last, "", "timeout", forever)
		if n := len(received(answer)); n > 100 {
			t.Errorf("%d messages in one answer", n)
		}
		all = append(all, received(answer)...)
		last = answer.Get("next_batch").Str
	}
	if len(all) != 230 || all[0] != 100 || all[229] != 329 {
		t.Errorf("%d messages: %v", len(all), all)
	}
	same(t, "afterwards", received(syncWith(t, bob, last, "")), []int64{})
}

func TestSyncKeyCounts(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	first := syncWith(t, bob, "", "")
	// SYNC-56, SYNC-57, DL-17, DL-18: in every answer.
	for _, answer := range []gjson.Result{first, syncWith(t, bob, first.Get("next_batch").Str, "")} {
		same(t, "counts without keys", answer.Get("device_one_time_keys_count").Raw, `{"signed_curve25519":0}`)
		same(t, "fallback keys", answer.Get("device_unused_fallback_key_types").Raw, `[]`)
		same(t, "fallback keys for old clients", answer.Get(`org\.matrix\.msc2732\.device_unused_fallback_key_types`).Raw, `[]`) // DL-19, CLIENT-17
	}
	token := first.Get("next_batch").Str
	bob.Post(t, "/v3/keys/upload", `{"one_time_keys":{"signed_curve25519:A":{"key":"a"},"signed_curve25519:B":{"key":"b"}},"fallback_keys":{"signed_curve25519:F":{"key":"f","fallback":true}}}`)
	answer := syncWith(t, bob, token, "")
	same(t, "counts", answer.Get("device_one_time_keys_count").Raw, `{"signed_curve25519":2}`)
	for _, name := range []string{"device_unused_fallback_key_types", `org\.matrix\.msc2732\.device_unused_fallback_key_types`} { // DL-18, DL-19
		same(t, "unused fallback keys", answer.Get(name).Raw, `["signed_curve25519"]`)
	}
	// KEYS-57: a claim wakes the device.
	token = answer.Get("next_batch").Str
	got := make(chan gjson.Result, 1)
	go func() { got <- syncWith(t, bob, token, "", "timeout", forever) }()
	alice.Post(t, "/v3/keys/claim", map[string]any{"one_time_keys": map[string]any{string(bob.User): map[string]any{bob.Device: "signed_curve25519"}}})
	same(t, "after a claim", (<-got).Get("device_one_time_keys_count").Raw, `{"signed_curve25519":1}`)
}

func TestSyncDeviceLists(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	lists := func(since string, more ...string) string {
		t.Helper()
		return syncWith(t, alice, since, "", more...).Get("device_lists").Raw
	}
	now := func() string { t.Helper(); return syncWith(t, alice, "", "").Get("next_batch").Str }
	// DL-1
	same(t, "a first sync", syncWith(t, alice, "", "").Get("device_lists").Raw, "")
	// DL-9, DL-15: joining, with the event.
	token := now()
	bob.Join(t, room)
	answer := syncWith(t, alice, token, "")
	same(t, "bob has come", answer.Get("device_lists").Raw, `{"changed":["@bob:example.org"],"left":[]}`)
	if !homeservertest.HasRoom("join", room)(answer) {
		t.Error("the join is told of later than the devices")
	}
	// SYNC-54, DL-2, DL-4, DL-16: a new device wakes those who share a room, and only them.
	token = now()
	got := make(chan gjson.Result, 1)
	go func() { got <- syncWith(t, alice, token, "", "timeout", forever) }()
	hs.Login(t, "carol")
	hs.Login(t, "bob")
	same(t, "a new device of bob's", (<-got).Get("device_lists").Raw, `{"changed":["@bob:example.org"],"left":[]}`)
	same(t, "an old token again", lists(token), `{"changed":["@bob:example.org"],"left":[]}`)
	// SYNC-55
	hidden := syncWith(t, alice, token, `{"room":{"rooms":[]}}`)
	same(t, "with a filter", hidden.Get("device_lists").Raw, `{"changed":["@bob:example.org"],"left":[]}`)
	// DL-12
	token = now()
	bob.Leave(t, room)
	same(t, "bob has gone", lists(token), `{"changed":[],"left":["@bob:example.org"]}`)
	// DL-13
	token = now()
	hs.Login(t, "bob")
	same(t, "a device of somebody who has gone", lists(token), "")
	// DL-14
	bob.Join(t, room)
	token = now()
	bob.Leave(t, room)
	bob.Join(t, room)
	same(t, "left and come back", lists(token), `{"changed":["@bob:example.org"],"left":[]}`)
	// SYNC-10
	token = now()
	go func() { got <- syncWith(t, alice, token, "", "timeout", forever) }()
	carol.Join(t, room)
	same(t, "woken by a join", (<-got).Get("device_lists.changed").Raw, `["@carol:example.org"]`)
}
