package homeserver_test

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/png"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/uia"
)

// Every endpoint, in every version of it, refuses those who may not call it with the
// status and the errcode that the specification has for them, and serves the others, as
// testdata/callers.txt says (AUTH-1 to AUTH-8, ADM-5, ADM-7 to ADM-9, ERR-4 to ERR-7,
// GUEST-1 to GUEST-4, GUEST-7, CLIENTA-21, REFR-8, DEACT-3).
func TestCallers(t *testing.T) {
	t.Parallel()
	cast := newCast(t)
	lines, served, missing := readCallers(t), cast.hs.Endpoints(), homeserver.ReadLines(t, "testdata/endpoints-missing.txt")
	for _, e := range served {
		if !slices.ContainsFunc(lines, func(l callers) bool { return l.method == e[0] && fits(withVersionOf(l.path, e[1]), e[1]) }) {
			t.Errorf("testdata/callers.txt has no line for %s %s", e[0], e[1])
		}
	}
	for _, l := range lines {
		for _, e := range served {
			if path := withVersionOf(l.path, e[1]); l.method == e[0] && fits(path, e[1]) {
				l.paths = append(l.paths, path)
			}
		}
		if len(l.paths) == 0 && !slices.ContainsFunc(missing, func(operation string) bool { return fits(l.method+" "+l.path, operation) }) {
			t.Errorf("testdata/callers.txt has a line for what is not served: %s %s", l.method, l.path)
		} else if len(l.paths) == 0 {
			continue
		}
		cast.play(t, l)
	}
}

// callers is a line of testdata/callers.txt.
type callers struct {
	method, path, body string
	words              map[string]string
	paths              []string // the path in every version that is served
}

var callersLine = regexp.MustCompile(`^(\w+) +(\S+) +([^{]*)(\{.*\})?$`)

func readCallers(t *testing.T) (lines []callers) {
	t.Helper()
	known := strings.Fields("anyone optional user service guest locked acts admin outside ok other anonymous guests")
	for _, line := range homeserver.ReadLines(t, "testdata/callers.txt") {
		parts := callersLine.FindStringSubmatch(line)
		if parts == nil {
			t.Fatalf("a line that cannot be read: %s", line)
		}
		l := callers{method: parts[1], path: parts[2], body: parts[4], words: make(map[string]string)}
		for word := range strings.FieldsSeq(parts[3]) {
			name, value, _ := strings.Cut(word, "=")
			if l.words[name] = value; !slices.Contains(known, name) {
				t.Fatalf("an unknown word %q: %s", word, line)
			}
		}
		lines = append(lines, l)
	}
	return lines
}

func (l *callers) says(word string) bool {
	_, ok := l.words[word]
	return ok
}

// ok is what those get who may call.
func (l *callers) ok() string { return cmp.Or(l.words["ok"], "200") }

var version = regexp.MustCompile(`^(/_matrix/\w+/)(v1|v3|r0)/`)

// withVersionOf returns a path under the version of a template.
func withVersionOf(path, template string) string {
	if v := version.FindStringSubmatch(template); v != nil {
		return version.ReplaceAllString(path, "${1}"+v[2]+"/")
	}
	return path
}

// fits says whether a template may stand for a path.
func fits(path, template string) bool {
	path, _, _ = strings.Cut(path, "?")
	return slices.EqualFunc(strings.Split(path, "/"), strings.Split(template, "/"), func(is, want string) bool {
		return is == want || strings.HasPrefix(want, "{") && is != ""
	})
}

const isLocked = "401:M_USER_LOCKED:soft"

// cast is everybody who calls.
type cast struct {
	hs    *homeservertest.Server
	names int

	bob, other, irc *homeservertest.Client
	// strangers send tokens that are not good, and get this.
	strangers map[*homeservertest.Client]string
}

