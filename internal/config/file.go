package config

import (
	"net/netip"
	"time"
)

// The types of this file are the shape of the configuration file and plain data. A field's comment is its reference text, its
// tooltip and its schema description. Tags: default, required, enum, min and max (of a number or a time, or of the number
// of entries), format, example, shown (a default that depends on something else), and unsupported: keys or values that
// a later version will know, so that a file written for it gets a clear answer.

// File is the whole file: one cluster, the same text on every host.
type File struct {
	// Name of the cluster. Datagrams carry it, so two clusters on one network need two names. Changing it needs a restart
	// of every agent.
	Cluster string `yaml:"cluster" required:"true" format:"name" example:"shop"`
	// File with the cluster's secret, as `muster key new` makes it: the same on every host, mode 0600. Another file or
	// other content is taken live by `muster reload` on every host. A relative path starts at the configuration file.
	SecretFile string `yaml:"secret_file" required:"true" format:"path" example:"secret.key"`
	// Directory for what must outlive a restart. A relative path starts at the configuration file.
	StateDir string `yaml:"state_dir" format:"path" shown:"/var/lib/muster/CLUSTER" example:"/var/lib/muster/shop"`
	// Directory for the control socket and other things that end with the agent. A relative path starts at the configuration
	// file. `--run-dir` wins over it.
	RunDir string `yaml:"run_dir" format:"path" shown:"/run/muster/CLUSTER" example:"/run/muster/shop"`
	// The hosts of the cluster by name, 1 to 32. Every host must list the same ones: the order of their names numbers them.
	Hosts map[string]FileHost `yaml:"hosts" required:"true" min:"1" max:"32" example:"{a: {address: 10.77.0.1}}"`
	// How hosts notice that another one is gone.
	Heartbeat FileHeartbeat `yaml:"heartbeat"`
	// The virtual addresses by name, at most 32. Every host carries all of them.
	VIPs map[string]FileVIP `yaml:"vips" max:"32"`
	// What carries packets between hosts that are no neighbours, where a virtual address asks for it.
	Tunnel FileTunnel `yaml:"tunnel"`
	// The checks by name, which rules refer to. Each host probes for itself.
	Checks map[string]FileCheck `yaml:"checks" max:"64"`
	// The routers that are told of addresses with delivery `routed`. A change is taken live: sessions that it touches begin anew.
	BGP FileBGP `yaml:"bgp"`

	_ struct{} `unsupported:"store bus recovery services gslb folders transfer api"`
}

// FileHost is one machine that runs the agent.
type FileHost struct {
	// Address at which the other hosts reach this one: IPv4, or IPv6 (not link-local) on all hosts; VIPs may have either. It must be on an
	// interface of the host and never change.
	Address netip.Addr `yaml:"address" required:"true" example:"10.77.0.1"`
	// Share of new connections relative to the other hosts: with weights 1, 1 and 2 the last one gets half. A change moves only the
	// difference.
	Weight int `yaml:"weight" default:"1" min:"1" max:"1000"`
	// What the host is for. A `full` host serves. A `witness` only hears and votes: it carries no VIP, arms no filter, gets no share, and
	// decides with its vote which half of an evenly split cluster goes on with rules of `quorum: witness`. A change needs a
	// restart of every agent.
	Role string `yaml:"role" default:"full" enum:"full,witness"`
}

