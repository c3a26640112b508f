package storetest

import (
	"context"
	"sync"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Fault is a Store that fails when it is told to, for tests that want to see
// that a service leaves nothing half done, wherever the storage gives up:
//
//	st := storetest.Faulty(inner)
//	for n := 1; ; n++ {
//		st.FailAt(n, errDisk)
//		if err := operation(); err == nil {
//			break // it makes fewer than n calls
//		}
//		// nothing has changed
//	}
//
// Calls are those of the methods of View and Tx that can fail, and each commit.
type Fault struct {
	store.Store

	mu    sync.Mutex
	calls int
	at    int
	err   error
}

// Faulty returns a Fault on st that does not fail yet.
func Faulty(st store.Store) *Fault { return &Fault{Store: st} }

// FailAt starts to count anew and lets the n-th call fail with err; n = 0: none.
// Calls after it work again, but for those of the same closure.
func (f *Fault) FailAt(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.at, f.err = 0, n, err
}

// Calls returns the number of calls since FailAt.
func (f *Fault) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// call counts a call.
func (f *Fault) call() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.calls == f.at {
		return f.err
	}
	return nil
}

// View implements store.Store.
func (f *Fault) View(ctx context.Context, fn func(store.View) error) error {
	c := &closure{f: f}
	return f.Store.View(ctx, func(v store.View) error { return c.run(func() error { return fn(faultView{v, c}) }) })
}

// Update implements store.Store.
func (f *Fault) Update(ctx context.Context, fn func(store.Tx) error) error {
	c := &closure{f: f}
	return f.Store.Update(ctx, func(tx store.Tx) error {
		return c.run(func() error {
			if err := fn(faultTx{tx, faultView{tx, c}, c}); err != nil {
				return err
			}
			return c.call() // the commit
		})
	})
}

// closure is one call of View or Update. What failed in it stays failed, also
// when the closure swallows the error or is run again.
type closure struct {
	f     *Fault
	fault error
}

func (c *closure) run(fn func() error) error {
	if c.fault != nil {
		return c.fault
	}
	err := fn()
	if c.fault != nil {
		return c.fault
	}
	return err
}

func (c *closure) call() error {
	if c.fault == nil {
		c.fault = c.f.call()
	}
	return c.fault
}

// get is a call that returns something.
func get[T any](c *closure, fn func() (T, error)) (t T, err error) {
	if err = c.call(); err != nil {
		return t, err
	}
	return fn()
}

// do is a call that does not.
func (c *closure) do(fn func() error) error {
	if err := c.call(); err != nil {
		return err
	}
	return fn()
}

type faultView struct {
	store.View
	c *closure
}

func (v faultView) Setting(name string) ([]byte, error) {
	return get(v.c, func() ([]byte, error) { return v.View.Setting(name) })
}

func (v faultView) User(id events.UserID) (store.User, error) {
	return get(v.c, func() (store.User, error) { return v.View.User(id) })
}

func (v faultView) UserFold(id events.UserID) (store.User, error) {
	return get(v.c, func() (store.User, error) { return v.View.UserFold(id) })
}

func (v faultView) Guests(ids []events.UserID) ([]events.UserID, error) {
	return get(v.c, func() ([]events.UserID, error) { return v.View.Guests(ids) })
}

func (v faultView) ExistingUsers(ids []events.UserID) ([]events.UserID, error) {
	return get(v.c, func() ([]events.UserID, error) { return v.View.ExistingUsers(ids) })
}

func (v faultView) Profile(user events.UserID) ([]store.ProfileField, error) {
	return get(v.c, func() ([]store.ProfileField, error) { return v.View.Profile(user) })
}

func (v faultView) Device(user events.UserID, id string) (store.Device, error) {
	return get(v.c, func() (store.Device, error) { return v.View.Device(user, id) })
}

func (v faultView) DeviceByTag(tag string) (store.Device, error) {
	return get(v.c, func() (store.Device, error) { return v.View.DeviceByTag(tag) })
}

func (v faultView) Devices(user events.UserID) ([]store.Device, error) {
	return get(v.c, func() ([]store.Device, error) { return v.View.Devices(user) })
}

func (v faultView) Token(hash store.TokenHash) (store.Token, error) {
	return get(v.c, func() (store.Token, error) { return v.View.Token(hash) })
}

func (v faultView) RefreshToken(hash store.TokenHash) (store.RefreshToken, error) {
	return get(v.c, func() (store.RefreshToken, error) { return v.View.RefreshToken(hash) })
}

func (v faultView) Ticket(hash store.TokenHash) (store.Ticket, error) {
	return get(v.c, func() (store.Ticket, error) { return v.View.Ticket(hash) })
}

func (v faultView) RegistrationToken(hash store.TokenHash) (store.RegistrationToken, error) {
	return get(v.c, func() (store.RegistrationToken, error) { return v.View.RegistrationToken(hash) })
}

