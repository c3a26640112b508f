package sync

import (
	"fmt"
	"testing"

	"github.com/ca4c8834/homeserver/store"
)

func positions(from, n int) (list []store.Pos) {
	for i := range n {
		list = append(list, store.Pos(from+i))
	}
	return list
}

// What is remembered of devices is bounded, for one and for all together (SYNC-32).
func TestAcquaintancesAreBounded(t *testing.T) {
	t.Parallel()
	var as acquaintances
	one := deviceKey{"@alice:example.org", "A"}
	mark := ""
	for i := range 50 {
		mark = as.told(one, mark, positions(100*i, 100))
		known := as.recall(one, mark)
		if len(known) == 0 || len(known) > maxAcquainted {
			t.Fatalf("%d are known", len(known))
		}
		if _, ok := known[store.Pos(100*i)]; !ok {
			t.Fatal("what was told last is not known")
		}
	}
	if again := as.told(one, mark, nil); again != mark {
		t.Errorf("nothing more was told, and the mark is %s, was %s", again, mark)
	}
	// What was told to somebody with another mark is no more than that to them.
	known := as.recall(one, mark)
	next := as.told(one, "other", positions(1_000_000, 1))
	if again := as.recall(one, next); len(known) == 0 || len(again) != 1 {
		t.Errorf("%d are known after one was told", len(again))
	}
	if as.told(one, mark, nil) != "" || as.recall(one, mark) != nil {
		t.Error("an old mark is known still")
	}
	var last deviceKey
	for i := range 2*allAcquainted/maxAcquainted + 10 {
		last = deviceKey{"@bob:example.org", fmt.Sprint(i)}
		mark = as.told(last, "", positions(0, maxAcquainted))
	}
	if as.size > allAcquainted || len(as.devices) != as.lru.Len() {
		t.Errorf("size %d, %d devices, %d of them in order", as.size, len(as.devices), as.lru.Len())
	}
	if as.recall(last, mark) == nil || as.devices[one] != nil {
		t.Error("others than those that have not come for longest are forgotten")
	}
	sum := 0
	for _, el := range as.devices {
		a := el.Value.(*acquaintance)
		sum += len(a.known) + len(a.more) + deviceWeight
	}
	if sum != as.size {
		t.Errorf("size %d, and they are %d", as.size, sum)
	}
}