// FileHeartbeat holds the settings of failure detection: a profile, or an interval with a tolerance.
type FileHeartbeat struct {
	// Ready-made settings. `steady` (20ms x 15) notices a dead host in 300 ms and stands 30 % loss; `fast` (5ms x 8) in 40 ms,
	// stands 5 % loss, and runs in real time, for machines that never stand still for so long; `wan` (500ms x 10) in 5 s, for long or
	// narrow lines.
	Profile string `yaml:"profile" shown:"steady" enum:"steady,fast,wan" example:"steady"`
	// Time between two heartbeats to each host. Shorter notices sooner and costs more packets. Needs tolerance, and no profile.
	Interval time.Duration `yaml:"interval" min:"1ms" max:"10s" example:"20ms"`
	// Heartbeats missed in a row before a host counts as gone. Lower notices sooner and is wrong more often. The kernel stops
	// accepting new connections by itself after two thirds of it. Needs interval, and no profile.
	Tolerance int `yaml:"tolerance" min:"3" max:"100" example:"15"`

	// The networks between hosts by name, at most 8. Heartbeats travel on all of them, and a host is gone only when it is silent on all. The
	// network that carries the hosts' addresses is always used; not named here, it is called `lan`. A change needs a
	// restart of every agent.
	Networks map[string]FileNetwork `yaml:"networks" max:"8" example:"{cross: {interface: eth1}}"`

	// Whether heartbeats go by multicast. A network's own setting wins.
	Multicast FileClusterMulticast `yaml:"multicast"`

	// Keys that heartbeats are signed and encrypted with, beside the secret.
	Keys FileKeys `yaml:"keys"`

	// Addresses outside the cluster that decide an even split where no host has the role of a witness. A change is taken live.
	Witness FileWitness `yaml:"witness"`
}

// FileWitness is what each host asks when exactly half of the full hosts are left in its view. The half with the lowest host goes on if
// any of the addresses answers it; the other half only if besides that nothing of the first half answers at all. Unlike a
// host with the role of a witness, an address cannot tell one half what it told the other: docs/split.md says what follows.
type FileWitness struct {
	// IPv4 addresses to ping (ICMP echo), for example of the router.
	Ping []netip.Addr `yaml:"ping" min:"1" max:"4" example:"[10.77.0.254]"`
	// Addresses and ports to which a TCP connection is opened, and closed at once.
	TCP []netip.AddrPort `yaml:"tcp" min:"1" max:"4" example:"[10.77.0.254:22]"`
}

// FileKeys holds the settings of the keys that the hosts draw for each network.
type FileKeys struct {
	// Age at which a network's key is replaced by a new random one; `muster key rotate` does it at once, and so does a host
	// that leaves. Shorter leaves less to whoever gets hold of one; a rotation costs a few datagrams for each host. A change is taken
	// live.
	Rotate time.Duration `yaml:"rotate" default:"1h" min:"1m" max:"720h"`
}

// FileNetwork is one network between hosts. A cable from host to host is one too.
type FileNetwork struct {
	// Name of its network interface, the same on every host. Where it does not carry the host's own address, hosts use the best kind of
	// address that all of them have on it: IPv4, else global or unique local IPv6, else link-local IPv6, which needs no configuration. They
	// tell each other by heartbeats on a network that works already.
	Interface string `yaml:"interface" required:"true" format:"interface" example:"eth1"`
	// One datagram for all hosts instead of one for each.
	Multicast FileMulticast `yaml:"multicast"`
}

// FileClusterMulticast is the setting for all networks.
type FileClusterMulticast struct {
	// Send to each host by unicast. Without it, clusters of three or more hosts use multicast wherever it is heard, and unicast
	// to hosts that do not hear it. A change is taken live.
	Disabled bool `yaml:"disabled" default:"false"`
}

// FileMulticast holds the settings of one network. A change is taken live.
type FileMulticast struct {
	// Use unicast on this network, or, if false, multicast although it is disabled for the cluster.
	Disabled bool `yaml:"disabled" shown:"the cluster's setting" example:"false"`
	// Group address to use, from 224.0.0.0 to 239.255.255.255 or, where the network has IPv6 addresses, an IPv6 group of link-local scope or
	// wider: used as it is. Without one the hosts choose a free one.
	Address string `yaml:"address" format:"text" shown:"chosen by the hosts" example:"239.255.7.9"`
	// Choose an address if the given one is no group address, instead of refusing the file.
	Lenient bool `yaml:"lenient" default:"false"`
	// First and last address to choose from. If one of the two is no group address, the default is used, with a warning. A range that is
	// given bounds leases too; without one these may be from all of 239.0.0.0 to 239.255.255.255. On a network with IPv6 addresses the
	// default is ff15::8000:0 to ff15::ffff:ffff, and leases may be from ff13::/16 to ff18::/16; ends given may differ in the last 32
	// bits only.
	Range []string `yaml:"range" default:"239.255.0.0,239.255.254.255" min:"2" max:"2" example:"[239.255.0.0, 239.255.254.255]"`
	// Ask the MADCAP servers on the network (RFC 2730) for an address before choosing one. Without a server it costs four small datagrams
	// every ten minutes.
	MADCAP bool `yaml:"madcap" default:"true"`
}

