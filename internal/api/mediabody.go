package api

import (
	"net/http"
	"sync"
	"time"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// The pace that an upload must keep: it may wait for its client as long as patience says, and for each slowest bytes
// that have come a second more. Time that the server takes to store them does not count.
const (
	uploadPatience = time.Minute
	uploadSlowest  = 4 << 10 // bytes a second
)

// uploadBody is the body of an upload that may be as long as the upload takes, and no longer: it takes the place of the
// server's read timeout, which is made for small requests.
type uploadBody struct {
	r        *http.Request
	now      func() time.Time
	patience time.Duration
	received int64
	waited   time.Duration
	timer    *time.Timer

	mu    sync.Mutex
	cut   func() // makes the reading fail
	late  bool
	ended bool
}

func (a *API) newUploadBody(w http.ResponseWriter, r *http.Request) *uploadBody {
	conn := http.NewResponseController(w)
	_ = conn.SetReadDeadline(time.Time{}) // where it is not supported there is none
	suspendWriteTimeout(w, r)
	patience := a.uploadPatience
	if patience == 0 {
		patience = uploadPatience
	}
	b := &uploadBody{r: r, now: a.Now, patience: patience, cut: func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) }}
	b.timer = time.AfterFunc(patience, b.tooLate)
	b.timer.Stop()
	return b
}

// Read implements io.Reader.
func (b *uploadBody) Read(p []byte) (int, error) {
	earned := time.Duration(b.received/uploadSlowest) * time.Second
	b.timer.Reset(max(b.patience+earned-b.waited, 0))
	started := b.now()
	n, err := b.r.Body.Read(p)
	b.timer.Stop()
	b.waited += b.now().Sub(started)
	b.received += int64(n)
	if err != nil && b.isLate() {
		return n, mxerr.New(http.StatusRequestTimeout, mxerr.MUnknown, "the upload is too slow").Because(err)
	}
	return n, err
}

func (b *uploadBody) isLate() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.late
}

func (b *uploadBody) tooLate() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended { // or it would hit the next request on the connection
		b.late = true
		b.cut()
	}
}

// done is called when the body is not read any more.
func (b *uploadBody) done() {
	b.timer.Stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
}
