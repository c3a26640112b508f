package api

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are pipes, which work in a bubble of synctest, deadlines included.
type pipes struct {
	net.Listener
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours, nil
}

// slowReader gives one piece of its content a second.
type slowReader struct{ r io.Reader }

func (s slowReader) Read(p []byte) (int, error) {
	time.Sleep(time.Second)
	return s.r.Read(p[:min(len(p), 8<<10)])
}

// impatient calls f with a client of an API that is served by a host with timeouts as they are often recommended.
func impatient(t *testing.T, h http.Handler, f func(send func(method, path string, body io.Reader) (int, []byte, error))) {
	t.Helper()
	l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	host := &http.Server{Handler: h, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second}
	served := make(chan error)
	go func() { served <- host.Serve(l) }()
	client := &http.Client{Transport: &http.Transport{DialContext: l.dial}}
	f(func(method, path string, body io.Reader) (int, []byte, error) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://host"+path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer alice")
		resp, err := client.Do(r)
		if err != nil {
			return 0, nil, err
		}
		defer func() { _ = resp.Body.Close() }()
		answer, err := io.ReadAll(slowReader{resp.Body})
		return resp.StatusCode, answer, err
	})
	client.CloseIdleConnections()
	if err := host.Close(); err != nil {
		t.Error(err)
	}
	<-served
}

// The timeouts of the host's server, which are made for small requests, do not end what may rightly take longer.
func TestHostTimeouts(t *testing.T) {
	t.Parallel()
	t.Run("long polls", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			wait := func(context.Context, *caller, empty) (empty, error) {
				time.Sleep(30 * time.Second)
				return empty{}, nil
			}
			a := newTestAPI(Config{}, get("/long", byUser, wait).longPoll(), get("/other", byUser, wait))
			impatient(t, a, func(send func(string, string, io.Reader) (int, []byte, error)) {
				if status, body, err := send("GET", "/_matrix/client/v3/long", nil); status != 200 || string(body) != "{}" || err != nil {
					t.Errorf("%d %q, %v", status, body, err)
				}
				if status, _, err := send("GET", "/_matrix/client/v3/other", nil); err == nil {
					t.Errorf("any other endpoint may take as long: %d", status)
				}
			})
		})
	})
	t.Run("content", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := newRepository(t, nil)
			content := strings.Repeat("slow but steady ", 16<<10) // for half a minute, both ways
			impatient(t, s, func(send func(string, string, io.Reader) (int, []byte, error)) {
				id := s.create()
				status, body, err := send("PUT", "/_matrix/media/v3/upload/example.org/"+id, slowReader{strings.NewReader(content)})
				if status != 200 || err != nil {
					t.Fatalf("upload: %d %q, %v", status, body, err)
				}
				status, body, err = send("GET", downloads+id, nil)
				if status != 200 || err != nil || !bytes.Equal(body, []byte(content)) {
					t.Errorf("download: %d, %d bytes, %v", status, len(body), err)
				}
				status, body, err = send("GET", downloads+s.create(), nil) // which waits
				if status != 504 || err != nil {
					t.Errorf("download of what does not come: %d %q, %v", status, body, err)
				}
			})
		})
	})
	a := newTestAPI(Config{})
	for _, row := range append(append(a.sync(), a.events()...), a.slidingSync()...) {
		if !row.waits {
			t.Errorf("%s is no long poll", row.path)
		}
	}
}
