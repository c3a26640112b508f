package api

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/sync"
)

// slidingSync serves what is new in windows of the list of rooms: simplified sliding sync, MSC4186, in the form that
// clients speak before it is part of the specification, and in the one that was accepted (slidingsyncv4.go).
func (a *API) slidingSync() []route {
	return []route{
		post("/org.matrix.simplified_msc3575/sync", byUser, a.postSlidingSync).at("unstable").guests().forNamedUser().longPoll(),
		post("/sync", byUser, a.postSlidingSyncV4).at("v4").guests().forNamedUser().longPoll(), // SLIDE-50
	}
}

type slidingIn struct {
	Pos         string `query:"pos"`
	Timeout     int64  `query:"timeout"`
	SetPresence string `query:"set_presence"`

	Connection    string                 `json:"conn_id"`
	TxnID         string                 `json:"txn_id"`
	Lists         map[string]slidingList `json:"lists"`
	Subscriptions map[string]slidingRoom `json:"room_subscriptions"`
	Extensions    slidingExtensions      `json:"extensions"`
}

type slidingRoom struct {
	TimelineLimit int64      `json:"timeline_limit" required:"true"`
	RequiredState [][]string `json:"required_state"`
}

type slidingList struct {
	slidingRoom
	Ranges  [][]int64      `json:"ranges"`
	Filters slidingFilters `json:"filters"`
}

type slidingFilters struct {
	DM           *bool           `json:"is_dm"`
	Encrypted    *bool           `json:"is_encrypted"`
	Invite       *bool           `json:"is_invite"`
	RoomTypes    json.RawMessage `json:"room_types"`
	NotRoomTypes json.RawMessage `json:"not_room_types"`
	Spaces       []string        `json:"spaces"`
	Tags         []string        `json:"tags"`
	NotTags      []string        `json:"not_tags"`
	NameLike     string          `json:"room_name_like"`
}

type slidingExtensions struct {
	ToDevice struct {
		Enabled bool   `json:"enabled"`
		Since   string `json:"since"`
		Limit   int64  `json:"limit"`
	} `json:"to_device"`
	E2EE struct {
		Enabled bool `json:"enabled"`
	} `json:"e2ee"`
	AccountData slidingExtension `json:"account_data"`
	Receipts    slidingExtension `json:"receipts"`
	Typing      slidingExtension `json:"typing"`
}

type slidingExtension struct {
	Enabled bool     `json:"enabled"`
	Lists   []string `json:"lists"`
	Rooms   []string `json:"rooms"`
}

// Limits of what a request may ask for (SLIDE-11), each far beyond what clients do.
const (
	maxSlidingLists  = 100
	maxListRanges    = 100
	maxFilterValues  = 100
	maxStateEntries  = 1000 // of all lists together, and of each subscription
	maxSubscriptions = 1000
	maxConnectionID  = 255
)

func (a *API) postSlidingSync(ctx context.Context, c *caller, in slidingIn) (rawJSON, error) {
	r := sync.SlidingRequest{
		User: c.User, Device: c.Device, Connection: in.Connection, Pos: in.Pos, TxnID: in.TxnID,
		Timeout: milliseconds(in.Timeout), Extensions: in.Extensions.request(),
	}
	list := func(l slidingList, at string) (sync.SlidingList, error) { return l.request(at, c.User) }
	room := func(r slidingRoom, at string) (sync.SlidingRoom, error) { return r.request(at, c.User) }
	if err := slidingParts(&r, in.Lists, list, in.Subscriptions, room, maxSubscriptions); err != nil {
		return nil, err
	}
	return a.slide(ctx, r, in.SetPresence)
}

// slidingParts fills in the lists and the rooms of a request, in whatever form they are.
func slidingParts[L, R any](
	r *sync.SlidingRequest,
	lists map[string]L, list func(l L, at string) (sync.SlidingList, error),
	rooms map[string]R, room func(r R, at string) (sync.SlidingRoom, error), maxRooms int,
) (err error) {
	if len(lists) > maxSlidingLists {
		return mxerr.InvalidParam("lists", fmt.Sprintf("has more than %d lists", maxSlidingLists))
	}
	if len(rooms) > maxRooms {
		return mxerr.InvalidParam("room_subscriptions", fmt.Sprintf("has more than %d rooms", maxRooms))
	}
	r.Lists = make(map[string]sync.SlidingList, len(lists))
	for name, l := range lists {
		if r.Lists[name], err = list(l, "lists."+name); err != nil {
			return err
		}
	}
	r.Subscriptions = make(map[events.RoomID]sync.SlidingRoom, len(rooms))
	for id, asked := range rooms {
		if r.Subscriptions[events.RoomID(id)], err = room(asked, "room_subscriptions."+id); err != nil {
			return err
		}
	}
	return nil
}

// slide answers a request in whatever form.
func (a *API) slide(ctx context.Context, r sync.SlidingRequest, setPresence string) (rawJSON, error) {
	state, err := presenceOf(setPresence)
	if err != nil {
		return nil, err
	}
	if len(r.Connection) > maxConnectionID {
		return nil, mxerr.InvalidParam("conn_id", "is too long")
	}
	entries := 0
	for name, l := range r.Lists {
		if !events.ValidOpaqueID(name) {
			return nil, mxerr.InvalidParam("lists", "has a list whose name is not 1 to 255 of 0-9a-zA-Z-._~")
		}
		if entries += len(l.Include) + len(l.Exclude); entries > maxStateEntries {
			return nil, mxerr.InvalidParam("lists", fmt.Sprintf("ask for more than %d entries of required_state", maxStateEntries))
		}
	}
	for id, room := range r.Subscriptions {
		if len(room.Include)+len(room.Exclude) > maxStateEntries {
			return nil, mxerr.InvalidParam(fmt.Sprintf("room_subscriptions.%s.required_state", id), "has too many entries")
		}
	}
	done, err := a.Presence.Sync(ctx, r.User, r.Device, state)
	if err != nil {
		return nil, err
	}
	defer done()
	answer, err := a.Sync.Sliding(ctx, r)
	return rawJSON(answer), err
}

