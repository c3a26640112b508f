//go:build unix

package homeserver_test

import (
	"syscall"
	"testing"
	"time"
)

// cpuTime is the CPU time that the process has used.
func cpuTime(b testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
