package room

import (
	"errors"
	"testing"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// READ-2, READ-8, READ-18: ten unless said, and never more than a thousand.
func TestPageSize(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int{0: 0, 1: 1, 1000: 1000, 1001: 1000, 1 << 40: 1000} {
		if got, err := pageSize(&limit); got != want || err != nil {
			t.Errorf("%d: %d, %v; want %d", limit, got, err, want)
		}
	}
	if got, err := pageSize(nil); got != 10 || err != nil {
		t.Errorf("nothing said: %d, %v", got, err)
	}
	if _, err := pageSize(new(-1)); !errors.Is(err, mxerr.MInvalidParam) {
		t.Errorf("-1: %v", err)
	}
}
