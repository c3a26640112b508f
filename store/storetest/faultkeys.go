package storetest

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// What faultView and faultTx forward of the areas for end-to-end encryption.

func (v faultView) DeviceKey(user events.UserID, device string) (store.DeviceKey, error) {
	return get(v.c, func() (store.DeviceKey, error) { return v.View.DeviceKey(user, device) })
}

func (v faultView) DeviceKeys(users []events.UserID) ([]store.DeviceKey, error) {
	return get(v.c, func() ([]store.DeviceKey, error) { return v.View.DeviceKeys(users) })
}

func (v faultView) KeyPools(user events.UserID, device string) (pools []store.KeyPool, claimed store.Pos, err error) {
	err = v.c.do(func() error {
		pools, claimed, err = v.View.KeyPools(user, device)
		return err
	})
	return pools, claimed, err
}

func (v faultView) OneTimeKey(user events.UserID, device, algorithm, id string) (key store.OneTimeKey, claimed bool, err error) {
	err = v.c.do(func() error {
		key, claimed, err = v.View.OneTimeKey(user, device, algorithm, id)
		return err
	})
	return key, claimed, err
}

func (v faultView) CrossSigningKeys(users []events.UserID) ([]store.CrossSigningKey, error) {
	return get(v.c, func() ([]store.CrossSigningKey, error) { return v.View.CrossSigningKeys(users) })
}

func (v faultView) UserSignatures(signer events.UserID, users []events.UserID) ([]store.UserSignature, error) {
	return get(v.c, func() ([]store.UserSignature, error) { return v.View.UserSignatures(signer, users) })
}

func (v faultView) DeviceListChanges(reader events.UserID, since store.Pos) ([]store.DeviceListChange, error) {
	return get(v.c, func() ([]store.DeviceListChange, error) { return v.View.DeviceListChanges(reader, since) })
}

func (v faultView) DeviceListPositions(users []events.UserID) (map[events.UserID]store.Pos, error) {
	return get(v.c, func() (map[events.UserID]store.Pos, error) { return v.View.DeviceListPositions(users) })
}

func (v faultView) Backup(user events.UserID, version int64) (store.Backup, error) {
	return get(v.c, func() (store.Backup, error) { return v.View.Backup(user, version) })
}

func (v faultView) LatestBackup(user events.UserID) (store.Backup, error) {
	return get(v.c, func() (store.Backup, error) { return v.View.LatestBackup(user) })
}

func (v faultView) BackupDeleted(user events.UserID, version int64) (bool, error) {
	return get(v.c, func() (bool, error) { return v.View.BackupDeleted(user, version) })
}

func (v faultView) BackupSession(user events.UserID, version int64, room, session string) (store.BackupSession, error) {
	return get(v.c, func() (store.BackupSession, error) { return v.View.BackupSession(user, version, room, session) })
}

func (v faultView) BackupSessions(user events.UserID, version int64, room string) ([]store.BackupSession, error) {
	return get(v.c, func() ([]store.BackupSession, error) { return v.View.BackupSessions(user, version, room) })
}

func (v faultView) ToDevice(user events.UserID, device string, after, until store.Pos, limit int) ([]store.ToDeviceMessage, error) {
	return get(v.c, func() ([]store.ToDeviceMessage, error) { return v.View.ToDevice(user, device, after, until, limit) })
}

func (v faultView) FirstToDevice(user events.UserID, device string) (store.Pos, error) {
	return get(v.c, func() (store.Pos, error) { return v.View.FirstToDevice(user, device) })
}

func (v faultView) SentToDevice(user events.UserID, txn store.Txn) (bool, error) {
	return get(v.c, func() (bool, error) { return v.View.SentToDevice(user, txn) })
}

func (v faultView) DehydratedDevice(user events.UserID) (store.DehydratedDevice, error) {
	return get(v.c, func() (store.DehydratedDevice, error) { return v.View.DehydratedDevice(user) })
}

func (t faultTx) PutDeviceKey(k store.DeviceKey) error {
	return t.c.do(func() error { return t.writes.PutDeviceKey(k) })
}

func (t faultTx) AddOneTimeKeys(user events.UserID, device string, keys []store.OneTimeKey) error {
	return t.c.do(func() error { return t.writes.AddOneTimeKeys(user, device, keys) })
}

func (t faultTx) ClaimOneTimeKey(user events.UserID, device, algorithm string, pos store.Pos) (store.OneTimeKey, error) {
	return get(t.c, func() (store.OneTimeKey, error) { return t.writes.ClaimOneTimeKey(user, device, algorithm, pos) })
}

func (t faultTx) PutFallbackKey(user events.UserID, device string, k store.OneTimeKey) error {
	return t.c.do(func() error { return t.writes.PutFallbackKey(user, device, k) })
}

func (t faultTx) UseFallbackKey(user events.UserID, device, algorithm string, pos store.Pos) error {
	return t.c.do(func() error { return t.writes.UseFallbackKey(user, device, algorithm, pos) })
}

func (t faultTx) PutCrossSigningKey(k store.CrossSigningKey) error {
	return t.c.do(func() error { return t.writes.PutCrossSigningKey(k) })
}

func (t faultTx) DeleteCrossSigningKey(user events.UserID, usage string) error {
	return t.c.do(func() error { return t.writes.DeleteCrossSigningKey(user, usage) })
}

func (t faultTx) DeleteCrossSigning(user events.UserID) error {
	return t.c.do(func() error { return t.writes.DeleteCrossSigning(user) })
}

func (t faultTx) PutUserSignature(s store.UserSignature) error {
	return t.c.do(func() error { return t.writes.PutUserSignature(s) })
}

func (t faultTx) PutDeviceListChange(c store.DeviceListChange) error {
	return t.c.do(func() error { return t.writes.PutDeviceListChange(c) })
}

func (t faultTx) CreateBackup(b store.Backup) (int64, error) {
	return get(t.c, func() (int64, error) { return t.writes.CreateBackup(b) })
}

func (t faultTx) UpdateBackup(b store.Backup) error {
	return t.c.do(func() error { return t.writes.UpdateBackup(b) })
}

func (t faultTx) DeleteBackup(user events.UserID, version int64) error {
	return t.c.do(func() error { return t.writes.DeleteBackup(user, version) })
}

func (t faultTx) DeleteBackups(user events.UserID) error {
	return t.c.do(func() error { return t.writes.DeleteBackups(user) })
}

func (t faultTx) PutBackupSession(user events.UserID, version int64, s store.BackupSession) error {
	return t.c.do(func() error { return t.writes.PutBackupSession(user, version, s) })
}

func (t faultTx) DeleteBackupSessions(user events.UserID, version int64, room, session string) (int64, error) {
	return get(t.c, func() (int64, error) { return t.writes.DeleteBackupSessions(user, version, room, session) })
}

func (t faultTx) PutToDevice(m store.ToDeviceMessage) (int64, error) {
	return get(t.c, func() (int64, error) { return t.writes.PutToDevice(m) })
}

func (t faultTx) DeleteToDevice(user events.UserID, device string, until store.Pos) error {
	return t.c.do(func() error { return t.writes.DeleteToDevice(user, device, until) })
}

func (t faultTx) PutSentToDevice(user events.UserID, txn store.Txn, now, forget int64) error {
	return t.c.do(func() error { return t.writes.PutSentToDevice(user, txn, now, forget) })
}

func (t faultTx) PutDehydratedDevice(d store.DehydratedDevice) error {
	return t.c.do(func() error { return t.writes.PutDehydratedDevice(d) })
}
