package api

import "time"

// State is how a host takes part, as this host knows it.
type State string

// The states of a host. Anything that a reader does not know counts as unknown.
const (
	StateUnknown State = "unknown" // never heard since this agent started
	StateJoining State = "joining" // heard, in no view with us yet
	StateServing State = "serving" // in the view with a share
	StateDrained State = "drained" // in the view, without a share by order
	StateLeaving State = "leaving" // on its way out
	StateWitness State = "witness" // in the view, votes and serves nothing
	StateSilent  State = "silent"  // was heard, is not any more

	StateStopped   State = "stopped"   // in the view, serves nothing by order
	StateSuspended State = "suspended" // stopped, and takes no order but to resume
)

// Status is how the cluster looks from one host.
type Status struct {
	Cluster    string            `json:"cluster" doc:"Name of the cluster."`
	Host       string            `json:"host" doc:"The host that answers: everything here is what it knows."`
	Version    string            `json:"version" doc:"Version of its agent."`
	Language   LanguageStatus    `json:"language" doc:"The version of heartbeats in use: during a rolling upgrade the highest that all hosts speak."`
	State      State             `json:"state" doc:"Its own state." enum:"unknown,joining,serving,drained,leaving,silent,witness,stopped,suspended"`
	Why        string            `json:"why" doc:"Why it is in that state, when that is not obvious."`
	Epoch      uint64            `json:"epoch" doc:"Epoch of the view it uses; 0: none. Grows with every change of the view."`
	View       ViewStatus        `json:"view" doc:"The agreed set of live hosts."`
	Config     ConfigStatus      `json:"config" doc:"The configuration in use."`
	Hosts      []HostStatus      `json:"hosts" doc:"Every configured host, by name."`
	VIPs       []VIPStatus       `json:"vips" doc:"Every virtual address, by name."`
	Checks     []CheckStatus     `json:"checks" doc:"Every check, as it is on the answering host."`
	Filter     FilterStatus      `json:"filter" doc:"The filter in the answering host's kernel."`
	Networks   []NetworkStatus   `json:"networks" doc:"The networks between hosts, the one that carries their addresses first."`
	Timer      TimerStatus       `json:"timer" doc:"How promptly the answering host's agent runs."`
	Datagrams  DatagramStatus    `json:"datagrams" doc:"Datagrams between hosts since the agent started."`
	BGP        []BGPStatus       `json:"bgp" doc:"The routers that the answering host announces routed addresses to, by name."`
	Duplicates []DuplicateStatus `json:"duplicates" doc:"Strangers that claim an address of the cluster, as the answering host hears them; empty: none."`
	Problems   []Problem         `json:"problems" doc:"What is wrong and what to do about it; empty: nothing known to be wrong."`

	Parameters []ParameterStatus `json:"parameters" doc:"What can be set of all networks."`
	Overrides  []OverrideStatus  `json:"overrides" doc:"What was set by hand and lies over the configuration file."`
}

// DuplicateStatus is a stranger that claims a VIP or the answering host's own address. All of it but the address comes from his own frames.
type DuplicateStatus struct {
	Address    string    `json:"address" doc:"The address."`
	What       string    `json:"what" doc:"The address and what it is." example:"10.77.0.100 (VIP web)"`
	MAC        string    `json:"mac" doc:"MAC that is said to have it."`
	Source     string    `json:"source" doc:"MAC from which the claim came."`
	Where      string    `json:"where" doc:"Interface, port of a bridge and other addresses, as far as they are known; empty: being looked for."`
	Since      time.Time `json:"since" doc:"When it was heard first."`
	HeardAgoMS float64   `json:"heard_ago_ms" doc:"Milliseconds since it was last heard; after a minute it counts as gone."`
	Claims     int       `json:"claims" doc:"How often it was heard, once a second at most."`
	Policy     string    `json:"policy" doc:"What is done about it."`
}

