package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func parsed(t testing.TB, text string) *Config {
	t.Helper()
	c, err := Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDigestIgnoresSpelling(t *testing.T) {
	long := strings.Replace(good, "{http: {url: \"http://127.0.0.1/\"}}", "{http: {url: \"http://127.0.0.1/\"}, interval: 2s}", 1)
	tests := []struct{ name, a, b string }{
		{"comments", good, "# hello\n" + strings.Replace(good, "\n", " # shop\n", 1)},
		{"order of hosts", good, strings.Replace(good, "  a: {address: 10.77.0.1}\n  b: {address: 10.77.0.2}\n", "  b: {address: 10.77.0.2}\n  a: {address: 10.77.0.1}\n", 1)},
		{"order of keys", good, strings.Replace(good, "cluster: shop\nsecret_file: secret.key\n", "secret_file: secret.key\ncluster: shop\n", 1)},
		{"spelling of a time", long, strings.Replace(long, "2s", "2000ms", 1)},
		{"a default written out", good, long},
		{"order of ports", good, strings.Replace(good, "[80, 443]", "[443, 80]", 1)},
		{"ports as text", good, strings.Replace(good, "[80, 443]", `["80", 443-443]`, 1)},
		{"ports as a range", strings.Replace(good, "[80, 443]", "[80-82]", 1), strings.Replace(good, "[80, 443]", "[82, 80, 81]", 1)},
		{"a list of one check", good, strings.Replace(good, "check: web", "check: [web]", 1)},
		{"profile by its numbers", good, good + "heartbeat: {interval: 20ms, tolerance: 15}\n"},
		{"block style", good, strings.Replace(good, "  a: {address: 10.77.0.1}", "  a:\n    address: 10.77.0.1", 1)},
		{"paths", good, strings.Replace(good, "secret.key", "/etc/x\nrun_dir: r\nstate_dir: s", 1)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if a, b := parsed(t, test.a), parsed(t, test.b); a.Digest != b.Digest {
				t.Errorf("%s and %s", a.Digest.Short(), b.Digest.Short())
			}
		})
	}
}

// Every field of a Config is in the digest or named here: a new one cannot be forgotten.
func TestDigestSeesEveryField(t *testing.T) {
	exempt := map[string]string{
		"Path":         "a host's own business",
		"SecretFile":   "a host's own business",
		"PasswordFile": "a host's own business",
		"StateDir":     "a host's own business",
		"RunDir":       "a host's own business",
		"Digest":       "the digest itself",
		"Warning":      "for people",
		"Lenient":      "says only what may be set by hand",
		"Warnings":     "for people",
		"Effective":    "for people",
	}
	text := strings.Replace(good, "checks:", "checks:\n  tcp: {tcp: {address: \"127.0.0.1:21\"}}", 1)
	text = strings.Replace(text, "vips:", "heartbeat: {networks: {cross: {interface: eth1, multicast: {address: 239.255.7.9}}}}\nbgp: {as: 64512, neighbors: {tor1: {address: 10.77.0.254, as: 64513}}}\nvips:", 1)
	changed := 0
	c := parsed(t, text)
	change(reflect.ValueOf(c).Elem(), "", func(path string) {
		changed++
		same := c.digest() == c.Digest
		field, _, _ := strings.Cut(strings.TrimPrefix(path, "."), ".")
		field, _, _ = strings.Cut(field, "[")
		if i := strings.LastIndexByte(path, '.'); exempt[path[i+1:]] != "" {
			field = path[i+1:]
		}
		if same != (exempt[field] != "") {
			t.Errorf("%s changed, digest the same: %v", path, same)
		}
	})
	if change := 48; changed < change {
		t.Errorf("only %d values changed: the walk is broken", changed)
	}
}

