package keys

import (
	"encoding/json"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// object is a key in canonical form.
type object []byte

// newObject brings a JSON object into the form that keys are kept in. name is
// what the client calls it.
func newObject(name string, raw json.RawMessage) (object, error) {
	b, err := events.CanonicalLoose(raw) // any number may stand in a key
	if err != nil {
		return nil, err
	}
	if b[0] != '{' {
		return nil, mxerr.BadJSON("%s must be an object", name)
	}
	return b, checkSize(name, b)
}

// checkSize refuses keys that are larger than anybody needs: others fetch them.
func checkSize(name string, key []byte) error {
	if len(key) > maxKey {
		return mxerr.TooLarge("%s may have at most %d bytes", name, maxKey)
	}
	return nil
}

// get returns a member; name is free of characters that mean something in paths.
func (o object) get(name string) gjson.Result { return gjson.GetBytes(o, name) }

// without returns the object without a member.
func (o object) without(name string) object {
	if !o.get(name).Exists() {
		return o
	}
	b, err := sjson.DeleteBytes(o, name)
	if err != nil { // not for a member of a valid object
		return o
	}
	return b
}

// content is what signatures cover, and what makes two keys the same.
func (o object) content() object { return o.without("signatures").without("unsigned") }

// sameKey reports whether two keys differ in nothing but signatures.
func sameKey(a, b object) bool { return string(a.content()) == string(b.content()) }

// signatures are the parts of the member of that name, by user and key ID.
type signatures map[string]map[string]json.RawMessage

// signatures returns what the object has under that name, in so far as it has
// the right shape.
func (o object) signatures() signatures {
	all := make(signatures)
	o.get("signatures").ForEach(func(user, byUser gjson.Result) bool {
		if !byUser.IsObject() {
			return true
		}
		all[user.String()] = make(map[string]json.RawMessage)
		byUser.ForEach(func(id, signature gjson.Result) bool {
			all[user.String()][id.String()] = json.RawMessage(signature.Raw)
			return true
		})
		return true
	})
	return all
}

// withSignatures returns the object with signatures added to those it has; of
// two with the same name the added one stays.
func (o object) withSignatures(added signatures) (object, error) {
	all := o.signatures()
	for user, byUser := range added {
		if all[user] == nil {
			all[user] = make(map[string]json.RawMessage)
		}
		for id, signature := range byUser {
			all[user][id] = signature
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	b, err := sjson.SetRawBytes(o, "signatures", text)
	if err != nil {
		return nil, err
	}
	return newObject("key", b)
}

// signedWith is one signature in the form of withSignatures.
func signedWith(user events.UserID, id, signature string) signatures {
	return signatures{string(user): {id: events.AppendString(nil, signature)}}
}

// publicKey returns the key itself from an object of keys by ID.
func (o object) publicKey(id string) (key string, ok bool) {
	o.get("keys").ForEach(func(k, v gjson.Result) bool {
		if k.String() == id && v.Type == gjson.String {
			key, ok = v.Str, true
		}
		return !ok
	})
	return key, ok
}
