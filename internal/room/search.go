package room

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

const (
	// maxFound bounds how many matches are looked at for one page: they are ranked
	// among the newest of so many.
	maxFound = 1000
	// maxSearchPage bounds the results of a page.
	maxSearchPage = 100
	// maxSearchContext bounds the events on each side of a result.
	maxSearchContext = 20
	// maxSearchWords bounds the words of a search.
	maxSearchWords = 32
)

// indexed returns the text by which an event is found (SRCH-3).
func indexed(d *live.Draft, e *live.Event) (t store.Text, ok bool) {
	t = store.Text{Pos: e.Pos, Room: d.Num}
	switch {
	case !e.IsState() && e.Type == "m.room.message":
		t.Body = stringAt(e.Content, "body")
	case !e.IsState() || *e.StateKey != "":
	case e.Type == typeName:
		t.Name = stringAt(e.Content, "name")
	case e.Type == typeTopic:
		t.Topic = topicText(e.Content)
	}
	return t, t.Body != "" || t.Name != "" || t.Topic != ""
}

// SearchRequest asks for events by their text (SRCH-1, SRCH-2).
type SearchRequest struct {
	Term    string
	Keys    []string                // "content.body", "content.name", "content.topic"; nil: all
	Filter  *events.RoomEventFilter // nil: none
	Recent  bool                    // newest first instead of best first
	Context *SearchContext          // nil: none
	State   bool                    // with the state of the rooms
	GroupBy []string                // "room_id", "sender"
	From    string                  // a next_batch
}

// SearchContext asks for what happened around each result.
type SearchContext struct {
	Before, After int
	Profiles      bool
}

// Found is a page of results.
type Found struct {
	Count      int // of all results, roughly
	Highlights []string
	Results    []Result
	Groups     map[string]map[string]*Group // by key and value
	State      map[events.RoomID]StateOf
	Next       string // "": the last page
}

// Shown is every event of the page, room by room.
func (f *Found) Shown() map[*reader.Scope][]*live.Event {
	shown := map[*reader.Scope][]*live.Event{}
	for _, r := range f.Results {
		shown[r.Scope] = append(shown[r.Scope], r.Event)
		if r.Context != nil {
			shown[r.Scope] = append(append(shown[r.Scope], r.Context.Before...), r.Context.After...)
		}
	}
	return shown
}

// Result is an event that was found.
type Result struct {
	Scope   *reader.Scope
	Event   *live.Event
	Rank    float64
	Context *EventContext // nil: not asked for
	Senders []*live.Event // member events of those in the context, as they were
}

// Group is the results that have something in common.
type Group struct {
	Order   int
	Results []events.EventID
	Next    string // of the group alone; "": there are no others
}

// StateOf is the state of a room as the user sees it.
type StateOf struct {
	Scope *reader.Scope
	State []*live.Event
}

// searchToken is where a search goes on: among the matches before a position, after
// some of them, perhaps those of one group alone.
type searchToken struct {
	Before store.Pos `json:"b"`
	Skip   int       `json:"s,omitempty"`
	Key    string    `json:"k,omitempty"`
	Value  string    `json:"v,omitempty"`
}

