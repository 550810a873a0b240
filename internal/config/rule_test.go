package config

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// ruleOf reads the only rule of a VIP, below hosts a (weight 2), b, c and a witness w.
func ruleOf(t *testing.T, rule string) Rule {
	t.Helper()
	return withRules(t, "["+rule+"]").Rules[0]
}

func withRules(t *testing.T, rules string) *Config {
	t.Helper()
	return parsed(t, `cluster: shop
secret_file: s
hosts: {a: {address: 10.77.0.1, weight: 2}, b: {address: 10.77.0.2}, c: {address: 10.77.0.3}, w: {address: 10.77.0.4, role: witness}}
vips:
  web:
    address: 10.77.0.100/24
    rules: `+rules+"\n")
}

func TestRulesWhole(t *testing.T) {
	tests := []struct{ name, rule, want string }{
		{"nothing said", "{ports: [80]}", "tcp 80 shared order [] weights [] none /0 /0 0s"},
		{"both protocols", "{ports: [80], protocol: both}", "both 80 shared order [] weights [] none /0 /0 0s"},
		{"ranges join", `{ports: ["81-90", 80, 443]}`, "tcp 80-90,443 shared order [] weights [] none /0 /0 0s"},
		{"single by name, without the witness", "{ports: [80], handling: single}", "tcp 80 single order [0 1 2] weights [] none /0 /0 0s"},
		{"single with a preference", "{ports: [80], handling: single, priority: c}", "tcp 80 single order [2 0 1] weights [] none /0 /0 0s"},
		{"weights beside the hosts' own", "{ports: [80], weights: {b: 0, c: 5}}", "tcp 80 shared order [] weights [2 0 5 1] none /0 /0 0s"},
		{"weights that are the hosts' own", "{ports: [80], weights: {a: 2, b: 1}}", "tcp 80 shared order [] weights [] none /0 /0 0s"},
		{"network as in NLB", "{ports: [80], affinity: network}", "tcp 80 shared order [] weights [] network /24 /64 0s"},
		{"network of its own size", "{ports: [80], affinity: network, affinity_network: {ipv6: 48}}", "tcp 80 shared order [] weights [] network /24 /48 0s"},
		{"timeout", "{ports: [80], affinity: client, affinity_timeout: 20m}", "tcp 80 shared order [] weights [] client /0 /0 20m0s"},
		{"refused for a while", "{ports: [80], handling: refuse, priority: [b], weights: {a: 1}, affinity: client, affinity_timeout: 20m}", "tcp 80 refuse order [] weights [] client /0 /0 0s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ruleOf(t, tt.rule)
			got := fmt.Sprintf("%s %v order %v weights %v %v /%d /%d %v", r.Name(), r.Handling, r.Order, r.Weights, r.Affinity, r.Net4, r.Net6, r.Remember)
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestDefaultHostIsARuleForTheRest(t *testing.T) {
	c := withRules(t, "[{ports: [80, 443]}, {ports: [53], protocol: udp}]\n    default: [c, a]")
	r := c.Rules[2]
	if r.Name() != "both rest" || r.Handling != Single || fmt.Sprint(r.Order) != "[2 0]" || !r.Rest() {
		t.Errorf("the rule for the rest is %+v", r)
	}
	for _, tt := range []struct {
		protocol Protocol
		port     uint16
		want     int
	}{{TCP, 80, 0}, {UDP, 80, 2}, {UDP, 53, 1}, {TCP, 53, 2}, {TCP, 65535, 2}} {
		if got, ok := c.RuleFor(0, tt.protocol, tt.port); got != tt.want || !ok {
			t.Errorf("%v %d: rule %d, %v, want %d", tt.protocol, tt.port, got, ok, tt.want)
		}
	}
	if _, ok := withRules(t, "[{ports: [80]}]").RuleFor(0, TCP, 81); ok {
		t.Error("without a default host there is a rule for every port")
	}
}

// A rule may go on with what it accepts only if the same packets are its own as before.
func TestRuleKeyOfTheRestChangesWithTheOtherRules(t *testing.T) {
	key := func(rules string) string {
		c := withRules(t, rules+"\n    default: a")
		return c.RuleKey(len(c.Rules) - 1)
	}
	if a, b := key("[{ports: [80]}]"), key("[{ports: [80, 81]}]"); a == b {
		t.Errorf("the rest has one key although a port has left it: %s", a)
	}
	if a, b := key("[{ports: [80]}]"), key("[{ports: [80], handling: refuse}]"); a != b {
		t.Errorf("the rest has two keys for the same ports: %s, %s", a, b)
	}
	network := func(bits int) string {
		return withRules(t, fmt.Sprintf("[{ports: [80], affinity: network, affinity_network: {ipv4: %d}}]", bits)).RuleKey(0)
	}
	if network(24) == network(25) {
		t.Errorf("networks of two sizes have one key: %s", network(24))
	}
}

// Hosts of a release that does not know these keys yet must agree with this one about a file without them.
func TestDigestIsThatOfReleasesBefore(t *testing.T) {
	c := parsed(t, good)
	if got, want := c.Digest.Short(), "dead77171350"; got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
	for _, change := range []string{", protocol: both", ", handling: single", ", handling: refuse", ", weights: {a: 3}", ", affinity: network"} {
		if parsed(t, strings.Replace(good, "[80, 443]", "[80, 443]"+change, 1)).Digest == c.Digest {
			t.Errorf("with%s the digest is the same", change)
		}
	}
}

func TestChangesOfRulesNeedNoRestart(t *testing.T) {
	before := parsed(t, good)
	for _, change := range []string{", protocol: both", ", handling: single, priority: b", ", handling: refuse", ", weights: {a: 3}",
		", affinity: network, affinity_timeout: 1m", ", quorum: majority"} {
		after := parsed(t, strings.Replace(good, "[80, 443]", "[80, 443]"+change, 1))
		after.StateDir, after.RunDir = before.StateDir, before.RunDir
		if why := Restart(before, after); len(why) > 0 {
			t.Errorf("%s needs a restart: %v", change, why)
		}
	}
	if r := ruleOf(t, "{ports: [80], affinity: client, affinity_timeout: 1500ms}"); r.Remember != time.Second {
		t.Errorf("remembered for %v", r.Remember)
	}
}
