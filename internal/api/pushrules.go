package api

import (
	"context"
	"encoding/json"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/push"
)

// pushRules serves the rules that decide which events notify their user. There is one scope, global (RULE-19), and
// without the slash at the end the lists are not there (RULE-2).
func (a *API) pushRules() []route {
	const global, rule = "/pushrules/global/", "/pushrules/global/{kind}/{ruleId}"
	return []route{
		get("/pushrules/", byUser, a.getPushRules),
		get(global, byUser, a.getGlobalPushRules),
		get(global+"{kind}/", byUser, a.getPushRulesOfKind),
		get(rule, byUser, a.getPushRule),
		put(rule, byUser, a.putPushRule).limit(ratelimit.Account).body(64 << 10),
		delete_(rule, byUser, a.deletePushRule).limit(ratelimit.Account),
		get(rule+"/enabled", byUser, a.getPushRuleEnabled),
		put(rule+"/enabled", byUser, a.putPushRuleEnabled).limit(ratelimit.Account).anyJSON(),
		get(rule+"/actions", byUser, a.getPushRuleActions),
		put(rule+"/actions", byUser, a.putPushRuleActions).limit(ratelimit.Account).body(64 << 10),
	}
}

type pushRulesOfKindIn struct {
	Kind push.Kind `path:"kind"`
}

type pushRuleIn struct {
	Kind push.Kind `path:"kind"`
	ID   string    `path:"ruleId"`
}

type putPushRuleIn struct {
	pushRuleIn
	Before string          `query:"before"`
	After  string          `query:"after"`
	Body   json.RawMessage `body:"" required:"true"`
}

type putPushRuleEnabledIn struct {
	pushRuleIn
	Body json.RawMessage `body:"" required:"true"`
}

type putPushRuleActionsIn struct {
	pushRuleIn
	Actions json.RawMessage `json:"actions" required:"true"`
}

type pushRuleEnabledOut struct {
	Enabled bool `json:"enabled"`
}

type pushRuleActionsOut struct {
	Actions json.RawMessage `json:"actions"`
}

func (a *API) getPushRules(ctx context.Context, c *caller, _ empty) (rawJSON, error) {
	content, err := a.PushRules.Ruleset(ctx, c.User)
	return rawJSON(content), err
}

func (a *API) getGlobalPushRules(ctx context.Context, c *caller, _ empty) (rawJSON, error) {
	rules, err := a.PushRules.Rules(ctx, c.User)
	if err != nil {
		return nil, err
	}
	return rules.AppendJSON(nil), nil
}

func (a *API) getPushRulesOfKind(ctx context.Context, c *caller, in pushRulesOfKindIn) (rawJSON, error) {
	rules, err := a.PushRules.Rules(ctx, c.User)
	if err != nil {
		return nil, err
	}
	return rules.AppendKind(nil, in.Kind), nil
}

func (a *API) getPushRule(ctx context.Context, c *caller, in pushRuleIn) (rawJSON, error) {
	rule, err := a.PushRules.Rule(ctx, c.User, in.Kind, in.ID)
	if err != nil {
		return nil, err
	}
	return rule.AppendJSON(nil), nil
}

func (a *API) putPushRule(ctx context.Context, c *caller, in putPushRuleIn) (empty, error) {
	return empty{}, a.PushRules.SetRule(ctx, c.User, in.Kind, in.ID, in.Body, push.Place{Before: in.Before, After: in.After})
}

func (a *API) deletePushRule(ctx context.Context, c *caller, in pushRuleIn) (empty, error) {
	return empty{}, a.PushRules.DeleteRule(ctx, c.User, in.Kind, in.ID)
}

func (a *API) getPushRuleEnabled(ctx context.Context, c *caller, in pushRuleIn) (pushRuleEnabledOut, error) {
	rule, err := a.PushRules.Rule(ctx, c.User, in.Kind, in.ID)
	return pushRuleEnabledOut{rule.Enabled}, err
}

// putPushRuleEnabled also takes a boolean in place of the object (RULE-15).
func (a *API) putPushRuleEnabled(ctx context.Context, c *caller, in putPushRuleEnabledIn) (empty, error) {
	enabled := gjson.ParseBytes(in.Body)
	if enabled.IsObject() {
		enabled = enabled.Get("enabled")
		if enabled.Type == gjson.Null {
			return empty{}, mxerr.MissingParam("enabled")
		}
	}
	if !enabled.IsBool() {
		return empty{}, mxerr.BadJSON("enabled must be a boolean")
	}
	return empty{}, a.PushRules.SetEnabled(ctx, c.User, in.Kind, in.ID, enabled.Bool())
}

func (a *API) getPushRuleActions(ctx context.Context, c *caller, in pushRuleIn) (pushRuleActionsOut, error) {
	rule, err := a.PushRules.Rule(ctx, c.User, in.Kind, in.ID)
	return pushRuleActionsOut{rule.Actions}, err
}

func (a *API) putPushRuleActions(ctx context.Context, c *caller, in putPushRuleActionsIn) (empty, error) {
	return empty{}, a.PushRules.SetActions(ctx, c.User, in.Kind, in.ID, in.Actions)
}
