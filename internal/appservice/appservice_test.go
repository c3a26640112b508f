package appservice

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
)

// bridge returns a registration that is sound, changed.
func bridge(change func(*Registration)) Registration {
	r := Registration{
		ID: "irc", URL: "http://127.0.0.1:9000", Token: "as", ServerToken: "hs", Sender: "ircbot",
		Users: []Namespace{{Regex: "@irc_", Exclusive: true}},
	}
	if change != nil {
		change(&r)
	}
	return r
}

// AS-1, AS-2: what is missing, malformed or there twice is refused.
func TestNew(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		second Registration
		fault  string // "": none
	}{
		"ASC-1: url is null":            {bridge(func(r *Registration) { r.ID, r.Token, r.URL = "b", "b", "" }), ""},
		"ASC-2: two with one ID":        {bridge(func(r *Registration) { r.Token = "b" }), `"irc": another one has the same ID`},
		"ASC-2: two with one as_token":  {bridge(func(r *Registration) { r.ID = "b" }), `"b": another one has the same token`},
		"ASC-1: id":                     {bridge(func(r *Registration) { r.ID = "" }), "ID is missing"},
		"ASC-1: as_token":               {bridge(func(r *Registration) { r.ID, r.Token = "b", "" }), "as_token is missing"},
		"ASC-1: hs_token":               {bridge(func(r *Registration) { r.ID, r.ServerToken = "b", "a b" }), "hs_token is missing, or"},
		"ASC-1: url is relative":        {bridge(func(r *Registration) { r.ID, r.URL = "b", "127.0.0.1:9000" }), "not an absolute"},
		"ASC-1: url is of another kind": {bridge(func(r *Registration) { r.ID, r.URL = "b", "ftp://example.org" }), "not an absolute"},
		"ASC-1: sender_localpart":       {bridge(func(r *Registration) { r.ID, r.Sender = "b", "@ircbot:example.org" }), "no localpart"},
		"ASC-2: regex of users":         {bridge(func(r *Registration) { r.ID, r.Users[0].Regex = "b", "(" }), "users: error parsing regexp"},
		"ASC-2: parts of a regex":       {bridge(func(r *Registration) { r.ID, r.Users[0].Regex = "b", "a)|(b" }), "users: error parsing regexp"},
		"ASC-2: regex of aliases":       {bridge(func(r *Registration) { r.ID, r.Aliases = "b", []Namespace{{Regex: "["}} }), "aliases: error parsing regexp"},
		"ASC-2: regex of rooms":         {bridge(func(r *Registration) { r.ID, r.Rooms = "b", []Namespace{{}} }), "rooms: an expression is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New("example.org", []Registration{bridge(nil), tt.second})
			if tt.fault == "" && err != nil || tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)) {
				t.Errorf("%v, want %q", err, tt.fault)
			}
			if err != nil && (strings.Contains(err.Error(), "as_token\"") || strings.Contains(err.Error(), "a b")) {
				t.Errorf("the error has a secret: %v", err)
			}
		})
	}
	_, err := New("example.org", []Registration{bridge(func(r *Registration) { r.ID, r.Token = "", "" }), bridge(func(r *Registration) { r.Sender = "" })})
	for _, part := range []string{"ID is missing", "as_token is missing", "no localpart"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("all faults are told at once: %v", err)
		}
	}
}

// Expressions are matched with the beginning of the whole ID of a local user (ASC-2,
// AS-3).
func TestOwns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		regex, user string
		want        bool
	}{
		{`@irc_.*`, "@irc_bob:example.org", true},
		{`@irc_.*:example\.org`, "@irc_bob:example.org", true},
		{`^@irc_.*:example\.org$`, "@irc_bob:example.org", true},
		{`@irc_[a-z]+`, "@irc_bob:example.org", true}, // the beginning will do
		{`@irc_.*`, "@irc_bob:elsewhere.org", false},
		{`irc_.*`, "@irc_bob:example.org", false}, // the sigil is part of the ID
		{`@irc_`, "@my@irc_bob:example.org", false},
		{`x|@irc_`, "@irc_bob:example.org", true},
		{`x|irc_`, "@irc_bob:example.org", false}, // the beginning binds all branches
		{`@irc_[[:digit:]]{2}:`, "@irc_12:example.org", true},
		{`@irc_[[:digit:]]{2}:`, "@irc_123:example.org", false},
		{`@irc_\d+:`, "@irc_12:example.org", true}, // beyond POSIX, and in use
		{`@none`, "@ircbot:example.org", true},     // the sender
		{`@none`, "@ircbot:elsewhere.org", false},
	} {
		r, err := New("example.org", []Registration{bridge(func(r *Registration) { r.Users[0].Regex = tt.regex })})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.ByID("irc").Owns(events.UserID(tt.user)); got != tt.want {
			t.Errorf("%s owns %s: %v", tt.regex, tt.user, got)
		}
	}
}

