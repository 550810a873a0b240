package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/invopop/jsonschema"
	schemacheck "github.com/santhosh-tekuri/jsonschema/v6"
)

// go generate runs these tests with -update: the generator needs the tags, which are nobody else's business, and must not be in
// the program.
var update = flag.Bool("update", false, "write the generated files instead of comparing them")

const (
	schemaFile = "../../schema/muster.schema.json"
	packageDir = "github.com/muster-ha/muster/internal/config"
)

// generated compares a checked-in file with what it has to be.
func generated(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not current: run `go generate ./internal/config`", path)
	}
}

// comments gives the doc comments of the file types by full name, each on one line, as sentences without the type's name.
func comments(t testing.TB) map[string]string {
	t.Helper()
	var r jsonschema.Reflector
	if err := r.AddGoComments(packageDir, ".", jsonschema.WithFullComment()); err != nil {
		t.Fatal(err)
	}
	for k, v := range r.CommentMap {
		v = strings.Join(strings.Fields(v), " ")
		for _, verb := range []string{" is ", " holds "} {
			if name, rest, ok := strings.Cut(v, verb); ok && strings.HasSuffix(k, "."+name) {
				v = strings.ToUpper(rest[:1]) + rest[1:]
			}
		}
		r.CommentMap[k] = v
	}
	return r.CommentMap
}

// schema makes the JSON Schema of the file.
func schema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	r := jsonschema.Reflector{
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true,
		ExpandedStruct:             true,
		BaseSchemaID:               "https://muster-ha.github.io/schema",
		CommentMap:                 comments(t),
		Namer:                      func(t reflect.Type) string { return strings.TrimPrefix(t.Name(), "File") },
		Mapper:                     scalarSchema,
	}
	s := r.Reflect(File{})
	s.ID = "https://muster-ha.github.io/schema/muster.schema.json"
	s.Title = "Muster configuration"
	constrain(s, reflect.TypeFor[File]())
	for _, typ := range structs(reflect.TypeFor[File]())[1:] {
		constrain(s.Definitions[strings.TrimPrefix(typ.Name(), "File")], typ)
	}
	beat := s.Definitions["Heartbeat"]
	beat.DependentRequired = map[string][]string{"interval": {"tolerance"}, "tolerance": {"interval"}}
	beat.Not = &jsonschema.Schema{Required: []string{"profile", "interval"}}
	check := s.Definitions["Check"]
	check.OneOf = []*jsonschema.Schema{{Required: []string{"http"}}, {Required: []string{"tcp"}}}
	return s
}

// structs lists the struct types of the file, outermost first.
func structs(t reflect.Type) []reflect.Type {
	if _, ok := scalars()[t]; ok {
		return nil
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		return structs(t.Elem())
	case reflect.Struct:
		all := []reflect.Type{t}
		for _, f := range shapeOf(t).fields {
			all = append(all, structs(t.Field(f.index).Type)...)
		}
		return all
	}
	return nil
}

// scalarSchema gives the schema of a type that is one value in the file.
func scalarSchema(t reflect.Type) *jsonschema.Schema {
	if t == reflect.TypeFor[Names]() {
		name := jsonschema.Schema{Type: "string", Pattern: namePattern}
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{&name, {Type: "array", Items: &name}}}
	}
	if t == reflect.TypeFor[RuleWeight]() {
		return &jsonschema.Schema{Type: "integer", Minimum: "0", Maximum: json.Number(strconv.Itoa(maxWeight))}
	}
	s, ok := scalars()[t]
	if !ok || t.Kind() == reflect.String || t.Kind() == reflect.Int || t.Kind() == reflect.Bool {
		return nil
	}
	text := &jsonschema.Schema{Type: "string", Pattern: s.pattern}
	if !s.number {
		return text
	}
	least, most := json.Number("1"), json.Number("65535")
	if t == reflect.TypeFor[StatusRange]() {
		least, most = "100", "599"
	}
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "integer", Minimum: least, Maximum: most}, text}}
}

// constrain adds what the tags of a struct say to its schema.
func constrain(s *jsonschema.Schema, t reflect.Type) {
	for _, f := range shapeOf(t).fields {
		p, _ := s.Properties.Get(f.key)
		typ := t.Field(f.index).Type
		if f.required {
			s.Required = append(s.Required, f.key)
		}
		for _, e := range f.enum {
			p.Enum = append(p.Enum, e)
		}
		p.Pattern = formatPattern(f.format, p.Pattern)
		bound(p, f, typ)
		p.Default = defaultOf(f, typ)
		if typ == reflect.TypeFor[time.Duration]() {
			p.Description += fmt.Sprintf(" From %s to %s.", f.min, f.max)
		}
		if f.shown != "" {
			p.Description += fmt.Sprintf(" Default: %s.", f.shown)
		}
	}
}

func formatPattern(format, otherwise string) string {
	patterns := map[string]string{"name": namePattern, "path": pathPattern, "url": urlPattern, "host": hostPattern, "interface": interfacePattern}
	if p, ok := patterns[format]; ok {
		return p
	}
	return otherwise
}

