package homeserver_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/ca4c8834/homeserver"

// layers lists the packages from the lowest layer to the highest. A package
// imports those of lower layers only. A package that is not named is a service,
// so that services do not import each other either: what one needs of another
// is a small interface of its own, which the root package fills.
var layers = [][]string{
	{"events"},
	{"internal/bounded", "internal/mxerr", "internal/outbound", "internal/preview", "internal/ratelimit", "internal/record", "internal/thumbnail"},
	{"store", "uia", "media", "push", "internal/appservice"},
	{"internal/sqlstore", "internal/live", "media/mediatest"},
	{"store/sqlite", "store/storetest", "internal/reader", "internal/devicelist"},
	{"internal/receipts", "internal/presence"},
	{"internal/unread"},
	{services},
	{"internal/api"},
	{"."},
	{"homeservertest"},
	{"examples/standalone", "examples/server"},
}

const services = "all others"

// hidden are the packages that handlers may not import although they are lower:
// what is stored is the services' business.
var hidden = []string{"store", "internal/live"}

// sqlOnly are the packages that know of SQL; of all others only the root and
// programs choose a database.
var sqlOnly = map[string][]string{
	"internal/sqlstore": {"store/sqlite"},
	"store/sqlite":      {".", "examples/standalone", "examples/server"},
}

func layerOf(pkg string) int {
	for i, layer := range layers {
		if slices.Contains(layer, pkg) {
			return i
		}
	}
	return layerOf(services)
}

// constants are package-level variables that are set once, when they are
// declared, and never changed. Errors, regular expressions, embedded files and
// assertions of interfaces need no mention.
var constants = []string{
	"events.versions",
	"internal/api.purposes",
	"internal/api.rawMessage",
	"internal/pages.page",
	"internal/sqlstore.inChunk",
	"internal/sqlstore.ownedByDevice",
	"internal/sqlstore.pairsChunk", "internal/sqlstore.pairsFew",
	"internal/sqlstore.valuesChunk",
	"internal/thumbnail.cropSizes",
	"internal/thumbnail.scaleSizes",
	"push.bodyPath",
	"push.mentionsPath",
	"push.presets",
	"store/sqlite.emptyImage", // made once, by whoever needs it first
	"store/storetest.benchKeys",
	"store/storetest.benchPositions",
	"store/storetest.filler",
	"store/storetest.modelKeys",
}

// source is one Go file that is no test.
type source struct {
	pkg  string // its directory
	name string
	fset *token.FileSet
	file *ast.File
}

func sources(t *testing.T) (all []source) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && name != "."):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		all = append(all, source{path.Dir(name), name, fset, file})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("only %d files", len(all))
	}
	return all
}

// imports returns the packages of this module that the file imports, and the
// others.
func (s source) imports() (ours, others []string) {
	for _, spec := range s.file.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		switch rest, ok := strings.CutPrefix(name, module+"/"); {
		case ok:
			ours = append(ours, rest)
		case name == module:
			ours = append(ours, ".")
		default:
			others = append(others, name)
		}
	}
	return ours, others
}

// Imports point down.
func TestLayers(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		ours, _ := s.imports()
		for _, imported := range ours {
			if layerOf(imported) >= layerOf(s.pkg) {
				t.Errorf("%s imports %s, which is not below it", s.name, imported)
			}
			if s.pkg == "internal/api" && slices.Contains(hidden, imported) {
				t.Errorf("%s imports %s, which is none of a handler's business", s.name, imported)
			}
			if users, ok := sqlOnly[imported]; ok && !slices.Contains(users, s.pkg) {
				t.Errorf("%s imports %s, which only %v may", s.name, imported, users)
			}
		}
	}
}

// The README names every option.
func TestOptionsAreTold(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	options := 0
	for _, s := range sources(t) {
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || s.pkg != "." || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "With") {
				continue
			}
			options++
			if !bytes.Contains(readme, []byte("`"+f.Name.Name+"`")) {
				t.Errorf("%s is missing in README.md", f.Name.Name)
			}
		}
	}
	if options < 20 {
		t.Errorf("only %d options", options)
	}
}

