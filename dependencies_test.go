package homeserver_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The README says of every module that is imported why, and go.mod which ones
// these are.
func TestDependenciesAreTold(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	required := make(map[string]bool) // by module; whether it is marked as indirect
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v\S+( // indirect)?$`).FindAllStringSubmatch(string(mod), -1) {
		required[m[1]] = m[2] != ""
	}
	imported := make(map[string]bool)
	for name := range importedPackages(t) {
		for module := range required {
			if name == module || strings.HasPrefix(name, module+"/") {
				imported[module] = true
			}
		}
	}
	var direct []string
	for module, indirect := range required {
		if !indirect {
			direct = append(direct, module)
		}
	}
	slices.Sort(direct)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(imported)), direct); diff != "" {
		t.Errorf("modules that are imported, and those that go.mod does not mark as indirect (-imported +go.mod):\n%s", diff)
	}
	_, table, _ := strings.Cut(string(readme), "## Dependencies")
	table, _, _ = strings.Cut(table, "\n## ")
	for module := range imported {
		if !strings.Contains(table, "`"+module+"`") {
			t.Errorf("README.md does not say why %s is needed", module)
		}
	}
}

// importedPackages returns what is imported in this module, tests included.
func importedPackages(t *testing.T) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "testdata":
			return fs.SkipDir
		case filepath.Ext(name) != ".go":
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			all[path] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
