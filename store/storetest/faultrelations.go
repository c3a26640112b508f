package storetest

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func (v faultView) RelationsBefore(q store.RelatedQuery, from, after store.Pos, limit int) ([]store.Event, error) {
	return get(v.c, func() ([]store.Event, error) { return v.View.RelationsBefore(q, from, after, limit) })
}

func (v faultView) RelationsAfter(q store.RelatedQuery, from, until store.Pos, limit int) ([]store.Event, error) {
	return get(v.c, func() ([]store.Event, error) { return v.View.RelationsAfter(q, from, until, limit) })
}

func (v faultView) Annotation(target store.Pos, sender events.UserID, typ, key string) (store.Pos, error) {
	return get(v.c, func() (store.Pos, error) { return v.View.Annotation(target, sender, typ, key) })
}

func (v faultView) LatestEdits(targets []store.Pos) ([]store.Edit, error) {
	return get(v.c, func() ([]store.Edit, error) { return v.View.LatestEdits(targets) })
}

func (v faultView) EditsOf(target store.Pos, limit int) ([]store.Pos, error) {
	return get(v.c, func() ([]store.Pos, error) { return v.View.EditsOf(target, limit) })
}

func (v faultView) References(targets []store.Pos, limit int) ([]store.Reference, error) {
	return get(v.c, func() ([]store.Reference, error) { return v.View.References(targets, limit) })
}

func (v faultView) NewestRelation(room store.RoomNum) (store.Pos, error) {
	return get(v.c, func() (store.Pos, error) { return v.View.NewestRelation(room) })
}

func (v faultView) ThreadsBefore(room store.RoomNum, from store.Pos, user events.UserID, limit int) ([]store.Thread, error) {
	return get(v.c, func() ([]store.Thread, error) { return v.View.ThreadsBefore(room, from, user, limit) })
}

func (v faultView) ThreadParticipants(roots []store.Pos) ([]store.ThreadParticipant, error) {
	return get(v.c, func() ([]store.ThreadParticipant, error) { return v.View.ThreadParticipants(roots) })
}

func (t faultTx) PutRelation(r store.Relation) error {
	return t.c.do(func() error { return t.writes.PutRelation(r) })
}

func (t faultTx) DeleteRelation(pos store.Pos) error {
	return t.c.do(func() error { return t.writes.DeleteRelation(pos) })
}
