package keys

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/devicelist"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// Query returns the keys of users and of their devices, those named or, with
// none named, all, as the body of /keys/query (KEYS-30 to KEYS-41). Users whom
// nobody here knows are left out; those of other servers are failures.
func (s *Service) Query(ctx context.Context, caller events.UserID, wanted map[string][]string) (json.RawMessage, error) {
	if len(wanted) > maxQueried {
		return nil, mxerr.TooLarge("at most %d users may be asked for at once", maxQueried)
	}
	users, failures := s.local(maps.Keys(wanted))
	q := query{caller: caller, wanted: wanted}
	err := s.Store.View(ctx, func(v store.View) error { return q.read(v, users, &s.memory) })
	if err != nil {
		return nil, err
	}
	return q.answer(failures)
}

// local returns the users of this server in order, and the others' servers with
// what they fail for (KEYS-39). What is no user ID is neither.
func (s *Service) local(ids func(func(string) bool)) (users []events.UserID, failures map[string]*mxerr.Error) {
	failures = make(map[string]*mxerr.Error)
	for id := range ids {
		switch user := events.UserID(id); {
		case !strings.HasPrefix(id, "@") || user.Server() == "":
		case user.Server() == s.Server:
			users = append(users, user)
		default:
			failures[string(user.Server())] = mxerr.Unknown("this server does not talk to others")
		}
	}
	slices.Sort(users)
	return users, failures
}

// query is an answer in the making: for each section the members so far.
type query struct {
	caller events.UserID
	wanted map[string][]string

	out                               []byte // the answer, so far with the devices
	masters, selfSigning, userSigning []byte
}

func (q *query) read(v store.View, users []events.UserID, memory *memory) error {
	all, err := memory.published(v, users)
	if err != nil {
		return err
	}
	signed, err := v.UserSignatures(q.caller, users)
	if err != nil {
		return err
	}
	size := 4096 // for what is around the keys
	for _, p := range all {
		size += p.size
	}
	q.out = append(make([]byte, 0, size), `{"device_keys":{`...)
	for _, user := range users {
		p := all[user]
		if p == nil {
			continue
		}
		q.addDevices(user, p)
		if p.master != nil {
			key, err := withOwnSignatures(p, user, signed)
			if err != nil {
				return err
			}
			q.masters = append(member(q.masters, string(user)), key...)
		}
		if p.selfSigning != nil {
			q.selfSigning = append(member(q.selfSigning, string(user)), p.selfSigning...)
		}
	}
	return q.addUserSigning(v, all[q.caller] != nil)
}

// addDevices adds a user with the devices that are wanted (KEYS-33, KEYS-34).
func (q *query) addDevices(user events.UserID, p *published) {
	wanted := q.wanted[string(user)]
	if q.out[len(q.out)-1] != '{' {
		q.out = append(q.out, ',')
	}
	q.out = append(events.AppendString(q.out, string(user)), ":{"...)
	first := true
	for _, d := range p.devices {
		if len(wanted) > 0 && !slices.Contains(wanted, d.id) {
			continue
		}
		if !first {
			q.out = append(q.out, ',')
		}
		first = false
		q.out = append(append(events.AppendString(q.out, d.id), ':'), d.json...)
	}
	q.out = append(q.out, '}')
}

// withOwnSignatures returns a user's master key with the caller's signatures on
// it, which nobody else sees (XS-22, XS-23).
func withOwnSignatures(p *published, user events.UserID, signed []store.UserSignature) (object, error) {
	key := p.master
	var err error
	for _, sig := range signed {
		if sig.User != user || sig.Key != p.masterKey { // that is about an earlier key
			continue
		}
		if key, err = key.withSignatures(signedWith(sig.Signer, sig.SignerKey, sig.Signature)); err != nil {
			return nil, err
		}
	}
	return key, nil
}

// addUserSigning adds the key that signs other users, which only its owner sees
// (KEYS-37).
func (q *query) addUserSigning(v store.View, own bool) error {
	if !own {
		return nil
	}
	keys, err := v.CrossSigningKeys([]events.UserID{q.caller})
	for _, k := range keys {
		if k.Usage == userSigning {
			q.userSigning = append(member(q.userSigning, string(k.User)), k.JSON...)
		}
	}
	return err
}

// member appends the name of a further member of an object.
func member(dst []byte, name string) []byte {
	if len(dst) > 0 {
		dst = append(dst, ',')
	}
	return append(events.AppendString(dst, name), ':')
}

func (q *query) answer(failures map[string]*mxerr.Error) (json.RawMessage, error) {
	failed, err := failureText(failures)
	if err != nil {
		return nil, err
	}
	out := append(append(q.out, `},"failures":`...), failed...)
	for _, section := range []struct {
		name string
		text []byte
	}{{"master_keys", q.masters}, {"self_signing_keys", q.selfSigning}, {"user_signing_keys", q.userSigning}} {
		out = append(append(append(out, `,"`...), section.name...), `":{`...)
		out = append(append(out, section.text...), '}')
	}
	return append(out, '}'), nil
}

// failureText is the JSON of failures, each as the error it is.
func failureText[K ~string](failures map[K]*mxerr.Error) (json.RawMessage, error) {
	texts := make(map[K]json.RawMessage, len(failures))
	for name, failure := range failures {
		_, texts[name] = failure.MatrixResponse()
	}
	return json.Marshal(texts)
}

// Changes returns whose devices are to be fetched anew since a token of /sync,
// and who need not be followed any more (KEYS-60 to KEYS-62). What has changed
// after the other token is included (KEYS-61).
func (s *Service) Changes(ctx context.Context, user events.UserID, from, to string) (changes devicelist.Changes, err error) {
	since, err := reader.Position("from", from, s.Store.Position())
	if err == nil && to != "" {
		_, err = reader.Position("to", to, s.Store.Position())
	}
	if err != nil {
		return changes, err
	}
	err = s.Store.View(ctx, func(v store.View) error {
		rooms, err := devicelist.Rooms(v, user, since)
		if err != nil {
			return err
		}
		changes, err = devicelist.Since(v, user, since, rooms)
		return err
	})
	return changes, err
}
