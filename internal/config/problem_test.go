package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// good is the file that the tests spoil. Its lines are numbered from 1.
const good = `cluster: shop
secret_file: secret.key
hosts:
  a: {address: 10.77.0.1}
  b: {address: 10.77.0.2}
vips:
  web:
    address: 10.77.0.100/24
    rules:
      - {ports: [80, 443], check: web}
      - {ports: [53], protocol: udp}
checks:
  web: {http: {url: "http://127.0.0.1/"}}
`

// spoilt replaces the only place of old.
func spoilt(t testing.TB, old, new string) string {
	t.Helper()
	if strings.Count(good, old) != 1 {
		t.Fatalf("%q is in the file %d times", old, strings.Count(good, old))
	}
	return strings.Replace(good, old, new, 1)
}

// problemsOf gives the lines of the error without the file's name.
func problemsOf(t testing.TB, text string) []string {
	t.Helper()
	c, err := Parse("f", []byte(text))
	if err == nil {
		return nil
	}
	var ps Problems
	if !errors.As(err, &ps) || c != nil {
		t.Fatalf("Parse gave %v and %T, want only Problems", c, err)
	}
	lines := strings.Split(err.Error(), "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(strings.TrimPrefix(lines[i], "f:"), " ")
	}
	return lines
}

func TestTheGoodFileIsGood(t *testing.T) {
	if ps := problemsOf(t, good); ps != nil {
		t.Fatal(ps)
	}
}

// spoiling is one mistake, or several in one place, and the messages for it.
type spoiling struct {
	name, old, new string
	want           []string
}

const outside = "correct the address or its prefix length, or name the network with `interface:`"

