package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

const selectThreePID = `SELECT medium, address, user_id, validated_ts, added_ts FROM hs_threepids `

func scanThreePID(r row) store.ThreePID {
	return store.ThreePID{
		Medium: r.text(0), Address: r.text(1), User: events.UserID(r.text(2)), ValidatedTS: r.int(3), AddedTS: r.int(4),
	}
}

// ThreePID implements store.ThreePIDs.
func (v *view) ThreePID(medium, address string) (store.ThreePID, error) {
	return one(v, scanThreePID, selectThreePID+`WHERE medium = ? AND address = ?`, medium, address)
}

// ThreePIDsOf implements store.ThreePIDs.
func (v *view) ThreePIDsOf(user events.UserID) ([]store.ThreePID, error) {
	return all(v, scanThreePID, selectThreePID+`WHERE user_id = ? ORDER BY medium, address`, string(user))
}

// BindingsOf implements store.ThreePIDs.
func (v *view) BindingsOf(user events.UserID) ([]store.Binding, error) {
	return all(v, func(r row) store.Binding {
		return store.Binding{User: user, Medium: r.text(0), Address: r.text(1), IDServer: r.text(2)}
	}, `SELECT medium, address, id_server FROM hs_bindings WHERE user_id = ? ORDER BY medium, address, id_server`, string(user))
}

// PutThreePID implements store.ThreePIDWriter.
func (t *tx) PutThreePID(p store.ThreePID) error {
	return t.mustAdd(`INSERT INTO hs_threepids (medium, address, user_id, validated_ts, added_ts) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (medium, address) DO NOTHING`, p.Medium, p.Address, string(p.User), p.ValidatedTS, p.AddedTS)
}

// DeleteThreePID implements store.ThreePIDWriter.
func (t *tx) DeleteThreePID(medium, address string) error {
	return t.mustChange(`DELETE FROM hs_threepids WHERE medium = ? AND address = ?`, medium, address)
}

// PutBinding implements store.ThreePIDWriter.
func (t *tx) PutBinding(b store.Binding) error {
	_, err := t.exec(`INSERT INTO hs_bindings (user_id, medium, address, id_server) VALUES (?, ?, ?, ?)
		ON CONFLICT (user_id, medium, address, id_server) DO NOTHING`, string(b.User), b.Medium, b.Address, b.IDServer)
	return err
}

// DeleteBinding implements store.ThreePIDWriter.
func (t *tx) DeleteBinding(b store.Binding) error {
	_, err := t.exec(`DELETE FROM hs_bindings WHERE user_id = ? AND medium = ? AND address = ? AND id_server = ?`,
		string(b.User), b.Medium, b.Address, b.IDServer)
	return err
}
