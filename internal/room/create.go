package room

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// NewRoom is a request for a room (CREATE-2). The zero value asks for a private one.
type NewRoom struct {
	Version         string          // "": the default version
	Preset          string          // "": by Public (CREATE-7)
	Public          bool            // listed in the directory (CREATE-27)
	Alias           string          // localpart; "": none
	Name, Topic     string          // "": none
	Invite          []events.UserID // in order
	Direct          bool            // mark the invites as those to a direct chat (CREATE-28)
	CreationContent json.RawMessage // object to be merged into the create event, or nil
	PowerLevels     json.RawMessage // object to be laid over the power levels, or nil
	InitialState    []StateChange   // in order; Room and TS do not count
}

// maxBeginning bounds the events of the initial state, and likewise the invites, of a
// new room: all is written in one transaction, for which others have to wait.
const maxBeginning = 1000

// Create makes a room with all it shall begin with, or nothing (CREATE-5), and
// returns its ID. M_INVALID_ROOM_STATE if the beginnings contradict each other
// (CREATE-4).
func (s *Service) Create(ctx context.Context, a Actor, in NewRoom) (id events.RoomID, err error) {
	if err := a.mayWrite(); err != nil {
		return "", err
	}
	b, err := s.plan(a, in)
	if err != nil {
		return "", err
	}
	err = s.Memory.Update(ctx, func(tx *live.Tx) error {
		d, err := s.begin(tx, a, b)
		if err == nil {
			id = d.ID
		}
		return err
	})
	return id, err
}

// beginning is what a room is made of, with all content in canonical form.
type beginning struct {
	version *events.RoomVersion
	id      events.RoomID // "" in versions where it follows from the create event
	create  []byte        // content of the create event
	public  bool
	alias   events.RoomAlias // "": none
	state   []proposal       // power levels first; the sender is the creator
	invite  []events.UserID
	direct  bool
}

// begin makes a room inside a transaction. What can be refused before anything is
// written is refused first.
func (s *Service) begin(tx *live.Tx, a Actor, b *beginning) (*live.Draft, error) {
	for _, user := range b.invite { // CREATE-29, CREATE-30, AMB-6
		if err := mayBeInvited(tx.Tx, user); err != nil {
			return nil, err
		}
	}
	if b.alias != "" {
		if _, err := tx.Alias(b.alias); !isNotFound(err) {
			return nil, orTaken(err, b.alias)
		}
	}
	d, err := s.beginEmpty(tx, a, b)
	if err != nil {
		return nil, invalidState(err)
	}
	if b.alias != "" {
		if err := tx.CreateAlias(store.Alias{Alias: b.alias, Room: d.ID, Creator: a.User}); err != nil {
			return nil, orTaken(err, b.alias)
		}
	}
	if _, err := s.setMember(tx, d, a, memberChange{target: a.User, membership: events.MembershipJoin}); err != nil {
		return nil, invalidState(err)
	}
	for _, p := range b.state {
		if _, err := s.setState(tx, d, a, p); err != nil {
			return nil, invalidState(err)
		}
	}
	var content []byte
	if b.direct {
		content = []byte(`{"is_direct":true}`)
	}
	for _, user := range b.invite {
		c := memberChange{target: user, membership: events.MembershipInvite, content: content, lazy: true}
		if _, err := s.setMember(tx, d, a, c); err != nil {
			return nil, invalidState(err)
		}
	}
	if b.public {
		return d, tx.PutListing(store.ServerList, listing(d))
	}
	return d, nil
}

// beginEmpty makes a room of its create event alone.
func (s *Service) beginEmpty(tx *live.Tx, a Actor, b *beginning) (*live.Draft, error) {
	draft := events.Draft{
		Room: b.id, Sender: a.User, Type: events.TypeCreate, StateKey: new(string), Content: b.create, TS: s.Now().UnixMilli(), Depth: 1,
	}
	for {
		e, err := b.version.Build(draft, s.Server, rand.Text)
		if err != nil {
			return nil, err
		}
		if err := events.Check(e, nil); err != nil {
			return nil, err
		}
		d, err := tx.CreateRoom(e.Room, b.version)
		if errors.Is(err, store.ErrExists) && b.id == "" { // RVER-16
			draft.TS++
			continue
		}
		if err != nil {
			return nil, err
		}
		_, err = s.add(tx, d, e, store.Txn{})
		return d, err
	}
}