// Whatever is asked of a registry without services, nobody is kept from anything.
func TestNoServices(t *testing.T) {
	t.Parallel()
	empty, err := New("example.org", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Registry{nil, empty} {
		if r.ByToken("x") != nil || r.ByToken("") != nil || r.ByID("") != nil || len(r.All()) > 0 {
			t.Error("there is a service")
		}
		if !r.MayCreateUser("", "@irc_bob:example.org") || !r.MayCreateAlias("", "#irc:example.org") || !r.MayDeleteAlias("", "#irc:example.org") {
			t.Error("somebody is refused")
		}
	}
}

func TestByToken(t *testing.T) {
	t.Parallel()
	r, err := New("example.org", []Registration{bridge(nil), bridge(func(r *Registration) { r.ID, r.Token = "b", "as2" })})
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]string{"as": "irc", "as2": "b", "": "", "a": "", "as3": "", "hs": ""} {
		got := ""
		if s := r.ByToken(token); s != nil {
			got = s.ID
		}
		if got != want {
			t.Errorf("%q is of %q, want %q", token, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	const whole = `
id: telegram
url: http://localhost:29317
as_token: as-secret
hs_token: hs-secret
sender_localpart: telegrambot
rate_limited: false
protocols: [telegram]
receive_ephemeral: true
io.element.msc4190: true
namespaces:
    users:
        - {regex: '^@telegram_.*:example\.org$', exclusive: true}
        - {regex: '^@shared_.*$', exclusive: false}
    aliases:
        - {regex: '^#telegram_.*:example\.org$', exclusive: true}
    rooms: []
`
	got, err := Parse([]byte(whole)) // ASC-1, AS-1, AS-3
	want := Registration{
		ID: "telegram", URL: "http://localhost:29317", Token: "as-secret", ServerToken: "hs-secret", Sender: "telegrambot",
		Users:     []Namespace{{`^@telegram_.*:example\.org$`, true}, {`^@shared_.*$`, false}},
		Aliases:   []Namespace{{`^#telegram_.*:example\.org$`, true}},
		Unlimited: true, Protocols: []string{"telegram"}, Ephemeral: true,
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := New("example.org", []Registration{got}); err != nil {
		t.Error(err)
	}

	for name, tt := range map[string]struct{ content, fault string }{
		"ASC-1, AS-1, AS-3: url is null, lists are absent, rate_limited is true by default, receive_ephemeral is not": {"id: a\nurl: null\nnamespaces: {}", ""},
		"ASC-1: url is absent":         {"id: a\nnamespaces: {}", "url is missing"},
		"ASC-1: namespaces are absent": {"id: a\nurl:\n", "namespaces is missing"},
		"AS-3: regex is absent":        {"url:\nnamespaces: {users: [{exclusive: true}]}", "namespaces.users[0] needs both"},
		"AS-3: exclusive is absent":    {"url:\nnamespaces: {aliases: [{regex: a, exclusive: true}, {regex: a}]}", "namespaces.aliases[1] needs both"},
		"rooms, too":                   {"url:\nnamespaces: {rooms: [{}]}", "namespaces.rooms[0] needs both"},
		"no YAML":                      {"id: [", "yaml: "},
		"a list":                       {"- id: a", "cannot unmarshal"},
		"url is a list":                {"url: [a]\nnamespaces: {}", "cannot unmarshal"},
		"too large":                    {strings.Repeat("#", 2<<20), "more than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse([]byte(tt.content))
			if tt.fault == "" && (err != nil || got.URL != "" || got.Unlimited || got.Ephemeral) {
				t.Errorf("%+v %v", got, err)
			}
			if tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)) {
				t.Errorf("%v, want %q", err, tt.fault)
			}
		})
	}
}