// TimerStatus is how promptly an agent runs, over the last one to two minutes. One that is late itself looks like a dying host to the
// others.
type TimerStatus struct {
	Scheduling string  `json:"scheduling" doc:"How the kernel schedules the agent." example:"real time, round robin, priority 1"`
	Ticks      uint64  `json:"ticks" doc:"Ticks of its timer, one an interval."`
	MedianMS   float64 `json:"median_ms" doc:"Milliseconds by which half of them were late at most."`
	P99MS      float64 `json:"p99_ms" doc:"Milliseconds by which 99 per cent of them were late at most."`
	WorstMS    float64 `json:"worst_ms" doc:"Milliseconds by which the worst was late."`
	LongestMS  float64 `json:"longest_ms" doc:"Milliseconds that the longest turn of its loop took: until then it heard and said nothing."`
	Longest    string  `json:"longest" doc:"What that turn was for: tick, arrival or order; empty: none yet."`
}

// ViewStatus is the view in use.
type ViewStatus struct {
	Epoch    uint64   `json:"epoch" doc:"Number of the view; 0: no view."`
	Proposer string   `json:"proposer" doc:"Host that proposed it; empty: no view."`
	Members  []string `json:"members" doc:"Hosts in it, by name."`
}

// ConfigStatus names a configuration.
type ConfigStatus struct {
	Path    string `json:"path" doc:"File it was read from."`
	Digest  string `json:"digest" doc:"Digest of its meaning: equal on two hosts when their files say the same."`
	Pending string `json:"pending" doc:"Digest of a newer one that waits for the other hosts to have it; empty: none."`
}

// HostStatus is one host as the answering host knows it.
type HostStatus struct {
	Name          string           `json:"name" doc:"Name in the configuration."`
	Address       string           `json:"address" doc:"Address on which it is heard."`
	State         State            `json:"state" doc:"How it takes part, as far as the answering host knows." enum:"unknown,joining,serving,drained,leaving,silent,witness,stopped,suspended"`
	Why           string           `json:"why" doc:"Why it is in that state, when that is not obvious."`
	Weight        int              `json:"weight" doc:"Share of new connections relative to the others, in effect now; 0: none."`
	Boot          string           `json:"boot" doc:"Random number of its agent's start; empty: not known."`
	HeardAgoMS    *float64         `json:"heard_ago_ms" doc:"Milliseconds since it was last heard; null: never, or the answering host itself."`
	LossPercent   *float64         `json:"loss_percent" doc:"Share of its recent heartbeats that did not arrive; null: not known."`
	DelayMS       *float64         `json:"delay_ms" doc:"Round trip to it in milliseconds; null: not known."`
	Version       string           `json:"version" doc:"Version of its agent; empty: not known."`
	Speaks        *SpeaksStatus    `json:"speaks" doc:"Versions of heartbeats that it speaks; null: not known."`
	ConfigDigest  string           `json:"config_digest" doc:"Digest of its configuration; empty: not known."`
	ConfigDiffers *bool            `json:"config_differs" doc:"Whether its configuration is another than the answering host's; null: not known."`
	Directs       []string         `json:"directs" doc:"VIPs that it answers for, by name."`
	Order         *HostOrderStatus `json:"order" doc:"What it has been told by hand, also while it is down; null: nothing, it is to serve."`
	Connections   *int             `json:"connections" doc:"Connections to VIPs that it has, when it gets no new ones; null: not known."`
	Holds         *int             `json:"holds" doc:"Buckets, not its own, in which it still has connections or remembers clients; null: not announced yet."`
	Shares        []Share          `json:"shares" doc:"Its share of each rule."`
}

// SpeaksStatus is the range of versions of the heartbeat that a host speaks.
type SpeaksStatus struct {
	Lowest  int `json:"lowest" doc:"Lowest version that it can read and write."`
	Highest int `json:"highest" doc:"Highest version that it can read and write."`
	Written int `json:"written" doc:"Version that it wrote last."`
}

// LanguageStatus is the version that the answering host writes heartbeats in.
type LanguageStatus struct {
	Version int    `json:"version" doc:"Version it writes; every host that is heard can read it."`
	Why     string `json:"why" doc:"Why it is that one."`
}

