package uia

import (
	"strings"
	"testing"
)

// UIA-25, ID-8: what a policy may be.
func TestPolicyCheck(t *testing.T) {
	t.Parallel()
	text := map[string]PolicyText{"en": {Name: "Terms", URL: "https://example.org/terms"}}
	for name, test := range map[string]struct {
		policy Policy
		fault  string // empty: none
	}{
		"complete":            {Policy{"terms_of_service", "1.0", text}, ""},
		"http":                {Policy{"t", "1", map[string]PolicyText{"en": {"Terms", "http://localhost/terms"}}}, ""},
		"no ID":               {Policy{"", "1", text}, "ID"},
		"ID with a space":     {Policy{"my terms", "1", text}, "ID"},
		"no version":          {Policy{"t", "", text}, "version"},
		"version with slash":  {Policy{"t", "1/2", text}, "version"},
		"no text":             {Policy{"t", "1", nil}, "no text"},
		"no name":             {Policy{"t", "1", map[string]PolicyText{"en": {"", "https://example.org"}}}, "needs a name"},
		"no URL":              {Policy{"t", "1", map[string]PolicyText{"en": {"Terms", ""}}}, "needs a name"},
		"relative URL":        {Policy{"t", "1", map[string]PolicyText{"en": {"Terms", "/terms"}}}, "needs a name"},
		"script URL":          {Policy{"t", "1", map[string]PolicyText{"en": {"Terms", "javascript:alert(1)"}}}, "needs a name"},
		"language of no kind": {Policy{"t", "1", map[string]PolicyText{"version": {"Terms", "https://example.org"}}}, "needs a name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.policy.Check()
			if (err == nil) != (test.fault == "") || err != nil && !strings.Contains(err.Error(), test.fault) {
				t.Errorf("got %v, want %q", err, test.fault)
			}
		})
	}
}