func newCast(t *testing.T) *cast {
	var clock atomic.Int64
	clock.Store(1_700_000_000_000)
	hs := homeservertest.New(t, homeserver.WithAppServices(ircBridge),
		homeserver.WithClock(func() time.Time { return time.UnixMilli(clock.Load()) }),
		homeserver.WithAccountRules(homeserver.AccountRules{Guests: true, LoginTokens: true}),
		homeserver.WithEmail(&sent{}, homeserver.Unasked),
		homeserver.WithSSO(homeserver.SSO{Providers: []uia.IdentityProvider{idp{uia.ProviderInfo{ID: "idp", Name: "IdP"}}}}))
	c := &cast{hs: hs, bob: hs.User(t, "bob"), other: hs.User(t, "other"), irc: hs.Anonymous()}
	c.irc.User, c.irc.Token = "@ircbot:example.org", ircBridge.Token
	none, wrong, expired, locked, gone := hs.Anonymous(), hs.Anonymous(), hs.Anonymous(), hs.User(t, "locked"), hs.User(t, "gone")
	wrong.Token = "hs_wrong"
	expired.Token = hs.Anonymous().Post(t, "/v3/register", `{"username":"expired","password":"x","refresh_token":true,"auth":{"type":"m.login.dummy"}}`).Get("access_token").Str
	clock.Add(30 * 24 * time.Hour.Milliseconds())
	if err := hs.SetLocked(t.Context(), locked.User, true); err != nil {
		t.Fatal(err)
	}
	if err := hs.Deactivate(t.Context(), gone.User, false); err != nil {
		t.Fatal(err)
	}
	if err := hs.AddAddress(t.Context(), c.bob.User, "email", "bob@example.org"); err != nil {
		t.Fatal(err)
	}
	c.strangers = map[*homeservertest.Client]string{
		none:    "401:M_MISSING_TOKEN",
		wrong:   "401:M_UNKNOWN_TOKEN",
		expired: "401:M_UNKNOWN_TOKEN:soft", // REFR-8
		locked:  isLocked,
		gone:    "401:M_UNKNOWN_TOKEN",
	}
	return c
}

// play lets everybody send the request of a line.
func (c *cast) play(t *testing.T, l callers) {
	owner := c.owner(t, l)
	fill := c.filling(t, l, owner)
	for _, path := range l.paths {
		at := l
		at.path = path
		for stranger, want := range c.strangers {
			switch {
			case l.says("anyone"):
				want, fill = l.ok(), c.filling(t, l, owner)
			case stranger.Token == "" && l.says("optional"):
				want, fill = cmp.Or(l.words["anonymous"], l.ok()), c.filling(t, l, c.owner(t, l))
			case want == isLocked && l.says("locked"):
				stranger, want = c.user(t), l.ok()
				c.must(t, c.hs.SetLocked(t.Context(), stranger.User, true))
			}
			c.try(t, "somebody", stranger, at, fill, want)
		}
	}
	guest, want := c.guest(t), "403:M_GUEST_ACCESS_FORBIDDEN"
	switch {
	case l.says("anyone"):
		want, fill = cmp.Or(l.words["guests"], l.ok()), c.filling(t, l, guest)
	case l.says("service"):
		want = "403:M_FORBIDDEN"
	case l.says("guest"):
		want, fill = cmp.Or(l.words["guests"], l.ok()), c.filling(t, l, guest)
	}
	c.try(t, "a guest", guest, l, fill, want)
	if l.says("anyone") {
		return
	}
	if !l.says("service") {
		lazy, want := c.owner(t, l), l.ok()
		filled := c.filling(t, l, lazy)
		filled(l.path + l.body) // before the account is suspended
		c.must(t, c.hs.SetSuspended(t.Context(), lazy.User, true))
		if l.says("acts") {
			want = "403:M_USER_SUSPENDED"
		}
		c.try(t, "somebody suspended", lazy, l, filled, want)
	}
	fill = c.filling(t, l, owner)
	if l.says("other") || strings.Contains(l.path, "{") {
		c.try(t, "another user", c.other, l, fill, cmp.Or(l.words["other"], l.ok()))
	}
	mark := "?"
	if strings.Contains(l.path, "?") {
		mark = "&"
	}
	l.path += mark + "access_token=" + owner.Token // AUTH-2, SRC-1; all others have it in the header, as AUTH-1 has it
	c.try(t, "the owner", c.hs.Anonymous(), l, fill, l.ok())
}

// try sends a request and compares the answer: the status, the errcode if there is
// one, and whether the session may go on later.
func (c *cast) try(t *testing.T, who string, client *homeservertest.Client, l callers, fill func(string) string, want string) {
	t.Helper()
	var body any
	if l.body != "" {
		body = fill(l.body)
	}
	answer := client.Do(t, l.method, fill(l.path), body)
	got := strconv.Itoa(answer.Status)
	if answer.Status >= 400 && gjson.ValidBytes(answer.Body) {
		if code := gjson.GetBytes(answer.Body, "errcode").Str; code != "" {
			got += ":" + code
			if gjson.GetBytes(answer.Body, "error").Str == "" { // ERR-1, SRC-4, CLIENTA-1
				got += " without a text"
			}
		}
		if gjson.GetBytes(answer.Body, "soft_logout").Bool() {
			got += ":soft"
		}
	}
	if got != want {
		t.Errorf("%s: %s %s: %d %.200s, want %s", who, l.method, l.path, answer.Status, answer.Body, want)
	}
}

func (c *cast) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// name returns one that nobody had.
func (c *cast) name() string {
	c.names++
	return "p" + strconv.Itoa(c.names)
}

func (c *cast) user(t *testing.T) *homeservertest.Client { return c.hs.User(t, c.name()) }

