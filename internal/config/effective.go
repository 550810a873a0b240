package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Effective is one value of a configuration as it is in use.
type Effective struct {
	Path  string // keys and indexes joined by slashes, as in "/vips/web/rules/0/ports"
	Value string // as the file would have it, or in words where nothing is set
	Given bool   // the file says so; otherwise it is the default
}

// effectiveOf lists the values of a file whose defaults are filled in. What depends on something else is taken from the configuration built of it.
func effectiveOf(f *File, has func(path string) bool, c *Config) []Effective {
	w := walk{has: has, scalars: scalars(), known: map[string]string{
		"/state_dir":           c.StateDir,
		"/run_dir":             c.RunDir,
		"/heartbeat/interval":  c.Heartbeat.Interval.String(),
		"/heartbeat/tolerance": strconv.Itoa(c.Heartbeat.Tolerance),
	}}
	for _, check := range c.Checks {
		w.known["/checks/"+check.Name+"/timeout"] = check.Timeout.String()
	}
	if has("/heartbeat/interval") {
		w.known["/heartbeat/profile"] = "none: interval and tolerance are given"
	}
	w.value(reflect.ValueOf(f).Elem(), "", field{})
	return w.list
}

// walk goes through a file's types and notes every value.
type walk struct {
	has     func(path string) bool
	scalars map[reflect.Type]scalar
	known   map[string]string
	list    []Effective
}

func (w *walk) value(v reflect.Value, path string, f field) {
	if _, ok := w.scalars[v.Type()]; ok {
		w.note(path, fmt.Sprint(v.Interface()), v.IsZero(), f)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			w.value(v.Elem(), path, f)
		}
	case reflect.Struct:
		for _, f := range shapeOf(v.Type()).fields {
			w.value(v.Field(f.index), path+"/"+f.key, f)
		}
	case reflect.Map:
		for _, name := range sortedKeys(v) {
			w.value(v.MapIndex(reflect.ValueOf(name)), path+"/"+name, field{})
		}
	case reflect.Slice:
		w.slice(v, path, f)
	}
}

// slice notes a list of scalars as one value, and goes through one of structures.
func (w *walk) slice(v reflect.Value, path string, f field) {
	if _, ok := w.scalars[v.Type().Elem()]; !ok {
		for i := range v.Len() {
			w.value(v.Index(i), path+"/"+strconv.Itoa(i), field{})
		}
		return
	}
	parts := make([]string, v.Len())
	for i := range parts {
		parts[i] = fmt.Sprint(v.Index(i).Interface())
	}
	w.note(path, strings.Join(parts, ", "), len(parts) == 0, f)
}

// note keeps a value. One that nobody has set is what the file's reference says of it.
func (w *walk) note(path, value string, unset bool, f field) {
	given := w.has(path)
	if unset && !given && f.def == "" {
		value = f.shown
		if value == "" {
			value = "none"
		}
	}
	if known := w.known[path]; known != "" {
		value = known
	}
	w.list = append(w.list, Effective{Path: path, Value: value, Given: given})
}

// sortedKeys are the names of a map in order.
func sortedKeys(v reflect.Value) []string {
	names := map[string]bool{}
	for _, key := range v.MapKeys() {
		names[key.String()] = true
	}
	return sorted(names)
}