// Share is a host's part of a rule.
type Share struct {
	VIP     string  `json:"vip" doc:"Name of the VIP."`
	Rule    string  `json:"rule" doc:"Protocol and ports of the rule." example:"tcp 80,443"`
	Buckets int     `json:"buckets" doc:"Buckets it owns, of 4096."`
	Percent float64 `json:"percent" doc:"The same in percent."`
}

// VIPStatus is a virtual address.
type VIPStatus struct {
	Name       string       `json:"name" doc:"Name in the configuration."`
	Address    string       `json:"address" doc:"The address with the length of its subnet." example:"10.77.0.100/24"`
	Interface  string       `json:"interface" doc:"Interface that carries it on the answering host; empty: not known."`
	Delivery   string       `json:"delivery" doc:"How client packets reach the hosts." enum:"directed,unicast,multicast,igmp,routed"`
	MAC        string       `json:"mac" doc:"MAC that clients are told and every host takes in; empty: the director's own."`
	Group      string       `json:"group" doc:"Multicast group that the hosts join, so that switches know where they are; empty: none."`
	FormerMAC  string       `json:"former_mac" doc:"MAC of the delivery before, taken in for a minute after a change; empty: none."`
	TunnelFits int          `json:"tunnel_fits,omitempty" doc:"Bytes of the largest packet that the tunnel takes to every host that is not on the address's network; left out: it has no tunnel." example:"1450"`
	Director   string       `json:"director" doc:"Host that answers ARP for it, and in directed delivery forwards to owners; empty: nobody, as is right when routers choose."`
	Rules      []RuleStatus `json:"rules" doc:"How its ports are shared."`
}

// RuleStatus is a rule of a VIP.
type RuleStatus struct {
	Protocol        string            `json:"protocol" doc:"tcp, udp, or both." enum:"tcp,udp,both"`
	Ports           string            `json:"ports" doc:"Ports and ranges; rest: those that no other rule of the VIP has." example:"80,443"`
	Handling        string            `json:"handling" doc:"What is done with its clients: shared, single (one host gets all) or refuse (nothing new is accepted)." enum:"shared,single,refuse"`
	Priority        []string          `json:"priority" doc:"With handling single, the hosts in order of preference; empty otherwise."`
	Affinity        string            `json:"affinity" doc:"What of a client decides its host: none (address and port), client (address) or network (leading bits of the address)." enum:"none,client,network"`
	AffinityIPv4    int               `json:"affinity_ipv4" doc:"With affinity network, the bits of an IPv4 address that count; 0 otherwise."`
	AffinityIPv6    int               `json:"affinity_ipv6" doc:"With affinity network, the bits of an IPv6 address that count; 0 otherwise."`
	AffinityTimeout float64           `json:"affinity_timeout_s" doc:"Seconds for which a client's host is remembered after it was last seen; 0: not at all."`
	Remembers       *int              `json:"remembers" doc:"Clients, or networks of clients, that the answering host remembers and would serve again; null: not known, or the rule remembers none."`
	Quorum          string            `json:"quorum" doc:"What a view must have for the rule to be served in it." enum:"none,majority,witness"`
	HasQuorum       bool              `json:"has_quorum" doc:"Whether the view of the answering host has it; if not, the rule accepts nothing new here."`
	QuorumWhy       string            `json:"quorum_why" doc:"The votes behind that, in words; empty when the rule needs no quorum."`
	Ready           bool              `json:"ready" doc:"Whether the rule's checks are good on the answering host."`
	Owners          []OwnerShare      `json:"owners" doc:"Who gets new connections, by name; adds up to 4096 buckets, less what nobody owns."`
	Orders          []RuleOrderStatus `json:"orders" doc:"What has been said of it by hand, for all hosts or for one; empty: nothing, it is enabled."`
	ConnectionsHeld *int              `json:"connections_held" doc:"Connections on the answering host in buckets that it does not own any more; null: not known."`
}