// change alters each value below v in turn, calls f, and puts it back.
func change(v reflect.Value, path string, f func(path string)) {
	with := func(other reflect.Value) {
		old := reflect.New(v.Type()).Elem()
		old.Set(v)
		v.Set(other.Convert(v.Type()))
		f(path)
		v.Set(old)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			change(v.Elem(), path, f)
		}
	case reflect.Slice, reflect.Array:
		if v.Type() == reflect.TypeFor[Digest]() {
			return
		}
		for i := range v.Len() {
			change(v.Index(i), fmt.Sprintf("%s[%d]", path, i), f)
		}
	case reflect.Struct:
		if _, ok := scalars()[v.Type()]; ok && !v.Type().Field(0).IsExported() {
			with(reflect.Zero(v.Type()))
			return
		}
		for i := range v.NumField() {
			change(v.Field(i), path+"."+v.Type().Field(i).Name, f)
		}
	case reflect.String:
		with(reflect.ValueOf(v.String() + "x"))
	case reflect.Bool:
		with(reflect.ValueOf(!v.Bool()))
	case reflect.Int, reflect.Int64:
		with(reflect.ValueOf(v.Int() + 1))
	case reflect.Uint8, reflect.Uint16:
		with(reflect.ValueOf(v.Uint() + 1))
	default:
		panic("change does not know " + v.Type().String())
	}
}

func TestDigestForms(t *testing.T) {
	d := Digest{0xde, 0xad, 0xbe, 0xef, 0, 1, 2, 3, 4}
	if got := d.Short(); got != "deadbeef0001" {
		t.Errorf("Short: %s", got)
	}
	if got := d.ID(); got != 0xdeadbeef00010203 {
		t.Errorf("ID: %x", got)
	}
	if got := (Digest{8: 1}).ID(); got == 0 {
		t.Error("ID is zero, which means none")
	}
}

func TestRuleKeyStaysWithTheRule(t *testing.T) {
	c := parsed(t, good)
	want := []string{"10.77.0.100 tcp 80,443 affinity none", "10.77.0.100 udp 53 affinity none"}
	for i, w := range want {
		if got := c.RuleKey(i); got != w {
			t.Errorf("rule %d: %s, want %s", i, got, w)
		}
	}
	moved := parsed(t, strings.Replace(good, "vips:\n", "vips:\n  first: {address: 10.77.0.99/24, rules: [{ports: [25], affinity: client}]}\n", 1))
	if got := moved.RuleKey(1); got != want[0] {
		t.Errorf("after another VIP: %s", got)
	}
	if got := moved.RuleKey(0); got != "10.77.0.99 tcp 25 affinity client" {
		t.Errorf("the new one: %s", got)
	}
}

func TestDigestOfAnIPv6AddressIsOfItsMeaning(t *testing.T) {
	same := []string{"fd00:77::100/64", `"FD00:0077:0:0::0100/64"`, `"fd00:77:0:0:0:0:0.0.1.0/64"`}
	want := parsed(t, spoilt(t, "10.77.0.100/24", same[0]))
	for _, text := range same[1:] {
		if got := parsed(t, spoilt(t, "10.77.0.100/24", text)); got.Digest != want.Digest || got.VIPs[0].Address != want.VIPs[0].Address {
			t.Errorf("%s: %v, not the digest of %s", text, got.VIPs[0].Address, same[0])
		}
	}
	if other := parsed(t, spoilt(t, "10.77.0.100/24", "fd00:77::101/64")); other.Digest == want.Digest {
		t.Error("another address, the same digest")
	}
	if got := want.RuleKey(0); got != "fd00:77::100 tcp 80,443 affinity none" {
		t.Errorf("rule key %s", got)
	}
}

func TestHostGivesTheIndexByName(t *testing.T) {
	c := parsed(t, good)
	if i, ok := c.Host("b"); i != 1 || !ok {
		t.Errorf("b: %d, %v", i, ok)
	}
	if _, ok := c.Host("z"); ok {
		t.Error("z is not a host")
	}
}
