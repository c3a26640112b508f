package api

import (
	"context"

	"github.com/ca4c8834/homeserver/sync"
)

// slidingV4In is a request for sliding sync in the form in which the proposal was accepted: everything is in the body,
// so that browsers need not ask before each request (SLIDE-50). A connection may be spoken to in either form.
type slidingV4In struct {
	Pos         string `json:"pos"`
	Timeout     int64  `json:"timeout"`
	SetPresence string `json:"set_presence"`

	Connection    string                   `json:"conn_id"`
	Lists         map[string]slidingV4List `json:"lists"`
	Subscriptions map[string]slidingV4Room `json:"room_subscriptions"`
	Extensions    slidingExtensions        `json:"extensions"`
}

type slidingV4Room struct {
	TimelineLimit int64          `json:"timeline_limit" required:"true"`
	RequiredState slidingV4State `json:"required_state" required:"true"`
}

type slidingV4List struct {
	slidingV4Room
	Range   []int64          `json:"range"`
	Filters slidingV4Filters `json:"filters"`
}

type slidingV4Filters struct {
	slidingFilters
	Invited *bool `json:"is_invited"`
}

// slidingV4State says what state is wanted (SLIDE-51). Nothing stands for anything else here, and everything that is
// included is what is not excluded. State that a room once has is replaced and never removed, since a room has one
// history: the stubs that tell of removed state do not occur.
type slidingV4State struct {
	Include []slidingV4Pattern `json:"include"`
	Exclude []slidingV4Pattern `json:"exclude"`
	Lazy    bool               `json:"lazy_members"`
}

type slidingV4Pattern struct {
	Type *string `json:"type"`
	Key  *string `json:"state_key"`
}

// maxV4Subscriptions bounds what a request subscribes to (SLIDE-50).
const maxV4Subscriptions = 100

func (a *API) postSlidingSyncV4(ctx context.Context, c *caller, in slidingV4In) (rawJSON, error) {
	r := sync.SlidingRequest{
		User: c.User, Device: c.Device, Connection: in.Connection, Pos: in.Pos, V4: true,
		Timeout: milliseconds(in.Timeout), Extensions: in.Extensions.request(),
	}
	if err := slidingParts(&r, in.Lists, slidingV4List.request, in.Subscriptions, slidingV4Room.request, maxV4Subscriptions); err != nil {
		return nil, err
	}
	return a.slide(ctx, r, in.SetPresence)
}

func (l slidingV4List) request(at string) (out sync.SlidingList, err error) {
	if out.SlidingRoom, err = l.slidingV4Room.request(at); err != nil {
		return out, err
	}
	if l.Range != nil {
		places, err := slidingRange(at+".range", l.Range)
		if err != nil {
			return out, err
		}
		out.Ranges = [][2]int{places}
	}
	f := l.Filters.slidingFilters
	f.Invite, f.NameLike = l.Filters.Invited, ""
	out.Filters, err = f.request(at + ".filters")
	return out, err
}

func (r slidingV4Room) request(at string) (out sync.SlidingRoom, err error) {
	out.TimelineLimit, err = timelineLimit(at, r.TimelineLimit)
	out.LazyMembers = r.RequiredState.Lazy
	out.Include, out.Exclude = statePatterns(r.RequiredState.Include), statePatterns(r.RequiredState.Exclude)
	return out, err
}

func statePatterns(list []slidingV4Pattern) []sync.StatePattern {
	out := make([]sync.StatePattern, len(list))
	for i, p := range list {
		out[i].AnyType, out[i].AnyKey = p.Type == nil, p.Key == nil
		if p.Type != nil {
			out[i].Type = *p.Type
		}
		if p.Key != nil {
			out[i].Key = *p.Key
		}
	}
	return out
}