func (v faultView) RegistrationTokens() ([]store.RegistrationToken, error) {
	return get(v.c, v.View.RegistrationTokens)
}

func (v faultView) Consents(user events.UserID) ([]store.Consent, error) {
	return get(v.c, func() ([]store.Consent, error) { return v.View.Consents(user) })
}

func (v faultView) Identity(provider, subject string) (store.Identity, error) {
	return get(v.c, func() (store.Identity, error) { return v.View.Identity(provider, subject) })
}

func (v faultView) IdentitiesOf(user events.UserID) ([]store.Identity, error) {
	return get(v.c, func() ([]store.Identity, error) { return v.View.IdentitiesOf(user) })
}

func (v faultView) Filter(user events.UserID, id string) ([]byte, error) {
	return get(v.c, func() ([]byte, error) { return v.View.Filter(user, id) })
}

func (v faultView) AccountDatum(user events.UserID, room events.RoomID, typ string) (store.AccountDatum, error) {
	return get(v.c, func() (store.AccountDatum, error) { return v.View.AccountDatum(user, room, typ) })
}

func (v faultView) AccountDataSince(user events.UserID, since store.Pos) ([]store.AccountDatum, error) {
	return get(v.c, func() ([]store.AccountDatum, error) { return v.View.AccountDataSince(user, since) })
}

func (v faultView) AccountDataOf(user events.UserID, room events.RoomID) ([]store.AccountDatum, error) {
	return get(v.c, func() ([]store.AccountDatum, error) { return v.View.AccountDataOf(user, room) })
}

func (v faultView) AccountDataOfType(user events.UserID, typ string) ([]store.AccountDatum, error) {
	return get(v.c, func() ([]store.AccountDatum, error) { return v.View.AccountDataOfType(user, typ) })
}

func (v faultView) PushRuleChanges(users []events.UserID) ([]store.PushRuleChanges, error) {
	return get(v.c, func() ([]store.PushRuleChanges, error) { return v.View.PushRuleChanges(users) })
}

func (v faultView) Medium(id string) (store.Medium, error) {
	return get(v.c, func() (store.Medium, error) { return v.View.Medium(id) })
}

func (v faultView) MediaOf(owner events.UserID, before store.Medium, limit int) ([]store.Medium, error) {
	return get(v.c, func() ([]store.Medium, error) { return v.View.MediaOf(owner, before, limit) })
}

func (v faultView) MediaUsage(owner events.UserID) (store.MediaUsage, error) {
	return get(v.c, func() (store.MediaUsage, error) { return v.View.MediaUsage(owner) })
}

func (v faultView) IdleMedia(before int64, limit int) ([]store.Medium, error) {
	return get(v.c, func() ([]store.Medium, error) { return v.View.IdleMedia(before, limit) })
}

func (v faultView) ExpiredMedia(before int64, limit int) ([]store.Medium, error) {
	return get(v.c, func() ([]store.Medium, error) { return v.View.ExpiredMedia(before, limit) })
}

func (v faultView) Thumbnails(id string) ([]store.Thumbnail, error) {
	return get(v.c, func() ([]store.Thumbnail, error) { return v.View.Thumbnails(id) })
}

func (v faultView) BlobByHash(hash store.ContentHash) (string, error) {
	return get(v.c, func() (string, error) { return v.View.BlobByHash(hash) })
}

func (v faultView) UnusedBlobs(before int64, limit int) ([]string, error) {
	return get(v.c, func() ([]string, error) { return v.View.UnusedBlobs(before, limit) })
}

func (v faultView) PreviewBefore(url string, ts int64) (store.Preview, error) {
	return get(v.c, func() (store.Preview, error) { return v.View.PreviewBefore(url, ts) })
}

func (v faultView) PreviewAfter(url string, ts int64) (store.Preview, error) {
	return get(v.c, func() (store.Preview, error) { return v.View.PreviewAfter(url, ts) })
}

func (v faultView) OldPreviews(before int64, limit int) ([]store.Preview, error) {
	return get(v.c, func() ([]store.Preview, error) { return v.View.OldPreviews(before, limit) })
}

func (v faultView) Room(id events.RoomID) (store.Room, error) {
	return get(v.c, func() (store.Room, error) { return v.View.Room(id) })
}

func (v faultView) RoomByNum(num store.RoomNum) (store.Room, error) {
	return get(v.c, func() (store.Room, error) { return v.View.RoomByNum(num) })
}

func (v faultView) Alias(alias events.RoomAlias) (store.Alias, error) {
	return get(v.c, func() (store.Alias, error) { return v.View.Alias(alias) })
}

func (v faultView) AliasesOf(room events.RoomID) ([]events.RoomAlias, error) {
	return get(v.c, func() ([]events.RoomAlias, error) { return v.View.AliasesOf(room) })
}

func (v faultView) Member(user events.UserID, room store.RoomNum) (store.Member, error) {
	return get(v.c, func() (store.Member, error) { return v.View.Member(user, room) })
}