// FileVIP is a virtual address that all hosts carry together.
type FileVIP struct {
	// Address with the length of its subnet: IPv4, or IPv6 that is global or unique local. Every host must have an address on that subnet,
	// unless interface or tunnel is given; the address must be nobody's own. Who wants both families makes two VIPs with the same rules.
	Address netip.Prefix `yaml:"address" required:"true" example:"10.77.0.100/24"`
	// Name of the network interface, the same on every host.
	Interface string `yaml:"interface" format:"interface" shown:"the one on the address's subnet" example:"eth0"`
	// How client packets reach the hosts. In `directed` delivery one host answers ARP or ND for the address and forwards each packet
	// to its owner, who replies to the client directly. Works on any switch. With `unicast`, `multicast` and `igmp` ARP and ND name a MAC that all hosts take in, that of
	// Windows NLB, and no host forwards: with `unicast` and `multicast` the switch floods each frame to every port, with `igmp` to those
	// of the hosts, if it snoops. docs/delivery.md has what each needs. In `routed` delivery every host announces the address by BGP to
	// the routers below `bgp`, which spread the clients, and forwards what is another host's; the address need not be of the hosts' subnet.
	// A change is taken live: neighbours that still use the MAC of before are served too, a minute long.
	Delivery string `yaml:"delivery" default:"directed" enum:"directed,unicast,multicast,igmp,routed"`
	// Drop in the network card's driver what would be dropped anyway: packets for ports without a rule, in buckets that nobody may accept, for
	// hosts that have the frame too. A flood then costs less processor time. Needs Linux 5.18, a driver with native XDP, no other XDP
	// program and no VLAN interface on the card; where one of them is missing, `muster status` says so and all goes on as before. Some
	// drivers restart the card when it is turned on, which makes the host deaf for seconds; tcpdump does not see what is dropped so. A
	// change is taken live.
	Accelerate bool `yaml:"accelerate" default:"false"`
	// What carries packets to hosts that are not on the address's subnet. `none`: nothing, every host must be on it. `vxlan`: hosts elsewhere
	// serve too: those with their own address in the subnet answer for the VIP and wrap what belongs to the others into UDP; replies
	// go to the client directly. Costs 50 bytes a packet (70 between IPv6 addresses), which clients' segments are made smaller by.
	// With `directed` and `routed` delivery.
	Tunnel string `yaml:"tunnel" default:"none" enum:"none,vxlan"`
	// What to do when a machine that is no host of the cluster claims the address. `defend`: it stays the cluster's, and is announced
	// again every 10 s at most; nothing that a stranger says takes it away. `yield`: nobody answers for it until he has been silent for
	// a minute, right where another system may take it over on purpose; whoever can send on the network can then take it away.
	// Either way he is told with his MAC. A change is taken live.
	Duplicates string `yaml:"duplicates" default:"defend" enum:"defend,yield"`
	// How the ports of the address are shared, at least one rule here and at most 64 in the file, a `default` counted as one. What no rule
	// names goes to the default host, or is dropped.
	Rules []FileRule `yaml:"rules" required:"true" min:"1" max:"64" example:"[{ports: [80]}]"`
	// Hosts in order of preference: the first that serves gets TCP and UDP of every port that no rule names, and the others only if it
	// does not serve. Hosts that are not listed never get it. Without it such packets are dropped, which is safer. A change is taken
	// live.
	Default Names `yaml:"default" min:"1" max:"32" shown:"dropped" example:"[a, b]"`

	_ struct{} `unsupported:"quorum"`
}

