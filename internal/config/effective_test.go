package config

import (
	"slices"
	"strings"
	"testing"
)

// TestEffectiveValues: what the file says, what it leaves out, and what follows from something else, each with where it comes from.
func TestEffectiveValues(t *testing.T) {
	c, err := Parse("/etc/muster/farm.yaml", []byte(`
cluster: shop
secret_file: secret.key
hosts:
  a: {address: 10.77.0.1, weight: 3}
  b: {address: 10.77.0.2}
heartbeat: {profile: fast}
vips:
  web:
    address: 10.77.0.100/24
    rules:
      - {ports: [80, 8000-8010], protocol: tcp, check: web}
checks:
  web: {http: {url: "http://127.0.0.1/"}, interval: 500ms}
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []Effective{
		{"/cluster", "shop", true},
		{"/secret_file", "secret.key", true},
		{"/state_dir", "/var/lib/muster/shop", false},
		{"/hosts/a/weight", "3", true},
		{"/hosts/b/weight", "1", false},
		{"/hosts/b/role", "full", false},
		{"/heartbeat/profile", "fast", true},
		{"/heartbeat/interval", "5ms", false},
		{"/heartbeat/tolerance", "8", false},
		{"/heartbeat/keys/rotate", "1h0m0s", false},
		{"/heartbeat/witness/ping", "none", false},
		{"/vips/web/interface", "the one on the address's subnet", false},
		{"/vips/web/delivery", "directed", false},
		{"/vips/web/rules/0/ports", "80, 8000-8010", true},
		{"/vips/web/rules/0/check", "web", true},
		{"/vips/web/rules/0/quorum", "none", false},
		{"/checks/web/interval", "500ms", true},
		{"/checks/web/timeout", "500ms", false},
		{"/checks/web/http/expect", "200-299, 301, 302, 401", false},
	} {
		i := slices.IndexFunc(c.Effective, func(e Effective) bool { return e.Path == want.Path })
		if i < 0 {
			t.Errorf("%s is not there", want.Path)
		} else if got := c.Effective[i]; got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	for i, e := range c.Effective {
		if e.Value == "" || strings.Contains(e.Value, "{") || slices.ContainsFunc(c.Effective[:i], func(o Effective) bool { return o.Path == e.Path }) {
			t.Errorf("%+v has no value, or is there twice", e)
		}
	}
}

// TestEffectiveValuesDoNotCountForTheDigest: two files of one meaning have one digest, whatever they mention.
func TestEffectiveValuesDoNotCountForTheDigest(t *testing.T) {
	const file = "cluster: shop\nsecret_file: secret.key\nhosts: {a: {address: 10.77.0.1%s}}\n"
	digest := func(extra string) Digest {
		c, err := Parse("farm.yaml", []byte(strings.Replace(file, "%s", extra, 1)))
		if err != nil {
			t.Fatal(err)
		}
		return c.Digest
	}
	if digest("") != digest(", weight: 1") {
		t.Error("mentioning a default changes the digest")
	}
}
