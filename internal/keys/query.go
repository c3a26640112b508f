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
	err := s.Store.View(ctx, func(v store.View) error { return q.read(v, users) })
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

	devices                           []byte
	masters, selfSigning, userSigning []byte
}

func (q *query) read(v store.View, users []events.UserID) error {
	known, err := v.ExistingUsers(users)
	if err != nil {
		return err
	}
	slices.Sort(known)
	rows, err := v.DeviceKeys(known)
	if err != nil {
		return err
	}
	q.devices = make([]byte, 0, len(rows)*1024+len(known)*64)
	byUser := make(map[events.UserID][]store.DeviceKey, len(known))
	for len(rows) > 0 {
		n := slices.IndexFunc(rows, func(k store.DeviceKey) bool { return k.User != rows[0].User })
		if n < 0 {
			n = len(rows)
		}
		byUser[rows[0].User], rows = rows[:n], rows[n:]
	}
	for _, user := range known { // KEYS-34: also those without keys
		q.addDevices(user, byUser[user])
	}
	return q.readCrossSigning(v, known)
}

// addDevices adds a user with the devices that are wanted (KEYS-33, KEYS-35).
func (q *query) addDevices(user events.UserID, keys []store.DeviceKey) {
	wanted := q.wanted[string(user)]
	q.devices = member(q.devices, string(user))
	q.devices = append(q.devices, '{')
	first := true
	for _, k := range keys {
		if len(wanted) > 0 && !slices.Contains(wanted, k.Device) {
			continue
		}
		if !first {
			q.devices = append(q.devices, ',')
		}
		first = false
		q.devices = append(events.AppendString(q.devices, k.Device), ':')
		q.devices = append(q.devices, k.JSON[:len(k.JSON)-1]...) // an object that is not empty
		q.devices = append(q.devices, `,"unsigned":{`...)
		if k.Name != "" {
			q.devices = append(q.devices, `"device_display_name":`...)
			q.devices = events.AppendString(q.devices, k.Name)
		}
		q.devices = append(q.devices, "}}"...)
	}
	q.devices = append(q.devices, '}')
}

// readCrossSigning adds the keys of users, those that sign other users only for
// the caller's own (KEYS-37), and the caller's signatures on them (XS-22).
func (q *query) readCrossSigning(v store.View, users []events.UserID) error {
	keys, err := v.CrossSigningKeys(users)
	if err != nil || len(keys) == 0 {
		return err
	}
	own, err := v.UserSignatures(q.caller, users)
	if err != nil {
		return err
	}
	bySigned := make(map[events.UserID][]store.UserSignature, len(own))
	for _, sig := range own {
		bySigned[sig.User] = append(bySigned[sig.User], sig)
	}
	for _, k := range keys {
		to := map[string]*[]byte{master: &q.masters, selfSigning: &q.selfSigning}[k.Usage]
		if k.Usage == userSigning && k.User == q.caller {
			to = &q.userSigning
		}
		if to == nil {
			continue
		}
		key := object(k.JSON)
		for _, sig := range bySigned[k.User] {
			if k.Usage != master || sig.Key != k.Public {
				continue // of an earlier key
			}
			if key, err = key.withSignatures(signedWith(sig.Signer, sig.SignerKey, sig.Signature)); err != nil {
				return err
			}
		}
		*to = append(member(*to, string(k.User)), key...)
	}
	return nil
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
	out := make([]byte, 0, len(q.devices)+len(q.masters)+len(q.selfSigning)+len(q.userSigning)+len(failed)+128)
	out = append(append(append(out, `{"device_keys":{`...), q.devices...), `},"failures":`...)
	out = append(out, failed...)
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
