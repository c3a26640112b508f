package pushers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// maxAnswer bounds what is read of the answer of a gateway, in bytes (GW-14).
const maxAnswer = 64 << 10

var (
	errGone       = errors.New("the pusher does not exist any more")
	errRejected   = errors.New("the gateway rejects the pushkey")
	errUnanswered = errors.New("the gateway does not answer")
)

// gatewayOf returns the host that a pusher's notices go to.
func gatewayOf(p Pusher) string {
	u, err := url.Parse(gjson.GetBytes(p.Data, "url").Str)
	if err != nil {
		return ""
	}
	return u.Host
}

// deliver pushes an event, unless that is not wanted any more.
func (s *Service) deliver(ctx context.Context, key store.PusherKey, n notice) error {
	room, err := s.Memory.Room(ctx, n.room)
	if errors.Is(err, store.ErrNotFound) { // it was deleted
		return nil
	}
	if err != nil {
		return err
	}
	m := message{scope: reader.NewScope(room, key.User), notice: n}
	if m.event, err = s.event(ctx, m.scope, n); err != nil || m.event == nil {
		return err
	}
	silent := false
	err = s.Memory.View(ctx, func(v store.View) (err error) {
		if m.pusher, err = v.Pusher(key); err != nil {
			return err
		}
		ignored, err := reader.Ignored(v, key.User)
		if err != nil {
			return err
		}
		read, err := s.Unread.HasRead(v, m.scope, m.event) // GW-14
		silent = !m.pusher.Enabled || ignored.Users[m.event.Sender] || read
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return errGone
	}
	if err != nil || silent {
		return err
	}
	return s.tell(ctx, &m)
}

// tellBadge pushes how much is unread, if that is less than what was pushed last, or
// nothing was pushed since the server has started (GW-8).
func (s *Service) tellBadge(ctx context.Context, key store.PusherKey) error {
	m := message{}
	err := s.Memory.View(ctx, func(v store.View) (err error) {
		m.pusher, err = v.Pusher(key)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return errGone
	}
	if err != nil || !m.pusher.Enabled {
		return err
	}
	return s.tell(ctx, &m)
}

// tell completes a message and sends it. A number that is known already is no news.
func (s *Service) tell(ctx context.Context, m *message) (err error) {
	key := m.pusher.PusherKey
	if m.unread, err = s.Unread.Total(ctx, key.User); err != nil {
		return err
	}
	if m.event == nil && s.told(key, m.unread) {
		return nil
	}
	if err := s.post(ctx, m.pusher, m.append(nil)); err != nil {
		return err
	}
	s.remember(key, m.unread)
	return nil
}

// told reports whether a number of unread events is no news for a pusher: reading
// makes it smaller, and an event that makes it larger comes with it.
func (s *Service) told(key store.PusherKey, total int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, ok := s.badges.Get(key)
	return ok && total >= last
}

// remember notes what a pusher was told last.
func (s *Service) remember(key store.PusherKey, total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.badges.Put(key, total)
}

// post sends a notification to the gateway of a pusher (GW-1). errRejected if the
// pusher has to go; errUnanswered if it is worth another try.
func (s *Service) post(ctx context.Context, p Pusher, body []byte) error {
	target := gjson.GetBytes(p.Data, "url").Str
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return errors.Join(errUnanswered, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return errors.Join(errUnanswered, err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return errors.Join(errUnanswered, err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%w with success: status %d", errUnanswered, resp.StatusCode)
	}
	if rejected := gjson.GetBytes(answer, "rejected"); rejected.IsArray() { // GW-10
		for _, key := range rejected.Array() {
			if key.Type == gjson.String && key.Str == p.Key {
				return errRejected
			}
		}
	}
	return nil
}
