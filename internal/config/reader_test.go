package config

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestFilesThatAreNoYAMLDocument(t *testing.T) {
	const syntax = "; check the indentation, quotes and brackets of this line and the one before"
	const empty = "1:1: the file is empty; start with `cluster:`, `secret_file:` and `hosts:`, as in examples/farm.yaml"
	tests := []struct{ name, text, want string }{
		{"nothing", "", empty},
		{"comment only", "# nothing yet\n", empty},
		{"marker only", "---\n", empty},
		{"null", "~\n", empty},
		{"text", "hello\n", "1:1: the file must be a mapping, and is the text `hello`; write for example `cluster: shop`"},
		{"list", "- a\n- b\n", "1:1: the file must be a mapping, and is a list; write for example `cluster: shop`"},
		{"two documents", good + "---\n" + good, "14:1: a second document starts here; keep one document in the file"},
		{"latin-1", "cluster: caf\xe9\n", "1:13: the file is not UTF-8 text; save it as UTF-8"},
		{"binary", "a: b\n\x00", "2:1: the file is not UTF-8 text; save it as UTF-8"},
		{"open quote", "cluster: \"shop\nsecret_file: x\n", "1:10: the file is not YAML here: could not find end character of double-quoted text" + syntax},
		{"open bracket", "cluster: shop\nhosts: {a: [\n", "2:12: the file is not YAML here: sequence end token ']' not found" + syntax},
		{"tab", "\tcluster: shop\n", "1:8: the file is not YAML here: tab character cannot use as a map key directly" + syntax},
		{"outdented", "hosts:\n  a: 1\n b: 2\n", "3:2: the file is not YAML here: value is not allowed in this context" + syntax},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := strings.Join(problemsOf(t, test.text), "\n"); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestOtherSpellingsOfAGoodFile(t *testing.T) {
	merged := strings.Replace(good, "{ports: [80, 443], check: web}", "&r {ports: [80, 443], check: web}\n      - {<<: *r, ports: [8080]}", 1)
	tests := []struct{ name, text string }{
		{"byte order mark", "\ufeff" + good},
		{"carriage returns", strings.ReplaceAll(good, "\n", "\r\n")},
		{"no newline at the end", strings.TrimSuffix(good, "\n")},
		{"one document with markers", "---\n" + good + "...\n"},
		{"marker at the end", good + "---\n"},
		{"version directive", "%YAML 1.2\n---\n" + good},
		{"merge", merged},
		{"merge of a list", strings.Replace(merged, "<<: *r", "<<: [*r, *r]", 1)},
		{"alias", strings.Replace(strings.Replace(good, "cluster: shop", "cluster: &n web", 1), "check: web", "check: *n", 1)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if ps := problemsOf(t, test.text); ps != nil {
				t.Error(strings.Join(ps, "\n"))
			}
		})
	}
}

// Places are right where lines end in CR LF, after a byte order mark and after characters of several bytes.
func TestPlacesCountCharacters(t *testing.T) {
	text := strings.ReplaceAll("\ufeff"+strings.Replace(good, "secret.key", "schlüssel.key # ✓", 1), "\n", "\r\n")
	text = strings.Replace(text, "{address: 10.77.0.2}", `{"ädress": x, address: 10.77.0.2, weight: 0}`, 1)
	want := []string{
		"5:7: unknown key `ädress`; did you mean `address`?",
		"5:48: weight 0 is out of range; write a number from 1 to 1000",
	}
	got := problemsOf(t, text)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Hostile input costs no more than a moment: a tree of aliases, deep nesting, a flood of keys, a megabyte of anything.
func TestHostileFilesAreRefusedQuickly(t *testing.T) {
	fill := func(s string) string { return strings.Repeat(s, maxFileSize/len(s)) }
	var laughs strings.Builder
	laughs.WriteString("a0: &a0 {x: 1, y: 2}\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&laughs, "a%d: &a%d {<<: [*a%d, *a%d]}\n", i, i, i-1, i-1)
	}
	laughs.WriteString("hosts: {<<: *a29}\n")
	ports := "[" + strings.Repeat("1,", 60) + "1]"
	tests := []struct{ name, text string }{
		{"aliases of aliases", laughs.String()},
		{"aliases of a list", "vips: {web: {rules: [{ports: &p " + ports + "}" + strings.Repeat(", {ports: *p}", 2000) + "]}}"},
		{"wide merges", "hosts: {a: &a {" + strings.Repeat("k: 1, ", 1000) + "}, b: {<<: [" + strings.Repeat("*a, ", 4000) + "]}}"},
		{"merge of itself", "hosts: &h\n  <<: *h\n"},
		{"open brackets", fill("[")},
		{"open braces", fill("{a: ")},
		{"list entries on one line", fill("- ")},
		{"question marks", fill("? ")},
		{"keys", fill("a: b\n")},
		{"different keys", manyKeys()},
		{"deep indentation", staircase()},
		{"documents", fill("---\n")},
		{"anchors", fill("- &a x\n")},
		{"comments", fill("#\n")},
		{"one long word", "cluster: " + fill("x")[9:]},
		{"one long key", fill("x")[2:] + ": "},
		{"one open quote", "cluster: '" + fill("\n")[10:]},
		{"blanks", "cluster: " + fill(" ")[9:]},
		{"percent signs", fill("%")},
		{"block scalars", fill(">\n")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			start := time.Now()
			if got := problemsOf(t, test.text); got == nil {
				t.Error("accepted")
			} else if len(got) > maxProblems+1 {
				t.Errorf("%d problems", len(got))
			}
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("took %v", d) // each takes well below a second on an idle machine
			}
		})
	}
}

func manyKeys() string {
	var b strings.Builder
	for i := range maxTokens/3 - 1 {
		fmt.Fprintf(&b, "k%d: v\n", i)
	}
	return b.String()
}

// staircase nests a mapping in each line, indented one more than the line before.
func staircase() string {
	var b strings.Builder
	for i := 0; b.Len() < maxFileSize-i-10; i++ {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func TestProblemsAreBounded(t *testing.T) {
	got := problemsOf(t, manyKeys())
	want := fmt.Sprintf("there are more than %d problems; correct these first", maxProblems)
	if len(got) != maxProblems+1 || got[maxProblems] != want {
		t.Errorf("%d problems, the last %q", len(got), got[len(got)-1])
	}
}

func TestTheUsersTextCannotHarmATerminal(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "web", "`web`"},
		{"empty", "", `""`},
		{"escape", "\x1b[2J", `"\x1b[2J"`},
		{"newline", "a\nb", `"a\nb"`},
		{"backquote", "a`b", "\"a`b\""},
		{"right to left", "a\u202eb", `"a\u202eb"`},
		{"long", strings.Repeat("é", 70), "`" + strings.Repeat("é", 60) + "...`"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := quote(test.in); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