// FileCheck is a probe of something on this host: exactly one of http and tcp, and when to run it.
type FileCheck struct {
	// Ask for a page over HTTP.
	HTTP *FileHTTP `yaml:"http" example:"{url: \"http://127.0.0.1/\"}"`
	// Open a TCP connection.
	TCP *FileTCP `yaml:"tcp" example:"{address: \"127.0.0.1:21\"}"`
	// Time from the start of one probe to the start of the next. Shorter notices sooner and loads the application more.
	Interval time.Duration `yaml:"interval" default:"2s" min:"10ms" max:"1h"`
	// Time after which a probe without an answer has failed; at most the interval.
	Timeout time.Duration `yaml:"timeout" shown:"1s, or the interval if that is shorter" min:"1ms" max:"1h" example:"1s"`
	// Failures in a row before the check is down. Lower notices sooner and reacts to hiccups.
	Fall int `yaml:"fall" default:"3" min:"1" max:"100"`
	// Successes in a row before the check is up again.
	Rise int `yaml:"rise" default:"2" min:"1" max:"100"`

	_ struct{} `unsupported:"ftp process ping interface script"`
}

// FileHTTP is a probe by HTTP.
type FileHTTP struct {
	// What to ask for. The name in it is looked up by each host: an address of the host itself, such as 127.0.0.1, is safest.
	URL string `yaml:"url" required:"true" format:"url" example:"http://127.0.0.1/health"`
	// Host header to send.
	Host string `yaml:"host" format:"host" shown:"the host of the URL" example:"www.shop.lab"`
	// Request method. HEAD saves the body where the application answers it properly.
	Method string `yaml:"method" default:"GET" enum:"GET,HEAD"`
	// Status codes and ranges that are good. Redirects are not followed: a 301 is judged as a 301.
	Expect []StatusRange `yaml:"expect" default:"200-299,301,302,401" min:"1" max:"64" example:"[200-299, 401]"`

	_ struct{} `unsupported:"version"`
}

// FileTCP is a probe that opens a connection and closes it.
type FileTCP struct {
	// IP address and port to connect to.
	Address netip.AddrPort `yaml:"address" required:"true" example:"127.0.0.1:21"`
}

// FileBGP is what the hosts tell routers, and which ones. Needed for delivery `routed`, and used for nothing else: no host learns a route.
type FileBGP struct {
	// Number of the autonomous system that the hosts belong to, the same for all. 64512 to 65534 and 4200000000 to 4294967294 are for
	// private use. The same number as the router's makes an internal session.
	AS int `yaml:"as" required:"true" min:"1" max:"4294967294" example:"64512"`
	// The routers by name, at most 8. Every host has a session with each of them, over the interface of the routed addresses, without a
	// router in between.
	Neighbors map[string]FileNeighbor `yaml:"neighbors" required:"true" min:"1" max:"8" example:"{tor1: {address: 10.77.0.254, as: 64513}}"`
}

// FileNeighbor is a router.
type FileNeighbor struct {
	// Its address on the hosts' network. One with an IPv4 address is told of IPv4 addresses, one with an IPv6 address of IPv6 ones.
	Address netip.Addr `yaml:"address" required:"true" example:"10.77.0.254"`
	// Number of its autonomous system.
	AS int `yaml:"as" required:"true" min:"1" max:"4294967294" example:"64513"`
	// File with the password of the session (TCP MD5, RFC 2385): one line of at most 80 bytes, mode 0600. Without one anybody on the
	// network who can forge the router's address can end the session. A relative path starts at the configuration file.
	PasswordFile string `yaml:"password_file" format:"path" shown:"no password" example:"tor1.password"`
	// Time without a sign of life after which each side takes the other for dead, in whole seconds; the router may insist on less. Until
	// then the clients that it sends to a dead host are not served. 3s is the least that BGP knows. More spares routers that are late
	// under load.
	HoldTime time.Duration `yaml:"hold_time" default:"3s" min:"3s" max:"1h"`
	// Interval of BFD packets (RFC 5880) with the router; after three without an answer each side takes the other for dead. 100ms notices
	// a dead host in 300 ms, and a host that stands still for so long. Switch BFD on at the router too: on one side alone it does nothing.
	BFD time.Duration `yaml:"bfd" shown:"no BFD" min:"50ms" max:"10s" example:"100ms"`
}

// Names is one name, or a list of names.
type Names []string
