package room

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

const (
	typeSpace      = "m.space" // of a room, in its create event
	typeSpaceChild = "m.space.child"
)

const (
	hierarchyPage    = 50 // rooms, unless the client says how many it wants
	maxHierarchyPage = 500
	// maxHierarchy bounds the links that are followed; what comes after is not told.
	maxHierarchy = 10_000
)

// HierarchyRequest asks for the rooms of a space, and of the spaces in it.
type HierarchyRequest struct {
	Room          events.RoomID
	SuggestedOnly bool   // only rooms that their space suggests
	Limit         *int64 // rooms in a page; nil: the default
	MaxDepth      *int64 // links from the space to the last rooms; nil: any number
	From          string // token of the page; "": the first one
}

// HierarchyPage is a page of the rooms of a space.
type HierarchyPage struct {
	Rooms [][]byte // JSON objects
	Next  string   // token; empty: this is the last page
}

// Hierarchy returns a page of the rooms that can be reached from a space, as far as
// a user may be told of them: depth first, each room once (SPACE-6 to SPACE-13).
// M_FORBIDDEN if they may not be told of the space itself (SPACE-15).
//
// A page is found by walking again to the room that was last, which is cheap in
// memory and keeps nothing between two requests. A token is good for as long as that
// room is still there (SPACE-14).
func (s *Service) Hierarchy(ctx context.Context, user events.UserID, q HierarchyRequest) (HierarchyPage, error) {
	limit, depth := int64(hierarchyPage), int64(math.MaxInt64)
	if q.Limit != nil {
		limit = min(*q.Limit, maxHierarchyPage)
	}
	if q.MaxDepth != nil {
		depth = *q.MaxDepth
	}
	switch {
	case limit < 1:
		return HierarchyPage{}, mxerr.InvalidParam("limit", "must be positive")
	case depth < 0:
		return HierarchyPage{}, mxerr.InvalidParam("max_depth", "must not be negative")
	}
	w := &walk{
		onlooker: s.look(user), suggestedOnly: q.SuggestedOnly, depth: depth,
		next: []step{{q.Room, 0}}, seen: map[events.RoomID]bool{},
	}
	at, err := w.step(ctx)
	if err != nil {
		return HierarchyPage{}, err
	}
	if at == nil || at.room.Membership(user) == events.MembershipBan {
		return HierarchyPage{}, mxerr.Forbidden("you may not see room %s", q.Room)
	}
	token := fmt.Sprintf("%d-%d-%t-", at.room.Num, depth, q.SuggestedOnly)
	if q.From != "" {
		if at, err = w.after(ctx, at, token, q.From); err != nil {
			return HierarchyPage{}, err
		}
	}
	var page HierarchyPage
	for last := at; at != nil; last = at {
		page.Rooms = append(page.Rooms, at.entry())
		if at, err = w.step(ctx); err != nil {
			return HierarchyPage{}, err
		}
		if at != nil && len(page.Rooms) == int(limit) {
			page.Next = token + strconv.FormatInt(int64(last.room.Num), 10)
			break
		}
	}
	return page, nil
}

// walk goes through the rooms of a hierarchy.
type walk struct {
	*onlooker
	suggestedOnly bool
	depth         int64  // how far to go
	next          []step // the first one at the end
	seen          map[events.RoomID]bool
}

// step is a room to go to.
type step struct {
	room  events.RoomID
	depth int64
}

// stop is a room on the walk.
type stop struct {
	room     *live.Room
	children []child
}

// step goes to the next room that the onlooker may be told of; nil if there is none.
// Links to the others lead nowhere (SPACE-11).
func (w *walk) step(ctx context.Context) (*stop, error) {
	for len(w.next) > 0 && len(w.seen) < maxHierarchy {
		to := w.next[len(w.next)-1]
		w.next = w.next[:len(w.next)-1]
		if w.seen[to.room] {
			continue
		}
		w.seen[to.room] = true
		r, err := w.at(ctx, to.room)
		if err != nil {
			return nil, err
		}
		if r == nil {
			continue
		}
		at := &stop{r, childrenOf(r, w.suggestedOnly)}
		if to.depth < w.depth { // SPACE-13
			for _, c := range slices.Backward(at.children) {
				w.next = append(w.next, step{events.RoomID(*c.link.StateKey), to.depth + 1})
			}
		}
		return at, nil
	}
	return nil, nil
}

// after goes on to the room after the one that a token names, which begins with what
// all tokens of this walk begin with.
func (w *walk) after(ctx context.Context, at *stop, token, from string) (*stop, error) {
	last, ours := strings.CutPrefix(from, token)
	for ours && at != nil {
		found := strconv.FormatInt(int64(at.room.Num), 10) == last
		var err error
		if at, err = w.step(ctx); found || err != nil {
			return at, err
		}
	}
	return nil, mxerr.InvalidParam("from", "is not a token of this hierarchy, or what it names is gone")
}

// entry is what a hierarchy tells of a room, a JSON object (SPACE-10).
func (s *stop) entry() []byte {
	out := append(appendDetails([]byte{'{'}, s.room), `,"children_state":[`...)
	for i, c := range s.children {
		if i > 0 {
			out = append(out, ',')
		}
		out = c.link.AppendStripped(out)
		out = append(out[:len(out)-1], `,"origin_server_ts":`...)
		out = append(strconv.AppendInt(out, c.link.TS, 10), '}')
	}
	return append(out, ']', '}')
}

// child is the link from a space to a room in it.
type child struct {
	link  *live.Event
	order string // "": none that is valid
}

// childrenOf returns the links of a space, none for other rooms, in the order in
// which its rooms are shown (SPACE-8, SPACE-9, SPACE-12).
func childrenOf(r *live.Room, suggestedOnly bool) (children []child) {
	if textOf(r, events.TypeCreate, "type") != typeSpace {
		return nil
	}
	for _, e := range r.State(false) {
		if e.Type != typeSpaceChild {
			continue
		}
		content := gjson.GetManyBytes(e.Content, "via", "suggested", "order")
		via, suggested, order := content[0], content[1], content[2]
		if !via.IsArray() || !via.Get("0").Exists() || suggestedOnly && suggested.Type != gjson.True {
			continue
		}
		children = append(children, child{e, validOrder(order)})
	}
	slices.SortFunc(children, func(a, b child) int {
		switch {
		case a.order == "" && b.order != "":
			return 1
		case a.order != "" && b.order == "":
			return -1
		}
		return cmp.Or(
			strings.Compare(a.order, b.order),
			cmp.Compare(a.link.TS, b.link.TS),
			strings.Compare(*a.link.StateKey, *b.link.StateKey),
		)
	})
	return children
}

// validOrder returns the place that a space gives a child; "" if it is none.
func validOrder(value gjson.Result) string {
	if value.Type != gjson.String || len(value.Str) > 50 ||
		strings.ContainsFunc(value.Str, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return value.Str
}
