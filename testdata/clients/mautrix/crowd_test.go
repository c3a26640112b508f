package mautrix_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// lateKeys counts the messages that came before their key, of which the library
// tells its log alone.
type lateKeys struct {
	mu    sync.Mutex
	lines []string
}

func (l *lateKeys) Write(line []byte) (int, error) {
	if strings.Contains(string(line), "Couldn't find session") {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, string(line))
	}
	return len(line), nil
}

// Many devices talk at once and change their keys all the time: everybody reads
// everything, and no message comes before its key.
func TestCrowd(t *testing.T) {
	t.Parallel()
	const messages = 20
	server := start(t, t.TempDir())
	late := &lateKeys{}
	var all []*person
	for _, name := range []string{"alice", "bob", "carol"} {
		register(t, server.url, name).stop()
		for range 2 {
			all = append(all, login(t, server.url, name, func(cli *mautrix.Client) { cli.Log = zerolog.New(late) }, encrypting(t)))
		}
	}
	room := all[0].encryptedRoomWith(t, &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1, RotationPeriodMessages: 3}, all[2], all[4])
	for _, p := range all {
		p.wait(t, "carol's joining", func(e *event.Event) bool {
			return e.RoomID == room && e.Type == event.StateMember && e.GetStateKey() == string(all[4].UserID) &&
				e.Content.AsMember().Membership == event.MembershipJoin
		})
		p.follows(t, all[0].UserID, all[2].UserID, all[4].UserID)
	}

	var talk sync.WaitGroup
	for _, p := range all {
		talk.Go(func() {
			for i := range messages {
				if _, err := p.SendText(t.Context(), room, fmt.Sprint(p.DeviceID, " ", i)); err != nil {
					t.Errorf("%s: %v", p.DeviceID, err)
				}
			}
		})
	}
	talk.Wait()
	for _, p := range all {
		for _, sender := range all {
			for i := range messages {
				p.reads(t, fmt.Sprint(sender.DeviceID, " ", i))
			}
		}
	}
	for _, p := range all {
		p.stop()
	}
	for _, line := range slices.Compact(late.lines) {
		t.Error("a message came before its key:", line)
	}
	server.stop(t)
}