func (t searchToken) String() string {
	text, err := json.Marshal(t)
	if err != nil {
		return "" // there is nothing in it that could not be marshalled
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func parseSearchToken(text string) (t searchToken, err error) {
	if text == "" {
		return searchToken{Before: store.MaxPos}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &t)
	}
	if err != nil || t.Before <= 0 || t.Skip < 0 {
		return t, mxerr.InvalidParam("next_batch", "is not a token of a search")
	}
	return t, nil
}

// Search finds events in the rooms that a user is or was in, of those that they see
// (SRCH-1 to SRCH-11). Errors: M_INVALID_PARAM.
func (s *Service) Search(ctx context.Context, a Actor, r SearchRequest) (*Found, error) {
	token, err := parseSearchToken(r.From)
	if err != nil {
		return nil, err
	}
	limit := defaultPage
	if r.Filter != nil && r.Filter.Limit != nil {
		limit = min(*r.Filter.Limit, maxSearchPage)
	}
	q, err := searchQuery(r)
	if err != nil {
		return nil, err
	}
	f := finding{service: s, request: r, token: token, words: q.Words}
	if err := f.openRooms(ctx, a.User, &q); err != nil {
		return nil, err
	}
	if err := f.collect(ctx, q); err != nil {
		return nil, err
	}
	return f.page(ctx, limit)
}

// searchQuery is what the store is asked, its rooms still to be named.
func searchQuery(r SearchRequest) (q store.TextQuery, err error) {
	seen := map[string]bool{}
	for _, word := range words(r.Term) {
		if !seen[word] && len(q.Words) < maxSearchWords {
			seen[word] = true
			q.Words = append(q.Words, word)
		}
	}
	for _, key := range r.Keys {
		switch key {
		case "content.body":
			q.Body = true
		case "content.name":
			q.Name = true
		case "content.topic":
			q.Topic = true
		default:
			return q, mxerr.InvalidParam("keys", "may name content.body, content.name and content.topic")
		}
	}
	if r.Keys == nil {
		q.Body, q.Name, q.Topic = true, true, true
	}
	for _, key := range r.GroupBy {
		if key != "room_id" && key != "sender" {
			return q, mxerr.InvalidParam("group_by", "may name room_id and sender")
		}
	}
	return q, nil
}

// words cuts a text into words, in lower case.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// finding is the making of one page.
type finding struct {
	service *Service
	request SearchRequest
	token   searchToken
	words   []string
	rooms   map[store.RoomNum]*reader.Scope
	results []Result // visible matches, newest first
	more    bool     // there are matches beyond them
	last    store.Pos
}

// openRooms finds where to search: in the rooms that the user is in, or was and has not
// forgotten (SRCH-4, SRCH-11).
func (f *finding) openRooms(ctx context.Context, user events.UserID, q *store.TextQuery) error {
	f.rooms = map[store.RoomNum]*reader.Scope{}
	var members []store.Member
	err := f.service.Memory.View(ctx, func(v store.View) (err error) {
		members, err = v.RoomsOf(user)
		return err
	})
	if err != nil {
		return err
	}
	for _, m := range members {
		switch {
		case m.Forgotten, !f.request.Filter.MatchRoom(m.RoomID):
			continue
		case f.token.Key == "room_id" && f.token.Value != string(m.RoomID):
			continue
		}
		room, err := f.service.Memory.Room(ctx, m.RoomID)
		if err != nil {
			return err
		}
		f.rooms[m.Room] = reader.NewScope(room, user)
		q.Rooms = append(q.Rooms, m.Room)
	}
	return nil
}

// collect reads the newest matches that the user sees and that the filter lets pass.
func (f *finding) collect(ctx context.Context, q store.TextQuery) error {
	q.Before, q.Limit = f.token.Before, maxFound
	return f.service.Memory.View(ctx, func(v store.View) error {
		found, err := v.SearchText(q)
		if err != nil || len(found) == 0 {
			return err
		}
		f.more, f.last = len(found) == maxFound, found[len(found)-1]
		rows, err := v.EventsAt(found)
		if err != nil {
			return err
		}
		for _, row := range slices.Backward(rows) {
			scope := f.rooms[row.Room]
			e, err := live.Parse(scope.Room.Version, row)
			if err != nil {
				return err
			}
			if !scope.Knows(e.Pos - 1) {
				if err := scope.Load(v); err != nil {
					return err
				}
			}
			if e.RedactedBy != 0 || !scope.WasJoined() || !scope.Sees(e) || !f.request.Filter.Match(e.Event) ||
				f.token.Key == "sender" && f.token.Value != string(e.Sender) {
				continue
			}
			f.results = append(f.results, Result{Scope: scope, Event: e, Rank: f.rank(e)})
		}
		return nil
	})
}

// rank says how well an event matches: how much of it the words are.
func (f *finding) rank(e *live.Event) float64 {
	best := 0.0
	for _, field := range []string{stringAt(e.Content, "body"), stringAt(e.Content, "name"), topicText(e.Content)} {
		text := words(field)
		hits := 0
		for _, w := range text {
			if slices.Contains(f.words, w) {
				hits++
			}
		}
		if hits > 0 {
			best = max(best, float64(hits)/float64(len(text)))
		}
	}
	return best
}

// page cuts out the results that are asked for and adds what belongs to them.
func (f *finding) page(ctx context.Context, limit int) (*Found, error) {
	if !f.request.Recent {
		slices.SortStableFunc(f.results, func(x, y Result) int { return cmp.Compare(y.Rank, x.Rank) })
	}
	start := min(f.token.Skip, len(f.results))
	end := min(start+limit, len(f.results))
	out := &Found{Count: len(f.results), Highlights: f.words, Results: f.results[start:end]}
	next := f.token
	switch {
	case end < len(f.results):
		next.Skip = end
		out.Next = next.String()
	case f.more:
		next.Before, next.Skip = f.last, 0
		out.Next = next.String()
	}
	out.group(f, end)
	for i := range out.Results {
		if err := f.complete(ctx, &out.Results[i]); err != nil {
			return nil, err
		}
	}
	if !f.request.State {
		return out, nil
	}
	out.State = map[events.RoomID]StateOf{}
	for _, r := range out.Results {
		id := r.Scope.Room.ID
		if _, ok := out.State[id]; ok {
			continue
		}
		access, err := f.service.Reader.Enter(ctx, r.Scope.User, id)
		if err != nil {
			return nil, err
		}
		state, err := f.service.Reader.StateAt(ctx, access.Room, access.Until, true)
		if err != nil {
			return nil, err
		}
		out.State[id] = StateOf{access.Scope, state}
	}
	return out, nil
}

// group sorts the results of the page into groups. Those with results beyond the end of
// the page can be paged alone (SRCH-9, SRCH-10).
func (out *Found) group(f *finding, end int) {
	value := func(key string, r Result) string {
		if key == "sender" {
			return string(r.Event.Sender)
		}
		return string(r.Scope.Room.ID)
	}
	for _, key := range f.request.GroupBy {
		groups := map[string]*Group{}
		for _, r := range out.Results {
			g := groups[value(key, r)]
			if g == nil {
				g = &Group{Order: len(groups) + 1}
				groups[value(key, r)] = g
			}
			g.Results = append(g.Results, r.Event.ID)
		}
		for _, r := range f.results[end:] {
			if g := groups[value(key, r)]; g != nil && g.Next == "" && f.token.Key == "" && f.token.Skip == 0 {
				g.Next = searchToken{Before: f.token.Before, Skip: len(g.Results), Key: key, Value: value(key, r)}.String()
			}
		}
		if out.Groups == nil {
			out.Groups = map[string]map[string]*Group{}
		}
		out.Groups[key] = groups
	}
}

// complete links a result and reads its context (SRCH-6, SRCH-7).
func (f *finding) complete(ctx context.Context, r *Result) error {
	one := []*live.Event{r.Event}
	if err := f.service.Reader.Link(ctx, r.Scope.Room, one); err != nil {
		return err
	}
	r.Event = one[0]
	want := f.request.Context
	if want == nil {
		return nil
	}
	before, err := f.service.Reader.Back(ctx, r.Scope, r.Event.Pos-1, 0, min(want.Before, maxSearchContext), nil)
	if err != nil {
		return err
	}
	after, err := f.service.Reader.Forward(ctx, r.Scope, r.Event.Pos, store.MaxPos, min(want.After, maxSearchContext), nil)
	if err != nil {
		return err
	}
	r.Context = &EventContext{
		Scope: r.Scope, Event: r.Event, Before: before.Events, After: after.Events,
		Start: reader.Token(before.Next), End: reader.Token(after.Next),
	}
	if want.Profiles {
		shown := append(slices.Concat(before.Events, after.Events), r.Event)
		r.Senders, err = f.service.senders(ctx, r.Scope.Room, shown, r.Event.Pos)
	}
	return err
}
