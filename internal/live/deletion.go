package live

import "github.com/ca4c8834/homeserver/store"

// DeleteRoom deletes a room, which is not there any more for what comes after it in
// the same transaction, either. Nobody may be in it, invited to it or knocking on it.
func (tx *Tx) DeleteRoom(d *Draft) error {
	if err := tx.Tx.DeleteRoom(d.Num); err != nil {
		return err
	}
	tx.note(change{room: d.Room, deleted: true, undo: d.delete()})
	return nil
}

// delete makes the draft one of a room that is not there.
func (d *Draft) delete() undo {
	u := undo{tip: d.tip}
	d.tip = nil
	d.pending++
	return u
}

// roomDeleted drops a deleted room from memory. Those who hold it still may read what
// is left.
func (m *Memory) roomDeleted(r *Room) {
	m.mu.Lock()
	if e := m.rooms[r.ID]; e != nil && e.room == r {
		m.drop(e)
	}
	m.mu.Unlock()
	m.users.roomDeleted(r)
}

func (us *users) roomDeleted(r *Room) {
	us.mu.Lock()
	defer us.mu.Unlock()
	for _, u := range us.active {
		u.drop(r.Num)
	}
	us.stirLocked(r.ID)
}

// drop takes a room from the list of places.
func (u *User) drop(num store.RoomNum) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if p := u.rooms[num]; p != nil {
		u.unlink(p)
		delete(u.rooms, num)
		u.forgets++
	}
}