func (l *slidingList) request(at string, user events.UserID) (out sync.SlidingList, err error) {
	if out.SlidingRoom, err = l.slidingRoom.request(at, user); err != nil {
		return out, err
	}
	if len(l.Ranges) > maxListRanges {
		return out, mxerr.InvalidParam(at+".ranges", "are too many")
	}
	if l.Ranges != nil {
		out.Ranges = [][2]int{}
	}
	for _, r := range l.Ranges {
		places, err := slidingRange(at+".ranges", r)
		if err != nil {
			return out, err
		}
		out.Ranges = append(out.Ranges, places)
	}
	out.Filters, err = l.Filters.request(at + ".filters")
	return out, err
}

// slidingRange reads the first and the last place of a window.
func slidingRange(at string, r []int64) ([2]int, error) {
	if len(r) != 2 || r[0] < 0 || r[1] < r[0] {
		return [2]int{}, mxerr.InvalidParam(at, "must be of a first and a last place")
	}
	const beyond = 1 << 30 // more than anybody has
	return [2]int{int(min(r[0], beyond)), int(min(r[1], beyond))}, nil
}

func (f *slidingFilters) request(at string) (out sync.SlidingFilters, err error) {
	if max(len(f.Spaces), len(f.Tags), len(f.NotTags)) > maxFilterValues {
		return out, mxerr.InvalidParam(at, "have too many values")
	}
	out = sync.SlidingFilters{
		DM: f.DM, Encrypted: f.Encrypted, Invite: f.Invite,
		Spaces: roomIDs(f.Spaces), Tags: f.Tags, NotTags: f.NotTags, NameLike: f.NameLike,
	}
	if out.RoomTypes, err = roomTypes(at+".room_types", f.RoomTypes); err != nil {
		return out, err
	}
	out.NotRoomTypes, err = roomTypes(at+".not_room_types", f.NotRoomTypes)
	return out, err
}

func (r *slidingRoom) request(at string, user events.UserID) (out sync.SlidingRoom, err error) {
	if out.TimelineLimit, err = timelineLimit(at, r.TimelineLimit); err != nil {
		return out, err
	}
	for _, k := range r.RequiredState {
		if len(k) != 2 {
			return out, mxerr.InvalidParam(at+".required_state", "must be pairs of a type and a state key")
		}
		p := sync.StatePattern{Type: k[0], Key: k[1], AnyType: k[0] == "*", AnyKey: k[1] == "*"}
		switch {
		case p.Type == events.TypeMember && p.Key == "$LAZY": // SLIDE-25
			out.LazyMembers = true
			continue
		case p.AnyType && p.AnyKey: // SLIDE-23: with the members, lazy or not
			out.Include = append(out.Include, sync.StatePattern{Type: events.TypeMember, AnyKey: true})
		case p.Key == "$ME": // SLIDE-24
			p.Key = string(user)
		}
		out.Include = append(out.Include, p)
	}
	return out, nil
}

func timelineLimit(at string, n int64) (int, error) {
	if n < 0 { // SLIDE-13
		return 0, mxerr.InvalidParam(at+".timeline_limit", "must not be negative")
	}
	return int(min(n, 1<<30)), nil
}

// roomTypes reads a list of types, in which null stands for rooms without one (SLIDE-22).
func roomTypes(at string, raw json.RawMessage) ([]string, error) {
	list := gjson.ParseBytes(raw)
	if raw == nil || list.Type == gjson.Null {
		return nil, nil
	}
	if !list.IsArray() {
		return nil, mxerr.BadJSON("%s must be an array", at)
	}
	types := []string{}
	for _, t := range list.Array() {
		if len(types) == maxFilterValues {
			return nil, mxerr.InvalidParam(at, "has too many values")
		}
		if t.Type != gjson.String && t.Type != gjson.Null {
			return nil, mxerr.BadJSON("%s must be of strings and null", at)
		}
		types = append(types, t.Str)
	}
	return types, nil
}

func (e *slidingExtensions) request() (out sync.SlidingExtensions) {
	if e.ToDevice.Enabled {
		out.ToDevice = &sync.SlidingToDevice{Since: e.ToDevice.Since, Limit: int(min(max(e.ToDevice.Limit, 0), 1<<30))}
	}
	out.E2EE = e.E2EE.Enabled
	out.AccountData, out.Receipts, out.Typing = e.AccountData.request(), e.Receipts.request(), e.Typing.request()
	return out
}

func (e *slidingExtension) request() *sync.SlidingScope {
	if !e.Enabled {
		return nil
	}
	scope := &sync.SlidingScope{}
	if all := len(e.Lists) == 1 && e.Lists[0] == "*"; !all { // SLIDE-42
		scope.Lists = e.Lists
	}
	if all := len(e.Rooms) == 1 && e.Rooms[0] == "*"; !all {
		scope.Rooms = roomIDs(e.Rooms)
	}
	return scope
}

// roomIDs takes texts for IDs of rooms: what is none names no room.
func roomIDs(texts []string) []events.RoomID {
	if texts == nil {
		return nil
	}
	ids := make([]events.RoomID, len(texts))
	for i, text := range texts {
		ids[i] = events.RoomID(text)
	}
	return ids
}
