package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/member"
)

func TestBoundsAreThoseOfViews(t *testing.T) {
	if MaxHosts != member.MaxHosts || MaxRules != member.MaxRules {
		t.Errorf("%d hosts and %d rules here, %d and %d there", MaxHosts, MaxRules, member.MaxHosts, member.MaxRules)
	}
	hosts, _ := shapeOf(reflect.TypeFor[File]()).named("hosts")
	rules, _ := shapeOf(reflect.TypeFor[FileVIP]()).named("rules")
	if atoi(hosts.max) != MaxHosts || atoi(rules.max) != MaxRules {
		t.Errorf("the tags say %s hosts and %s rules", hosts.max, rules.max)
	}
}

// The tags are read without checking at run time; here they are checked.
func TestTagsAreSound(t *testing.T) {
	seen := 0
	for _, typ := range structs(reflect.TypeFor[File]()) {
		for _, f := range shapeOf(typ).fields {
			seen++
			name := typ.Name() + "." + f.key
			goType := typ.Field(f.index).Type
			if f.key == "" {
				t.Errorf("%s: no key", name)
			}
			if f.required && f.example == "" {
				t.Errorf("%s: required, and no example to show", name)
			}
			if (f.min == "") != (f.max == "") && goType.Kind() != reflect.Map && goType != reflect.TypeFor[Names]() {
				t.Errorf("%s: min and max go together", name)
			}
			if goType == reflect.TypeFor[int]() && f.max == "" || goType == reflect.TypeFor[time.Duration]() && f.max == "" || goType.Kind() == reflect.Map && f.max == "" || goType.Kind() == reflect.Slice && f.max == "" {
				t.Errorf("%s: no bounds", name)
			}
			for _, text := range examples(f, goType) {
				sound(t, name, f, goType, text)
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d fields seen", seen)
	}
}

// examples gives every value that the tags of a scalar or of a list with a default mention.
func examples(f field, t reflect.Type) []string {
	var all []string
	if _, ok := scalars()[t]; ok {
		all = append([]string{f.def, f.min, f.max, f.example}, f.enum...)
	} else if t.Kind() == reflect.Slice {
		all = strings.Split(f.def, ",")
	}
	var some []string
	for _, s := range all {
		if s != "" {
			some = append(some, s)
		}
	}
	return some
}

func sound(t *testing.T, name string, f field, typ reflect.Type, text string) {
	t.Helper()
	if typ.Kind() == reflect.Slice {
		typ, f = typ.Elem(), field{}
	}
	s, ok := scalars()[typ]
	if !ok {
		return
	}
	v, bad := s.parse(text)
	if bad == nil {
		bad = boundsFlaw(f, v)
	}
	if bad == nil && f.enum != nil {
		bad = choiceFlaw(f, text)
	}
	if bad == nil && f.format != "" {
		bad = formatFlaw(f.format, text)
	}
	if bad != nil {
		t.Errorf("%s: %q: %s", name, text, bad.message)
	}
}

func TestHeartbeats(t *testing.T) {
	tests := []struct {
		text string
		want Heartbeat
	}{
		{"{profile: steady}", Heartbeat{20 * time.Millisecond, 15, 10}},
		{"{profile: fast}", Heartbeat{5 * time.Millisecond, 8, 5}},
		{"{profile: wan}", Heartbeat{500 * time.Millisecond, 10, 6}},
		{"{interval: 50ms, tolerance: 3}", Heartbeat{50 * time.Millisecond, 3, 2}},
		{"{interval: 50ms, tolerance: 4}", Heartbeat{50 * time.Millisecond, 4, 2}},
		{"{interval: 1s, tolerance: 100}", Heartbeat{time.Second, 100, 66}},
		{"{}", Heartbeat{20 * time.Millisecond, 15, 10}},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			if got := parsed(t, good+"heartbeat: "+test.text+"\n").Heartbeat; got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestDefaultsOfAChecksTimes(t *testing.T) {
	tests := []struct {
		text              string
		interval, timeout time.Duration
	}{
		{"", 2 * time.Second, time.Second},
		{", interval: 500ms", 500 * time.Millisecond, 500 * time.Millisecond},
		{", interval: 1m", time.Minute, time.Second},
		{", interval: 1m, timeout: 30s", time.Minute, 30 * time.Second},
		{", timeout: 2s", 2 * time.Second, 2 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			c := parsed(t, spoilt(t, `"http://127.0.0.1/"}`, `"http://127.0.0.1/"}`+test.text)).Checks[0]
			if c.Interval != test.interval || c.Timeout != test.timeout || c.Fall != 3 || c.Rise != 2 {
				t.Errorf("got %+v", c)
			}
		})
	}
}

func TestPathsStartAtTheFile(t *testing.T) {
	text := strings.Replace(good, "secret_file: secret.key", "secret_file: keys/../secret.key\nstate_dir: state\nrun_dir: /run/here/", 1)
	tests := []struct{ path, secret, state string }{
		{"/etc/muster/shop.yaml", "/etc/muster/secret.key", "/etc/muster/state"},
		{"shop.yaml", "secret.key", "state"},
		{"../shop.yaml", "../secret.key", "../state"},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			c, err := Parse(test.path, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range []struct{ got, want string }{{c.SecretFile, test.secret}, {c.StateDir, test.state}, {c.RunDir, "/run/here"}} {
				if want, _ := filepath.Abs(p.want); p.got != want {
					t.Errorf("got %s, want %s", p.got, want)
				}
			}
		})
	}
}

func TestEverythingIsSortedByName(t *testing.T) {
	c := parsed(t, `cluster: shop
secret_file: s
hosts: {z: {address: 10.0.0.3, weight: 3}, a: {address: 10.0.0.1}, m: {address: 10.0.0.2}}
vips:
  web: {address: 10.0.0.9/24, rules: [{ports: [80], check: [z, b]}, {ports: [443], affinity: client}]}
  ftp: {address: 10.9.0.8/32, interface: eth1, rules: [{ports: ["21", "60000-60100"], protocol: tcp}, {ports: [21], protocol: udp}]}
checks:
  z: {tcp: {address: "[::1]:80"}}
  b: {http: {url: "http://127.0.0.1/", host: www.shop.lab, method: HEAD, expect: [301, "200-299", 250-300]}}
`)
	got := fmt.Sprintf("%v|%v|%v|%v %v", c.Hosts, c.VIPs, c.Rules, *c.Checks[0].HTTP, *c.Checks[1].TCP)
	want := "[{a 10.0.0.1 1 false} {m 10.0.0.2 1 false} {z 10.0.0.3 3 false}]" +
		"|[{ftp 10.9.0.8/32 eth1 directed none [0 1] false false} {web 10.0.0.9/24  directed none [2 3] false false}]" +
		"|[{0 [21 60000-60100] tcp none [] none shared [] [] 0 0 0s} {0 [21] udp none [] none shared [] [] 0 0 0s}" +
		" {1 [80] tcp none [0 1] none shared [] [] 0 0 0s} {1 [443] tcp client [] none shared [] [] 0 0 0s}]" +
		"|{http://127.0.0.1/ www.shop.lab HEAD [200-301]} {[::1]:80}"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTooMany(t *testing.T) {
	hosts := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "  h%d: {address: 10.77.1.%d}\n", i, i+1)
		}
		return strings.Replace(strings.Replace(good, "  a: {address: 10.77.0.1}\n  b: {address: 10.77.0.2}\n", b.String(), 1), "100/24", "100/16", 1)
	}
	rules := func(n int) string {
		var b strings.Builder
		for i := range n - 2 {
			fmt.Fprintf(&b, "      - {ports: [%d]}\n", 1000+i)
		}
		half := strings.Index(b.String(), "      - {ports: [1030]}")
		other := "  other:\n    address: 10.77.0.101/24\n    rules:\n" + b.String()[:half] + "checks:"
		return strings.Replace(strings.Replace(good, "checks:", b.String()[half:]+"checks:", 1), "checks:", other, 1)
	}
	tests := []struct{ name, text, want string }{
		{"32 hosts", hosts(32), ""},
		{"33 hosts", hosts(33), "36:3: `hosts` has 33 entries, and 32 is the most; remove the ones from here on"},
		{"64 rules", rules(64), ""},
		{"65 rules", rules(65), "77:9: the file has 65 rules, and 64 is the most; join rules that share everything but their ports"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := strings.Join(problemsOf(t, test.text), "\n"); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestClosest(t *testing.T) {
	words := []string{"hosts", "heartbeat", "vips", "checks", "tcp", "udp"}
	tests := []struct{ word, want string }{
		{"host", "hosts"}, {"hots", "hosts"}, {"Hosts", "hosts"}, {"hearbeet", "heartbeat"}, {"vip", "vips"},
		{"tpc", "tcp"}, {"icmp", ""}, {"x", ""}, {"", ""}, {strings.Repeat("hosts", 1000), ""},
	}
	for _, test := range tests {
		if got := closest(test.word, words); got != test.want {
			t.Errorf("%.20q: got %q, want %q", test.word, got, test.want)
		}
	}
}

func TestWords(t *testing.T) {
	got := fmt.Sprint(TCP, UDP, Both, AffinityNone, AffinityClient, AffinityNetwork, Shared, Single, Refuse, Protocol(1), Affinity(9), Handling(9))
	if want := "tcp udp both none client network shared single refuse protocol 1 affinity 9 handling 9"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if r := (PortRange{10, 20}); r.Contains(9) || !r.Contains(10) || !r.Contains(20) || r.Contains(21) {
		t.Error("PortRange.Contains")
	}
	if r := (StatusRange{200, 299}); r.Contains(199) || !r.Contains(200) || !r.Contains(299) || r.Contains(300) {
		t.Error("StatusRange.Contains")
	}
}