func spoilings() []spoiling {
	return []spoiling{
		// Keys.
		{"misspelt key", "hosts:", "hots:", []string{"3:1: unknown key `hots`; did you mean `hosts`?"}},
		{"strange key", "vips:", "zzzzzz: 1\nvips:", []string{"6:1: unknown key `zzzzzz`; remove it, or use `cluster`, `secret_file`, `state_dir`, `run_dir`, `hosts`, `heartbeat`, `vips`, `tunnel`, `checks` or `bgp`"}},
		{"strange key inside", "address: 10.77.0.1}", "address: 10.77.0.1, colour: red}", []string{"4:27: unknown key `colour`; remove it, or use `address`, `weight` or `role`"}},
		{"key twice", "secret_file: secret.key", "secret_file: secret.key\ncluster: other", []string{"3:1: `cluster` is there twice, first on line 1; keep one of the two"}},
		{"host twice", "  b: {", "  a: {", []string{"5:3: `a` is there twice, first on line 4; keep one of the two"}},
		{"key of a later version", "vips:", "services: {shop: {}}\nvips:", []string{"6:1: `services` is not supported by this version; remove it"}},
		{"required key missing", "secret_file: secret.key\n", "", []string{"1:1: the file has no `secret_file`; add `secret_file: secret.key`"}},
		{"required key missing inside", "    address: 10.77.0.100/24\n", "", []string{"7:3: `web` has no `address`; add `address: 10.77.0.100/24`"}},
		{"required key missing in a list", "{ports: [53], protocol: udp}", "{protocol: udp}", []string{"11:9: an entry of `rules` has no `ports`; add `ports: [80, 443]`"}},
		{"key without value", "  b: {address: 10.77.0.2}", "  b:", []string{"5:3: `b` has no value; give it one, or remove it"}},
		{"key that is a list", "  b: {", "  ? [b]\n  : {", []string{"6:3: the file is not YAML here: found an invalid key for this map; check the indentation, quotes and brackets of this line and the one before"}},
		// Types.
		{"number for text", "cluster: shop", "cluster: 42", []string{"1:10: `cluster` must be text, and is the number 42; put it in quotes: `\"42\"`"}},
		{"truth value for text", "cluster: shop", "cluster: true", []string{"1:10: `cluster` must be text, and is the truth value true; put it in quotes: `\"true\"`"}},
		{"list for text", "cluster: shop", "cluster: [shop]", []string{"1:10: `cluster` must be text, and is a list; write for example `shop`"}},
		{"mapping for text", "cluster: shop", "cluster:\n  name: shop", []string{"2:3: `cluster` must be text, and is a mapping; write for example `shop`"}},
		{"text for a mapping", "{address: 10.77.0.2}", "10.77.0.2", []string{"5:6: `b` must be a mapping, and is the text `10.77.0.2`; write for example `{address: 10.77.0.1}`"}},
		{"text for a list", "ports: [53]", "ports: 53", []string{"11:17: `ports` must be a list, and is the number 53; write for example `[80, 443]`"}},
		{"text for a number", "10.77.0.1}", "10.77.0.1, weight: \"5\"}", []string{"4:35: `weight` must be a whole number, and is the text `5`; write for example `1`"}},
		{"fraction for a number", "10.77.0.1}", "10.77.0.1, weight: 1.5}", []string{"4:35: `weight` must be a whole number, and is the number 1.5; write for example `1`"}},
		{"number for a time", "vips:", "heartbeat: {interval: 20, tolerance: 9}\nvips:", []string{"6:23: `interval` must be a time with its unit, and is the number 20; write for example `20ms`"}},
		{"list of the wrong thing", "ports: [53]", "ports: [53, [54]]", []string{"11:22: an entry of `ports` must be a port or a range of ports, and is a list; write for example `\"8000-8099\"`"}},
		{"number for a choice", "protocol: udp", "protocol: 17", []string{"11:33: `protocol` must be text, and is the number 17; write for example `tcp`"}},
		{"tag", "cluster: shop", "cluster: !!str shop", []string{"1:10: tags such as `!!str` are not supported; remove it"}},
		// Names and texts.
		{"upper-case name", "cluster: shop", "cluster: Shop", []string{"1:10: `Shop` cannot be a name; write `shop`"}},
		{"name with a dot", "  b: {", "  b.x: {", []string{"5:3: `b.x` cannot be a name; use lower-case letters, digits and hyphens, at most 63, with no hyphen at either end"}},
		{"name ends in a hyphen", "  b: {", "  b-: {", []string{"5:3: `b-` cannot be a name; use lower-case letters, digits and hyphens, at most 63, with no hyphen at either end"}},
		{"empty name", "cluster: shop", `cluster: ""`, []string{`1:10: "" cannot be a name; use lower-case letters, digits and hyphens, at most 63, with no hyphen at either end`}},
		{"empty path", "secret.key", `""`, []string{`2:14: "" cannot be a path; write a path without control characters, at most 4095 bytes`}},
		{"path for a terminal", "secret.key", `"\e[2J"`, []string{`2:14: "\x1b[2J" cannot be a path; write a path without control characters, at most 4095 bytes`}},
		{"interface too long", "    rules:", "    interface: abcdefghijklmnop\n    rules:", []string{"9:16: `abcdefghijklmnop` is not the name of a network interface; write a name of `ip link`, at most 15 characters, for example `eth0`"}},
		{"interface with a slash", "    rules:", "    interface: ../etc\n    rules:", []string{"9:16: `../etc` is not the name of a network interface; write a name of `ip link`, at most 15 characters, for example `eth0`"}},
		// Addresses.
		{"not an address", "10.77.0.2}", "10.77.0.256}", []string{"5:16: `10.77.0.256` is not an IP address; write for example `10.77.0.1`"}},
		{"host address with a length", "10.77.0.2}", "10.77.0.2/24}", []string{"5:16: `10.77.0.2/24` has a prefix length, and a host's address has none; write `10.77.0.2`"}},
		{"host with IPv6 beside one with IPv4", "10.77.0.2}", `"fd00::2"}`, []string{"5:16: host `b` (fd00::2) and host `a` (10.77.0.1) have addresses of two families; give all hosts IPv4 addresses, or all IPv6 addresses"}},
		{"host with a link-local address", "10.77.0.2}", `"fe80::2"}`, []string{"5:16: `fe80::2` is a link-local address, which means nothing on another interface; use a global or unique local address; networks besides the first can do with link-local ones"}},
		{"host with an interface", "10.77.0.2}", `"fe80::2%eth0"}`, []string{"5:16: `fe80::2%eth0` is not an IP address; write for example `10.77.0.1`"}},
		{"host with IPv4 in disguise", "10.77.0.2}", `"::ffff:10.77.0.2"}`, []string{"5:16: `::ffff:10.77.0.2` is an IPv4 address in disguise; write `10.77.0.2`"}},
		{"VIP with a link-local address", "10.77.0.100/24", "fe80::100/64", []string{"8:14: `fe80::100` is a link-local address, which means nothing on another interface; use a global or unique local address, for example of fd00::/8"}},
		{"VIP with IPv4 in disguise", "10.77.0.100/24", `"::ffff:10.77.0.100/120"`, []string{"8:14: `::ffff:10.77.0.100` is an IPv4 address in disguise; write `10.77.0.100`"}},
		{"VIP with IPv6 without a length", "10.77.0.100/24", "fd00:77::100", []string{"8:14: `fd00:77::100` has no prefix length; write it with the length of its subnet, for example `fd00:77::100/64`"}},
		{"VIP with IPv6 and a length out of range", "10.77.0.100/24", "fd00:77::100/7", []string{"8:14: the prefix length of `fd00:77::100/7` is out of range; write the length of the subnet, from 8 to 128"}},
		{"VIP with IPv6 and an interface", "10.77.0.100/24", "fd00:77::100%eth0/64", []string{"8:14: `fd00:77::100%eth0/64` is not an IP address with a prefix length; write for example `10.77.0.100/24` or `fd00:77::100/64`"}},
		{"VIP is the IPv6 network", "10.77.0.100/24", "\"fd00:77::/64\"", []string{"8:14: `fd00:77::/64` is the address of the network itself; choose a free address inside the subnet"}},
		{"VIP is an IPv6 group", "10.77.0.100/24", "ff05::100/64", []string{"8:14: `ff05::100` cannot be reached from another host; use an address of the network that the hosts share"}},
		{"VIP is the IPv6 loopback", "10.77.0.100/24", "\"::1/128\"", []string{"8:14: `::1` cannot be reached from another host; use an address of the network that the hosts share"}},
		{"host on loopback", "10.77.0.2}", "127.0.0.1}", []string{"5:16: `127.0.0.1` cannot be reached from another host; use an address of the network that the hosts share"}},
		{"VIP without a length", "10.77.0.100/24", "10.77.0.100", []string{"8:14: `10.77.0.100` has no prefix length; write it with the length of its subnet, for example `10.77.0.100/24`"}},
		{"VIP with nonsense", "10.77.0.100/24", "here", []string{"8:14: `here` is not an IP address with a prefix length; write for example `10.77.0.100/24` or `fd00:77::100/64`"}},
		{"VIP with a length out of range", "10.77.0.100/24", "10.77.0.100/7", []string{"8:14: the prefix length of `10.77.0.100/7` is out of range; write the length of the subnet, from 8 to 32"}},
		{"VIP is the network", "10.77.0.100/24", "10.77.0.0/24", []string{"8:14: `10.77.0.0/24` is the address of the network itself; choose a free address inside the subnet"}},
		{"VIP is the broadcast address", "10.77.0.100/24", "10.77.0.127/25", []string{"8:14: `10.77.0.127/25` is the broadcast address of its subnet; choose a free address inside the subnet"}},
		{"VIP outside every subnet", "10.77.0.100/24", "10.78.0.100/24", []string{"8:14: `10.78.0.100/24` is outside every host's subnet; " + outside}},
		{"one host outside", "10.77.0.2}", "10.99.0.2}", []string{"8:14: the subnet 10.77.0.0/24 does not hold host `b` (10.99.0.2); " + outside}},
		{"two hosts, one address", "10.77.0.2}", "10.77.0.1}", []string{"5:16: host `b` has the address 10.77.0.1 of host `a` on line 4; give each its own address"}},
		{"VIP has a host's address", "10.77.0.100/24", "10.77.0.2/24", []string{"8:14: VIP `web` has the address 10.77.0.2 of host `b` on line 5; give each its own address"}},
		{"two VIPs, one address", "checks:", "  mail: {address: 10.77.0.100/24, rules: [{ports: [25]}]}\nchecks:", []string{"12:19: VIP `mail` has the address 10.77.0.100 of VIP `web` on line 8; give each its own address"}},
		// Hosts, heartbeat.
		{"no hosts", "  a: {address: 10.77.0.1}\n  b: {address: 10.77.0.2}\n", "  {}\n", []string{"3:1: `hosts` is empty; write for example `hosts: {a: {address: 10.77.0.1}}`"}},
		{"weight 0", "10.77.0.1}", "10.77.0.1, weight: 0}", []string{"4:35: weight 0 is out of range; write a number from 1 to 1000"}},
		{"weight 1001", "10.77.0.1}", "10.77.0.1, weight: 1001}", []string{"4:35: weight 1001 is out of range; write a number from 1 to 1000"}},
		{"role that there is not", "10.77.0.1}", "10.77.0.1, role: spare}", []string{"4:33: unknown role `spare`; use `full` or `witness`"}},
		{"witness with a weight", "10.77.0.1}", "10.77.0.1, role: witness, weight: 2}", []string{"4:50: host `a` is a witness and serves nothing, so its weight means nothing; remove `weight`"}},
		{"only witnesses", "10.77.0.1}\n  b: {address: 10.77.0.2}", "10.77.0.1, role: witness}\n  b: {address: 10.77.0.2, role: witness}", []string{"3:1: every host is a witness, so nobody serves; remove `role: witness` from those that are to serve"}},
		{"two kinds of witness", "  b: {address: 10.77.0.2}\nvips:", "  b: {address: 10.77.0.2, role: witness}\nheartbeat: {witness: {ping: [10.77.0.254]}}\nvips:", []string{"6:13: witness addresses are not asked where host `b` is a witness; remove `witness`, or the role of the host"}},
		{"witness without address", "vips:", "heartbeat: {witness: {}}\nvips:", []string{"6:13: `witness` names no address; add for example `ping: [10.77.0.254]`"}},
		{"witness addresses of IPv6 hosts", "hosts:\n  a: {address: 10.77.0.1}\n  b: {address: 10.77.0.2}\nvips:\n  web:\n    address: 10.77.0.100/24\n", "heartbeat: {witness: {tcp: [\"10.77.0.9:22\"]}}\nhosts:\n  a: {address: \"2001:db8::1\"}\n  b: {address: \"2001:db8::2\"}\nvips:\n  web:\n    interface: eth0\n    address: 10.77.0.100/24\n", []string{"3:13: host `a` has an IPv6 address, and with witness addresses hosts ping each other by IPv4; give a host `role: witness` instead"}},
		{"quorum without witness", "protocol: udp", "protocol: udp, quorum: witness", []string{"11:46: the rule's quorum is `witness`, and there is none; give a host `role: witness`, add `heartbeat: {witness: {ping: [ADDRESS]}}`, or write `majority`"}},
		{"witness by IPv6", "vips:", "heartbeat: {witness: {ping: [\"2001:db8::1\"]}}\nvips:", []string{"6:30: `2001:db8::1` is an IPv6 address, and witnesses are pinged by IPv4 only; write an IPv4 address, or use `tcp`"}},
		{"misspelt profile", "vips:", "heartbeat: {profile: stedy}\nvips:", []string{"6:22: unknown profile `stedy`; did you mean `steady`?"}},
		{"strange profile", "vips:", "heartbeat: {profile: turbocharged}\nvips:", []string{"6:22: unknown profile `turbocharged`; use `steady`, `fast` or `wan`"}},
		{"profile and interval", "vips:", "heartbeat: {profile: fast, interval: 5ms, tolerance: 8}\nvips:", []string{"6:22: `profile` and settings of its own exclude each other; remove `profile`, or `interval` and `tolerance`"}},
		{"interval alone", "vips:", "heartbeat: {interval: 5ms}\nvips:", []string{"6:23: `interval` needs a `tolerance` beside it; add for example `tolerance: 15`"}},
		{"tolerance alone", "vips:", "heartbeat: {tolerance: 5}\nvips:", []string{"6:24: `tolerance` needs an `interval` beside it; add for example `interval: 20ms`"}},
		{"tolerance too low", "vips:", "heartbeat: {interval: 20ms, tolerance: 2}\nvips:", []string{"6:40: tolerance 2 is out of range; write a number from 3 to 100"}},
		{"network without interface", "vips:", "heartbeat: {networks: {cross: {}}}\nvips:", []string{"6:24: `cross` has no `interface`; add `interface: eth1`"}},
		{"group that is none", "vips:", "heartbeat: {networks: {lan: {interface: eth0, multicast: {address: 10.0.0.1}}}}\nvips:", []string{"6:68: `10.0.0.1` is no group address; write one from 224.0.0.0 to 239.255.255.255, for example `239.255.7.9`, or an IPv6 one of link-local scope or wider, for example `ff05::7:9`, or add `lenient: true` to have one chosen"}},
		{"group that is no address", "vips:", "heartbeat: {networks: {lan: {interface: eth0, multicast: {address: all}}}}\nvips:", []string{"6:68: `all` is no group address; write one from 224.0.0.0 to 239.255.255.255, for example `239.255.7.9`, or an IPv6 one of link-local scope or wider, for example `ff05::7:9`, or add `lenient: true` to have one chosen"}},
		{"neither true nor false", "vips:", "heartbeat: {multicast: {disabled: 1}}\nvips:", []string{"6:35: `disabled` must be true or false, and is the number 1; write for example `false`"}},
		{"range of one", "vips:", "heartbeat: {networks: {lan: {interface: eth0, multicast: {range: [239.255.0.0]}}}}\nvips:", []string{"6:59: `range` is empty; write for example `range: [239.255.0.0, 239.255.254.255]`"}},
		{"two networks, one interface", "vips:", "heartbeat: {networks: {lan: {interface: eth0}, cross: {interface: eth0}}}\nvips:", []string{"6:67: network `cross` has the interface of network `lan`; give each its own interface, or remove one of them"}},
		{"network that is no interface", "vips:", "heartbeat: {networks: {lan: {interface: eth/0}}}\nvips:", []string{"6:41: `eth/0` is not the name of a network interface; write a name of `ip link`, at most 15 characters, for example `eth0`"}},
		{"interval too short", "vips:", "heartbeat: {interval: 1us, tolerance: 5}\nvips:", []string{"6:23: interval 1µs is out of range; write a time from 1ms to 10s"}},
		{"negative time", "vips:", "heartbeat: {interval: -1s, tolerance: 5}\nvips:", []string{"6:23: `-1s` is not a time; write a number with its unit, for example `500ms`, `2s` or `1m30s`"}},
		{"time without unit", "vips:", "heartbeat: {interval: \"20\", tolerance: 5}\nvips:", []string{"6:23: `20` is not a time; write a number with its unit, for example `500ms`, `2s` or `1m30s`"}},
		// Rules.
		{"delivery that there is not", "    rules:", "    delivery: broadcast\n    rules:", []string{"9:15: unknown delivery `broadcast`; use `directed`, `unicast`, `multicast`, `igmp` or `routed`"}},
		{"misspelt affinity", "check: web}", "check: web, affinity: netwrok}", []string{"10:50: unknown affinity `netwrok`; did you mean `network`?"}},
		{"unknown handling", "check: web}", "check: web, handling: disabled}", []string{"10:50: unknown handling `disabled`; use `shared`, `single` or `refuse`"}},
		{"unknown protocol", "protocol: udp", "protocol: icmp", []string{"11:33: unknown protocol `icmp`; use `tcp`, `udp` or `both`"}},
		{"port in a rule for both", "{ports: [53], protocol: udp}", "{ports: [443], protocol: both}", []string{"11:18: tcp port 443 is already in the rule on line 10: rules of one address must not overlap; remove it from one of the two rules"}},
		{"priority without single", "protocol: udp", "priority: [b, a]", []string{"11:23: `priority` means nothing where every host gets its share; add `handling: single`, or remove `priority`"}},
		{"priority names nobody", "protocol: udp", "handling: single, priority: [b, z]", []string{"11:55: there is no host `z`; use `a` or `b`"}},
		{"priority names a host twice", "protocol: udp", "handling: single, priority: [b, b]", []string{"11:55: host `b` is in this list twice; remove one of the two"}},
		{"priority is empty", "protocol: udp", "handling: single, priority: []", []string{"11:41: `priority` is empty; write for example `priority: [b, a]`"}},
		{"priority names a witness", "  b: {address: 10.77.0.2}\nvips:\n  web:\n    address: 10.77.0.100/24\n    rules:\n      - {ports: [80, 443], check: web}\n      - {ports: [53], protocol: udp}", "  b: {address: 10.77.0.2, role: witness}\nvips:\n  web:\n    address: 10.77.0.100/24\n    rules:\n      - {ports: [80, 443], check: web}\n      - {ports: [53], handling: single, priority: b}", []string{"11:51: host `b` is a witness and serves nothing; name a host that serves"}},
		{"weights with single", "protocol: udp", "handling: single, weights: {a: 1}", []string{"11:41: `weights` mean nothing where one host gets all; write `handling: shared`, or remove `weights`"}},
		{"weights of no host", "protocol: udp", "weights: {a: 1, z: 2}", []string{"11:39: there is no host `z`; use `a` or `b`"}},
		{"weights of nobody", "protocol: udp", "weights: {a: 0, b: 0}", []string{"11:23: every host has weight 0 in this rule, so nobody serves it; give one of them a weight, or write `handling: refuse`"}},
		{"weight in a rule too large", "protocol: udp", "weights: {a: 1001}", []string{"11:36: weight `1001` is out of range; write a number from 0 (no share of this rule) to 1000"}},
		{"weights are empty", "protocol: udp", "weights: {}", []string{"11:23: `weights` is empty; write for example `weights: {a: 1, b: 3}`"}},
		{"affinity_network without network", "protocol: udp", "affinity: client, affinity_network: {ipv4: 16}", []string{"11:41: `affinity_network` means nothing with affinity `client`; write `affinity: network`, or remove it"}},
		{"network of no bits", "protocol: udp", "affinity: network, affinity_network: {ipv4: 0}", []string{"11:67: ipv4 0 is out of range; write a number from 1 to 32"}},
		{"timeout without affinity", "protocol: udp", "affinity_timeout: 20m", []string{"11:23: with affinity `none` no client has a host to be remembered for; write `affinity: client` or `affinity: network`, or remove `affinity_timeout`"}},
		{"timeout too long", "protocol: udp", "affinity: client, affinity_timeout: 25h", []string{"11:59: affinity_timeout 25h0m0s is out of range; write a time from 1s to 24h"}},
		{"default names nobody", "    rules:", "    default: [a, c]\n    rules:", []string{"9:18: there is no host `c`; use `a` or `b`"}},
		{"default is empty", "    rules:", "    default: []\n    rules:", []string{"9:5: `default` is empty; write for example `default: [a, b]`"}},
		{"port 0", "[53]", "[0]", []string{"11:18: port `0` is out of range; write a number from 1 to 65535, or a range such as `\"8000-8099\"`"}},
		{"port 65536", "[53]", "[65536]", []string{"11:18: port `65536` is out of range; write a number from 1 to 65535, or a range such as `\"8000-8099\"`"}},
		{"negative port", "[53]", "[-53]", []string{"11:18: `-53` is not a port or a range of them; write a number from 1 to 65535, or a range such as `\"8000-8099\"`"}},
		{"port by name", "[53]", "[domain]", []string{"11:18: `domain` is not a port or a range of them; write a number from 1 to 65535, or a range such as `\"8000-8099\"`"}},
		{"range backwards", "[53]", "[60-50]", []string{"11:18: the range `60-50` ends before it starts; write `\"50-60\"`"}},
		{"no ports", "[53]", "[]", []string{"11:10: `ports` is empty; write for example `ports: [80, 443]`"}},
		{"no rules", "    rules:\n      - {ports: [80, 443], check: web}\n      - {ports: [53], protocol: udp}", "    rules: []", []string{"9:5: `rules` is empty; write for example `rules: [{ports: [80]}]`"}},
		{"port in two rules", "{ports: [53], protocol: udp}", "{ports: [22, 443]}", []string{"11:22: tcp port 443 is already in the rule on line 10: rules of one address must not overlap; remove it from one of the two rules"}},
		{"ranges in two rules", "[80, 443]", "[80, 50-60], protocol: udp", []string{"11:18: udp port 53 is already in the rule on line 10: rules of one address must not overlap; remove it from one of the two rules"}},
		{"port in one rule twice", "[80, 443]", "[80-100, \"90-95\"]", []string{"10:26: port range 90-95 is in this rule twice; remove one of the two"}},
		{"misspelt check", "check: web", "check: wbe", []string{"10:35: there is no check `wbe`; did you mean `web`?"}},
		{"unknown check", "check: web", "check: [web, mailbox]", []string{"10:41: there is no check `mailbox`; add it below `checks:`, or remove it here"}},
		{"check twice", "check: web", "check: [web, web]", []string{"10:41: check `web` is in this rule twice; remove one of the two"}},
		// Checks.
		{"check of a later version", `{http: {url: "http://127.0.0.1/"}}`, "{ping: {address: 10.77.0.254}}", []string{"13:9: `ping` is not supported by this version; remove it"}},
		{"no probe", `{http: {url: "http://127.0.0.1/"}}`, "{interval: 1s}", []string{"13:3: check `web` has no probe; add `http: {url: \"http://127.0.0.1/\"}` or `tcp: {address: \"127.0.0.1:21\"}`"}},
		{"two probes", `"http://127.0.0.1/"}`, `"http://127.0.0.1/"}, tcp: {address: "127.0.0.1:80"}`, []string{"13:43: check `web` has two probes; keep `http` or `tcp`, and make a second check of the other"}},
		{"not a URL", `"http://127.0.0.1/"`, `127.0.0.1`, []string{"13:21: `127.0.0.1` is not an HTTP URL; write for example `http://127.0.0.1/health`"}},
		{"URL of another scheme", `"http://127.0.0.1/"`, `ftp://127.0.0.1/`, []string{"13:21: `ftp://127.0.0.1/` is not an HTTP URL; write for example `http://127.0.0.1/health`"}},
		{"URL with a password", `"http://127.0.0.1/"`, `"http://u:p@127.0.0.1/"`, []string{"13:21: the URL holds a user name or password, and secrets do not belong in this file; remove the part before `@`"}},
		{"URL with port 0", `"http://127.0.0.1/"`, `"http://127.0.0.1:0/"`, []string{"13:21: `http://127.0.0.1:0/` has a port that is out of range; write a port from 1 to 65535"}},
		{"header smuggled in", `"http://127.0.0.1/"`, `"http://127.0.0.1/", host: "a\r\nX: y"`, []string{`13:48: "a\r\nX: y" cannot be a Host header; write a host name with an optional port, for example ` + "`www.shop.lab`"}},
		{"status out of range", `"http://127.0.0.1/"`, `"http://127.0.0.1/", expect: [99]`, []string{"13:51: status code `99` is out of range; write a number from 100 to 599, or a range such as `\"200-299\"`"}},
		{"TCP by name", `{http: {url: "http://127.0.0.1/"}}`, `{tcp: {address: "localhost:80"}}`, []string{"13:24: `localhost:80` is not an IP address with a port; write for example `127.0.0.1:21`"}},
		{"TCP port 0", `{http: {url: "http://127.0.0.1/"}}`, `{tcp: {address: "127.0.0.1:0"}}`, []string{"13:24: `127.0.0.1:0` has port 0, which nothing can listen on; write the port of the application"}},
		{"timeout longer than interval", `"http://127.0.0.1/"}`, `"http://127.0.0.1/"}, interval: 1s, timeout: 2s`, []string{"13:66: timeout 2s is longer than the interval of 1s; write at most `1s`, or make the interval longer"}},
		{"fall 0", `"http://127.0.0.1/"}`, `"http://127.0.0.1/"}, fall: 0`, []string{"13:49: fall 0 is out of range; write a number from 1 to 100"}},
		{"rise 0", `"http://127.0.0.1/"}`, `"http://127.0.0.1/"}, rise: 0`, []string{"13:49: rise 0 is out of range; write a number from 1 to 100"}},
		// Aliases.
		{"unknown alias", "{ports: [53], protocol: udp}", "*nothing", []string{"11:9: no value is named `&nothing` before this line; name the value with `&` where it stands first, or write it out here"}},
		{"alias of itself", "[53]", "&p [*p]", []string{"11:20: an entry of `ports` must be a port or a range of ports, and is a list; write for example `\"8000-8099\"`"}},
		{"merge of no mapping", "{ports: [53], protocol: udp}", "{<<: 5, ports: [53]}", []string{"11:14: `<<` takes in something that is not a mapping, or itself; give it the alias of a mapping"}},
	}
}

func TestMistakesHaveOneMessageEach(t *testing.T) {
	for _, s := range spoilings() {
		t.Run(s.name, func(t *testing.T) {
			got := problemsOf(t, spoilt(t, s.old, s.new))
			if strings.Join(got, "\n") != strings.Join(s.want, "\n") {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(s.want, "\n  "))
			}
		})
	}
}

// A file with every mistake that does not hide another one: nothing is lost, and the order is that of the file.
func TestAllMistakesAtOnceInOrder(t *testing.T) {
	text := `cluster: Shop
secret_file: secret.key
hosts:
  a: {address: 10.77.0.1, weight: heavy}
  b: {adress: 10.77.0.2}
vips:
  web:
    address: 10.78.0.100/24
    rules:
      - {ports: [80, 80-90], check: web}
      - {ports: [85]}
store: {mode: embedded}
`
	want := []string{"1:10", "4:35", "5:7", "8:14", "10:22", "10:37", "11:18", "12:1"}
	var got []string
	for _, p := range problemsOf(t, text) {
		got = append(got, strings.SplitN(p, ": ", 2)[0])
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v\nwant %v\n%s", got, want, strings.Join(problemsOf(t, text), "\n"))
	}
}
