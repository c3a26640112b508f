package homeserver

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/endpoints-missing.txt")

// younger are the paths that there was nothing at in r0.6.1, or not with all of the methods.
var younger = []string{
	"/refresh", "/knock/{}", "/profile/{}/{}", "/rooms/{}/report", "/users/{}/report", "/login/sso/confirm", "/login/sso/callback/{}",
}

// Every operation of the specification is served, but for those that
// testdata/endpoints-missing.txt lists: no more, and no fewer.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	srv, err := New("example.org")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = srv.Close() }()
	served := make(map[string]bool)
	for _, row := range srv.api.Table() {
		served[anyNames(row.Method+" "+row.Template)] = true
	}
	for operation := range served { // LEG-1
		old := strings.Replace(operation, "/client/v3/", "/client/r0/", 1)
		if path := strings.TrimPrefix(operation[strings.IndexByte(operation, ' '):], " /_matrix/client/v3"); !served[old] && !slices.Contains(younger, path) {
			t.Errorf("%s is not served as %s", operation, old)
		}
	}
	const file = "testdata/endpoints-missing.txt"
	all := readLines(t, "testdata/endpoints.txt")
	missing := slices.DeleteFunc(all, func(operation string) bool { return served[anyNames(operation)] })
	if *update {
		text := "# Operations of the Client-Server API that are not served yet.\n" + strings.Join(missing, "\n") + "\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(readLines(t, file), missing); diff != "" {
		t.Errorf("%s is out of date; `go test -run TestEndpoints . -update` mends it if the change is meant (-listed +missing):\n%s", file, diff)
	}
}

var variable = regexp.MustCompile(`\{\w+\}`)

// anyNames drops the names of a template's variables, which are ours to choose.
func anyNames(template string) string { return variable.ReplaceAllString(template, "{}") }

// readLines returns the lines of a file that are not empty and no comments.
func readLines(t *testing.T, name string) (lines []string) {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}