func orTaken(err error, alias events.RoomAlias) error {
	if err == nil || errors.Is(err, store.ErrExists) {
		return mxerr.RoomInUse("the alias %s is taken", alias) // CREATE-26
	}
	return err
}

// invalidState says of a beginning that the rules refuse that it is impossible
// (CREATE-4).
func invalidState(err error) error {
	if e, ok := errors.AsType[*events.AuthError](err); ok {
		return mxerr.InvalidRoomState("%s", e.Reason).Because(err)
	}
	if e, ok := errors.AsType[*mxerr.Error](err); ok && e.Code == mxerr.MForbidden {
		return mxerr.InvalidRoomState("%s", e.Message).Because(err)
	}
	return err
}

// start is the beginning of a room of a version, of which nothing else is known.
func (s *Service) start(v *events.RoomVersion) *beginning {
	b := &beginning{version: v}
	if !v.HashRoomID {
		b.id = events.RoomID("!" + rand.Text() + ":" + string(s.Server))
	}
	return b
}

// plan makes out what the room shall begin with, in the order of CREATE-3.
func (s *Service) plan(a Actor, in NewRoom) (*beginning, error) {
	creator, version := a.User, s.DefaultVersion
	if in.Version != "" {
		var err error
		if version, err = lookupVersion(in.Version); err != nil {
			return nil, err
		}
	}
	b := s.start(version)
	b.public, b.direct = in.Public, in.Direct
	switch {
	case len(in.InitialState) > maxBeginning:
		return nil, mxerr.InvalidParam("initial_state", "has more than %d events", maxBeginning)
	case len(in.Invite) > maxBeginning:
		return nil, mxerr.InvalidParam("invite", "has more than %d users", maxBeginning)
	}
	preset, err := lookupPreset(in)
	if err != nil {
		return nil, err
	}
	for _, user := range in.Invite {
		if !slices.Contains(b.invite, user) {
			b.invite = append(b.invite, user)
		}
	}
	var privileged []events.UserID
	if preset.trusted {
		privileged = b.invite
	}
	if b.create, err = createContent(b.version, creator, in.CreationContent, privileged); err != nil {
		return nil, err
	}
	if in.Alias != "" {
		b.alias, err = events.ParseRoomAlias("#" + in.Alias + ":" + string(s.Server)) // CREATE-25
		if err == nil {
			err = s.checkNewAlias(a, "room_alias_name", b.alias)
		}
		if err != nil {
			return nil, err
		}
	}
	list, err := initialState(b, creator, privileged, preset, in)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if err := checkState(c); err != nil {
			return nil, invalidState(err)
		}
		p := proposal{sender: creator, typ: c.Type, stateKey: &c.Key}
		if p.content, err = b.version.Canonical(c.Content); err != nil {
			return nil, err
		}
		b.state = append(b.state, p)
	}
	return b, nil
}

func lookupVersion(id string) (*events.RoomVersion, error) {
	v, ok := events.LookupVersion(id)
	if !ok {
		return nil, mxerr.UnsupportedRoomVersion("room version %s is not supported", id) // RVER-4
	}
	return v, nil
}

// createContent is the content of the create event (CREATE-22). privileged are
// those who are to be creators too, in versions that know such (CREATE-10).
func createContent(v *events.RoomVersion, creator events.UserID, given []byte, privileged []events.UserID) ([]byte, error) {
	fields := make([]field, 0, 2)
	if v.PrivilegedCreators && len(privileged) > 0 {
		more, err := mergeUsers(gjson.GetBytes(given, "additional_creators"), privileged)
		if err != nil {
			return nil, err
		}
		fields = append(fields, field{"additional_creators", more})
	}
	if v.CreatorInContent {
		fields = append(fields, field{"creator", text(creator)})
	}
	fields = append(fields, field{"room_version", text(v.ID)})
	return v.Canonical(overlay(given, fields...))
}

// mergeUsers adds users to a JSON array of user IDs, each once.
func mergeUsers(list gjson.Result, more []events.UserID) ([]byte, error) {
	if list.Exists() && !list.IsArray() {
		return nil, mxerr.BadJSON("additional_creators must be an array") // CREATE-23
	}
	var seen []string
	out := []byte{'['}
	add := func(raw []byte, value string) {
		if slices.Contains(seen, value) {
			return
		}
		seen = append(seen, value)
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, raw...)
	}
	for _, entry := range list.Array() {
		add([]byte(entry.Raw), entry.String())
	}
	for _, user := range more {
		add(text(user), string(user))
	}
	return append(out, ']'), nil
}