func (v faultView) ReceiptsSince(room store.RoomNum, since store.Pos) ([]store.Receipt, error) {
	return get(v.c, func() ([]store.Receipt, error) { return v.View.ReceiptsSince(room, since) })
}

func (v faultView) ReceiptsOf(user events.UserID, room store.RoomNum) ([]store.Receipt, error) {
	return get(v.c, func() ([]store.Receipt, error) { return v.View.ReceiptsOf(user, room) })
}

func (v faultView) ReceiptsChanged(room store.RoomNum) (store.Pos, error) {
	return get(v.c, func() (store.Pos, error) { return v.View.ReceiptsChanged(room) })
}

func (v faultView) SearchText(q store.TextQuery) ([]store.Pos, error) {
	return get(v.c, func() ([]store.Pos, error) { return v.View.SearchText(q) })
}

func (v faultView) TypingRooms() ([]events.RoomID, error) {
	return get(v.c, func() ([]events.RoomID, error) { return v.View.TypingRooms() })
}

func (v faultView) Event(id events.EventID) (store.Event, error) {
	return get(v.c, func() (store.Event, error) { return v.View.Event(id) })
}

func (v faultView) EventsAt(positions []store.Pos) ([]store.Event, error) {
	return get(v.c, func() ([]store.Event, error) { return v.View.EventsAt(positions) })
}

func (v faultView) TimelineBefore(room store.RoomNum, from, after store.Pos, limit int) ([]store.Event, error) {
	return get(v.c, func() ([]store.Event, error) { return v.View.TimelineBefore(room, from, after, limit) })
}

func (v faultView) TimelineAfter(room store.RoomNum, from, until store.Pos, limit int) ([]store.Event, error) {
	return get(v.c, func() ([]store.Event, error) { return v.View.TimelineAfter(room, from, until, limit) })
}

func (v faultView) MomentsBefore(room store.RoomNum, m store.Moment, limit int) ([]store.Moment, error) {
	return get(v.c, func() ([]store.Moment, error) { return v.View.MomentsBefore(room, m, limit) })
}

func (v faultView) MomentsAfter(room store.RoomNum, m store.Moment, limit int) ([]store.Moment, error) {
	return get(v.c, func() ([]store.Moment, error) { return v.View.MomentsAfter(room, m, limit) })
}

func (v faultView) SentBy(user events.UserID, txn store.Txn) (events.EventID, error) {
	return get(v.c, func() (events.EventID, error) { return v.View.SentBy(user, txn) })
}

func (v faultView) StateAt(room store.RoomNum, at store.Pos, members bool) ([]store.Event, error) {
	return get(v.c, func() ([]store.Event, error) { return v.View.StateAt(room, at, members) })
}

func (v faultView) StateEventAt(room store.RoomNum, at store.Pos, key events.StateKey) (store.Event, error) {
	return get(v.c, func() (store.Event, error) { return v.View.StateEventAt(room, at, key) })
}

func (v faultView) StateEventsAt(room store.RoomNum, at store.Pos, keys []events.StateKey) ([]store.Event, error) {
	return get(v.c, func() ([]store.Event, error) { return v.View.StateEventsAt(room, at, keys) })
}

func (v faultView) StateChanges(room store.RoomNum, from, until store.Pos) ([]store.Event, error) {
	return get(v.c, func() ([]store.Event, error) { return v.View.StateChanges(room, from, until) })
}

func (v faultView) StateHistory(room store.RoomNum, key events.StateKey) ([]store.Interval, error) {
	return get(v.c, func() ([]store.Interval, error) { return v.View.StateHistory(room, key) })
}

func (v faultView) RoomsOf(user events.UserID) ([]store.Member, error) {
	return get(v.c, func() ([]store.Member, error) { return v.View.RoomsOf(user) })
}

func (v faultView) NewestEvents(user events.UserID) (map[store.RoomNum]store.Pos, error) {
	return get(v.c, func() (map[store.RoomNum]store.Pos, error) { return v.View.NewestEvents(user) })
}

func (v faultView) NewestReceipts(user events.UserID) (map[store.RoomNum]store.Pos, error) {
	return get(v.c, func() (map[store.RoomNum]store.Pos, error) { return v.View.NewestReceipts(user) })
}

func (v faultView) MemberCounts(room store.RoomNum) (map[string]int, error) {
	return get(v.c, func() (map[string]int, error) { return v.View.MemberCounts(room) })
}

func (v faultView) FirstMembers(room store.RoomNum, membership string, limit int) ([]events.UserID, error) {
	return get(v.c, func() ([]events.UserID, error) { return v.View.FirstMembers(room, membership, limit) })
}

func (v faultView) SharingRoom(user events.UserID, others []events.UserID) ([]events.UserID, error) {
	return get(v.c, func() ([]events.UserID, error) { return v.View.SharingRoom(user, others) })
}
