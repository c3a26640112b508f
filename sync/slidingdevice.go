package sync

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// deviceNews is what is for the device of a request alone.
type deviceNews struct {
	counts   []byte
	claimed  bool // keys were claimed since the client was last told
	messages []json.RawMessage
	upTo     store.Pos // the device has all messages up to here
	stale    bool      // there are messages that it has acknowledged
}

// writeDevice writes what extensions tell the device: messages to it, and what it
// needs for end-to-end encryption (SLIDE-43, SLIDE-44).
func (s *slide) writeDevice(ctx context.Context) error {
	to := s.Extensions.ToDevice
	if to == nil && !s.Extensions.E2EE {
		return nil
	}
	since := store.Pos(0)
	if to != nil && to.Since != "" {
		var err error
		if since, err = reader.Position("extensions.to_device.since", to.Since, s.Memory.Position()); err != nil {
			return err
		}
	}
	news, err := s.readDevice(ctx, since)
	if err != nil {
		return err
	}
	if s.Extensions.E2EE {
		s.empty = s.empty && !news.claimed // KEYS-57
		if err := s.writeE2EE(ctx, news.counts); err != nil {
			return err
		}
	}
	if to == nil {
		return nil
	}
	if news.stale && since > 0 {
		if err := s.ToDevice.Acknowledge(ctx, s.User, s.Device, since); err != nil {
			return err
		}
	}
	s.empty = s.empty && news.messages == nil
	w := &s.out
	w.key("to_device")
	w.open('{')
	w.key("events")
	w.open('[')
	for _, m := range news.messages {
		w.raw(m)
	}
	w.close(']')
	w.key("next_batch")
	w.string(reader.Token(max(news.upTo, since)))
	w.close('}')
	return nil
}

// readDevice reads what is for the device, and messages after a position. The store
// is not asked if nothing can have changed.
func (s *slide) readDevice(ctx context.Context, since store.Pos) (news deviceNews, err error) {
	news.upTo = s.until
	if s.Device == "" {
		return news, nil
	}
	known, ok := s.memo.devices[s.Device]
	if ok && known.quiet && s.own <= s.since {
		news.counts = known.counts
		return news, nil
	}
	limit := maxMessages
	if to := s.Extensions.ToDevice; to != nil && to.Limit > 0 {
		limit = to.Limit
	}
	err = s.Memory.View(ctx, func(v store.View) (err error) {
		if _, err := v.Device(s.User, s.Device); errors.Is(err, store.ErrNotFound) { // DEV-20
			return mxerr.UnknownToken("the device has been deleted")
		} else if err != nil {
			return err
		}
		oneTime, unused, claimed, err := s.Keys.Counts(v, s.User, s.Device)
		if err != nil {
			return err
		}
		news.counts, news.claimed = renderCounts(oneTime, unused, unusedTypes), s.since < claimed && claimed <= s.until
		if s.Extensions.ToDevice != nil {
			news.messages, news.upTo, news.stale, err = s.ToDevice.Pending(v, s.User, s.Device, since, s.until, limit)
		}
		return err
	})
	if err == nil {
		quiet := s.Extensions.ToDevice != nil && news.messages == nil && !news.stale
		s.memo.keep(s.Device, deviceMemo{counts: news.counts, quiet: quiet})
		remembered := s.memo
		s.user.SetMemo(s.own, &remembered)
	}
	return news, err
}

// writeE2EE writes whose devices have changed since the client was last told, which
// it never is without a position, and what keys the device has left.
func (s *slide) writeE2EE(ctx context.Context, counts []byte) error {
	w := &s.out
	w.key("e2ee")
	w.open('{')
	since := s.to.devices
	if since == 0 {
		since = s.since
	}
	s.to.devices = s.until
	if !s.first {
		lists, err := s.deviceLists(ctx, s.user, s.own, since)
		if err != nil {
			return err
		}
		if w.deviceLists(lists) {
			s.empty = false
		}
	}
	if counts != nil {
		w.raw(counts)
	}
	w.close('}')
	return nil
}
