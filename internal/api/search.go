package api

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/internal/room"
)

// search serves the search for messages.
func (a *API) search() []route {
	return []route{post("/search", byUser, a.postSearch).limit(ratelimit.Search)}
}

type searchIn struct {
	Next       string           `query:"next_batch"`
	Categories searchCategories `json:"search_categories" required:"true"`
}

type searchCategories struct {
	Events *searchEventsIn `json:"room_events"`
}

type searchEventsIn struct {
	Term      string          `json:"search_term" required:"true"`
	Keys      []string        `json:"keys"`
	Filter    json.RawMessage `json:"filter"`
	OrderBy   string          `json:"order_by"`
	Context   json.RawMessage `json:"event_context"`
	State     bool            `json:"include_state"`
	Groupings struct {
		GroupBy []struct {
			Key string `json:"key"`
		} `json:"group_by"`
	} `json:"groupings"`
}

func (a *API) postSearch(ctx context.Context, c *caller, in searchIn) (rawJSON, error) {
	if in.Categories.Events == nil { // nothing else can be searched
		return rawJSON(`{"search_categories":{}}`), nil
	}
	r, err := in.Categories.Events.request()
	if err != nil {
		return nil, err
	}
	r.From = in.Next
	found, err := a.Rooms.Search(ctx, actor(c), r)
	if err != nil {
		return nil, err
	}
	form := a.Reader.Form(c.Device)
	for scope, list := range found.Shown() {
		if err := form.Bundle(ctx, scope, list...); err != nil {
			return nil, err
		}
	}
	return appendFound([]byte(`{"search_categories":{"room_events":`), form, found), nil
}

func (in *searchEventsIn) request() (r room.SearchRequest, err error) {
	r = room.SearchRequest{Term: in.Term, Keys: in.Keys, State: in.State, Recent: in.OrderBy == "recent"}
	if in.OrderBy != "" && in.OrderBy != "rank" && in.OrderBy != "recent" {
		return r, mxerr.InvalidParam("order_by", "must be rank or recent")
	}
	if in.Filter != nil {
		if r.Filter, err = events.ParseRoomEventFilter(in.Filter); err != nil {
			return r, err
		}
	}
	for _, g := range in.Groupings.GroupBy {
		r.GroupBy = append(r.GroupBy, g.Key)
	}
	if around := gjson.ParseBytes(in.Context); around.IsObject() {
		side := func(key string) int {
			if n := around.Get(key); n.Type == gjson.Number {
				return max(0, int(n.Int()))
			}
			return 5 // SRCH-7
		}
		r.Context = &room.SearchContext{Before: side("before_limit"), After: side("after_limit"), Profiles: around.Get("include_profile").Bool()}
	}
	return r, nil
}

// appendFound appends a page of results and the brackets that the answer began with.
func appendFound(b []byte, form *reader.Form, f *room.Found) []byte {
	b = strconv.AppendInt(append(b, `{"count":`...), int64(f.Count), 10)
	b = appendStrings(append(b, `,"highlights":`...), f.Highlights)
	if f.Groups != nil {
		b = appendGroups(append(b, `,"groups":`...), f.Groups)
	}
	if f.Next != "" {
		b = events.AppendString(append(b, `,"next_batch":`...), f.Next)
	}
	if f.State != nil {
		b = append(b, `,"state":{`...)
		for i, id := range slices.Sorted(maps.Keys(f.State)) {
			b = events.AppendString(comma(b, i), string(id))
			b = form.AppendList(append(b, ':'), f.State[id].Scope, f.State[id].State)
		}
		b = append(b, '}')
	}
	b = append(b, `,"results":[`...)
	for i, r := range f.Results {
		b = appendResult(comma(b, i), form, r)
	}
	return append(b, `]}}}`...)
}

func appendResult(b []byte, form *reader.Form, r room.Result) []byte {
	b = strconv.AppendFloat(append(b, `{"rank":`...), r.Rank, 'f', -1, 64)
	b = form.Append(append(b, `,"result":`...), r.Scope, r.Event)
	if r.Context == nil {
		return append(b, '}')
	}
	b = events.AppendString(append(b, `,"context":{"start":`...), r.Context.Start)
	b = events.AppendString(append(b, `,"end":`...), r.Context.End)
	b = form.AppendList(append(b, `,"events_before":`...), r.Scope, r.Context.Before)
	b = form.AppendList(append(b, `,"events_after":`...), r.Scope, r.Context.After)
	if r.Senders != nil {
		b = append(b, `,"profile_info":{`...)
		for i, member := range r.Senders {
			b = append(events.AppendString(comma(b, i), *member.StateKey), `:{`...)
			n := 0
			for _, field := range []string{"avatar_url", "displayname"} {
				if v := gjson.GetBytes(member.Content, field); v.Type == gjson.String {
					b = append(events.AppendString(comma(b, n), field), ':')
					b = events.AppendString(b, v.Str)
					n++
				}
			}
			b = append(b, '}')
		}
		b = append(b, '}')
	}
	return append(b, `}}`...)
}

func appendGroups(b []byte, groups map[string]map[string]*room.Group) []byte {
	b = append(b, '{')
	for i, key := range slices.Sorted(maps.Keys(groups)) {
		b = append(events.AppendString(comma(b, i), key), `:{`...)
		for i, value := range slices.Sorted(maps.Keys(groups[key])) {
			g := groups[key][value]
			b = append(events.AppendString(comma(b, i), value), `:{"order":`...)
			b = strconv.AppendInt(b, int64(g.Order), 10)
			b = appendStrings(append(b, `,"results":`...), g.Results)
			if g.Next != "" {
				b = events.AppendString(append(b, `,"next_batch":`...), g.Next)
			}
			b = append(b, '}')
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendStrings[S ~string](b []byte, list []S) []byte {
	b = append(b, '[')
	for i, s := range list {
		b = events.AppendString(comma(b, i), string(s))
	}
	return append(b, ']')
}

// comma separates the i-th element of a list from the one before.
func comma(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return b
}
