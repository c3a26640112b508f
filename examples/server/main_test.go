package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// build compiles the program.
func build(t *testing.T) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), "server")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// program is a running server.
type program struct {
	cmd    *exec.Cmd
	url    string
	client *http.Client
	log    *bytes.Buffer // complete when the program has ended
	ended  chan struct{}
}

var served = regexp.MustCompile(`msg=serve url=(\S+) name=example\.org`)

// start runs the program on a free port until it serves.
func start(t *testing.T, binary string, args ...string) *program {
	t.Helper()
	p := &program{
		cmd:    exec.Command(binary, append([]string{"-listen", "127.0.0.1:0", "-name", "example.org"}, args...)...),
		client: &http.Client{Timeout: time.Minute},
		log:    new(bytes.Buffer), ended: make(chan struct{}),
	}
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
		defer close(p.ended)
		defer close(url)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			fmt.Fprintln(p.log, lines.Text())
			if found := served.FindStringSubmatch(lines.Text()); found != nil {
				url <- found[1]
			}
		}
	}()
	if p.url = <-url; p.url == "" {
		t.Fatalf("the program does not serve:\n%s", p.log)
	}
	return p
}

// stop sends a signal and wants the program to end with status 0.
func (p *program) stop(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the program ends with %v:\n%s", err, p.log)
	}
}

func (p *program) post(t *testing.T, path, body string) (int, gjson.Result) {
	t.Helper()
	resp, err := p.client.Post(p.url+"/_matrix/client/v3"+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, gjson.ParseBytes(answer)
}

const (
	alice = `{"auth":{"type":"m.login.dummy"},"username":"alice","password":"secret"}`
	login = `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"},"password":"secret"}`
)

// The program serves, stops gently, and finds its data again.
func TestServer(t *testing.T) {
	t.Parallel()
	binary, data := build(t), filepath.Join(t.TempDir(), "new", "directory")
	p := start(t, binary, "-data", data, "-registration", "open")
	if status, answer := p.post(t, "/register", alice); status != 200 || answer.Get("user_id").Str != "@alice:example.org" {
		t.Fatalf("register: %d %s", status, answer)
	}
	p.stop(t, syscall.SIGTERM)

	p = start(t, binary, "-data", data)
	if status, answer := p.post(t, "/login", login); status != 200 {
		t.Errorf("login after the restart: %d %s", status, answer)
	}
	if status, answer := p.post(t, "/register", alice); status != 403 {
		t.Errorf("registration is closed: %d %s", status, answer)
	}
	p.stop(t, os.Interrupt)

	p = start(t, binary, "-data", data, "-registration", "token", "-rate-limits=false")
	token, err := os.ReadFile(filepath.Join(data, "registration-tokens"))
	if err != nil {
		t.Fatal(err)
	}
	for range 30 { // more than the rate limit of registration
		p.post(t, "/register", alice)
	}
	bob := fmt.Sprintf(`{"auth":{"type":"m.login.registration_token","token":%q},"username":"bob","password":"secret"}`, bytes.TrimSpace(token))
	if status, answer := p.post(t, "/register", bob); status != 200 {
		t.Errorf("register with a token: %d %s", status, answer)
	}
	p.stop(t, syscall.SIGTERM)
}

// With a certificate the program serves https.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key, roots := certificate(t, dir)
	p := start(t, build(t), "-data", dir, "-tls-cert", cert, "-tls-key", key, "-public-url", "https://chat.example.org")
	p.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	resp, err := p.client.Get(p.url + "/.well-known/matrix/client")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, _ := io.ReadAll(resp.Body); !strings.Contains(string(body), `"https://chat.example.org"`) {
		t.Errorf("well-known: %d %s", resp.StatusCode, body)
	}
	p.client.CloseIdleConnections()
	p.stop(t, syscall.SIGTERM)
}

// certificate writes a certificate for 127.0.0.1 and its key.
func certificate(t *testing.T, dir string) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	if err := errors.Join(os.WriteFile(certFile, certPEM, 0o600), os.WriteFile(keyFile, keyPEM, 0o600)); err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, roots
}