// OwnerShare is an owner's part of a rule.
type OwnerShare struct {
	Host    string  `json:"host" doc:"Name of the host; empty: nobody, new connections are not accepted."`
	Buckets int     `json:"buckets" doc:"Buckets it owns, of 4096."`
	Percent float64 `json:"percent" doc:"The same in percent."`
}

// CheckStatus is a check on the answering host.
type CheckStatus struct {
	Name  string      `json:"name" doc:"Name in the configuration."`
	State string      `json:"state" doc:"Result so far; unknown until the first probes are done." enum:"up,down,unknown"`
	Why   string      `json:"why" doc:"Why, in words."`
	Since *time.Time  `json:"since" doc:"When it came into that state; null: not known."`
	Last  *Transcript `json:"last" doc:"The last probe; null: none yet."`
}

// Transcript is what a probe said and heard.
type Transcript struct {
	At     time.Time `json:"at" doc:"When the probe began."`
	TookMS float64   `json:"took_ms" doc:"How long it took, in milliseconds."`
	Good   bool      `json:"good" doc:"Whether the probe succeeded."`
	Text   string    `json:"text" doc:"What was asked and what came back, shortened."`
}

// FilterStatus is the filter in the kernel.
type FilterStatus struct {
	Armed       bool              `json:"armed" doc:"Whether the programs are attached and the lease is running."`
	Hook        string            `json:"hook" doc:"How they are attached: tcx or clsact; empty: not attached."`
	Accelerated []string          `json:"accelerated,omitempty" doc:"Interfaces whose driver drops early what the filter would drop."`
	LeaseMS     *float64          `json:"lease_ms" doc:"Milliseconds for which the kernel still accepts new connections by itself; 0: lapsed; null: not known."`
	Counters    map[string]uint64 `json:"counters" doc:"Packets by decision since the filter was loaded."`
}

// PeerState is how another host is heard on one network.
type PeerState string

// The states of a host on a network.
const (
	PeerUnknown PeerState = "unknown" // never heard on it since this agent started
	PeerHeard   PeerState = "heard"
	PeerSilent  PeerState = "silent" // was heard, is not any more
)

// NetworkStatus is one network as the answering host sees it.
type NetworkStatus struct {
	Name      string         `json:"name" doc:"Name in the configuration; lan if it does not name the network of the hosts' addresses."`
	Number    int            `json:"number" doc:"Number of the network in datagrams; 0: the one of the hosts' addresses."`
	Interface string         `json:"interface" doc:"Interface of the answering host."`
	Address   string         `json:"address" doc:"Address of the answering host on it; empty: none."`
	Up        bool           `json:"up" doc:"Whether it can be used."`
	Why       string         `json:"why" doc:"Why it cannot be used."`
	Datagrams DatagramStatus `json:"datagrams" doc:"Datagrams on it since the agent started."`
	Peers     []NetworkPeer  `json:"peers" doc:"The other hosts on it, by name."`

	Hearing   []NetworkHearing `json:"hearing" doc:"Who hears whom on it, by name, as each host says itself."`
	Multicast MulticastStatus  `json:"multicast" doc:"Heartbeats by multicast on it."`

	Parameters []ParameterStatus `json:"parameters" doc:"What can be set of it, and what follows from that."`
}

// MulticastStatus is the multicast of a network.
type MulticastStatus struct {
	Used      bool               `json:"used" doc:"Whether the answering host sends to the group."`
	Why       string             `json:"why" doc:"Why it does or does not."`
	Group     string             `json:"group" doc:"The group's address; empty: none."`
	How       string             `json:"how" doc:"How the address was found: manual, MADCAP lease, self-selected, none."`
	Stranger  bool               `json:"stranger" doc:"Whether another cluster was seen on the group."`
	Warning   string             `json:"warning" doc:"What of the configuration is not followed; empty: nothing."`
	MADCAP    string             `json:"madcap" doc:"What is done about a lease of the group's address from a MADCAP server, and why there is none."`
	Lease     *LeaseStatus       `json:"lease" doc:"The lease that the cluster has; null: none."`
	Datagrams DatagramStatus     `json:"datagrams" doc:"Datagrams by multicast since the agent started."`
	Hearing   []MulticastHearing `json:"hearing" doc:"Who hears whom by multicast, by name."`
}

