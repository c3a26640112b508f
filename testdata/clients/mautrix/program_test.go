package mautrix_test

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// program is the server under test: a program of its own, on a data directory.
type program struct {
	url string
	cmd *exec.Cmd
	log lockedLog
}

type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLog) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(line + "\n")
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var served = regexp.MustCompile(`msg=serve url=(\S+)`)

// start runs the program that HOMESERVER_BINARY names until it serves.
func start(t *testing.T, data string, flags ...string) *program {
	t.Helper()
	binary := os.Getenv("HOMESERVER_BINARY")
	if binary == "" {
		t.Fatal("HOMESERVER_BINARY is not set: use ./run")
	}
	flags = append([]string{"-listen", "127.0.0.1:0", "-name", "example.org", "-data", data, "-registration", "open", "-rate-limits=false"}, flags...)
	p := &program{cmd: exec.Command(binary, flags...)}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	url := make(chan string, 1)
	go func() {
		defer close(url)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			p.log.add(lines.Text())
			if found := served.FindStringSubmatch(lines.Text()); found != nil {
				url <- found[1]
			}
		}
	}()
	if p.url = <-url; p.url == "" {
		t.Fatalf("the program does not serve:\n%s", &p.log)
	}
	return p
}

// stop ends the program gently, after people have stopped; it must have logged no
// error.
func (p *program) stop(t *testing.T, people ...*person) {
	t.Helper()
	for _, who := range people {
		who.stop()
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil || strings.Contains(p.log.String(), "level=ERROR") {
		t.Errorf("the program ends with %v and has logged:\n%s", err, &p.log)
	}
}

// crash ends the program without a warning.
func (p *program) crash(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
}
