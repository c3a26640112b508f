package homeserver_test

import (
	"fmt"
	"testing"

	"github.com/ca4c8834/homeserver/homeservertest"
)

// Whatever a client asks for, it is answered or refused.
func FuzzSlidingSync(f *testing.F) {
	hs := homeservertest.New(f)
	alice := hs.User(f, "alice")
	room := alice.CreateRoom(f, `{"preset":"public_chat","name":"n"}`)
	for _, body := range []string{
		`{}`, slideAll, list(1, elementState),
		fmt.Sprintf(`{"conn_id":"x","room_subscriptions":{%q:{"timeline_limit":3,"required_state":[["*","$ME"]]}}}`, room),
		`{"lists":{"a":{"timeline_limit":1,"ranges":[[0,1],[1,5],[3,3]],"filters":{"is_dm":false,"room_types":[null,"x"],"spaces":["!a:b"],"tags":[],"room_name_like":"N"}},
			"b":{"timeline_limit":0,"ranges":[]}}}`,
		`{"extensions":{"to_device":{"enabled":true,"since":"1-1","limit":1},"e2ee":{"enabled":true},"receipts":{"enabled":true,"lists":["*"]},
			"typing":{"enabled":true,"rooms":[]},"account_data":{"enabled":true,"lists":["a"]}}}`,
		`{"pos":"1-1","timeout":-1,"lists":{"a":{"timeline_limit":1,"range":[0,1],"filters":{"is_invited":false},
			"required_state":{"include":[{},{"type":"a"},{"state_key":"b"}],"exclude":[{"type":"m.room.member"}],"lazy_members":true}}}}`,
		`{"lists":{"a":{"timeline_limit":9223372036854775807,"ranges":[[9223372036854775806,9223372036854775807]]}}}`,
	} {
		f.Add(body, true)
		f.Add(body, false)
	}
	before := pos(alice.Post(f, slidingPath, slideAll))
	f.Fuzz(func(t *testing.T, body string, again bool) {
		path := slidingPath
		if again {
			path = slidingURL(before)
		}
		for _, path := range []string{path, slidingV4Path} {
			answer := alice.Do(t, "POST", path, body)
			switch answer.Status {
			case 200:
				if at := pos(answer.JSON()); at == "" {
					t.Errorf("no position: %v", answer)
				}
			case 400, 413:
				answer.JSON()
			default:
				t.Errorf("%v", answer)
			}
		}
	})
}
