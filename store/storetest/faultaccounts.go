package storetest

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func (v faultView) AdminUsers() ([]events.UserID, error) {
	return get(v.c, v.View.AdminUsers)
}

func (v faultView) ErasedUsers() (map[events.UserID]store.Pos, error) {
	return get(v.c, v.View.ErasedUsers)
}

func (v faultView) ThreePID(medium, address string) (store.ThreePID, error) {
	return get(v.c, func() (store.ThreePID, error) { return v.View.ThreePID(medium, address) })
}

func (v faultView) ThreePIDsOf(user events.UserID) ([]store.ThreePID, error) {
	return get(v.c, func() ([]store.ThreePID, error) { return v.View.ThreePIDsOf(user) })
}

func (v faultView) BindingsOf(user events.UserID) ([]store.Binding, error) {
	return get(v.c, func() ([]store.Binding, error) { return v.View.BindingsOf(user) })
}

func (v faultView) Validation(id string) (store.Validation, error) {
	return get(v.c, func() (store.Validation, error) { return v.View.Validation(id) })
}

func (v faultView) ValidationOf(secret store.TokenHash, medium, address, purpose string) (store.Validation, error) {
	return get(v.c, func() (store.Validation, error) { return v.View.ValidationOf(secret, medium, address, purpose) })
}

func (v faultView) ValidationByToken(token store.TokenHash) (store.Validation, error) {
	return get(v.c, func() (store.Validation, error) { return v.View.ValidationByToken(token) })
}

func (t faultTx) PutThreePID(p store.ThreePID) error {
	return t.c.do(func() error { return t.writes.PutThreePID(p) })
}

func (t faultTx) DeleteThreePID(medium, address string) error {
	return t.c.do(func() error { return t.writes.DeleteThreePID(medium, address) })
}

func (t faultTx) PutBinding(b store.Binding) error {
	return t.c.do(func() error { return t.writes.PutBinding(b) })
}

func (t faultTx) DeleteBinding(b store.Binding) error {
	return t.c.do(func() error { return t.writes.DeleteBinding(b) })
}

func (t faultTx) PutValidation(x store.Validation, now int64) error {
	return t.c.do(func() error { return t.writes.PutValidation(x, now) })
}

func (t faultTx) DeleteValidation(id string) error {
	return t.c.do(func() error { return t.writes.DeleteValidation(id) })
}
