package homeserver_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// envVictim names the database of the process that TestKilledServerKeepsItsWord kills.
const envVictim = "HOMESERVER_TEST_VICTIM"

// TestVictim is not a test of its own: it serves until it is killed.
func TestVictim(t *testing.T) {
	file := os.Getenv(envVictim)
	if file == "" {
		return
	}
	st, err := sqlite.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := homeserver.New("example.org", homeserver.WithStore(st), homeserver.WithRegistration(homeserver.RegistrationOpen),
		homeserver.WithoutRateLimits(), homeserver.WithInsecurePasswordHashing())
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("victim at", listener.Addr())
	t.Fatal(http.Serve(listener, srv))
}

// victim is the running process.
type victim struct {
	*exec.Cmd
	url string
}

func startVictim(t *testing.T, file string) *victim {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestVictim$", "-test.v")
	cmd.Env = append(os.Environ(), envVictim+"="+file)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	v := &victim{Cmd: cmd}
	t.Cleanup(v.kill)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if addr, ok := strings.CutPrefix(lines.Text(), "victim at "); ok {
			v.url = "http://" + addr
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return v
		}
	}
	t.Fatal("the victim did not start")
	return nil
}

func (v *victim) kill() {
	_ = v.Process.Kill()
	_ = v.Wait()
}

// call sends a request; ok is false if there was no answer, since the server is dead.
func (v *victim) call(method, path, token string, body any) (answer gjson.Result, ok bool) {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	req, err := http.NewRequest(method, v.url+"/_matrix/client"+path, strings.NewReader(string(encoded)))
	if err != nil {
		panic(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return gjson.Result{}, false
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return gjson.ParseBytes(text), err == nil && resp.StatusCode == http.StatusOK
}

// A server that is killed in the middle of a load and started again on the same
// file has every event that it has acknowledged, once and in order; a request that
// nobody answered can be repeated; and the room goes on.
func TestKilledServerKeepsItsWord(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/hs.db"
	const senders, rounds = 4, 3
	v := startVictim(t, file)
	user, ok := v.call("POST", "/v3/register", "", map[string]any{
		"auth": map[string]any{"type": "m.login.dummy"}, "username": "alice", "password": "correct horse battery staple",
	})
	if !ok {
		t.Fatal(user)
	}
	token := user.Get("access_token").Str
	made, ok := v.call("POST", "/v3/createRoom", token, map[string]any{})
	if !ok {
		t.Fatal(made)
	}
	room := made.Get("room_id").Str
	send := func(v *victim, sender, n int) (string, bool) {
		path := homeservertest.Path("/v3/rooms/{}/send/m.room.message/{}", room, fmt.Sprintf("%d-%d", sender, n))
		answer, ok := v.call("PUT", path, token, map[string]any{"msgtype": "m.text", "body": fmt.Sprintf("%d %d", sender, n)})
		return answer.Get("event_id").Str, ok
	}
	var acknowledged [senders][]string // event IDs in the order in which each sender sent them
	for round := range rounds {
		var wg sync.WaitGroup
		enough := make(chan struct{}, 1000)
		for sender := range senders {
			wg.Go(func() {
				for {
					id, ok := send(v, sender, len(acknowledged[sender]))
					if !ok {
						return
					}
					acknowledged[sender] = append(acknowledged[sender], id)
					select {
					case enough <- struct{}{}:
					default:
					}
				}
			})
		}
		for range 50 + 37*round {
			select {
			case <-enough:
			case <-time.After(time.Minute):
				t.Fatal("the server does not answer")
			}
		}
		v.kill()
		wg.Wait()
		v = startVictim(t, file)
		for sender := range senders { // the request without an answer, once more
			id, ok := send(v, sender, len(acknowledged[sender]))
			if !ok {
				t.Fatalf("round %d: the room does not take messages any more", round)
			}
			acknowledged[sender] = append(acknowledged[sender], id)
		}
		var found []string
		for from := ""; ; {
			page, ok := v.call("GET", homeservertest.Path("/v3/rooms/{}/messages", room)+"?dir=f&limit=500"+from, token, nil)
			if !ok {
				t.Fatal(page)
			}
			for _, e := range page.Get("chunk").Array() {
				if e.Get("type").Str == "m.room.message" {
					found = append(found, e.Get("event_id").Str)
				}
			}
			if from = "&from=" + page.Get("end").Str; from == "&from=" {
				break
			}
		}
		total := 0
		for sender, ids := range acknowledged {
			total += len(ids)
			at := -1
			for n, id := range ids {
				i := slices.Index(found, id)
				if i <= at {
					t.Fatalf("round %d: message %d of sender %d is at %d, the one before at %d", round, n, sender, i, at)
				}
				at = i
			}
		}
		if len(found) != total {
			t.Errorf("round %d: %d messages are there, %d were acknowledged or repeated", round, len(found), total)
		}
	}
}
