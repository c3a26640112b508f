package api

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

const pushRules = "/_matrix/client/v3/pushrules"

// rulePath is the path of a rule, percent-encoded.
func rulePath(kind, id string) string {
	return pushRules + "/global/" + kind + "/" + url.PathEscape(id)
}

// ruleIDs lists the rules of a kind in their order.
func ruleIDs(s *server, token, kind string) string {
	var ids []string
	for _, id := range gjson.GetBytes(do(s, "GET", pushRules+"/", token, "").Body.Bytes(), "global."+kind+".#.rule_id").Array() {
		ids = append(ids, id.Str)
	}
	return strings.Join(ids, " ")
}

// RULE-1, RULE-2, RULE-3, RULE-22, CLIENTC-3: the rules of a user who has changed nothing, from all sides.
func TestGetPushRules(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	for _, base := range []string{pushRules, "/_matrix/client/r0/pushrules"} {
		all := do(s, "GET", base+"/", token, "")
		want(t, all, 200, "")
		var kinds []string
		global := gjson.GetBytes(all.Body.Bytes(), "global")
		global.ForEach(func(kind, rules gjson.Result) bool {
			kinds = append(kinds, fmt.Sprintf("%s:%d", kind.Str, len(rules.Array())))
			w := do(s, "GET", base+"/global/"+kind.Str+"/", token, "") // RULE-3
			if w.Code != 200 || w.Body.String() != rules.Raw {
				t.Errorf("%s: %d %s, want %s", kind.Str, w.Code, w.Body, rules.Raw)
			}
			return true
		})
		if got := strings.Join(kinds, " "); got != "override:12 content:1 room:0 sender:0 underride:5" {
			t.Errorf("kinds %s", got)
		}
		wantJSON(t, do(s, "GET", base+"/global/", token, ""), 200, global.Raw) // RULE-2
		wantJSON(t, do(s, "GET", aliceData+"/account_data/m.push_rules", token, ""), 200, all.Body.String())
	}
	wantJSON(t, do(s, "GET", rulePath("override", ".m.rule.invite_for_me"), token, ""), 200, `{
		"rule_id":".m.rule.invite_for_me","default":true,"enabled":true,"conditions":[
			{"kind":"event_match","key":"type","pattern":"m.room.member"},{"kind":"event_match","key":"content.membership","pattern":"invite"},
			{"kind":"event_match","key":"state_key","pattern":"@alice:example.org"}],
		"actions":["notify",{"set_tweak":"sound","value":"default"}]}`) // RULE-4
}

// RULE-4, RULE-5, RULE-7, RULE-8, RULE-13: rules of all kinds are set, read, replaced and deleted.
func TestPushRules(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	for _, tt := range []struct{ kind, id, body, reads string }{
		{"room", "#spam:example.com", `{"actions":["notify"]}`, `"actions":["notify"]`},
		{"sender", "@bob:example.com", `{"actions":["notify"],"conditions":[{}]}`, `"actions":["notify"]`}, // RULE-7
		{"content", "my_content_rule", `{"actions":[],"pattern":"my*"}`, `"actions":[],"pattern":"my*"`},
		{"override", "!a:b @c #d:e ü 日😀%41 ?&+", `{"actions":["notify"],"conditions":[{"kind":"event_match","key":"content.msgtype","pattern":"m.notice"}]}`,
			`"actions":["notify"],"conditions":[{"kind":"event_match","key":"content.msgtype","pattern":"m.notice"}]`}, // RULE-8
		{"underride", "my_underride_rule", `{"actions":["notify"]}`, `"actions":["notify"],"conditions":[]`},
	} {
		path := rulePath(tt.kind, tt.id)
		read := fmt.Sprintf(`{"rule_id":%q,"default":false,"enabled":true,%s}`, tt.id, tt.reads)
		want(t, do(s, "GET", path, token, ""), 404, mxerr.MNotFound)
		wantJSON(t, do(s, "PUT", path, token, tt.body), 200, `{}`)
		wantJSON(t, do(s, "GET", path, token, ""), 200, read)
		wantJSON(t, do(s, "PUT", path, token, tt.body), 200, `{}`)
		wantJSON(t, do(s, "GET", path, token, ""), 200, read)
		wantJSON(t, do(s, "DELETE", path, token, ""), 200, `{}`)
		want(t, do(s, "GET", path, token, ""), 404, mxerr.MNotFound)
		want(t, do(s, "DELETE", path, token, ""), 404, mxerr.MNotFound) // RULE-13
	}
	if got := ruleIDs(s, token, "room"); got != "" {
		t.Errorf("left: %s", got)
	}
}

