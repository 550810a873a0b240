package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// decoder fills a File from a tree and remembers where each value stands. Values are named by path: keys and indexes
// joined by slashes, as in "/vips/web/rules/0/ports".
type decoder struct {
	file     string
	anchors  anchors
	scalars  map[reflect.Type]scalar
	visits   int
	values   map[string]position // of each value that the file has
	keys     map[string]position // of its key
	spoiled  map[string]bool     // values with a problem, and everything that holds them
	problems Problems
	warnings Problems // what does no harm
	tooMany  bool
}

func newDecoder(file string, root ast.Node) *decoder {
	d := &decoder{
		file:    file,
		anchors: anchors{},
		scalars: scalars(),
		values:  map[string]position{},
		keys:    map[string]position{},
		spoiled: map[string]bool{},
	}
	ast.Walk(d.anchors, root)
	return d
}

// report keeps a problem.
func (d *decoder) report(at position, f flaw) {
	if len(d.problems) >= maxProblems {
		d.tooMany = true
		return
	}
	d.problems = append(d.problems, Problem{File: d.file, Line: at.line, Column: at.column, Message: f.message, Remedy: f.remedy})
}

// spoil marks a value as one that no later check can judge.
func (d *decoder) spoil(path string) {
	for path != "" && !d.spoiled[path] {
		d.spoiled[path] = true
		path = path[:strings.LastIndexByte(path, '/')]
	}
}

// wrong reports a flaw of the value at a path.
func (d *decoder) wrong(path string, f flaw) {
	d.spoil(path)
	d.report(d.values[path], f)
}

// missing reports a flaw of a mapping as a whole: at its key, if it has one.
func (d *decoder) missing(path string, f flaw) {
	d.spoil(path)
	at, ok := d.keys[path]
	if !ok {
		at = d.values[path]
	}
	d.report(at, f)
}

// has says whether the file has a value at a path.
func (d *decoder) has(path string) bool {
	_, ok := d.values[path]
	return ok
}

// value decodes a node into out as field f says.
func (d *decoder) value(n ast.Node, path string, f field, out reflect.Value) {
	resolved := d.resolve(n)
	if resolved == nil {
		d.spoil(path)
		return
	}
	n = resolved
	d.values[path] = startOf(n)
	if n.Type() == ast.NullType {
		d.missing(path, flaw{called(path) + " has no value", "give it one, or remove it"})
		return
	}
	if s, ok := d.scalars[out.Type()]; ok {
		d.scalar(n, path, f, s, out)
		return
	}
	switch out.Kind() {
	case reflect.Pointer:
		out.Set(reflect.New(out.Type().Elem()))
		d.structure(n, path, f, out.Elem())
	case reflect.Struct:
		d.structure(n, path, f, out)
	case reflect.Map:
		d.names(n, path, f, out)
	case reflect.Slice:
		d.list(n, path, f, out)
	}
}

// scalar decodes one value and judges it by itself.
func (d *decoder) scalar(n ast.Node, path string, f field, s scalar, out reflect.Value) {
	text := n.Type() == ast.StringType || n.Type() == ast.LiteralType
	number := n.Type() == ast.IntegerType
	truth := n.Type() == ast.BoolType
	if !(text && s.text || number && s.number || truth && s.truth) {
		d.unexpected(n, path, s.want, f)
		return
	}
	v, bad := s.parse(nodeText(n))
	if bad == nil && f.enum != nil {
		bad = choiceFlaw(f, nodeText(n))
	}
	if bad == nil && f.format != "" {
		bad = formatFlaw(f.format, nodeText(n))
	}
	if bad == nil {
		bad = boundsFlaw(f, v)
	}
	if bad != nil {
		d.wrong(path, *bad)
		return
	}
	out.Set(reflect.ValueOf(v))
}

// unexpected reports a value of a wrong type.
func (d *decoder) unexpected(n ast.Node, path, want string, f field) {
	remedy := "remove it"
	switch {
	case want == "text" && !isMapping(n) && n.Type() != ast.SequenceType && f.enum == nil:
		remedy = fmt.Sprintf("put it in quotes: `%q`", n.GetToken().Value)
	case f.example != "":
		remedy = "write for example `" + f.example + "`"
	}
	d.wrong(path, flaw{fmt.Sprintf("%s must be %s, and is %s", called(path), want, kindOf(n)), remedy})
}

// structure decodes a mapping with known keys.
func (d *decoder) structure(n ast.Node, path string, f field, out reflect.Value) {
	if !isMapping(n) {
		d.unexpected(n, path, "a mapping", field{example: f.example})
		return
	}
	s := shapeOf(out.Type())
	seen := map[string]bool{}
	for _, e := range d.entries(n, 0) {
		seen[e.key] = true
		f, ok := s.named(e.key)
		if !ok {
			d.spoil(path)
			meant, bad := unknownKey(s, e.key)
			seen[meant] = true // one message is enough when a required key is misspelt
			d.report(e.at, bad)
			continue
		}
		child := path + "/" + e.key
		d.keys[child] = e.at
		d.value(e.value, child, f, out.Field(f.index))
	}
	for _, f := range s.fields {
		if seen[f.key] {
			continue
		}
		if f.required {
			d.missing(path, flaw{fmt.Sprintf("%s has no `%s`", called(path), f.key), fmt.Sprintf("add `%s: %s`", f.key, f.example)})
			continue
		}
		d.fallBack(f, out.Field(f.index))
	}
}

