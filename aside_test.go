package homeserver_test

import (
	"maps"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
)

// aside is what a client knows of a room beside its events.
type aside struct {
	data     map[string]string // account data by type
	receipts map[string]string // events by who has read them and how
	typing   string            // who types
}

func newAside() aside { return aside{data: map[string]string{}, receipts: map[string]string{}} }

func (a aside) clone() aside { return aside{maps.Clone(a.data), maps.Clone(a.receipts), a.typing} }

// keep takes over account data.
func (a *aside) keep(list gjson.Result) {
	for _, d := range list.Array() {
		a.data[d.Get("type").Str] = d.Get("content").Raw
	}
}

// hear takes over an ephemeral event.
func (a *aside) hear(e gjson.Result) {
	if e.Get("type").Str == "m.typing" {
		if a.typing = e.Get("content.user_ids").Raw; a.typing == "[]" {
			a.typing = ""
		}
		return
	}
	readReceipts(a.receipts, e)
}

// readReceipts takes over an m.receipt event.
func readReceipts(to map[string]string, e gjson.Result) {
	e.Get("content").ForEach(func(event, kinds gjson.Result) bool {
		kinds.ForEach(func(kind, users gjson.Result) bool {
			users.ForEach(func(user, about gjson.Result) bool {
				to[kind.Str+user.Str+about.Get("thread_id").Str] = event.Str
				return true
			})
			return true
		})
		return true
	})
}

// asideOf is what a section of a first sync tells.
func asideOf(section gjson.Result) aside {
	a := newAside()
	a.keep(section.Get("account_data.events"))
	for _, e := range section.Get("ephemeral.events").Array() {
		a.hear(e)
	}
	return a
}

// diff compares what the server says with what a client knows. Where somebody has read as much without a thread
// as with one, the latter is not told (RCPT-8).
func (a aside) diff(client aside) string {
	for _, receipts := range []map[string]string{a.receipts, client.receipts} {
		maps.DeleteFunc(receipts, func(key, _ string) bool {
			bare, threaded := strings.CutSuffix(key, "main")
			return threaded && receipts[bare] != ""
		})
	}
	return cmp.Diff([]any{a.data, a.receipts, a.typing}, []any{client.data, client.receipts, client.typing})
}