// RULE-9, RULE-10, RULE-11: where rules go.
func TestPushRuleOrder(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token, bob := s.signUp(t, "alice"), s.signUp(t, "bob")
	for _, step := range []struct{ id, query, want string }{
		{"#a:x", "", "#a:x"},
		{"#b:x", "", "#b:x #a:x"}, // RULE-10
		{"#c:x", "?after=%23a:x", "#b:x #a:x #c:x"},
		{"#d:x", "?before=%23a%3Ax", "#b:x #d:x #a:x #c:x"},
		{"#e:x", "?before=%23c:x&after=%23b:x", "#b:x #d:x #a:x #e:x #c:x"},  // RULE-11: before decides
		{"#c:x", "", "#b:x #d:x #a:x #e:x #c:x"},                             // RULE-10: keeps its place
		{"#c:x", "?before=%23b:x", "#c:x #b:x #d:x #a:x #e:x"},               // moves
		{"#f:x", "?before=&after=", "#f:x #c:x #b:x #d:x #a:x #e:x"},         // which name no rule
		{"#f:x", "?before=%23d:x&after=zz", "#c:x #b:x #f:x #d:x #a:x #e:x"}, // after is not looked at
	} {
		wantJSON(t, do(s, "PUT", rulePath("room", step.id)+step.query, token, `{"actions":[]}`), 200, `{}`)
		if got := ruleIDs(s, token, "room"); got != step.want {
			t.Fatalf("%s%s: %s, want %s", step.id, step.query, got, step.want)
		}
	}
	wantJSON(t, do(s, "PUT", rulePath("sender", "#a:x"), token, `{"actions":["notify"]}`), 200, `{}`) // RULE-9
	wantJSON(t, do(s, "PUT", rulePath("override", "o"), token, `{"actions":[]}`), 200, `{}`)
	if got := ruleIDs(s, token, "override"); !strings.HasPrefix(got, ".m.rule.master o .m.rule.suppress_notices ") {
		t.Errorf("overrides %s", got)
	}
	wantJSON(t, do(s, "GET", rulePath("room", "#a:x")+"/actions", token, ""), 200, `{"actions":[]}`)
	wantJSON(t, do(s, "GET", rulePath("sender", "#a:x")+"/actions", token, ""), 200, `{"actions":["notify"]}`)
	if got := ruleIDs(s, bob, "room"); got != "" {
		t.Errorf("bob has %s", got)
	}
}

// RULE-10, RULE-14, RULE-15, RULE-18: settings of the user's own and of server-default rules.
func TestPushRuleSettings(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	want(t, do(s, "PUT", rulePath("sender", "@bob:example.com"), token, `{"actions":["notify"]}`), 200, "")
	all := map[string][]string{"sender": {"@bob:example.com"}}
	for _, kind := range []string{"override", "content", "underride"} {
		all[kind] = strings.Fields(ruleIDs(s, token, kind))
	}
	for kind, ids := range all {
		for _, id := range ids {
			path := rulePath(kind, id)
			for _, enabled := range []string{"true", "false", "true"} {
				wantJSON(t, do(s, "PUT", path+"/enabled", token, `{"enabled":`+enabled+`}`), 200, `{}`)
				wantJSON(t, do(s, "GET", path+"/enabled", token, ""), 200, `{"enabled":`+enabled+`}`)
			}
			wantJSON(t, do(s, "PUT", path+"/enabled", token, ` false`), 200, `{}`) // RULE-15
			wantJSON(t, do(s, "GET", path+"/enabled", token, ""), 200, `{"enabled":false}`)
			wantJSON(t, do(s, "PUT", path+"/actions", token, `{"actions":[ "dont_notify" ]}`), 200, `{}`)
			wantJSON(t, do(s, "GET", path+"/actions", token, ""), 200, `{"actions":["dont_notify"]}`) // RULE-18
			read := do(s, "GET", path, token, "").Body.Bytes()
			if gjson.GetBytes(read, "enabled").Raw != "false" || gjson.GetBytes(read, "actions").Raw != `["dont_notify"]` ||
				gjson.GetBytes(read, "default").Bool() == (kind == "sender") {
				t.Errorf("%s", read)
			}
		}
	}
	want(t, do(s, "PUT", rulePath("sender", "@bob:example.com"), token, `{"actions":["coalesce"],"enabled":true}`), 200, "")
	wantJSON(t, do(s, "GET", rulePath("sender", "@bob:example.com"), token, ""), 200,
		`{"rule_id":"@bob:example.com","default":false,"enabled":false,"actions":["coalesce"]}`) // RULE-10
}

