package homeserver

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// The chores are done for the first time when a server has been up for a little
// while, since one that is started and stopped often has to do them too.
const (
	firstChores = time.Minute
	choresEvery = time.Hour
)

// chores is the goroutine that does what is to be done now and then.
type chores struct {
	stop context.CancelFunc
	done chan struct{}
}

// startChores calls do now and then until close. What it returns, or panics with,
// is logged, and it is tried again the next time.
func startChores(logger *slog.Logger, do func(context.Context) error) *chores {
	ctx, stop := context.WithCancel(context.Background())
	c := &chores{stop, make(chan struct{})}
	go func() {
		defer close(c.done)
		timer := time.NewTimer(firstChores)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			if err := guarded(ctx, do); err != nil && ctx.Err() == nil {
				logger.WarnContext(ctx, "do regular chores", slog.Any("error", err))
			}
			timer.Reset(choresEvery)
		}
	}()
	return c
}

// guarded keeps a panic from the host.
func guarded(ctx context.Context, do func(context.Context) error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return do(ctx)
}

// close ends the chores and waits for what is going on.
func (c *chores) close() {
	c.stop()
	<-c.done
}
