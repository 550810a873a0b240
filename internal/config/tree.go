package config

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Bounds of what aliases can make of a file.
const (
	maxVisits = 50_000 // values decoded, counting again what an alias repeats
	maxMerges = 16     // mappings taken in by `<<` one inside the other
)

// anchors gives the nodes with a name, in the order of the file.
type anchors map[string][]*ast.AnchorNode

// Visit collects anchors (ast.Visitor).
func (a anchors) Visit(n ast.Node) ast.Visitor {
	if anchor, ok := n.(*ast.AnchorNode); ok && anchor.Name != nil {
		name := nodeText(anchor.Name)
		a[name] = append(a[name], anchor)
	}
	return a
}

// before gives the last node with a name that starts before a position.
func (a anchors) before(name string, at position) ast.Node {
	var found ast.Node
	for _, n := range a[name] {
		p := positionOf(n.GetToken())
		if p.line < at.line || p.line == at.line && p.column < at.column {
			found = n.Value
		}
	}
	return found
}

// resolve follows anchors and aliases to the value itself; nil if there is none, which it has reported.
func (d *decoder) resolve(n ast.Node) ast.Node {
	for {
		if !d.afford(n, 1) {
			return nil
		}
		switch node := n.(type) {
		case *ast.AnchorNode:
			n = node.Value
		case *ast.AliasNode:
			name := nodeText(node.Value)
			target := d.anchors.before(name, startOf(node))
			if target == nil {
				d.report(startOf(node), flaw{"no value is named " + quote("&"+name) + " before this line", "name the value with `&` where it stands first, or write it out here"})
				return nil
			}
			n = target
		case *ast.TagNode:
			d.report(startOf(node), flaw{"tags such as " + quote(node.GetToken().Value) + " are not supported", "remove it"})
			return nil
		default:
			return n
		}
	}
}

// afford counts values and says whether there may be more; it reports once when aliases multiply without end.
func (d *decoder) afford(n ast.Node, values int) bool {
	before := d.visits
	d.visits += values
	if d.visits > maxVisits && before <= maxVisits {
		d.report(startOf(n), flaw{"the aliases of the file repeat too many values", "write out what `*` stands for"})
	}
	return d.visits <= maxVisits
}

// entry is a key of a mapping with its value.
type entry struct {
	key    string
	at     position
	value  ast.Node
	merged bool // came by `<<`: the mapping's own keys win
}

// entries gives a mapping's keys, what `<<` merges into it included, and reports keys that are there twice.
func (d *decoder) entries(n ast.Node, depth int) []entry {
	var own, merged []entry
	if !d.afford(n, len(pairs(n))) {
		return nil
	}
	for _, v := range pairs(n) {
		if v.Key.IsMergeKey() {
			merged = append(merged, d.merge(v, depth)...)
			continue
		}
		if e, ok := d.entry(v); ok {
			own = append(own, e)
		}
	}
	return d.unique(append(own, merged...))
}

func (d *decoder) entry(v *ast.MappingValueNode) (entry, bool) {
	e := entry{key: nodeText(v.Key), at: startOf(v.Key), value: v.Value}
	switch v.Key.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		return e, true
	}
	d.report(e.at, flaw{"this key is not plain text", "write the key as a word followed by a colon"})
	return e, false
}

// merge gives the entries that `<<` brings.
func (d *decoder) merge(v *ast.MappingValueNode, depth int) []entry {
	var all []entry
	sources := []ast.Node{v.Value}
	if list, ok := v.Value.(*ast.SequenceNode); ok {
		sources = list.Values
	}
	for _, s := range sources {
		m := d.resolve(s)
		if m == nil {
			continue
		}
		if !isMapping(m) || depth == maxMerges {
			d.report(startOf(s), flaw{"`<<` takes in something that is not a mapping, or itself", "give it the alias of a mapping"})
			continue
		}
		all = append(all, d.entries(m, depth+1)...)
	}
	for i := range all {
		all[i].merged = true
	}
	return all
}

// unique leaves the first entry of each key.
func (d *decoder) unique(all []entry) []entry {
	first := make(map[string]entry, len(all))
	kept := all[:0]
	for _, e := range all {
		before, twice := first[e.key]
		switch {
		case !twice:
			first[e.key] = e
			kept = append(kept, e)
		case !e.merged:
			d.report(e.at, flaw{fmt.Sprintf("%s is there twice, first on line %d", quote(e.key), before.at.line), "keep one of the two"})
		}
	}
	return kept
}

// pairs gives the entries of a mapping node.
func pairs(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

func isMapping(n ast.Node) bool {
	return n.Type() == ast.MappingType || n.Type() == ast.MappingValueType
}

// nodeText gives a scalar as it stands in the file, without quotes.
func nodeText(n ast.Node) string {
	switch n := n.(type) {
	case nil:
		return ""
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.IntegerNode:
		return fmt.Sprint(n.Value)
	}
	if t := n.GetToken(); t != nil {
		return strings.TrimSpace(t.Value)
	}
	return ""
}

// kindOf names what was found where something else was expected.
func kindOf(n ast.Node) string {
	switch n.Type() {
	case ast.MappingType, ast.MappingValueType:
		return "a mapping"
	case ast.SequenceType:
		return "a list"
	case ast.StringType, ast.LiteralType:
		return "the text " + quote(nodeText(n))
	case ast.IntegerType, ast.FloatType, ast.InfinityType, ast.NanType:
		return "the number " + n.GetToken().Value
	case ast.BoolType:
		return "the truth value " + n.GetToken().Value
	}
	return "something else"
}