// What is refused, and that it changes nothing: RULE-2, RULE-4, RULE-6, RULE-8, RULE-12 to RULE-14, RULE-16, RULE-17, RULE-19, RULE-22.
func TestPushRuleRefusals(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) { c.Guests = true })
	token := s.signUp(t, "alice")
	guest := field(do(s, "POST", "/_matrix/client/v3/register?kind=guest", "", `{}`), "access_token")
	want(t, do(s, "PUT", pushRules+"/global/override/own", token, `{"actions":[]}`), 200, "")
	want(t, do(s, "PUT", pushRules+"/global/room/!r:x", token, `{"actions":[]}`), 200, "")
	before, wakes := do(s, "GET", pushRules+"/", token, "").Body.String(), len(s.wakes)

	const room, own, master = "/global/room/!x:x", "/global/override/own", "/global/override/.m.rule.master"
	for name, test := range map[string]struct {
		method, path, token, body string
		status                    int
		code                      mxerr.Code
	}{
		"no token":                         {"GET", "/", "", ``, 401, mxerr.MMissingToken},
		"no token, global":                 {"GET", "/global/", "", ``, 401, mxerr.MMissingToken},
		"no token, kind":                   {"GET", "/global/room/", "", ``, 401, mxerr.MMissingToken},
		"no token, rule":                   {"GET", own, "", ``, 401, mxerr.MMissingToken},
		"no token, set":                    {"PUT", room, "", `{"actions":[]}`, 401, mxerr.MMissingToken},
		"no token, delete":                 {"DELETE", own, "", ``, 401, mxerr.MMissingToken},
		"no token, enabled":                {"GET", own + "/enabled", "", ``, 401, mxerr.MMissingToken},
		"no token, set enabled":            {"PUT", own + "/enabled", "", `{"enabled":false}`, 401, mxerr.MMissingToken},
		"no token, actions":                {"GET", own + "/actions", "", ``, 401, mxerr.MMissingToken},
		"no token, set actions":            {"PUT", own + "/actions", "", `{"actions":[]}`, 401, mxerr.MMissingToken},
		"wrong token":                      {"GET", "/", "wrong", ``, 401, mxerr.MUnknownToken},
		"GUEST-1 read":                     {"GET", "/", guest, ``, 403, mxerr.MGuestAccessForbidden},
		"GUEST-1 set":                      {"PUT", room, guest, `{"actions":[]}`, 403, mxerr.MGuestAccessForbidden},
		"RULE-2 no slash":                  {"GET", "", token, ``, 404, mxerr.MUnrecognized},
		"RULE-2 global without slash":      {"GET", "/global", token, ``, 404, mxerr.MUnrecognized},
		"RULE-3 kind without slash":        {"GET", "/global/room", token, ``, 404, mxerr.MUnrecognized},
		"RULE-4 unknown rule":              {"GET", "/global/override/not_a_rule_id", token, ``, 404, mxerr.MNotFound},
		"RULE-4 rule of another kind":      {"GET", "/global/underride/own", token, ``, 404, mxerr.MNotFound},
		"RULE-6 no actions":                {"PUT", room, token, `{}`, 400, mxerr.MMissingParam},
		"RULE-6 actions no array":          {"PUT", room, token, `{"actions":"notify"}`, 400, mxerr.MBadJSON},
		"RULE-6 no pattern":                {"PUT", "/global/content/x", token, `{"actions":[]}`, 400, mxerr.MMissingParam},
		"RULE-6 pattern no string":         {"PUT", "/global/content/x", token, `{"actions":[],"pattern":1}`, 400, mxerr.MBadJSON},
		"RULE-6 condition without kind":    {"PUT", "/global/underride/x", token, `{"actions":[],"conditions":[{}]}`, 400, mxerr.MMissingParam},
		"RULE-6 condition no object":       {"PUT", "/global/underride/x", token, `{"actions":[],"conditions":[1]}`, 400, mxerr.MBadJSON},
		"RULE-6 conditions no array":       {"PUT", "/global/underride/x", token, `{"actions":[],"conditions":{}}`, 400, mxerr.MBadJSON},
		"RULE-6 unknown kind, list":        {"GET", "/global/not_a_kind/", token, ``, 400, mxerr.MInvalidParam},
		"RULE-6 unknown kind, read":        {"GET", "/global/not_a_kind/x", token, ``, 400, mxerr.MInvalidParam},
		"RULE-6 unknown kind, set":         {"PUT", "/global/not_a_kind/x", token, `{"actions":[]}`, 400, mxerr.MInvalidParam},
		"RULE-6 unknown kind, delete":      {"DELETE", "/global/not_a_kind/x", token, ``, 400, mxerr.MInvalidParam},
		"RULE-6 unknown kind, enabled":     {"PUT", "/global/not_a_kind/x/enabled", token, `{"enabled":true}`, 400, mxerr.MInvalidParam},
		"no JSON":                          {"PUT", room, token, `{`, 400, mxerr.MNotJSON},
		"no body":                          {"PUT", room, token, ``, 400, mxerr.MNotJSON},
		"no object":                        {"PUT", room, token, `[]`, 400, mxerr.MBadJSON},
		"RULE-8 server-default ID":         {"PUT", "/global/override/.m.rule.new", token, `{"actions":[]}`, 400, mxerr.MInvalidParam},
		"RULE-8 known server-default ID":   {"PUT", master, token, `{"actions":[]}`, 400, mxerr.MInvalidParam},
		"RULE-8 slash":                     {"PUT", "/global/room/%23fo%2Fo:x", token, `{"actions":[]}`, 400, mxerr.MInvalidParam},
		"RULE-8 backslash":                 {"PUT", "/global/room/%23fo%5Co:x", token, `{"actions":[]}`, 400, mxerr.MInvalidParam},
		"RULE-8 no ID":                     {"PUT", "/global/room/", token, `{"actions":[]}`, 405, mxerr.MUnrecognized},
		"RULE-12 unknown":                  {"PUT", "/global/override/x?before=unknown", token, `{"actions":[]}`, 400, mxerr.MUnknown},
		"RULE-12 unknown, after":           {"PUT", "/global/override/x?after=unknown", token, `{"actions":[]}`, 400, mxerr.MUnknown},
		"RULE-12 of another kind":          {"PUT", "/global/override/x?after=!r:x", token, `{"actions":[]}`, 400, mxerr.MUnknown},
		"RULE-12 server-default":           {"PUT", "/global/override/x?before=.m.rule.master", token, `{"actions":[]}`, 400, mxerr.MUnknown},
		"RULE-12 update":                   {"PUT", own + "?after=unknown", token, `{"actions":["notify"]}`, 400, mxerr.MUnknown},
		"RULE-13 unknown":                  {"DELETE", "/global/override/x", token, ``, 404, mxerr.MNotFound},
		"RULE-13 server-default":           {"DELETE", master, token, ``, 404, mxerr.MNotFound},
		"RULE-14 enabled, unknown":         {"GET", "/global/override/x/enabled", token, ``, 404, mxerr.MNotFound},
		"RULE-14 set enabled, unknown":     {"PUT", "/global/override/.not.a.default/enabled", token, `{"enabled":true}`, 404, mxerr.MNotFound},
		"RULE-14 enabled no boolean":       {"PUT", master + "/enabled", token, `{"enabled":"not a boolean"}`, 400, mxerr.MBadJSON},
		"RULE-14 no enabled":               {"PUT", master + "/enabled", token, `{}`, 400, mxerr.MMissingParam},
		"RULE-14 enabled null":             {"PUT", master + "/enabled", token, `{"enabled":null}`, 400, mxerr.MMissingParam},
		"RULE-15 other bare values":        {"PUT", master + "/enabled", token, `"true"`, 400, mxerr.MBadJSON},
		"RULE-15 bare null":                {"PUT", master + "/enabled", token, `null`, 400, mxerr.MBadJSON},
		"RULE-15 no JSON":                  {"PUT", master + "/enabled", token, `tru`, 400, mxerr.MNotJSON},
		"RULE-14 actions, unknown":         {"GET", "/global/override/x/actions", token, ``, 404, mxerr.MNotFound},
		"RULE-14 set actions, unknown":     {"PUT", "/global/override/x/actions", token, `{"actions":[]}`, 404, mxerr.MNotFound},
		"RULE-14 actions no array":         {"PUT", own + "/actions", token, `{"actions":{}}`, 400, mxerr.MBadJSON},
		"RULE-14 no actions":               {"PUT", own + "/actions", token, `{}`, 400, mxerr.MMissingParam},
		"RULE-14 actions null":             {"PUT", own + "/actions", token, `{"actions":null}`, 400, mxerr.MMissingParam},
		"RULE-16 read unknown attribute":   {"GET", master + "/not_an_attr", token, ``, 404, mxerr.MUnrecognized},
		"RULE-16 set unknown attribute":    {"PUT", master + "/not_an_attr", token, `{"enabled":true}`, 404, mxerr.MUnrecognized},
		"RULE-17 unknown action":           {"PUT", room, token, `{"actions":["not_an_action"]}`, 400, mxerr.MInvalidParam},
		"RULE-17 unknown action, set":      {"PUT", own + "/actions", token, `{"actions":["notify","x"]}`, 400, mxerr.MInvalidParam},
		"RULE-17 object without set_tweak": {"PUT", own + "/actions", token, `{"actions":[{"value":1}]}`, 400, mxerr.MMissingParam},
		"RULE-19 unknown scope":            {"GET", "/not_a_scope/", token, ``, 404, mxerr.MUnrecognized},
		"RULE-19 set in unknown scope":     {"PUT", "/not_a_scope/room/!x:x", token, `{"actions":[]}`, 404, mxerr.MUnrecognized},
		"RULE-19 device":                   {"PUT", "/device/tag/room/!x:x", token, `{"actions":[]}`, 404, mxerr.MUnrecognized},
		"too large":                        {"PUT", room, token, `{"actions":[],"x":"` + strings.Repeat("x", 64<<10) + `"}`, 413, mxerr.MTooLarge},
		"method":                           {"POST", room, token, `{"actions":[]}`, 405, mxerr.MUnrecognized},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, do(s, test.method, pushRules+test.path, test.token, test.body), test.status, test.code)
		})
	}
	if after := do(s, "GET", pushRules+"/", token, "").Body.String(); after != before || len(s.wakes) != wakes {
		t.Errorf("what was refused has changed the rules from %s to %s, or woken %v", before, after, s.wakes[wakes:])
	}
}

