package sync

import (
	"context"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// readMemo reads the account data that the server acts on.
func (s *slide) readMemo(ctx context.Context) error {
	s.memo, s.own = recall(s.user)
	if s.memo.settings != nil && s.memo.direct != nil {
		s.form.Ignored = s.memo.settings.ignored.Users
		return nil
	}
	err := s.Memory.View(ctx, func(v store.View) (err error) {
		if s.memo.settings == nil {
			if s.memo.settings, err = readSettings(v, s.User); err != nil {
				return err
			}
		}
		s.memo.direct, err = readDirect(v, s.User)
		return err
	})
	if err != nil {
		return err
	}
	known := s.memo
	s.user.SetMemo(s.own, &known)
	s.form.Ignored = s.memo.settings.ignored.Users
	return nil
}

// readData reads what has changed in the user's account data since the client was
// last told of anything.
func (s *slide) readData(ctx context.Context) error {
	if s.first || s.own <= s.since {
		return nil
	}
	err := s.Memory.View(ctx, func(v store.View) (err error) {
		s.data, err = v.AccountDataSince(s.User, s.since)
		return err
	})
	for _, d := range s.data {
		if d.Room == "" {
			continue
		}
		if s.withData == nil {
			s.withData = map[events.RoomID]bool{}
		}
		s.withData[d.Room] = true
	}
	return err
}

// writeExtensions writes what is asked for beside rooms.
func (s *slide) writeExtensions(ctx context.Context) error {
	w := &s.out
	w.key("extensions")
	w.open('{')
	if s.Extensions.AccountData != nil { // SLIDE-45
		global, err := s.globalData(ctx)
		if err != nil {
			return err
		}
		s.empty = s.empty && global == nil && s.roomData == nil
		w.key("account_data")
		w.open('{')
		w.key("global")
		w.open('[')
		for _, d := range global {
			w.raw(d)
		}
		w.close(']')
		writeSections(w, "rooms", s.roomData)
		w.close('}')
	}
	for _, e := range []struct {
		name  string
		scope *SlidingScope
		rooms []section
	}{{"receipts", s.Extensions.Receipts, s.receipts}, {"typing", s.Extensions.Typing, s.typing}} {
		if e.scope == nil {
			continue
		}
		s.empty = s.empty && e.rooms == nil // SLIDE-49
		w.key(e.name)
		w.open('{')
		writeSections(w, "rooms", e.rooms)
		w.close('}')
	}
	err := s.writeDevice(ctx)
	w.close('}')
	return err
}

// globalData renders the global account data that the client was not told of.
func (s *slide) globalData(ctx context.Context) (global [][]byte, err error) {
	since := s.to.global
	s.to.global = s.until
	if since > 0 && s.own <= since {
		return nil, nil
	}
	var rows []store.AccountDatum
	rules := store.Pos(0)
	err = s.Memory.View(ctx, func(v store.View) (err error) {
		switch {
		case since == 0:
			rows, err = v.AccountDataOf(s.User, "")
		case since == s.since:
			rows = s.data
		default:
			rows, err = v.AccountDataSince(s.User, since)
		}
		if err == nil && s.PushRules != nil && since > 0 {
			rules, err = s.PushRules.ChangedAt(v, s.User)
		}
		return err
	})
	if err == nil && s.PushRules != nil && (since == 0 || rules > since) {
		d := store.AccountDatum{Type: typePushRules}
		d.Content, err = s.PushRules.Ruleset(ctx, s.User)
		rows = append(slices.Clip(rows), d)
	}
	for _, d := range rows {
		if d.Room == "" {
			global = append(global, accountDatum(d))
		}
	}
	return global, err
}

// tellExtras tells what extensions ask for about the room.
func (g *glance) tellExtras(ctx context.Context) error {
	if g.extras&extraAccountData != 0 {
		if err := g.tellData(ctx); err != nil {
			return err
		}
	}
	if g.member.Membership() != events.MembershipJoin {
		return nil
	}
	if g.extras&extraReceipts != 0 {
		if err := g.tellReceipts(ctx); err != nil {
			return err
		}
	}
	if g.extras&extraTyping != 0 { // SLIDE-47
		users, pos := g.Typing.In(g.room.ID)
		since := g.was.pos
		if g.initial || !g.was.is(extraTyping) {
			since = 0
		}
		if pos > since && (!g.initial || len(users) > 0) {
			g.typing = append(g.typing, section{g.room.ID, typingEvent(users)})
		}
	}
	return nil
}

// tellData tells the account data of the room: all types if the client has not been
// told of them, or else what has changed.
func (g *glance) tellData(ctx context.Context) error {
	whole := g.initial || !g.was.is(extraAccountData)
	if !whole && !g.withData[g.room.ID] {
		return nil
	}
	rows := g.data
	if whole {
		err := g.Memory.View(ctx, func(v store.View) (err error) {
			rows, err = v.AccountDataOf(g.User, g.room.ID)
			return err
		})
		if err != nil {
			return err
		}
	}
	w := writer{}
	w.open('[')
	some := false
	for _, d := range rows {
		if d.Room == g.room.ID {
			some = true
			w.raw(accountDatum(d))
		}
	}
	w.close(']')
	if some {
		g.roomData = append(g.roomData, section{g.room.ID, w.buf})
	}
	return nil
}

// tellReceipts tells who has read what: of a room that is new to the client, or whose
// timeline was expanded, those on events of the timeline and the user's own, and of
// others what has changed (SLIDE-46).
func (g *glance) tellReceipts(ctx context.Context) error {
	fresh := g.initial || g.expanded && g.was.is(extraReceipts)
	since := g.was.pos
	switch {
	case g.initial: // nobody has read an event before it was there
		since = g.page.start
	case !g.was.is(extraReceipts):
		since = 0
	case g.expanded:
		since = min(since, g.page.start)
	}
	if g.room.ReceiptsChanged() == 0 || !fresh && g.room.ReceiptsChanged() <= since {
		return nil
	}
	var rows, own []store.Receipt
	err := g.Memory.View(ctx, func(v store.View) (err error) {
		if rows, err = v.ReceiptsSince(g.room.Num, since); err == nil && fresh {
			own, err = v.ReceiptsOf(g.User, g.room.Num)
		}
		return err
	})
	if fresh {
		shown := map[events.EventID]bool{}
		for _, e := range g.page.events {
			shown[e.ID] = true
		}
		rows = slices.DeleteFunc(rows, func(r store.Receipt) bool {
			return r.User == g.User || !shown[r.Event] && (g.initial || r.Pos <= g.was.pos)
		})
		rows = append(rows, own...)
	}
	if event := receiptEvent(rows, g.User); event != nil {
		g.receipts = append(g.receipts, section{g.room.ID, event})
	}
	return err
}
