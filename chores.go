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

// chore is something that is to be done now and then.
type chore struct {
	name   string
	do     func(context.Context) error
	atOnce bool // also when the server starts
}

// chores is the goroutine that does the chores, one after the other.
type chores struct {
	logger *slog.Logger
	stop   context.CancelFunc
	done   chan struct{}
}

// startChores does the chores now and then until close. What one returns, or panics
// with, is logged, and it is tried again the next time.
func startChores(logger *slog.Logger, list ...chore) *chores {
	ctx, stop := context.WithCancel(context.Background())
	c := &chores{logger, stop, make(chan struct{})}
	go func() {
		defer close(c.done)
		for _, chore := range list {
			if chore.atOnce {
				c.run(ctx, chore)
			}
		}
		timer := time.NewTimer(firstChores)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			for _, chore := range list {
				c.run(ctx, chore)
			}
			timer.Reset(choresEvery)
		}
	}()
	return c
}

func (c *chores) run(ctx context.Context, chore chore) {
	if err := guarded(ctx, chore.do); err != nil && ctx.Err() == nil {
		c.logger.WarnContext(ctx, chore.name, slog.Any("error", err))
	}
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