// bound adds min and max where JSON Schema can say them: of numbers and of the size of collections, not of times.
func bound(p *jsonschema.Schema, f field, typ reflect.Type) {
	if f.max == "" {
		return
	}
	least, most := uint64(atoi(f.min)), uint64(atoi(f.max))
	switch {
	case typ.Kind() == reflect.Int:
		p.Minimum, p.Maximum = json.Number(f.min), json.Number(f.max)
	case typ.Kind() == reflect.Map:
		p.MinProperties, p.MaxProperties = &least, &most
		p.PropertyNames = &jsonschema.Schema{Pattern: namePattern}
	case typ.Kind() == reflect.Slice && p.OneOf == nil:
		p.MinItems, p.MaxItems = &least, &most
	case typ.Kind() == reflect.Slice:
		p.OneOf[1].MaxItems = &most
		if f.min != "" {
			p.OneOf[1].MinItems = &least
		}
	}
}

// defaultOf gives a default as the file would have it.
func defaultOf(f field, typ reflect.Type) any {
	switch {
	case f.def == "":
		return nil
	case typ.Kind() == reflect.Int:
		return atoi(f.def)
	case typ.Kind() == reflect.Bool:
		return f.def == "true"
	case typ.Kind() == reflect.Slice:
		return strings.Split(f.def, ",")
	}
	return f.def
}

func TestSchemaIsCurrent(t *testing.T) {
	b, err := json.MarshalIndent(schema(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	generated(t, schemaFile, append(b, '\n'))
}

// checkedIn compiles the schema as users get it, with the validator that others use.
func checkedIn(t testing.TB) *schemacheck.Schema {
	t.Helper()
	s, err := schemacheck.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// plain gives a YAML text as the validator wants it.
func plain(t testing.TB, text string) any {
	t.Helper()
	b, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	v, err := schemacheck.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchemaAcceptsTheExamples(t *testing.T) {
	paths, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal("no examples", err)
	}
	s := checkedIn(t)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(plain(t, string(text))); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := Load(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// What needs more than one value to judge, or arithmetic, is beyond a schema; it must refuse the rest.
func TestSchemaRefusesTheMistakesItCanSee(t *testing.T) {
	unseen := map[string]bool{
		"key twice": true, "host twice": true, "key that is a list": true, "tag": true, "path for a terminal": true,
		"host with IPv6 beside one with IPv4": true, "host with a link-local address": true, "host with IPv4 in disguise": true,
		"host on loopback": true, "VIP is the network": true, "VIP is the broadcast address": true,
		"VIP with a link-local address": true, "VIP with IPv4 in disguise": true, "VIP is the IPv6 network": true, "VIP is an IPv6 group": true, "VIP is the IPv6 loopback": true,
		"VIP outside every subnet": true,
		"one host outside":         true, "two hosts, one address": true, "VIP has a host's address": true, "two VIPs, one address": true, "two networks, one interface": true, "group that is none": true, "group that is no address": true,
		"interval too short": true, "range backwards": true, "port in two rules": true, "ranges in two rules": true,
		"port in one rule twice": true, "misspelt check": true, "unknown check": true, "check twice": true,
		"URL with a password": true, "URL with port 0": true, "timeout longer than interval": true,
		"unknown alias": true, "witness with a weight": true, "only witnesses": true, "two kinds of witness": true,
		"priority without single": true, "weights with single": true, "priority names nobody": true, "priority names a host twice": true, "priority names a witness": true,
		"weights of nobody": true, "weights of no host": true, "default names nobody": true, "affinity_network without network": true, "timeout without affinity": true, "timeout too long": true, "port in a rule for both": true,
		"witness without address": true, "quorum without witness": true, "witness addresses of IPv6 hosts": true, "witness by IPv6": true, "alias of itself": true, "merge of no mapping": true,
	}
	s := checkedIn(t)
	for _, test := range spoilings() {
		if unseen[test.name] {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			if s.Validate(plain(t, spoilt(t, test.old, test.new))) == nil {
				t.Error("accepted")
			}
		})
	}
}

// examples/every-key.yaml is the example of each key.
func TestEveryKeyHasAnExample(t *testing.T) {
	text, err := os.ReadFile("../../examples/every-key.yaml")
	if err != nil {
		t.Fatal(err)
	}
	root, bad := document(text)
	if bad != nil {
		t.Fatal(bad)
	}
	d := newDecoder("every-key.yaml", root)
	d.decodeFile(root)
	used := map[string]bool{}
	for path := range d.values {
		used[path[strings.LastIndexByte(path, '/')+1:]] = true
	}
	for _, typ := range structs(reflect.TypeFor[File]()) {
		for _, f := range shapeOf(typ).fields {
			if !used[f.key] && f.key != "profile" { // excludes interval and tolerance, and stands there as a comment
				t.Errorf("%v: no example of %s", typ, f.key)
			}
		}
	}
}
