package outbound

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "100.128.0.1": true, "172.32.0.1": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "127.9.9.9": false, "0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false, "172.16.0.1": false,
		"192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "198.18.0.1": false, "224.0.0.1": false,
		"240.0.0.1": false, "255.255.255.255": false, "::1": false, "::": false, "fe80::1": false, "fc00::1": false,
		"ff02::1": false, "::ffff:127.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001:db8::1": false,
	} {
		if got := Public(netip.MustParseAddr(address)); got != want {
			t.Errorf("Public(%s) = %v", address, got)
		}
	}
}

// A client connects to private addresses only where it is permitted to, also when it is
// led there.
func TestNew(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(inside.Close)
	var visited []netip.Addr
	open := New(func(ip netip.Addr) bool { visited = append(visited, ip); return true })
	t.Cleanup(open.CloseIdleConnections)
	for _, tt := range []struct {
		name   string
		client *http.Client
		want   error
	}{
		{"closed", New(nil), ErrPrivate},
		{"closed to this", New(func(netip.Addr) bool { return false }), ErrPrivate},
		{"allowed", open, nil},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, inside.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tt.client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.want)
		}
	}
	if len(visited) != 1 || !visited[0].IsLoopback() {
		t.Errorf("asked about %v", visited)
	}
}

// Redirects end.
func TestRedirects(t *testing.T) {
	t.Parallel()
	hops := 0
	loop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hops++
		http.Redirect(w, r, "/again", http.StatusFound)
	}))
	t.Cleanup(loop.Close)
	client := New(netip.Addr.IsLoopback)
	t.Cleanup(client.CloseIdleConnections)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, loop.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	if err == nil || hops != maxRedirects+1 {
		t.Errorf("%d hops, error %v", hops, err)
	}
}
