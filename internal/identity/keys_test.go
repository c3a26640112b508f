package identity

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// MEMB-24: only a clear yes makes a key valid.
func TestValid(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("public_key") != "AQL/" || r.FormValue("a") != "b" {
			http.Error(w, "which key?", http.StatusBadRequest)
			return
		}
		status, body := http.StatusOK, r.URL.Path[1:]
		if body == "404" {
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	for _, tt := range []struct {
		address string
		valid   bool
		fails   bool
	}{
		{server.URL + `/{"valid":true}?a=b`, true, false},
		{server.URL + `/{"valid":false}?a=b`, false, false},
		{server.URL + `/{}?a=b`, false, false},
		{server.URL + `/{"valid":1}?a=b`, false, true},
		{server.URL + `/yes?a=b`, false, true},
		{server.URL + `/404?a=b`, false, true},
		{"http://127.0.0.1:1/?a=b", false, true},
		{"ftp://example.org/", false, true},
		{"//example.org/", false, true},
		{":", false, true},
	} {
		valid, err := Keys{server.Client()}.Valid(t.Context(), tt.address, []byte{1, 2, 255})
		if valid != tt.valid || (err != nil) != tt.fails {
			t.Errorf("%s: %v, %v", tt.address, valid, err)
		}
	}
}