// LeaseStatus is the lease of a group's address. Every host knows it, and one of them renews it.
type LeaseStatus struct {
	Address  string    `json:"address" doc:"The address that is leased."`
	Server   string    `json:"server" doc:"The MADCAP server that granted it."`
	Scope    string    `json:"scope" doc:"First address of the scope that it is of."`
	ID       string    `json:"id" doc:"The lease identifier, in hexadecimal: who knows it can renew and release the lease."`
	Obtained time.Time `json:"obtained" doc:"When it was obtained, or renewed last."`
	Renewed  time.Time `json:"renewed" doc:"When it is to be renewed."`
	Expires  time.Time `json:"expires" doc:"When it expires unless it is renewed."`
	Keeper   string    `json:"keeper" doc:"The host that sees to it now; empty: none, without a view."`
}

// MulticastHearing is whom one host hears by multicast.
type MulticastHearing struct {
	Host  string   `json:"host" doc:"Name of the host that hears."`
	Known bool     `json:"known" doc:"Whether it has said so."`
	Hears []string `json:"hears" doc:"Hosts that it hears: they send it nothing by unicast."`
	Deaf  []string `json:"deaf" doc:"Live hosts that it does not hear: they send to it by unicast."`
}

// NetworkHearing is whom one host hears on a network.
type NetworkHearing struct {
	Host  string   `json:"host" doc:"Name of the host that hears."`
	Known bool     `json:"known" doc:"Whether it has said so."`
	Hears []string `json:"hears" doc:"Hosts that it hears on the network."`
	Deaf  []string `json:"deaf" doc:"Live hosts that it does not hear on the network."`
}

// NetworkPeer is a pair of hosts on one network: how the answering host hears the other one there.
type NetworkPeer struct {
	Host        string    `json:"host" doc:"Name of the other host."`
	Address     string    `json:"address" doc:"Its address on the network; empty: not known."`
	State       PeerState `json:"state" doc:"Whether it is heard on the network." enum:"unknown,heard,silent"`
	HeardAgoMS  *float64  `json:"heard_ago_ms" doc:"Milliseconds since it was last heard on the network; null: never."`
	LossPercent *float64  `json:"loss_percent" doc:"Share of its recent heartbeats that did not arrive; null: not known."`
	DelayMS     *float64  `json:"delay_ms" doc:"Round trip to it in milliseconds; null: not known."`
	JitterMS    *float64  `json:"jitter_ms" doc:"How much the delay from it varies, in milliseconds; null: not known."`
}

// DatagramStatus counts datagrams between hosts.
type DatagramStatus struct {
	Sent     uint64            `json:"sent" doc:"Sent by the answering host."`
	Accepted uint64            `json:"accepted" doc:"Received, genuine and new."`
	Refused  map[string]uint64 `json:"refused" doc:"Received and not acted on, by reason."`
	From     map[string]string `json:"from" doc:"Where the last one refused for a reason said to come from."`
}

// BGPStatus is the answering host's session with a router.
type BGPStatus struct {
	Neighbor  string     `json:"neighbor" doc:"Name of the router in the configuration."`
	Address   string     `json:"address" doc:"Address of the router."`
	AS        uint32     `json:"as" doc:"Its autonomous system."`
	Up        bool       `json:"up" doc:"Whether there is a session."`
	Since     *time.Time `json:"since" doc:"When the session came or went; null: there was none yet."`
	Why       string     `json:"why" doc:"Why there is no session."`
	Remedy    string     `json:"remedy" doc:"What to do about that; empty: nothing yet."`
	Announced []string   `json:"announced" doc:"Addresses that the router was told to send here."`
}

// Problem is something wrong, and its remedy.
type Problem struct {
	About  string `json:"about" doc:"What it is about: a host, a VIP, a check, the configuration." example:"host b"`
	What   string `json:"what" doc:"What is wrong."`
	Remedy string `json:"remedy" doc:"What to do about it."`
}
