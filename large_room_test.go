//go:build unix

package homeserver_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// A send costs for the event, not for the members: into a room of 10,000 at most twice
// what it costs into a room of 10. It is not parallel, since the CPU time that it
// compares is that of the whole process.
func TestSendCostBySize(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a room with 10,000 members")
	}
	file := filepath.Join(t.TempDir(), "hs.db")
	d := newDirect(t, file, quiet())
	alice := d.user("alice")
	small, large := d.room(alice), d.room(alice)
	if err := d.srv.Close(); err != nil {
		t.Fatal(err)
	}
	st, err := sqlite.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	for room, members := range map[string]int{small: 9, large: 9_999} {
		f := &filling{TB: t, st: st, room: events.RoomID(room)}
		f.fill(members, 0)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	d = newDirect(t, file, quiet())
	send := func(room string, n int) time.Duration {
		path := homeservertest.Path("/v3/rooms/{}/send/m.room.message", room)
		start := cpuTime(t)
		for range n {
			d.post(path, alice, `{"msgtype":"m.text","body":"hello"}`)
		}
		return (cpuTime(t) - start) / time.Duration(n)
	}
	// The least of several is what it costs if nothing else happens, such as garbage collection.
	least := map[string]time.Duration{small: time.Hour, large: time.Hour}
	for range 12 {
		for room := range least {
			send(room, 1) // for once it may have to be read
			least[room] = min(least[room], send(room, 50))
		}
	}
	t.Logf("CPU time of a send: %v into a room of 10, %v into a room of 10,000", least[small], least[large])
	if least[large] > 2*least[small] {
		t.Errorf("a send into a room of 10,000 takes %v, more than twice the %v of a room of 10", least[large], least[small])
	}
}