// fallBack sets what the file does not say.
func (d *decoder) fallBack(f field, out reflect.Value) {
	if s, ok := d.scalars[out.Type()]; ok {
		if f.def != "" {
			v, _ := s.parse(f.def) // TestTagsAreSound
			out.Set(reflect.ValueOf(v))
		}
		return
	}
	switch {
	case out.Kind() == reflect.Struct:
		for _, f := range shapeOf(out.Type()).fields {
			d.fallBack(f, out.Field(f.index))
		}
	case out.Kind() == reflect.Slice && f.def != "":
		parts := strings.Split(f.def, ",")
		out.Set(reflect.MakeSlice(out.Type(), len(parts), len(parts)))
		for i, part := range parts {
			d.fallBack(field{def: part}, out.Index(i))
		}
	}
}

// unknownKey says what to do about a key that the file type does not have, and which one was meant, if that is plain.
func unknownKey(s shape, key string) (meant string, _ flaw) {
	if slices.Contains(s.unsupported, key) {
		return "", flaw{"`" + key + "` is not supported by this version", "remove it"}
	}
	if c := closest(key, s.keys()); c != "" {
		return c, flaw{"unknown key " + quote(key), "did you mean `" + c + "`?"}
	}
	return "", flaw{"unknown key " + quote(key), "remove it, or use " + ticked(s.keys())}
}

// names decodes a mapping whose keys are names that the user chose.
func (d *decoder) names(n ast.Node, path string, f field, out reflect.Value) {
	if !isMapping(n) {
		d.unexpected(n, path, "a mapping from names", f)
		return
	}
	all := d.entries(n, 0)
	if len(all) == 0 && f.min != "" {
		d.missing(path, flaw{called(path) + " is empty", fmt.Sprintf("write for example `%s: %s`", f.key, f.example)})
		return
	}
	out.Set(reflect.MakeMap(out.Type()))
	for i, e := range all {
		if i == atoi(f.max) {
			d.spoil(path)
			d.report(e.at, flaw{fmt.Sprintf("%s has %d entries, and %s is the most", called(path), len(all), f.max), "remove the ones from here on"})
			return
		}
		child := path + "/" + e.key
		d.keys[child] = e.at
		if bad := nameFlaw(e.key); bad != nil {
			d.missing(child, *bad)
		}
		v := reflect.New(out.Type().Elem()).Elem()
		d.value(e.value, child, d.element(v.Type()), v)
		out.SetMapIndex(reflect.ValueOf(e.key), v)
	}
}

// list decodes a list, or one name that stands for a list of one.
func (d *decoder) list(n ast.Node, path string, f field, out reflect.Value) {
	var nodes []ast.Node
	seq, isList := n.(*ast.SequenceNode)
	switch {
	case isList:
		nodes = seq.Values
	case out.Type() == reflect.TypeFor[Names]() && !isMapping(n):
		nodes = []ast.Node{n}
	default:
		d.unexpected(n, path, "a list", f)
		return
	}
	if len(nodes) < atoi(f.min) {
		d.missing(path, flaw{called(path) + " is empty", fmt.Sprintf("write for example `%s: %s`", f.key, f.example)})
		return
	}
	if most := atoi(f.max); len(nodes) > most {
		d.spoil(path)
		d.report(startOf(nodes[most]), flaw{fmt.Sprintf("%s has %d entries, and %d is the most", called(path), len(nodes), most), "remove the ones from here on"})
		nodes = nodes[:most]
	}
	out.Set(reflect.MakeSlice(out.Type(), len(nodes), len(nodes)))
	for i, node := range nodes {
		d.value(node, path+"/"+strconv.Itoa(i), d.element(out.Type().Elem()), out.Index(i))
	}
}

// element describes an entry of a list or of a mapping from names, which has no field of its own.
func (d *decoder) element(t reflect.Type) field {
	if s, ok := d.scalars[t]; ok {
		return field{example: s.example}
	}
	var required []string
	for _, f := range shapeOf(t).fields {
		if f.required {
			required = append(required, f.key+": "+f.example)
		}
	}
	if required == nil {
		return field{}
	}
	return field{example: "{" + strings.Join(required, ", ") + "}"}
}

// called names the value at a path as a reader of the file would: by the nearest key.
func called(path string) string {
	if path == "" {
		return "the file"
	}
	parts := strings.Split(path, "/")
	last := parts[len(parts)-1]
	if _, err := strconv.Atoi(last); err == nil && len(parts) > 2 {
		return "an entry of " + quote(parts[len(parts)-2])
	}
	return quote(last)
}

// decodeFile decodes the root.
func (d *decoder) decodeFile(root ast.Node) *File {
	f := new(File)
	d.value(root, "", field{example: "cluster: shop"}, reflect.ValueOf(f).Elem())
	return f
}
