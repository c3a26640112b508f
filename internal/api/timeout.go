package api

import (
	"net/http"
	"time"
)

// The write timeout of an http.Server runs from the request's header and takes no account of what is asked for: a few
// seconds, which do many hosts good, would end every long poll and every large file in the middle. So for these requests
// it starts anew when the answer does, and leaves time for its size. Middleware that hides the connection
// (http.ResponseController) keeps it as it is.

// slowestReader is how many bytes a second a client must take of a file, once the write timeout itself has passed.
const slowestReader = 4 << 10

// suspendWriteTimeout lets a request take as long as it likes, until startWriteTimeout.
func suspendWriteTimeout(w http.ResponseWriter, r *http.Request) {
	if writeTimeout(r) > 0 {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	}
}

// startWriteTimeout gives an answer of a size, which begins now, the time that it may take.
func startWriteTimeout(w http.ResponseWriter, r *http.Request, size int64) {
	if limit := writeTimeout(r); limit > 0 {
		limit += time.Duration(size/slowestReader) * time.Second
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit)) // deadlines know no other clock
	}
}

// writeTimeout is that of the host's server; 0: none. Without one, a deadline would outlive the request.
func writeTimeout(r *http.Request) time.Duration {
	if host, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok {
		return host.WriteTimeout
	}
	return 0
}
