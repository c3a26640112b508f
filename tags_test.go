package homeserver_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/homeservertest"
)

func TestTags(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, nil)
	list := homeservertest.Path("/v3/user/{}/rooms/{}/tags", alice.User, room)
	tag := func(name string) string { return list + homeservertest.Path("/{}", name) }
	// synced is the m.tag of the next sync; nil if there is none.
	synced := func(t *testing.T) any {
		t.Helper()
		var content any
		for _, e := range homeservertest.Room(alice.Sync(t), "join", room).Get("account_data.events").Array() {
			if e.Get("type").Str == "m.tag" {
				if content != nil {
					t.Error("more than one m.tag")
				}
				content = e.Get("content").Value()
			}
		}
		return content
	}
	want := func(t *testing.T, tags string) {
		t.Helper()
		object := gjson.Parse(`{"tags":` + tags + `}`).Value()
		if diff := cmp.Diff(object, alice.Get(t, list).Value()); diff != "" { // TAG-1
			t.Errorf("GET: %s", diff)
		}
		if diff := cmp.Diff(object, synced(t)); diff != "" { // TAG-4
			t.Errorf("sync: %s", diff)
		}
	}

	if got := alice.Get(t, list).Raw; got != `{"tags":{}}` { // TAG-1
		t.Errorf("no tags: %s", got)
	}
	if got := synced(t); got != nil {
		t.Errorf("m.tag without tags: %v", got)
	}
	if got := alice.Put(t, tag("m.favourite"), `{"order": 0.25}`).Raw; got != `{}` { // TAG-2
		t.Errorf("body %s", got)
	}
	want(t, `{"m.favourite":{"order":0.25}}`)
	alice.Put(t, tag("u.work"), `{"order":1,"org.example.colour":{"deep":["blue"]}}`) // TAG-2: extra keys kept
	want(t, `{"m.favourite":{"order":0.25},"u.work":{"order":1,"org.example.colour":{"deep":["blue"]}}}`)
	alice.Put(t, tag("m.favourite"), `{}`)
	want(t, `{"m.favourite":{},"u.work":{"order":1,"org.example.colour":{"deep":["blue"]}}}`)
	if got := alice.MustDo(t, "DELETE", tag("u.work"), nil).Raw; got != `{}` { // TAG-2
		t.Errorf("body %s", got)
	}
	want(t, `{"m.favourite":{}}`)
	alice.MustDo(t, "DELETE", tag("m.favourite"), nil)
	want(t, `{}`)                                      // TAG-4: also when empty
	alice.MustDo(t, "DELETE", tag("m.favourite"), nil) // TAG-2: was not there
	if got := synced(t); got != nil {
		t.Errorf("m.tag although nothing changed: %v", got)
	}

	t.Run("names without namespace, and with every character", func(t *testing.T) { // TAG-3, TAG-5
		for _, name := range []string{"work", "m.lowpriority", "m.server_notice", "a.b|c*", "7", "ü/\\\"", strings.Repeat("x", 255)} {
			alice.Put(t, tag(name), `{"order":0}`)
			tags := alice.Get(t, list).Get("tags").Map()
			if tags[name].Raw != `{"order":0}` || len(tags) != 1 {
				t.Errorf("%q: tags %v", name, tags)
			}
			alice.MustDo(t, "DELETE", tag(name), nil)
		}
	})
	t.Run("what is malformed is 400", func(t *testing.T) { // TAG-2, TAG-3
		alice.Do(t, "PUT", tag(strings.Repeat("x", 256)), `{}`).WantError(400, "M_INVALID_PARAM")
		for _, order := range []string{"-0.1", "1.1", `"0.5"`, "null", "[]"} {
			alice.Do(t, "PUT", tag("u.x"), `{"order":`+order+`}`).WantError(400, "M_INVALID_PARAM")
		}
		alice.Do(t, "PUT", tag("u.x"), `[]`).WantError(400, "M_BAD_JSON")
		alice.Do(t, "PUT", tag("u.x"), `{"x":"`+strings.Repeat("x", 20<<10)+`"}`).WantError(413, "M_TOO_LARGE")
		alice.Do(t, "PUT", "/v3/user/@alice:example.org/rooms/room/tags/u.x", `{}`).WantError(400, "M_INVALID_PARAM")
	})
	t.Run("own user only", func(t *testing.T) { // TAG-3
		bob.Do(t, "GET", list, nil).WantError(403, "M_FORBIDDEN")
		bob.Do(t, "PUT", tag("u.x"), `{}`).WantError(403, "M_FORBIDDEN")
		bob.Do(t, "DELETE", tag("u.x"), nil).WantError(403, "M_FORBIDDEN")
	})
	t.Run("the account data may be written directly, and be anything", func(t *testing.T) { // TAG-4
		path := homeservertest.Path("/v3/user/{}/rooms/{}/account_data/m.tag", alice.User, room)
		for content, tags := range map[string]string{
			`{"tags":{"u.a":{"order":0.5},"u.b":7}}`: `{"u.a":{"order":0.5}}`,
			`{"tags":["u.a"]}`:                       `{}`,
			`{"tags":7}`:                             `{}`,
			`{}`:                                     `{}`,
		} {
			alice.Put(t, path, content)
			if got := alice.Get(t, list).Get("tags").Raw; got != tags {
				t.Errorf("%s: tags %s", content, got)
			}
		}
	})
	t.Run("tags are bounded together", func(t *testing.T) {
		full := false
		for i := range 10 {
			answer := alice.Do(t, "PUT", tag("u."+strings.Repeat("x", i)), `{"x":"`+strings.Repeat("x", 10<<10)+`"}`)
			if full = answer.Status == 413; full {
				answer.WantError(413, "M_TOO_LARGE")
				break
			}
		}
		if !full {
			t.Error("100 KiB of tags were taken")
		}
		alice.MustDo(t, "DELETE", tag("u."), nil)
	})
}
