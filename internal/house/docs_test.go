package house

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/config"
)

var (
	link    = regexp.MustCompile(`\[[^\]\n]*\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
)

// TestLinksResolve follows every relative link of every page, to the heading.
func TestLinksResolve(t *testing.T) {
	followed := 0
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			followed++
			file, anchor, _ := strings.Cut(m[1], "#")
			target := filepath.Join(filepath.Dir(page), file)
			if file == "" {
				target = page
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: %s leads nowhere: %v", page, m[1], err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, target)), anchor) {
				t.Errorf("%s: %s: no such heading", page, m[1])
			}
		}
	}
	if followed < 10 {
		t.Fatalf("%d links: the search is broken", followed)
	}
}

// anchors are the names of a page's headings in links.
func anchors(page string) []string {
	var found []string
	for _, m := range heading.FindAllStringSubmatch(page, -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		found = append(found, strings.ReplaceAll(name, " ", "-"))
	}
	return found
}

// TestConfigurationsInPagesLoad loads every YAML block. A fragment takes the place of the same keys of the example farm.
func TestConfigurationsInPagesLoad(t *testing.T) {
	farm := read(t, "examples/farm.yaml")
	loaded := map[string]int{}
	for _, page := range pages(t) {
		for _, b := range blocks(read(t, page)) {
			if b.language != "yaml" {
				continue
			}
			text := b.text
			if _, whole := sections(text)["cluster"]; !whole {
				text = graft(farm, text)
			}
			path := filepath.Join(t.TempDir(), "muster.yaml")
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := config.Load(path); err != nil {
				t.Errorf("%s:%d: %v\nin\n%s", page, b.line, err, text)
			}
			loaded[page]++
		}
	}
	for _, page := range []string{"README.md", "docs/farm.md", "docs/checks.md"} {
		if loaded[page] == 0 {
			t.Errorf("%s has no example of a configuration", page)
		}
	}
}

// graft puts the top-level keys of a fragment in the place of a whole file's.
func graft(whole, fragment string) string {
	parts := sections(whole)
	for key, text := range sections(fragment) {
		parts[key] = text
	}
	var b strings.Builder
	for _, text := range parts {
		b.WriteString(text)
	}
	return b.String()
}

// sections divides a YAML file at its top-level keys.
func sections(file string) map[string]string {
	found := map[string]string{}
	key := ""
	for line := range strings.Lines(file) {
		if m := regexp.MustCompile(`^(\w+):`).FindStringSubmatch(line); m != nil {
			key = m[1]
		}
		if key != "" {
			found[key] += line
		}
	}
	return found
}

func TestGraft(t *testing.T) {
	got := sections(graft("# note\na: 1\nb:\n  x: 2\n", "b:\n  y: 3\nc: 4\n"))
	if len(got) != 3 || got["a"] != "a: 1\n" || got["b"] != "b:\n  y: 3\n" || got["c"] != "c: 4\n" {
		t.Errorf("got %q", got)
	}
}

// TestStatusNamesTestsThatExist holds docs/status.md to what it says: the tests that it names are there, and a capability that
// works names one.
func TestStatusNamesTestsThatExist(t *testing.T) {
	have := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	goFiles(t, func(rel string, src []byte) {
		if !strings.HasSuffix(rel, "_test.go") {
			return
		}
		for _, m := range declared.FindAllSubmatch(src, -1) {
			have[string(m[1])] = true
		}
	})
	named := regexp.MustCompile("`((?:Test|Fuzz|Benchmark)\\w+)`")
	rows := 0
	for line := range strings.Lines(read(t, "docs/status.md")) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || strings.HasPrefix(line, "|--") || strings.TrimSpace(cells[1]) == "capability" {
			continue
		}
		rows++
		state, tests := strings.TrimSpace(cells[2]), named.FindAllStringSubmatch(cells[3], -1)
		if !slices.Contains([]string{"works", "partly", "not yet"}, state) {
			t.Errorf("docs/status.md: %q is none of works, partly, not yet: %s", state, line)
		}
		if state == "works" && len(tests) == 0 && !strings.Contains(cells[3], "benchmarks.md") {
			t.Errorf("docs/status.md: no test shows that it works: %s", line)
		}
		for _, m := range tests {
			if !have[m[1]] {
				t.Errorf("docs/status.md names %s, which does not exist", m[1])
			}
		}
	}
	if rows < 20 || len(have) < 100 {
		t.Fatalf("%d rows, %d tests: the search is broken", rows, len(have))
	}
}
