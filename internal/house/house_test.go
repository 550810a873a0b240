package house

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	module       = "github.com/muster-ha/muster/"
	root         = "../.."
	maxFileLines = 800
)

// goFiles calls f for each Go file of the repository with its path relative to the root.
func goFiles(t *testing.T, f func(rel string, src []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		f(filepath.ToSlash(rel), src)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryPackageHasADocFile(t *testing.T) {
	documented, packages := map[string]bool{}, map[string]bool{}
	goFiles(t, func(rel string, src []byte) {
		dir := filepath.Dir(rel)
		packages[dir] = true
		if filepath.Base(rel) != "doc.go" {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), rel, src, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		documented[dir] = len(strings.Fields(file.Doc.Text())) >= 10
	})
	if len(packages) < 5 {
		t.Fatalf("found %d packages: the walk is broken", len(packages))
	}
	for dir := range packages {
		if !documented[dir] {
			t.Errorf("%s: no doc.go with a package comment that says what the package is for", dir)
		}
	}
}

func TestNoFileIsTooLong(t *testing.T) {
	goFiles(t, func(rel string, src []byte) {
		if bytes.Contains(src[:min(len(src), 200)], []byte("Code generated")) {
			return
		}
		if n := bytes.Count(src, []byte("\n")); n > maxFileLines {
			t.Errorf("%s: %d lines, more than %d: split it by concept", rel, n, maxFileLines)
		}
	})
}

// rooms lists the packages from the top of the house to its ground. A package may import only packages that stand below its
// own line, and its own subpackages.
var rooms = []string{
	"bench",
	"cmd/muster",
	"internal/house",
	"internal/lab",
	"internal/agent",
	"internal/doctor",
	"internal/metrics",
	"internal/api",
	"internal/guard",
	"internal/lessor",
	"internal/heartbeat",
	"internal/wire",
	"internal/balance",
	"internal/quorum",
	"internal/member",
	"internal/bgp",
	"internal/filter",
	"internal/vip",
	"internal/tunnel",
	"internal/system",
	"internal/check",
	"internal/override",
	"internal/switchconfig",
	"internal/standing",
	"internal/ping",
	"internal/config",
	"internal/delivery",
	"internal/multicast",
	"internal/register",
	"madcap",
	"pgm",
}

// exceptions are imports that point upwards or sideways, each with its reason.
var exceptions = map[string]string{}

func room(pkg string) int {
	return slices.IndexFunc(rooms, func(r string) bool { return pkg == r || strings.HasPrefix(pkg, r+"/") })
}

func TestImportsPointDownwards(t *testing.T) {
	used := map[string]bool{}
	goFiles(t, func(rel string, src []byte) {
		if strings.HasSuffix(rel, "_test.go") {
			return // tests may look at anything
		}
		pkg := filepath.Dir(rel)
		from := room(pkg)
		if from < 0 {
			t.Errorf("%s: package %s has no place in the house: add it to rooms", rel, pkg)
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), rel, src, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range file.Imports {
			target, ours := strings.CutPrefix(strings.Trim(imp.Path.Value, `"`), module)
			if !ours || room(target) == from || room(target) > from {
				continue
			}
			edge := pkg + " -> " + target
			if exceptions[edge] == "" {
				t.Errorf("%s imports %s, which stands above it", rel, target)
			}
			used[edge] = true
		}
	})
	for edge, reason := range exceptions {
		if !used[edge] {
			t.Errorf("exception %q (%s) is not needed any more: remove it", edge, reason)
		}
	}
}