// RULE-20: each change wakes the user's syncs, at a position of its own; what changes nothing does not.
func TestPushRulesWakeSyncs(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	path := rulePath("room", "!foo:example.com")
	for i, step := range []struct{ method, path, body string }{
		{"PUT", path, `{"actions":["notify"]}`},
		{"PUT", path + "/enabled", `{"enabled":false}`},
		{"PUT", path + "/enabled", `{"enabled":true}`},
		{"PUT", path + "/actions", `{"actions":["dont_notify"]}`},
		{"PUT", rulePath("override", ".m.rule.master") + "/enabled", `{"enabled":true}`},
		{"DELETE", path, ``},
	} {
		for range 2 { // the repetition is no change
			do(s, step.method, step.path, token, step.body)
		}
		if len(s.wakes) != i+1 || s.wakes[i].User != "@alice:example.org" || s.wakes[i].Pos != s.store.Position() {
			t.Fatalf("%s %s: wakes %v at %d", step.method, step.path, s.wakes, s.store.Position())
		}
	}
}

// RATE-1: changing rules draws on a budget, reading them does not.
func TestPushRuleLimits(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	for _, row := range s.Table() {
		if !strings.Contains(row.Template, "/pushrules/") {
			continue
		}
		if limited := row.Class == ratelimit.Account; limited != (row.Method != "GET") {
			t.Errorf("%s %s: class %d", row.Method, row.Template, row.Class)
		}
	}
}
