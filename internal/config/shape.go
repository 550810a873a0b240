package config

import (
	"reflect"
	"strings"
)

// shape is what the tags of a file type say.
type shape struct {
	fields      []field
	unsupported []string // keys that this version does not do
}

// field is one key of a mapping.
type field struct {
	index       int
	key         string
	required    bool
	def         string // default as it would be written; lists with commas
	shown       string // default in words, where it depends on something else
	enum        []string
	unsupported []string // values that this version does not do
	min, max    string
	format      string // of a text: see formats
	example     string
}

// shapeOf reads the tags of a file type.
func shapeOf(t reflect.Type) shape {
	var s shape
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "_" {
			s.unsupported = strings.Fields(f.Tag.Get("unsupported"))
			continue
		}
		s.fields = append(s.fields, fieldOf(i, f.Tag))
	}
	return s
}

func fieldOf(i int, tag reflect.StructTag) field {
	f := field{
		index:       i,
		key:         tag.Get("yaml"),
		required:    tag.Get("required") == "true",
		def:         tag.Get("default"),
		shown:       tag.Get("shown"),
		unsupported: strings.Fields(tag.Get("unsupported")),
		min:         tag.Get("min"),
		max:         tag.Get("max"),
		format:      tag.Get("format"),
		example:     tag.Get("example"),
	}
	if e := tag.Get("enum"); e != "" {
		f.enum = strings.Split(e, ",")
	}
	if f.example == "" {
		f.example = f.def
	}
	return f
}

// named gives the field of a key.
func (s shape) named(key string) (field, bool) {
	for _, f := range s.fields {
		if f.key == key {
			return f, true
		}
	}
	return field{}, false
}

func (s shape) keys() []string {
	keys := make([]string, len(s.fields))
	for i, f := range s.fields {
		keys[i] = f.key
	}
	return keys
}
