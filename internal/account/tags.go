package account

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// typeTag is the account data of a room that holds the user's tags of it (TAG-4).
const typeTag = "m.tag"

const (
	maxTagName = 255
	// maxTags bounds the tags of one room in bytes: they are sent whole whenever
	// one of them changes.
	maxTags = 64 << 10
)

// Tags returns how a user has tagged a room, as an object of objects by name
// (TAG-1).
func (s *Service) Tags(ctx context.Context, user events.UserID, room events.RoomID) (json.RawMessage, error) {
	var tags []byte
	err := s.Store.View(ctx, func(v store.View) error {
		content, err := tagContent(v, user, room)
		tags = withTag(content, "", nil)
		return err
	})
	return tags, err
}

// SetTag tags a room for a user, with whatever the JSON object says: order, if it
// is there, is a number from 0 to 1 (TAG-2, TAG-3).
func (s *Service) SetTag(ctx context.Context, user events.UserID, room events.RoomID, tag string, content json.RawMessage) error {
	if len(tag) > maxTagName {
		return mxerr.InvalidParam("tag", "may have at most %d bytes", maxTagName)
	}
	if order := gjson.GetBytes(content, "order"); order.Exists() && (order.Type != gjson.Number || order.Num < 0 || order.Num > 1) {
		return mxerr.InvalidParam("order", "must be a number from 0 to 1")
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, content); err != nil {
		return mxerr.NotJSON("the body is not JSON").Because(err)
	}
	return s.changeTags(ctx, user, room, tag, compact.Bytes())
}

// DeleteTag takes a tag from a room for a user; one that is not there is no error
// (TAG-2).
func (s *Service) DeleteTag(ctx context.Context, user events.UserID, room events.RoomID, tag string) error {
	return s.changeTags(ctx, user, room, tag, nil)
}

// changeTags sets a tag, or removes it if value is nil. The account data is
// written whole, also when no tag is left (TAG-4).
func (s *Service) changeTags(ctx context.Context, user events.UserID, room events.RoomID, tag string, value []byte) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		content, err := tagContent(tx, user, room)
		if err != nil {
			return err
		}
		changed := withTag(content, tag, value)
		switch {
		case bytes.Equal(changed, withTag(content, "", nil)):
			return nil
		case value != nil && len(changed) > maxTags:
			return mxerr.TooLarge("the tags of a room may have at most %d bytes", maxTags)
		}
		return s.putAccountDatum(tx, user, room, typeTag, changed)
	})
}

func tagContent(v store.View, user events.UserID, room events.RoomID) ([]byte, error) {
	datum, err := v.AccountDatum(user, room, typeTag)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return datum.Content, err
}

// withTag returns the content of m.tag with one tag set, or removed if value is
// nil. Clients can write the content as they like: what is malformed in it is
// dropped.
func withTag(content []byte, tag string, value []byte) []byte {
	out := []byte(`{"tags":{`)
	add := func(name string, value []byte) {
		if out[len(out)-1] != '{' {
			out = append(out, ',')
		}
		out = append(append(events.AppendString(out, name), ':'), value...)
	}
	gjson.GetBytes(content, "tags").ForEach(func(name, old gjson.Result) bool {
		if name.Type == gjson.String && old.IsObject() && name.Str != tag {
			add(name.Str, []byte(old.Raw))
		}
		return true
	})
	if value != nil {
		add(tag, value)
	}
	return append(out, "}}"...)
}
