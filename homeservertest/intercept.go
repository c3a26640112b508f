package homeservertest

import (
	"net/http"
	"sync/atomic"
)

// ownHeader marks the requests of a [Client], which nothing intercepts.
const ownHeader = "Homeservertest-Client"

// front is what clients meet: the server, or what stands before it.
type front struct {
	server      http.Handler
	intercepted atomic.Pointer[http.Handler] // nil: nothing does
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := f.intercepted.Load(); h != nil && r.Header.Get(ownHeader) == "" {
		(*h).ServeHTTP(w, r)
		return
	}
	f.server.ServeHTTP(w, r)
}

// Intercept puts middleware in front of the server, to see what the client under
// test sends, and to have it meet what goes wrong out there: a server that
// refuses, is slow or breaks, a connection that drops. It takes the place of the
// one before; nil ends it. Requests that are in progress go on as they began.
//
// The requests of a [Client] pass it by, so that the other users are not hit.
// Middleware is called from any number of goroutines at once, and should not end
// the test with Fatal. It drops a connection with panic(http.ErrAbortHandler):
// before calling next the request is lost, after it the answer.
func (s *Server) Intercept(middleware func(next http.Handler) http.Handler) {
	if middleware == nil {
		s.front.intercepted.Store(nil)
		return
	}
	h := middleware(s.front.server)
	s.front.intercepted.Store(&h)
}
