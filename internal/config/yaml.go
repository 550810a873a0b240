package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a file. A cluster of 32 hosts, 64 rules and 64 checks has 5,000 tokens in 20 KiB. The parser's cost is quadratic in
// keys and in nesting, so both are bounded before it sees the file.
const (
	maxFileSize = 1 << 20
	maxTokens   = 20_000
	maxNesting  = 32
)

// position is a place in the file. Line 0: the file as a whole.
type position struct{ line, column int }

func positionOf(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{}
	}
	return position{t.Position.Line, t.Position.Column}
}

// misread is why a file could not be read as one YAML document at all.
type misread struct {
	at position
	flaw
}

// document reads a file as one YAML document.
func document(data []byte) (ast.Node, *misread) {
	if len(data) > maxFileSize {
		return nil, &misread{flaw: flaw{"the file is larger than 1 MiB", "check that it is the right file"}}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if m := notText(data); m != nil {
		return nil, m
	}
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")) // the scanner miscounts lines after a comment that ends in CR LF
	tokens, m := tokenize(string(data))
	if m != nil {
		return nil, m
	}
	file, m := parse(tokens)
	if m != nil {
		return nil, m
	}
	return single(file)
}

// notText finds the first byte that cannot be in a text file.
func notText(data []byte) *misread {
	at := position{1, 1}
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && n == 1, r == 0:
			return &misread{at, flaw{"the file is not UTF-8 text", "save it as UTF-8"}}
		case r == '\n':
			at = position{at.line + 1, 1}
		default:
			at.column++
		}
		data = data[n:]
	}
	return nil
}

// tokenize splits the text and stops at the bounds.
func tokenize(text string) (token.Tokens, *misread) {
	var s scanner.Scanner
	s.Init(text)
	var all token.Tokens
	var n nesting
	for {
		next, err := s.Scan()
		if err == io.EOF {
			return all, nil
		}
		for _, t := range next {
			if t.Type == token.CommentType {
				continue
			}
			if len(all) == maxTokens {
				return nil, &misread{positionOf(t), flaw{"the file has too many keys and values", "check that it is the right file"}}
			}
			if n.deeper(t) {
				return nil, &misread{positionOf(t), flaw{"lists and mappings are nested too deeply", "check the brackets and the indentation"}}
			}
			all.Add(t)
		}
		if err != nil { // the parser words it by the invalid token, which is the last
			return all, unexplained(all, err)
		}
	}
}

// unexplained makes sure that a file that could not be scanned to its end is not taken for a shorter one.
func unexplained(all token.Tokens, err error) *misread {
	if all.InvalidToken() != nil {
		return nil
	}
	return &misread{position{1, 1}, flaw{"the file is not YAML: " + err.Error(), "correct it"}}
}

// nesting counts how deep brackets, and list entries that start on one line, stand in each other. Other nesting costs
// a line a level.
type nesting struct{ brackets, line, entries int }

func (n *nesting) deeper(t *token.Token) bool {
	if line := positionOf(t).line; line != n.line {
		n.line, n.entries = line, 0
	}
	switch t.Type {
	case token.SequenceStartType, token.MappingStartType:
		n.brackets++
	case token.SequenceEndType, token.MappingEndType:
		n.brackets--
	case token.SequenceEntryType, token.MappingKeyType:
		n.entries++
	}
	return n.brackets > maxNesting || n.entries > maxNesting || positionOf(t).column > maxIndent && n.brackets == 0 && opens(t)
}

// maxIndent is the rightmost column for the start of an entry outside brackets: with it, no block nests deeper.
const maxIndent = 256

func opens(t *token.Token) bool {
	return t.Type == token.SequenceEntryType || t.Type == token.MappingKeyType || t.Type == token.MappingValueType
}

// parse builds the tree. Duplicate keys stay in it: the decoder reports them with the rest.
func parse(tokens token.Tokens) (_ *ast.File, m *misread) {
	defer func() { // the bytes are foreign and so is the parser: a fault in it must not take a running agent along at SIGHUP
		if r := recover(); r != nil {
			m = &misread{position{1, 1}, flaw{fmt.Sprintf("the file cannot be read as YAML (%v)", r), "simplify it"}}
		}
	}()
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err == nil {
		return file, nil
	}
	var syntax yaml.Error
	if !errors.As(err, &syntax) {
		return nil, &misread{position{1, 1}, flaw{"the file is not YAML: " + err.Error(), "correct it"}}
	}
	return nil, &misread{positionOf(syntax.GetToken()), flaw{"the file is not YAML here: " + syntax.GetMessage(), "check the indentation, quotes and brackets of this line and the one before"}}
}

// single gives the root of the only document.
func single(file *ast.File) (ast.Node, *misread) {
	var root ast.Node
	for _, doc := range file.Docs {
		if doc == nil || doc.Body == nil || doc.Body.Type() == ast.DirectiveType {
			continue
		}
		if root != nil {
			at := positionOf(doc.Start)
			if doc.Start == nil {
				at = startOf(doc.Body)
			}
			return nil, &misread{at, flaw{"a second document starts here", "keep one document in the file"}}
		}
		root = doc.Body
	}
	if root == nil || root.Type() == ast.NullType {
		return nil, &misread{position{1, 1}, flaw{"the file is empty", "start with `cluster:`, `secret_file:` and `hosts:`, as in examples/farm.yaml"}}
	}
	return root, nil
}

// startOf gives where a node starts: a block mapping starts at its first key, not at the colon that its token is.
func startOf(n ast.Node) position {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 && n.Values[0] != nil {
			return startOf(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return startOf(n.Key)
	}
	if n == nil {
		return position{}
	}
	return positionOf(n.GetToken())
}
