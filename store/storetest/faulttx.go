package storetest

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// writes is what a Tx has beside its View.
type writes interface {
	Next() store.Pos
	OnCommit(f func())
	OnRollback(f func())
	store.SettingWriter
	store.UserWriter
	store.ProfileWriter
	store.DeviceWriter
	store.TokenWriter
	store.TicketWriter
	store.RegistrationWriter
	store.IdentityWriter
	store.ThreePIDWriter
	store.ValidationWriter
	store.FilterWriter
	store.AccountDataWriter
	store.PushRuleWriter
	store.PusherWriter
	store.MediaWriter
	store.BlobWriter
	store.PreviewWriter
	store.RoomWriter
	store.AliasWriter
	store.DirectoryWriter
	store.UserDirectoryWriter
	store.TimelineWriter
	store.MemberWriter
	store.DeletionWriter
	store.RelationWriter
	store.ReceiptWriter
	store.TypingWriter
	store.SearchWriter
	store.DeviceKeyWriter
	store.OneTimeKeyWriter
	store.CrossSigningWriter
	store.DeviceListWriter
	store.BackupWriter
	store.ToDeviceWriter
	store.DehydratedDeviceWriter
}

// faultTx reads through faultView and writes through tx.
type faultTx struct {
	writes
	faultView
	c *closure
}

var _ store.Tx = faultTx{}

func (t faultTx) PutSetting(name string, value []byte) error {
	return t.c.do(func() error { return t.writes.PutSetting(name, value) })
}

func (t faultTx) CreateUser(u store.User) error {
	return t.c.do(func() error { return t.writes.CreateUser(u) })
}

func (t faultTx) UpdateUser(u store.User) error {
	return t.c.do(func() error { return t.writes.UpdateUser(u) })
}

func (t faultTx) PutProfileField(user events.UserID, f store.ProfileField) error {
	return t.c.do(func() error { return t.writes.PutProfileField(user, f) })
}

func (t faultTx) DeleteProfileField(user events.UserID, name string) error {
	return t.c.do(func() error { return t.writes.DeleteProfileField(user, name) })
}

func (t faultTx) PutDevice(d store.Device) error {
	return t.c.do(func() error { return t.writes.PutDevice(d) })
}

func (t faultTx) DeleteDevice(user events.UserID, id string) error {
	return t.c.do(func() error { return t.writes.DeleteDevice(user, id) })
}

func (t faultTx) PutToken(k store.Token) error {
	return t.c.do(func() error { return t.writes.PutToken(k) })
}

func (t faultTx) PutRefreshToken(k store.RefreshToken) error {
	return t.c.do(func() error { return t.writes.PutRefreshToken(k) })
}

func (t faultTx) DeleteGenerations(user events.UserID, device string, before int64) error {
	return t.c.do(func() error { return t.writes.DeleteGenerations(user, device, before) })
}

func (t faultTx) DeleteTokens(user events.UserID, device string) error {
	return t.c.do(func() error { return t.writes.DeleteTokens(user, device) })
}

func (t faultTx) PutTicket(k store.Ticket, now int64) error {
	return t.c.do(func() error { return t.writes.PutTicket(k, now) })
}

func (t faultTx) DeleteTicket(hash store.TokenHash) error {
	return t.c.do(func() error { return t.writes.DeleteTicket(hash) })
}

func (t faultTx) DeleteTickets(user events.UserID) error {
	return t.c.do(func() error { return t.writes.DeleteTickets(user) })
}

func (t faultTx) PutRegistrationToken(k store.RegistrationToken) error {
	return t.c.do(func() error { return t.writes.PutRegistrationToken(k) })
}

func (t faultTx) DeleteRegistrationToken(hash store.TokenHash) error {
	return t.c.do(func() error { return t.writes.DeleteRegistrationToken(hash) })
}

func (t faultTx) PutConsent(c store.Consent) error {
	return t.c.do(func() error { return t.writes.PutConsent(c) })
}

func (t faultTx) PutIdentity(i store.Identity) error {
	return t.c.do(func() error { return t.writes.PutIdentity(i) })
}

