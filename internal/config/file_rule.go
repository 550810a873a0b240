package config

import "time"

// FileRule is a set of ports and how hosts share their clients. Two rules of an address must not have a port and
// protocol in common. Every change is taken live and ends no connection, except that a port which no rule names any more is dropped
// (or goes to the default host): let its connections end with `handling: refuse` before.
type FileRule struct {
	// Ports and ranges of ports, for example `[80, 443, "8000-8099"]`.
	Ports []PortRange `yaml:"ports" required:"true" min:"1" max:"64" example:"[80, 443]"`
	// Transport protocol. With `both` a client's TCP and UDP have the same host, given affinity `client` or `network`.
	Protocol string `yaml:"protocol" default:"tcp" enum:"tcp,udp,both"`
	// What to do with the clients. `shared` gives each live host its share. `single` gives all to the first live host in `priority`.
	// `refuse` lets established connections go on and drops everything new: the way to close a port without cutting anybody off.
	Handling string `yaml:"handling" default:"shared" enum:"shared,single,refuse"`
	// For `handling: single`, the hosts in order of preference. Hosts that are not listed come after these, by name: nobody serves only if
	// nobody can. When a better host comes back it gets the new connections; established ones stay.
	Priority Names `yaml:"priority" min:"1" max:"32" shown:"the hosts by name" example:"[b, a]"`
	// For `handling: shared`, weights of hosts in this rule, in place of their own. Hosts that are not listed keep their own; 0 leaves a
	// host out of the rule.
	Weights map[string]RuleWeight `yaml:"weights" min:"1" max:"32" shown:"the hosts' own" example:"{a: 1, b: 3}"`
	// What stays together. `none` spreads every connection by itself, the evenest; `client` keeps all connections of one client
	// address on one host, for applications with a memory, but clients behind one gateway all meet one host; `network` keeps those of a
	// whole network, for clients behind several gateways, the least even.
	Affinity string `yaml:"affinity" default:"none" enum:"none,client,network"`
	// For `affinity: network`, how large a network is.
	AffinityNetwork FileAffinityNetwork `yaml:"affinity_network"`
	// How long a client's host remembers it after its last connection, with affinity `client` or `network`: a client that comes back within
	// that time meets the same host, although hosts have come, gone and changed weights since, as long as that host serves. Each host
	// remembers 65,536 clients of all rules, those seen last. Longer is kinder to clients and slower to even out. Over UDP anybody can fill
	// that memory by inventing senders.
	AffinityTimeout time.Duration `yaml:"affinity_timeout" min:"1s" max:"24h" shown:"not remembered" example:"20m"`
	// Name of the check, or a list of names, that must be good on a host for it to get a share. Without one every live host gets
	// a share.
	Check Names `yaml:"check" max:"16" example:"web"`
	// What a host must be part of to accept new connections when the cluster has come apart. `none`: every part goes on, right for what
	// may run twice. `majority`: only a part with more than half of the full hosts, so with two hosts nothing goes on alone.
	// `witness`: also exactly half, together with the witness. While hosts of a part have run for less than two detection times, they
	// do not count. A change is taken live.
	Quorum string `yaml:"quorum" default:"none" enum:"none,majority,witness"`
}

// FileAffinityNetwork is how many leading bits of a client's address make its network.
type FileAffinityNetwork struct {
	// Bits of IPv4 addresses. Fewer keep more clients together.
	IPv4 int `yaml:"ipv4" default:"24" min:"1" max:"32"`
	// Bits of IPv6 addresses. A site usually has 48 to 64.
	IPv6 int `yaml:"ipv6" default:"64" min:"1" max:"128"`
}

// RuleWeight is a host's weight in one rule: 0 (no share) to 1000.
type RuleWeight int
