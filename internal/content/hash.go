package content

import (
	"crypto/sha256"

	"github.com/ca4c8834/homeserver/store"
)

// hashBuffer and hashBuffers are how far the hashing of a body may be behind its
// reading.
const (
	hashBuffer  = 128 << 10 // bytes
	hashBuffers = 2
)

// hasher hashes a body on a goroutine of its own, while what comes next is read
// and what came is written: a third of the time that a large upload takes the
// server.
type hasher struct {
	full  chan []byte
	empty chan []byte
	done  chan store.ContentHash
}

// newHasher starts a hasher, which sum ends.
func newHasher() *hasher {
	h := &hasher{make(chan []byte, hashBuffers), make(chan []byte, hashBuffers+2), make(chan store.ContentHash, 1)}
	go func() {
		hash := sha256.New()
		for b := range h.full {
			hash.Write(b)    // never fails
			h.empty <- b[:0] // there is room: beside those of full, each side holds one
		}
		h.done <- store.ContentHash(hash.Sum(nil))
	}()
	return h
}

// write takes a copy of p.
func (h *hasher) write(p []byte) {
	for len(p) > 0 {
		n := min(len(p), hashBuffer)
		h.full <- append(h.buffer(n), p[:n]...)
		p = p[n:]
	}
}

// buffer returns an empty buffer. No more are made than can be on their way.
func (h *hasher) buffer(size int) []byte {
	select {
	case b := <-h.empty:
		return b
	default:
		return make([]byte, 0, size)
	}
}

// sum ends the hashing, and is called exactly once.
func (h *hasher) sum() store.ContentHash {
	close(h.full)
	return <-h.done
}