func (t faultTx) DeleteIdentities(user events.UserID) error {
	return t.c.do(func() error { return t.writes.DeleteIdentities(user) })
}

func (t faultTx) PutFilter(user events.UserID, definition []byte) (string, error) {
	return get(t.c, func() (string, error) { return t.writes.PutFilter(user, definition) })
}

func (t faultTx) PutAccountDatum(user events.UserID, d store.AccountDatum) error {
	return t.c.do(func() error { return t.writes.PutAccountDatum(user, d) })
}

func (t faultTx) PutPushRuleChanges(c store.PushRuleChanges) error {
	return t.c.do(func() error { return t.writes.PutPushRuleChanges(c) })
}

func (t faultTx) DeleteAccountDatum(user events.UserID, room events.RoomID, typ string) error {
	return t.c.do(func() error { return t.writes.DeleteAccountDatum(user, room, typ) })
}

func (t faultTx) DeleteAccountData(user events.UserID) error {
	return t.c.do(func() error { return t.writes.DeleteAccountData(user) })
}

func (t faultTx) AddMedium(m store.Medium) error {
	return t.c.do(func() error { return t.writes.AddMedium(m) })
}

func (t faultTx) UpdateMedium(m store.Medium) error {
	return t.c.do(func() error { return t.writes.UpdateMedium(m) })
}

func (t faultTx) DeleteMedium(id string) ([]string, error) {
	return get(t.c, func() ([]string, error) { return t.writes.DeleteMedium(id) })
}

func (t faultTx) AddThumbnail(n store.Thumbnail) error {
	return t.c.do(func() error { return t.writes.AddThumbnail(n) })
}

func (t faultTx) AddBlob(key string, createdTS int64) error {
	return t.c.do(func() error { return t.writes.AddBlob(key, createdTS) })
}

func (t faultTx) SetBlobHash(key string, hash store.ContentHash) error {
	return t.c.do(func() error { return t.writes.SetBlobHash(key, hash) })
}

func (t faultTx) DeleteBlob(key string) error {
	return t.c.do(func() error { return t.writes.DeleteBlob(key) })
}

func (t faultTx) PutPreview(p store.Preview) error {
	return t.c.do(func() error { return t.writes.PutPreview(p) })
}

func (t faultTx) DeletePreview(url string, fetchedTS int64) error {
	return t.c.do(func() error { return t.writes.DeletePreview(url, fetchedTS) })
}

func (t faultTx) CreateRoom(r store.Room) (store.RoomNum, error) {
	return get(t.c, func() (store.RoomNum, error) { return t.writes.CreateRoom(r) })
}

func (t faultTx) SetRoomOpen(num store.RoomNum, open bool) error {
	return t.c.do(func() error { return t.writes.SetRoomOpen(num, open) })
}

func (t faultTx) CreateAlias(a store.Alias) error {
	return t.c.do(func() error { return t.writes.CreateAlias(a) })
}

func (t faultTx) DeleteAlias(alias events.RoomAlias) error {
	return t.c.do(func() error { return t.writes.DeleteAlias(alias) })
}

func (t faultTx) Append(a store.Append) error {
	return t.c.do(func() error { return t.writes.Append(a) })
}

func (t faultTx) Redact(pos store.Pos, redacted *events.Event, by store.Pos) error {
	return t.c.do(func() error { return t.writes.Redact(pos, redacted, by) })
}

func (t faultTx) ForgetRoom(user events.UserID, room store.RoomNum) error {
	return t.c.do(func() error { return t.writes.ForgetRoom(user, room) })
}

func (t faultTx) PutReceipt(r store.Receipt) error {
	return t.c.do(func() error { return t.writes.PutReceipt(r) })
}

func (t faultTx) SetTyping(room events.RoomID, typing bool) error {
	return t.c.do(func() error { return t.writes.SetTyping(room, typing) })
}

func (t faultTx) PutText(text store.Text) error {
	return t.c.do(func() error { return t.writes.PutText(text) })
}

func (t faultTx) DeleteText(pos store.Pos) error {
	return t.c.do(func() error { return t.writes.DeleteText(pos) })
}