// What the README shows is the text of tests and examples that are compiled.
func TestReadmeCompiles(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var compiled []byte
	for _, name := range []string{"example_test.go", "homeservertest/homeservertest_test.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		compiled = append(compiled, text...)
	}
	blocks := bytes.Split(readme, []byte("```go\n"))[1:]
	for _, block := range blocks {
		code, _, _ := bytes.Cut(block, []byte("```"))
		inFunc := append([]byte("\n\t"), bytes.ReplaceAll(bytes.TrimSpace(code), []byte("\n"), []byte("\n\t"))...)
		if !bytes.Contains(compiled, append([]byte("\n"), code...)) && !bytes.Contains(compiled, append(inFunc, '\n')) {
			t.Errorf("this is no part of an example:\n%s", code)
		}
	}
	if len(blocks) < 2 {
		t.Errorf("%d pieces of code", len(blocks))
	}
}

// A newcomer finds nothing whose name says nothing.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		for _, bad := range []string{"util", "utils", "common", "helpers", "helper", "types", "manager", "misc", "base"} {
			if path.Base(s.pkg) == bad || strings.TrimSuffix(path.Base(s.name), ".go") == bad {
				t.Errorf("%s: the name says nothing", s.name)
			}
		}
	}
}

// A library keeps its hands off the process it is in: no package state, no
// init, no exit, no output, no clock of its own, no sleeping.
func TestNothingIsGlobal(t *testing.T) {
	t.Parallel()
	used := make(map[string]bool)
	for _, s := range sources(t) {
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.Name == "init" && d.Recv == nil {
					t.Errorf("%s has an init function", s.name)
				}
			case *ast.GenDecl:
				for _, variable := range s.variables(d) {
					if slices.Contains(constants, variable) {
						used[variable] = true
					} else {
						t.Errorf("%s: the package has the variable %s", s.name, variable)
					}
				}
			}
		}
		if s.file.Name.Name == "main" {
			continue // a program may do all that
		}
		if _, others := s.imports(); slices.Contains(others, "log") {
			t.Errorf("%s imports log: take a *slog.Logger", s.name)
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			call := pkg.Name + "." + sel.Sel.Name
			if why := banned[call]; why != "" && !slices.Contains(licensed[call], s.name) {
				t.Errorf("%s: %s: %s", s.fset.Position(n.Pos()), call, why)
			}
			return true
		})
	}
	for _, variable := range constants {
		if !used[variable] {
			t.Errorf("%s is listed and gone", variable)
		}
	}
}

var banned = map[string]string{
	"os.Exit":      "the process is the host's",
	"os.Getenv":    "the environment is the host's",
	"os.LookupEnv": "the environment is the host's",
	"os.Stdout":    "the output is the host's",
	"os.Stderr":    "the output is the host's",
	"fmt.Print":    "the output is the host's",
	"fmt.Println":  "the output is the host's",
	"fmt.Printf":   "the output is the host's",
	"slog.Default": "the logger is an option",
	"time.Now":     "the clock is an option",
	"time.Since":   "the clock is an option",
	"time.Until":   "the clock is an option",
	"time.Sleep":   "wait for what you wait for",
}

// licensed lists the files that may, because they are where the default is
// chosen, or serve tests.
var licensed = map[string][]string{
	"slog.Default": {"options.go"},
	"time.Now":     {"options.go", "homeservertest/sync.go", "internal/api/timeout.go"},
	"time.Until":   {"homeservertest/sync.go"},
	"os.Getenv":    {"internal/record/record.go"},
}

// variables returns the variables of a declaration, as package.name, that could
// be changed and are not constants by their form.
func (s source) variables(d *ast.GenDecl) (names []string) {
	if d.Tok != token.VAR {
		return nil
	}
	embedded := d.Doc != nil && strings.HasPrefix(d.Doc.List[len(d.Doc.List)-1].Text, "//go:embed ")
	for _, spec := range d.Specs {
		v := spec.(*ast.ValueSpec)
		for i, name := range v.Names {
			if name.Name == "_" || embedded || i < len(v.Values) && isConstant(name.Name, v.Values[i]) {
				continue
			}
			names = append(names, fmt.Sprintf("%s.%s", s.pkg, name.Name))
		}
	}
	return names
}

// isConstant reports whether a variable is an error or a regular expression.
func isConstant(name string, value ast.Expr) bool {
	if strings.HasPrefix(name, "err") || strings.HasPrefix(name, "Err") {
		return true
	}
	call, ok := value.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "MustCompile"
}

// Files fit into a reader's head.
func TestFileSizes(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".go" {
			return err
		}
		content, err := os.ReadFile(name)
		limit := 600
		if strings.HasSuffix(name, "_test.go") {
			limit = 900
		}
		if lines := bytes.Count(content, []byte("\n")); lines > limit {
			t.Errorf("%s has %d lines", name, lines)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
