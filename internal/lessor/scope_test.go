package lessor

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/muster-ha/muster/madcap"
)

func TestParseScope(t *testing.T) {
	addr := netip.MustParseAddr
	local := madcap.Scope{First: addr("239.255.0.0"), Last: addr("239.255.255.255"), TTL: 16}
	named := func(names ...madcap.ZoneName) madcap.Scope {
		s := local
		s.Names = names
		return s
	}
	span := func(first, last string) madcap.Span { return madcap.Span{First: addr(first), Last: addr(last)} }
	for _, tc := range []struct {
		name, text string
		want       madcap.ServedScope
	}{
		{"a prefix", "239.255.0.0/16", madcap.ServedScope{Scope: local}},
		{"first and last", "239.255.0.0-239.255.255.255", madcap.ServedScope{Scope: local}},
		{"TTL", "239.255.0.0/16,ttl=1", madcap.ServedScope{Scope: madcap.Scope{First: local.First, Last: local.Last, TTL: 1}}},
		{"name", "239.255.0.0/16,name=Shop", madcap.ServedScope{Scope: named(madcap.ZoneName{Language: "i-default", Name: "Shop", Default: true})}},
		{"names in languages, the first where none fits", "239.255.0.0/16,name.en=Shop,name.de=Laden", madcap.ServedScope{
			Scope: named(madcap.ZoneName{Language: "en", Name: "Shop", Default: true}, madcap.ZoneName{Language: "de", Name: "Laden"})}},
		{"name with a comma", `239.255.0.0/16,"name=Shop, east"`, madcap.ServedScope{Scope: named(madcap.ZoneName{Language: "i-default", Name: "Shop, east", Default: true})}},
		{"nesting and pools", "239.255.0.0/16,inside=239.192.0.0,inside=238.0.0.0,pool=239.255.1.0/24,pool=239.255.3.0-239.255.3.9", madcap.ServedScope{
			Scope: local, Inside: []netip.Addr{addr("239.192.0.0"), addr("238.0.0.0")},
			Pools: []madcap.Span{span("239.255.1.0", "239.255.1.255"), span("239.255.3.0", "239.255.3.9")}}},
		{"IPv6", "ff15::8000:0-ff15::ffff:ffff", madcap.ServedScope{Scope: madcap.Scope{First: addr("ff15::8000:0"), Last: addr("ff15::ffff:ffff"), TTL: 16}}},
		{"IPv6 prefix", "ff15::/32", madcap.ServedScope{Scope: madcap.Scope{First: addr("ff15::"), Last: addr("ff15:0:ffff:ffff:ffff:ffff:ffff:ffff"), TTL: 16}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, err := ParseScope(tc.text); err != nil || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// Every mistake is named with what would be right.
func TestScopesThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "EOF",
		"everything":                       "want a prefix such as",
		"239.255.0.1/16":                   "want a prefix such as",
		"239.255.0.9-239.255.0.1":          "ends before it begins",
		"239.255.0.0-ff15::1":              "ends before it begins",
		"10.0.0.0/8":                       "no multicast groups",
		"224.0.0.0-255.0.0.0":              "no multicast groups",
		"239.255.0.0/16,ttl=0":             "want 1 to 255",
		"239.255.0.0/16,ttl=256":           "want 1 to 255",
		"239.255.0.0/16,ttl":               "want KEY=VALUE",
		"239.255.0.0/16,name=":             "want KEY=VALUE",
		"239.255.0.0/16,colour=red":        "want ttl, name",
		"239.255.0.0/16,ttl.de=1":          "only a name has a language",
		"239.255.0.0/16,inside=10.0.0.0":   "want the first address of a scope",
		"239.255.0.0/16,pool=10.0.0.0/24":  "no multicast groups",
		"239.255.0.0/16,pool=239.255.0.99": "want a prefix such as",
		`239.255.0.0/16,"name=x`:           "quote",
	} {
		if _, err := ParseScope(text); !errors.Is(err, ErrScope) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// The default scopes are good for a server of either family, whose pools keep clear of relative assignments.
func TestDefaultScopes(t *testing.T) {
	for server, want := range map[string]string{"192.0.2.1": "239.255.0.0-239.255.255.255", "2001:db8::1": "ff15::8000:0-ff15::ffff:ffff"} {
		scopes := DefaultScopes(netip.MustParseAddr(server))
		if len(scopes) != 1 || scopes[0].Span().String() != want {
			t.Errorf("%s: %v", server, scopes)
		}
		if _, err := madcap.NewServer(madcap.ServerConfig{ID: netip.MustParseAddr(server), Scopes: scopes}); err != nil {
			t.Errorf("%s: %v", server, err)
		}
	}
}