// Registration files in a directory make application services.
func TestAppServices(t *testing.T) {
	t.Parallel()
	binary, dir := build(t), t.TempDir()
	const bridge = `{id: irc, url: null, as_token: secret, hs_token: other, sender_localpart: ircbot, namespaces: {}}`
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("irc.yaml", bridge)
	write("README.md", "not a registration")
	p := start(t, binary, "-data", t.TempDir(), "-appservices", dir)
	resp, err := p.client.Get(p.url + "/_matrix/client/v3/account/whoami?access_token=secret")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, _ := io.ReadAll(resp.Body); gjson.GetBytes(body, "user_id").Str != "@ircbot:example.org" {
		t.Errorf("whoami: %d %s", resp.StatusCode, body)
	}
	p.client.CloseIdleConnections()
	p.stop(t, syscall.SIGTERM)

	for file, says := range map[string]string{"again.yaml": "same ID", "broken.yaml": "broken.yaml"} {
		content := bridge
		if file == "broken.yaml" {
			content = "id: ["
		}
		write(file, content)
		out, err := exec.CommandContext(t.Context(), binary, "-data", t.TempDir(), "-listen", "127.0.0.1:0", "-appservices", dir).CombinedOutput()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || !strings.Contains(string(out), says) {
			t.Errorf("%s: %v, want %q:\n%s", file, err, says, out)
		}
		if err := os.Remove(filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
}

// Behind a proxy the address of a client is the one that the proxy tells.
func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	p := start(t, build(t), "-data", t.TempDir(), "-registration", "open", "-trusted-proxies", "10.0.0.0/8, 127.0.0.0/8")
	var session gjson.Result
	for _, call := range []struct{ method, path, body string }{{"POST", "register", alice}, {"GET", "devices", ""}} {
		r, err := http.NewRequestWithContext(t.Context(), call.method, p.url+"/_matrix/client/v3/"+call.path, strings.NewReader(call.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+session.Get("access_token").Str)
		r.Header.Set("X-Forwarded-For", "198.51.100.7, 203.0.113.9, 10.1.2.3")
		resp, err := p.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		session = gjson.ParseBytes(answer)
	}
	if got := session.Get("devices.0.last_seen_ip").Str; got != "203.0.113.9" {
		t.Errorf("the client has the address %q: %s", got, session)
	}
	p.client.CloseIdleConnections()
	p.stop(t, syscall.SIGTERM)
}

// The exit status tells whether the flags or the world are wrong.
func TestExitStatus(t *testing.T) {
	t.Parallel()
	binary, dir := build(t), t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// tokens makes a data directory with a file of registration tokens.
	tokens := func(name, content string) (data string) {
		data = filepath.Join(dir, name)
		if err := errors.Join(os.Mkdir(data, 0o700), os.WriteFile(filepath.Join(data, "registration-tokens"), []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
		return data
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for name, tt := range map[string]struct {
		status int
		says   string
		args   []string
	}{
		"unknown flag":          {2, "-nonsense", []string{"-nonsense"}},
		"argument":              {2, `what is "now"`, []string{"now"}},
		"policy":                {2, "closed, token or open", []string{"-registration", "ajar"}},
		"level":                 {2, "-log-level", []string{"-log-level", "loud"}},
		"memory":                {2, "-room-memory", []string{"-room-memory", "0"}},
		"network":               {2, "-trusted-proxies", []string{"-trusted-proxies", "127.0.0.1"}},
		"help":                  {0, "-data", []string{"-help"}},
		"certificate, no key":   {2, "belong together", []string{"-tls-cert", file}},
		"name":                  {1, "server name", []string{"-name", "not a name"}},
		"URL":                   {1, "WithPublicURL", []string{"-public-url", "chat"}},
		"data is no directory":  {1, "data directory", []string{"-data", file}},
		"address taken":         {1, "address already in use", []string{"-listen", taken.Addr().String()}},
		"certificate is no PEM": {1, "tls", []string{"-listen", "127.0.0.1:0", "-tls-cert", file, "-tls-key", file}},
		"tokens are malformed":  {1, "WithRegistrationTokens", []string{"-registration", "token", "-data", tokens("é", "é")}},
		"no tokens":             {1, "there is none", []string{"-registration", "token", "-data", tokens("none", "\n")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, binary, append([]string{"-data", t.TempDir()}, tt.args...)...)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != tt.status || !strings.Contains(string(out), tt.says) {
				t.Errorf("%v, want status %d and %q:\n%s", err, tt.status, tt.says, out)
			}
		})
	}
}
