package keys

import (
	"container/list"
	"context"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/devicelist"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// Waker wakes the waiting syncs of a user.
type Waker interface {
	// UserChanged says that there is something new for all devices of a user at
	// a position. It is called while the store commits, in the order of the
	// positions, and must be quick.
	UserChanged(user events.UserID, pos store.Pos)
}

// Accounts lets users prove that they are there, before their cross-signing
// keys are replaced.
type Accounts interface {
	Interactive() *uia.Engine
	// Operation returns the operation to be proved for; M_FORBIDDEN if the user
	// has no way to.
	Operation(ctx context.Context, name, target string, user events.UserID) (uia.Operation, error)
}

// Config is what the service needs. All fields are required.
type Config struct {
	Store    store.Store
	Server   events.ServerName
	Now      func() time.Time // the clock
	Lists    *devicelist.Lists
	Waker    Waker
	Accounts Accounts
}

// Service is the service for keys. Its methods may be called at once and from
// any goroutine. They return *mxerr.Error for what is refused and *uia.Required
// where a client has to prove more; any other error is a fault.
type Service struct {
	Config
	memory memory
}

// New makes the service. It starts nothing that would have to be stopped.
func New(cfg Config) *Service {
	return &Service{Config: cfg, memory: memory{limit: memoryLimit, byUser: map[events.UserID]*list.Element{}}}
}

// Limits of one request, far above what clients do (CLIENTC-10), and of what a
// device may store.
const (
	maxQueried    = 10_000 // users
	maxClaimed    = 5_000  // keys
	maxSigned     = 1_000  // keys
	maxPool       = 1_000  // one-time keys of a device
	maxAlgorithms = 50     // of a device's one-time and fallback keys
	maxKey        = 64_000 // bytes of a key, with the signatures it has gathered
)

// alwaysCounted is the algorithm whose count is told even at zero: clients wait
// for the number before they make keys (KEYS-3, DL-17, CLIENTC-1).
const alwaysCounted = "signed_curve25519"
