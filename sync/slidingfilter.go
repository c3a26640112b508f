package sync

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

const (
	typeIgnoredUsers = "m.ignored_user_list"

	typeTag    = "m.tag"
	typeDirect = "m.direct"
	typeName   = "m.room.name"
	typeChild  = "m.space.child"
)

// sieve is what filters look things up in, as of when a roster was made.
type sieve struct {
	tags     map[events.RoomID][]string
	children map[events.RoomID]map[events.RoomID]bool // of the spaces that filters name
	depends  map[events.RoomID]bool                   // those spaces
}

// newSieve reads what the filters of the request need to know of all rooms.
func (s *slide) newSieve(ctx context.Context) (*sieve, error) {
	v := &sieve{}
	tags := false
	for _, l := range s.Lists {
		tags = tags || l.Filters.Tags != nil || l.Filters.NotTags != nil
		for _, space := range l.Filters.Spaces {
			if err := s.readSpace(ctx, v, space); err != nil {
				return nil, err
			}
		}
	}
	if !tags {
		return v, nil
	}
	var rows []store.AccountDatum
	err := s.Memory.View(ctx, func(view store.View) (err error) {
		rows, err = view.AccountDataOfType(s.User, typeTag)
		return err
	})
	v.tags = map[events.RoomID][]string{}
	for _, d := range rows {
		gjson.GetBytes(d.Content, "tags").ForEach(func(tag, _ gjson.Result) bool {
			v.tags[d.Room] = append(v.tags[d.Room], tag.Str)
			return true
		})
	}
	return v, err
}

// readSpace reads the children of a space, if the user is in it.
func (s *slide) readSpace(ctx context.Context, v *sieve, space events.RoomID) error {
	if v.children == nil {
		v.children, v.depends = map[events.RoomID]map[events.RoomID]bool{}, map[events.RoomID]bool{}
	}
	v.depends[space] = true
	room, err := s.Memory.Room(ctx, space)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || room.Membership(s.User) != events.MembershipJoin {
		return err
	}
	children := map[events.RoomID]bool{}
	for _, e := range room.State(false) {
		if e.Type == typeChild && gjson.GetBytes(e.Content, "via").IsArray() {
			children[events.RoomID(*e.StateKey)] = true
		}
	}
	v.children[space] = children
	return nil
}

// matches reports whether a room passes all filters of a list.
func (s *slide) matches(ctx context.Context, f *SlidingFilters, c *live.RoomChange) (bool, error) {
	sieve := s.conn.roster.sieve
	has := func(tag string) bool { return slices.Contains(sieve.tags[c.ID], tag) }
	switch {
	case f.DM != nil && *f.DM != s.memo.direct[c.ID],
		f.Encrypted != nil && *f.Encrypted != c.Encrypted,
		f.Invite != nil && *f.Invite != (c.Membership == events.MembershipInvite),
		f.RoomTypes != nil && !slices.Contains(f.RoomTypes, c.RoomType),
		slices.Contains(f.NotRoomTypes, c.RoomType),
		f.Tags != nil && !slices.ContainsFunc(f.Tags, has),
		slices.ContainsFunc(f.NotTags, has),
		f.Spaces != nil && !slices.ContainsFunc(f.Spaces, func(space events.RoomID) bool { return sieve.children[space][c.ID] }):
		return false, nil
	case f.NameLike == "":
		return true, nil
	case c.Membership == events.MembershipLeave, c.Membership == events.MembershipBan: // the name may be none of the user's business
		return false, nil
	}
	room, err := s.Memory.Room(ctx, c.ID)
	if errors.Is(err, store.ErrNotFound) { // deleted by now
		return false, nil
	}
	if err != nil {
		return false, err
	}
	name := room.StateEvent(typeName, "")
	return name != nil && strings.Contains(strings.ToLower(gjson.GetBytes(name.Content, "name").Str), strings.ToLower(f.NameLike)), nil
}
