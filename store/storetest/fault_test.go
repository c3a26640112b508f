package storetest_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/store/storetest"
)

var errDisk = errors.New("disk on fire")

func faulty(t *testing.T) *storetest.Fault {
	t.Helper()
	inner, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	st := storetest.Faulty(inner)
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

// A Fault keeps the contract as long as it is not told to fail.
func TestFaultKeepsContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		inner, err := sqlite.Memory()
		if err != nil {
			t.Fatal(err)
		}
		return storetest.Faulty(inner)
	})
}

// Every method of View and Tx that can fail counts as a call and fails when it
// is told to, and so do its Update and View.
func TestFaultInEveryMethod(t *testing.T) {
	t.Parallel()
	st := faulty(t)
	call := func(methods reflect.Value, name string) error {
		m := methods.MethodByName(name)
		var args []reflect.Value
		for i := range m.Type().NumIn() {
			args = append(args, reflect.Zero(m.Type().In(i)))
		}
		out := m.Call(args)
		err, _ := out[len(out)-1].Interface().(error)
		return err
	}
	cannotFail := []string{"Position", "Next", "OnCommit", "OnRollback"}
	for typ, run := range map[reflect.Type]func(fn func(reflect.Value)) error{
		reflect.TypeFor[store.View](): func(fn func(reflect.Value)) error {
			return st.View(t.Context(), func(v store.View) error { fn(reflect.ValueOf(v)); return nil })
		},
		reflect.TypeFor[store.Tx](): func(fn func(reflect.Value)) error {
			return st.Update(t.Context(), func(tx store.Tx) error { fn(reflect.ValueOf(tx)); return nil })
		},
	} {
		for i := range typ.NumMethod() {
			name := typ.Method(i).Name
			if slices.Contains(cannotFail, name) {
				continue
			}
			st.FailAt(1, errDisk)
			err := run(func(methods reflect.Value) {
				if err := call(methods, name); !errors.Is(err, errDisk) {
					t.Errorf("%s.%s: %v", typ, name, err)
				}
			})
			if !errors.Is(err, errDisk) {
				t.Errorf("closure with %s.%s: %v", typ, name, err)
			}
			if n := st.Calls(); n != 1 {
				t.Errorf("%s.%s counted as %d calls", typ, name, n)
			}
		}
	}
}

// A failed call or commit leaves nothing behind, and the Store works again.
func TestFaultUndoes(t *testing.T) {
	t.Parallel()
	st := faulty(t)
	operation := func() error {
		return st.Update(t.Context(), func(tx store.Tx) error {
			if err := tx.CreateUser(store.User{ID: "@a:x"}); err != nil {
				return err
			}
			return tx.CreateUser(store.User{ID: "@b:x"})
		})
	}
	for n := 1; n <= 3; n++ { // two calls and the commit
		st.FailAt(n, errDisk)
		if err := operation(); !errors.Is(err, errDisk) {
			t.Errorf("call %d: %v", n, err)
		}
		err := st.View(t.Context(), func(v store.View) error {
			_, err := v.User("@a:x")
			if !errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("after call %d: %w", n, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	st.FailAt(4, errDisk)
	if err := operation(); err != nil {
		t.Error(err)
	}
	if n := st.Calls(); n != 3 {
		t.Errorf("%d calls", n)
	}
}