func (c *cast) guest(t *testing.T) *homeservertest.Client {
	answer, guest := c.bob.Post(t, "/v3/register?kind=guest", `{}`), c.hs.Anonymous()
	guest.User, guest.Device = events.UserID(answer.Get("user_id").Str), answer.Get("device_id").Str
	guest.Token = answer.Get("access_token").Str
	return guest
}

// owner returns somebody new who may send the request of a line.
func (c *cast) owner(t *testing.T, l callers) *homeservertest.Client {
	if l.says("service") {
		return c.irc
	}
	owner := c.user(t)
	if l.says("admin") {
		c.must(t, c.hs.SetAdmin(t.Context(), owner.User, true))
	}
	return owner
}

var inBraces = regexp.MustCompile(`\{\w+\}`)

// filling returns what puts something of the owner's in the place of each name in
// braces, the same one every time.
func (c *cast) filling(t *testing.T, l callers, owner *homeservertest.Client) func(string) string {
	made := make(map[string]string)
	var of func(name string) string
	room := func() events.RoomID { return events.RoomID(of("roomId")) }
	of = func(name string) string {
		if _, ok := made[name]; !ok {
			made[name] = c.make(t, l, name, owner, room)
		}
		return made[name]
	}
	return func(text string) string {
		return inBraces.ReplaceAllStringFunc(text, func(name string) string { return of(strings.Trim(name, "{}")) })
	}
}

func (c *cast) make(t *testing.T, l callers, name string, owner *homeservertest.Client, room func() events.RoomID) string {
	switch name {
	case "userId":
		return string(owner.User)
	case "deviceId":
		return owner.Device
	case "password":
		return homeservertest.Password
	case "auth":
		return fmt.Sprintf(`"auth":{"type":"m.login.password","identifier":{"type":"m.id.user","user":%q},"password":%q}`, owner.User, homeservertest.Password)
	case "newName":
		return c.name()
	case "newUser":
		return string(c.user(t).User)
	case "newAlias":
		return "%23" + c.name() + ":example.org"
	case "token":
		return owner.Get(t, "/v3/sync").Get("next_batch").Str
	case "refreshToken":
		return c.bob.Post(t, "/v3/login", fmt.Sprintf(`{"type":"m.login.password","user":"bob","password":%q,"refresh_token":true}`, homeservertest.Password)).Get("refresh_token").Str
	case "address":
		address := c.name() + "@example.org"
		c.must(t, c.hs.AddAddress(t.Context(), owner.User, "email", address))
		return address
	case "roomId", "knockRoom":
		rule := map[string]string{"roomId": "public", "knockRoom": "knock"}[name]
		room := c.bob.CreateRoom(t, `{"room_version":"11","preset":"private_chat","power_level_content_override":{"users":{"@bob:example.org":100,"`+string(owner.User)+`":50},"state_default":50,"events":{"m.room.tombstone":50}},
			"initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"`+rule+`"}}]}`)
		if !l.says("outside") {
			owner.Join(t, room)
		}
		return string(room)
	case "eventId":
		return string(owner.Say(t, room(), "hello"))
	case "hostEvent":
		return string(c.bob.Say(t, room(), "hello"))
	case "alias":
		alias := c.name()
		c.bob.Put(t, "/v3/directory/room/%23"+alias+":example.org", map[string]any{"room_id": room()})
		return "%23" + alias + ":example.org"
	case "member", "banned":
		member := c.user(t)
		member.Join(t, room())
		if name == "banned" {
			c.bob.Post(t, homeservertest.Path("/v3/rooms/{}/ban", room()), map[string]any{"user_id": member.User})
		}
		return string(member.User)
	case "filterId":
		return owner.Post(t, homeservertest.Path("/v3/user/{}/filter", owner.User), `{}`).Get("filter_id").Str
	case "ruleId":
		owner.Put(t, "/v3/pushrules/global/override/mine", `{"conditions":[],"actions":[]}`)
		return "mine"
	case "backup":
		return owner.Post(t, "/v3/room_keys/version", `{"algorithm":"m.megolm_backup.v1","auth_data":{}}`).Get("version").Str
	case "created":
		return lastOf(owner.Post(t, "/_matrix/media/v1/create", nil))
	case "media":
		var pixel bytes.Buffer
		c.must(t, png.Encode(&pixel, image.NewGray(image.Rect(0, 0, 1, 1))))
		return lastOf(c.bob.Post(t, "/_matrix/media/v3/upload", pixel.Bytes()))
	}
	t.Fatalf("nothing is made for {%s}", name)
	return ""
}

// lastOf returns the media ID of what was uploaded.
func lastOf(answer gjson.Result) string {
	uri := answer.Get("content_uri").Str
	return uri[strings.LastIndex(uri, "/")+1:]
}
