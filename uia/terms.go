package uia

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"github.com/ca4c8834/homeserver/events"
)

// Policy is a document that people agree to when they register.
type Policy struct {
	ID      string // such as "privacy_policy" or "terms_of_service", which clients know
	Version string
	Texts   map[string]PolicyText // by language, such as "en"; at least one
}

// PolicyText is a policy in one language.
type PolicyText struct {
	Name string `json:"name"`
	URL  string `json:"url"` // absolute, http or https
}

// Check returns what is wrong with a policy.
func (p Policy) Check() error {
	var errs []error
	for name, value := range map[string]string{"ID": p.ID, "version": p.Version} {
		if !events.ValidOpaqueID(value) {
			errs = append(errs, fmt.Errorf("policy %q: the %s %q is not 1 to 255 letters, digits and ._~-", p.ID, name, value))
		}
	}
	if len(p.Texts) == 0 {
		errs = append(errs, fmt.Errorf("policy %q has no text", p.ID))
	}
	for language, text := range p.Texts {
		u, err := url.Parse(text.URL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || text.Name == "" || language == "version" {
			errs = append(errs, fmt.Errorf("policy %q: the text in %q needs a name and an absolute http or https URL", p.ID, language))
		}
	}
	return errors.Join(errs...)
}

// MarshalJSON gives the languages beside the version, as in `params`.
func (p Policy) MarshalJSON() ([]byte, error) {
	members := map[string]any{"version": p.Version}
	for language, text := range p.Texts {
		members[language] = text
	}
	return json.Marshal(members)
}

// Terms returns the m.login.terms stage: passing it is agreeing to all of the
// policies, which are its [Passed.Detail] as a []Policy.
func Terms(policies ...Policy) Stage { return terms(policies) }

type terms []Policy

var (
	_ Parameterized = terms(nil)
	_ Asker         = terms(nil)
)

// Type implements Stage.
func (terms) Type() string { return TypeTerms }

// Check implements Stage.
func (t terms) Check(context.Context, Attempt) (Passed, error) {
	return Passed{Detail: []Policy(t)}, nil
}

// Params implements Parameterized.
func (t terms) Params(string, Operation) any {
	byID := make(map[string]Policy, len(t))
	for _, p := range t {
		byID[p.ID] = p
	}
	return map[string]any{"policies": byID}
}

// Form implements Asker. It shows each policy in English if there is such a
// text, and else in the first language by name.
func (t terms) Form(Operation) Form {
	f := Form{Title: "Review and accept", Text: "To go on, please read and accept:", Submit: "Accept"}
	for _, p := range t {
		text, ok := p.Texts["en"]
		if !ok && len(p.Texts) > 0 {
			text = p.Texts[slices.Min(slices.Collect(maps.Keys(p.Texts)))]
		}
		f.Links = append(f.Links, Link(text))
	}
	return f
}
