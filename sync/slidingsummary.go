package sync

import (
	"context"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// describe tells the name, the picture, and how many and who the members are, as
// far as that has changed (SLIDE-32, SLIDE-41).
func (g *glance) describe(ctx context.Context) error {
	is, err := g.Reader.StateEventsAt(ctx, g.room, g.end, []events.StateKey{{Type: typeName}, {Type: typeAvatar}})
	if err != nil {
		return err
	}
	named, renamed := g.text(is, typeName, "name", "name")
	g.text(is, typeAvatar, "url", "avatar")
	if g.member.Membership() != events.MembershipJoin {
		return nil
	}
	regrouped := g.initial || g.room.MembersChanged() > g.was.pos
	if regrouped {
		g.field("joined_count").int(g.room.Count(events.MembershipJoin))
		g.field("invited_count").int(g.room.Count(events.MembershipInvite))
	}
	if !named && (regrouped || renamed) {
		g.heroes()
	}
	return nil
}

// text tells a text of a state event if it has changed; null if it has gone.
func (g *glance) text(state []*live.Event, typ, key, field string) (exists, changed bool) {
	i := slices.IndexFunc(state, func(e *live.Event) bool { return e.Type == typ })
	if i < 0 {
		return false, false
	}
	e := state[i]
	value := gjson.GetBytes(e.Content, key).Str
	changed = g.initial || e.Pos > g.was.pos || e.RedactedBy > g.was.pos
	switch {
	case changed && value != "":
		g.field(field).string(value)
	case changed && !g.initial:
		g.field(field).raw([]byte("null"))
	}
	return value != "", changed
}

func (g *glance) heroes() {
	w := g.field("heroes")
	w.open('[')
	for _, e := range g.room.Heroes(g.User) {
		w.open('{')
		w.key("user_id")
		w.string(*e.StateKey)
		for _, key := range []string{"displayname", "avatar_url"} {
			if value := gjson.GetBytes(e.Content, key); value.Type == gjson.String {
				w.key(key)
				w.string(value.Str)
			}
		}
		w.close('}')
	}
	w.close(']')
}

// direct tells whether the room is a direct chat, if that has changed.
func (g *glance) direct() {
	if is := g.now.is(flagDM); g.redirected() || g.initial && is {
		g.field("is_dm").bool(is)
	}
}

// redirected tells whether the room has become a direct chat, or ceased to be one,
// since the client was told.
func (g *glance) redirected() bool { return g.now.is(flagDM) != g.was.is(flagDM) }

// count tells how much is unread, if that has changed or there is anything else to
// tell: clients take an entry without counts to say that nothing is unread (SLIDE-41).
func (g *glance) count(ctx context.Context) error {
	counts, err := g.Unread.Of(ctx, g.scope, g.until, g.memo.settings.ignored)
	if err != nil {
		return err
	}
	total := counts.Total()
	g.now.counts = unreadCounts{int32(total.Notifications), int32(total.Highlights)} //nolint:gosec // far less
	if g.some || g.now.counts != g.was.counts {
		g.field("notification_count").int(total.Notifications)
		g.field("highlight_count").int(total.Highlights)
	}
	return nil
}

// bump tells when people were last active in the room, if it is later than the
// client knows (SLIDE-37, CLIENT-25).
func (g *glance) bump(ctx context.Context) error {
	pos := g.member.Pos
	if g.member.Membership() == events.MembershipJoin {
		newest, ok := g.room.Bump()
		if !ok {
			var err error
			if newest, err = g.findBump(ctx); err != nil {
				return err
			}
		}
		if newest > 0 {
			pos = newest
		}
	}
	if g.initial || pos > g.was.pos {
		g.field("bump_stamp").int(int(pos))
	}
	return nil
}

// bumpPage is how many events are looked at at once by findBump, bumpScan how many
// in all.
const (
	bumpPage = 200
	bumpScan = 5000
)

// findBump looks further back than memory for the newest event that bumps the room,
// or settles for the oldest event that it has looked at.
func (g *glance) findBump(ctx context.Context) (found store.Pos, err error) {
	err = g.Memory.View(ctx, func(v store.View) error {
		from := store.MaxPos
		for range bumpScan / bumpPage {
			rows, err := v.TimelineBefore(g.room.Num, from, 0, bumpPage)
			if err != nil {
				return err
			}
			for _, r := range rows {
				if live.Bumps(gjson.GetBytes(r.JSON, "type").Str) {
					found = r.Pos
					return nil
				}
				from, found = r.Pos-1, r.Pos
			}
			if len(rows) < bumpPage {
				return nil
			}
		}
		return nil
	})
	if err == nil {
		g.room.SetBump(found)
	}
	return found, err
}
