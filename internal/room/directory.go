package room

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/appservice"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// The room directory shows rooms that their members have published, whatever their
// join rules are (RDIR-17). What it shows of a room is a row of the store, written
// along with the events that change it, so a page of it costs as much as it has
// entries, however many rooms there are.

// How many entries a page of the directory has (RDIR-18).
const (
	directoryPage    = 100
	maxDirectoryPage = 200
)

// Published reports whether a room is in the server's directory. M_NOT_FOUND
// (RDIR-1).
func (s *Service) Published(ctx context.Context, room events.RoomID) (bool, error) {
	var lists []string
	err := s.Memory.View(ctx, func(v store.View) error {
		row, err := v.Room(room)
		if err == nil {
			lists, err = v.ListsOf(row.Num)
		}
		return err
	})
	if isNotFound(err) {
		return false, noRoom(room)
	}
	return slices.Contains(lists, store.ServerList), err
}

func noRoom(room events.RoomID) error { return mxerr.NotFound("there is no room %s", room) }

// Publish puts a room into the server's directory or takes it out. Members with
// the power to set its canonical alias may. M_NOT_FOUND (RDIR-2, RDIR-3).
func (s *Service) Publish(ctx context.Context, a Actor, room events.RoomID, public bool) error {
	if err := a.mayWrite(); err != nil {
		return err
	}
	return s.publish(ctx, store.ServerList, room, public, func(d *live.Draft) error {
		if !maySetCanonicalAlias(d, a.User) {
			return mxerr.Forbidden("you may not decide whether the room is listed")
		}
		return nil
	})
}

// PublishFor puts a room into the list of a network of an application service, or
// takes it out. M_NOT_FOUND (RDIR-4).
func (s *Service) PublishFor(ctx context.Context, service, network string, room events.RoomID, public bool) error {
	return s.publish(ctx, appservice.InstanceID(service, network), room, public, func(*live.Draft) error { return nil })
}

func (s *Service) publish(ctx context.Context, list string, room events.RoomID, public bool, allowed func(*live.Draft) error) error {
	return s.Memory.Update(ctx, func(tx *live.Tx) error {
		d, err := tx.Room(room)
		if isNotFound(err) {
			return noRoom(room)
		}
		if err != nil {
			return err
		}
		if err := allowed(d); err != nil {
			return err
		}
		if !public {
			return tx.DeleteListing(list, d.Num)
		}
		return tx.PutListing(list, listing(d))
	})
}

// DirectoryQuery asks for a page of the room directory.
type DirectoryQuery struct {
	Server string // whose directory; empty: this server's
	Since  string // token of a page; empty: the first one
	Limit  *int64 // entries; nil: as many as the server likes
	Search string // in name, topic and canonical alias (RDIR-12)
	Types  []string
	// AllNetworks adds the lists of application services (RDIR-15); Instance
	// asks for one of those alone (RDIR-16).
	AllNetworks bool
	Instance    string
}

// DirectoryPage is a page of the room directory.
type DirectoryPage struct {
	Rooms      [][]byte // JSON objects
	Next, Prev string   // tokens; empty: there is no such page (RDIR-6)
	Total      *int64   // rooms in the list; nil: not known
}

// Directory returns a page of the room directory, the largest rooms first
// (RDIR-5 to RDIR-18).
func (s *Service) Directory(ctx context.Context, q DirectoryQuery) (DirectoryPage, error) {
	query, err := q.forStore()
	if err != nil {
		return DirectoryPage{}, err
	}
	if q.Server != "" && q.Server != string(s.Server) {
		return DirectoryPage{}, nil // RDIR-14
	}
	limit := query.Limit
	query.Limit++
	var (
		page  DirectoryPage
		found []store.Listing
	)
	err = s.Memory.View(ctx, func(v store.View) (err error) {
		if found, err = v.Listings(query); err != nil || query.List == nil {
			return err
		}
		n, err := v.CountListings(*query.List)
		page.Total = &n
		return err
	})
	if err != nil {
		return DirectoryPage{}, err
	}
	more := len(found) > limit
	found = found[:min(len(found), limit)]
	if query.Up {
		slices.Reverse(found)
	}
	if n := len(found); n > 0 {
		if more || query.Up {
			page.Next = directoryToken('n', found[n-1])
		}
		if query.Up && more || !query.Up && q.Since != "" {
			page.Prev = directoryToken('p', found[0])
		}
	}
	for _, l := range found {
		page.Rooms = append(page.Rooms, l.Entry)
	}
	return page, nil
}

// forStore checks the query.
func (q DirectoryQuery) forStore() (store.ListingQuery, error) {
	list := q.Instance
	out := store.ListingQuery{Search: fold(strings.TrimSpace(q.Search)), Limit: directoryPage}
	switch {
	case !q.AllNetworks:
		out.List = &list
	case q.Instance != "":
		return out, mxerr.InvalidParam("third_party_instance_id", "cannot be combined with include_all_networks")
	}
	if q.Limit != nil {
		if *q.Limit < 1 {
			return out, mxerr.InvalidParam("limit", "must be positive")
		}
		out.Limit = int(min(*q.Limit, maxDirectoryPage))
	}
	if len(q.Types) > 0 {
		out.Types = q.Types
	}
	if len(q.Types) > store.MaxListingTypes {
		return out, mxerr.InvalidParam("filter.room_types", "may have at most %d types", store.MaxListingTypes)
	}
	if q.Since == "" {
		return out, nil
	}
	var direction byte
	_, err := fmt.Sscanf(q.Since, "%c%d-%d", &direction, &out.Joined, &out.Room)
	if err != nil || q.Since != directoryToken(direction, store.Listing{Room: out.Room, Joined: out.Joined}) ||
		direction != 'n' && direction != 'p' {
		return out, mxerr.InvalidParam("since", "is not a token of this server")
	}
	out.Up = direction == 'p'
	return out, nil
}

// directoryToken is the token of the page after an entry ('n') or before it ('p').
// It names the entry and not a number of entries, so rooms that come and go
// elsewhere do not shift the pages (RDIR-11).
func directoryToken(direction byte, l store.Listing) string {
	return fmt.Sprintf("%c%d-%d", direction, l.Joined, l.Room)
}
