package homeserver_test

import (
	"fmt"
	"path/filepath"
	"testing"
)

// What accounts cost beside the hash of a password, on a file: at most 5 ms of CPU to
// sign in or to register. Whose a good token is, is known from memory: whoami does
// little else.
func BenchmarkAccounts(b *testing.B) {
	d := newDirect(b, filepath.Join(b.TempDir(), "hs.db"))
	token, n := d.user("alice"), 0
	const login = `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"},"password":"p","refresh_token":true%s}`
	for _, bb := range []struct {
		name string
		do   func()
	}{
		{"register", func() { n++; d.user(fmt.Sprintf("u%d", n)) }},
		{"login", func() { d.post("/v3/login", "", fmt.Sprintf(login, "")) }},
		{"login on a known device", func() { d.post("/v3/login", "", fmt.Sprintf(login, `,"device_id":"PHONE"`)) }},
		{"whoami", func() { d.get("/v3/account/whoami", token) }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			defer reportCPU(b)()
			for b.Loop() {
				bb.do()
			}
		})
	}
}
