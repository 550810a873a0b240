package config

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

const (
	referenceFile = "../../docs/configuration.md"
	marker        = "<!-- From here on written by `go generate ./internal/config`. -->\n"
)

// places says where in the file each struct type stands.
func places() map[string]string {
	return map[string]string{
		"File":                 "The file",
		"FileHost":             "hosts.NAME",
		"FileHeartbeat":        "heartbeat",
		"FileNetwork":          "heartbeat.networks.NAME",
		"FileClusterMulticast": "heartbeat.multicast",
		"FileWitness":          "heartbeat.witness",
		"FileMulticast":        "heartbeat.networks.NAME.multicast",
		"FileKeys":             "heartbeat.keys",
		"FileVIP":              "vips.NAME",
		"FileRule":             "vips.NAME.rules[]",
		"FileAffinityNetwork":  "vips.NAME.rules[].affinity_network",
		"FileTunnel":           "tunnel",
		"FileCheck":            "checks.NAME",
		"FileHTTP":             "checks.NAME.http",
		"FileTCP":              "checks.NAME.tcp",
		"FileBGP":              "bgp",
		"FileNeighbor":         "bgp.neighbors.NAME",
	}
}

// reference gives the tables of every key.
func reference(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	text := comments(t)
	for _, typ := range structs(reflect.TypeFor[File]()) {
		heading := places()[typ.Name()]
		if heading == "" {
			t.Fatalf("places does not know %v", typ)
		}
		if heading != "The file" {
			heading = "`" + heading + "`"
		}
		name := packageDir + "." + typ.Name()
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| key | value | default | meaning |\n|---|---|---|---|\n", heading, text[name])
		s := shapeOf(typ)
		for _, f := range s.fields {
			goField := typ.Field(f.index)
			meaning := text[name+"."+goField.Name]
			if meaning == "" {
				t.Errorf("%v.%s has no comment, so users have no explanation", typ, goField.Name)
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.key, valueText(f, goField.Type), defaultText(f), cell(meaning))
		}
		b.WriteString(later(s))
	}
	return b.String()
}

// valueText says what a key takes.
func valueText(f field, t reflect.Type) string {
	switch {
	case f.enum != nil:
		return ticked(f.enum)
	case t == reflect.TypeFor[Names]():
		return "a name or a list of names"
	case f.format == "name":
		return "a name"
	case f.format != "":
		return map[string]string{"path": "a path", "url": "an HTTP URL", "host": "a host name", "interface": "an interface name"}[f.format]
	}
	if s, ok := scalars()[t]; ok && f.min != "" {
		return fmt.Sprintf("%s, %s to %s", s.want, f.min, f.max)
	} else if ok {
		return s.want
	}
	switch t.Kind() {
	case reflect.Map:
		return "a mapping from names, at most " + f.max
	case reflect.Slice:
		if s, ok := scalars()[t.Elem()]; ok {
			return fmt.Sprintf("a list, %s to %s: %s", f.min, f.max, s.want)
		}
		return fmt.Sprintf("a list, %s to %s", f.min, f.max)
	}
	return "a mapping"
}

func defaultText(f field) string {
	switch {
	case f.required:
		return "**required**"
	case f.shown != "":
		return cell(f.shown)
	case f.def != "":
		return "`" + f.def + "`"
	}
	return "none"
}

// later lists what a file may not say yet.
func later(s shape) string {
	var all []string
	for _, u := range s.unsupported {
		all = append(all, "`"+u+"`")
	}
	for _, f := range s.fields {
		for _, u := range f.unsupported {
			all = append(all, "`"+f.key+": "+u+"`")
		}
	}
	if all == nil {
		return ""
	}
	return "\nNot in this version: " + strings.Join(all, ", ") + ".\n"
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func TestReferenceIsCurrent(t *testing.T) {
	old, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	byHand, _, ok := strings.Cut(string(old), marker)
	if !ok {
		t.Fatalf("%s has lost the line %q", referenceFile, marker)
	}
	generated(t, referenceFile, []byte(byHand+marker+reference(t)))
}

// The messages that the page shows are real ones.
func TestReferenceShowsRealMessages(t *testing.T) {
	page, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	text := spoilt(t, "10.77.0.100/24", "10.78.0.100/24")
	text = strings.Replace(text, "check: web}", "chekc: web}", 1)
	_, err = Parse("farm.yaml", []byte(text))
	if err == nil {
		t.Fatal("no problem")
	}
	for line := range strings.Lines(err.Error()) {
		if !strings.Contains(string(page), strings.TrimSpace(line)) {
			t.Errorf("%s does not show %q", referenceFile, line)
		}
	}
}
