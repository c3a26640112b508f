package keys_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/internal/keys"
)

// killEnv makes the test binary the process that is killed: it holds the path
// of the database.
const killEnv = "HOMESERVER_TEST_KILL_CLAIMS"

const (
	killStock   = 900
	killWorkers = 6
)

// claimOne claims a key of alice's phone and returns its name, "" if there is
// none.
func claimOne(tb testing.TB, s *keys.Service) string {
	answer, err := s.Claim(tb.Context(), map[string]map[string]string{string(alice): {"PHONE": "signed_curve25519"}})
	if err != nil {
		tb.Error(err)
		return ""
	}
	name := ""
	gjson.GetBytes(answer, "one_time_keys").ForEach(func(_, devices gjson.Result) bool {
		devices.Get("PHONE").ForEach(func(id, _ gjson.Result) bool { name = id.Str; return false })
		return false
	})
	return name
}

// KEYS-51: whenever the process is killed, no key that was handed out is handed
// out again.
func TestClaimAfterKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "chat.db")
	taken := make(map[string]bool)
	rounds := []int{1, 30, 77, 150}
	for _, claims := range rounds {
		for _, name := range killAfter(t, path, claims) {
			if taken[name] {
				t.Errorf("%s was handed out twice", name)
			}
			taken[name] = true
		}
	}
	s := newService(onDisk(t, path))
	for name := claimOne(t, s); name != ""; name = claimOne(t, s) {
		if taken[name] {
			t.Errorf("%s was handed out twice", name)
		}
		taken[name] = true
	}
	// Those whose claim was committed without the news getting out are lost.
	if n := len(taken); n > killStock || n < killStock-killWorkers*len(rounds) {
		t.Errorf("%d of %d keys came out", n, killStock)
	}
}

// killAfter lets a process claim, kills it after a number of claims and returns
// the names that it told.
func killAfter(t *testing.T, path string, claims int) (names []string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestKilledClaims$")
	cmd.Env = append(os.Environ(), killEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for {
		if len(names) == claims {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		line, err := lines.ReadString('\n')
		if err != nil { // the end, or a line cut off by it
			break
		}
		var name string
		if _, err := fmt.Sscanf(line, "claimed %s\n", &name); err != nil {
			t.Fatalf("the process said %q", line)
		}
		names = append(names, name)
	}
	_ = cmd.Wait() // killed
	return names
}

// TestKilledClaims is the process that TestClaimAfterKill kills.
func TestKilledClaims(t *testing.T) {
	path := os.Getenv(killEnv)
	if path == "" {
		t.Skip("only runs inside TestClaimAfterKill")
	}
	_, err := os.Stat(path)
	fresh := err != nil
	st := onDisk(t, path)
	s := newService(st)
	if fresh {
		addDevice(t, st, alice, "PHONE")
		if _, err := s.Upload(t.Context(), alice, "PHONE", keys.Upload{OneTime: oneTime(t, alice, "PHONE", 0, killStock)}); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for range killWorkers {
		wg.Go(func() {
			for name := claimOne(t, s); name != ""; name = claimOne(t, s) {
				if _, err := os.Stdout.WriteString("claimed " + name + "\n"); err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
}
