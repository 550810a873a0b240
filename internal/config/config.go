package config

import (
	"net/netip"
	"time"

	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/multicast"
)

// Bounds of a configuration; package member has the reasons.
const (
	MaxHosts    = 32
	MaxRules    = 64
	MaxNetworks = 8
)

// Config is a cluster's configuration, validated, with every default filled in. Hosts, networks, VIPs and checks are sorted by name
// and known elsewhere by their index; rules are numbered in the order of VIPs and then of the file.
type Config struct {
	Path        string // the file it came from
	Cluster     string
	SecretFile  string // absolute
	StateDir    string // absolute
	RunDir      string // absolute
	Hosts       []Host
	Heartbeat   Heartbeat
	Networks    []Network     // those that the file names
	NoMulticast bool          // on a network that the file does not name
	KeyAge      time.Duration // at which a network's key is replaced
	Witnesses   Witnesses     // addresses that decide an even split
	TunnelPort  uint16        // UDP port of the tunnel; 0: no VIP has one
	VIPs        []VIP
	Rules       []Rule
	Checks      []Check
	BGP         BGP
	Warnings    Problems // what of the file is not followed, or will hardly be meant
	Digest      Digest   // of the meaning of the file: comments, order of keys and spelling of durations do not count

	// Effective lists every value as it is in use, also those that the file does not mention, in the order of the file's reference. Hosts need not agree
	// on it: two files of one meaning may differ in what they mention.
	Effective []Effective
}

// Digest identifies a configuration's meaning.
type Digest [32]byte

// Host is one machine of the cluster.
type Host struct {
	Name    string
	Address netip.Addr
	Weight  int  // share of new connections relative to the others, 1 to 1000
	Witness bool `json:",omitempty"` // votes and serves nothing
}

// Witnesses are addresses outside the cluster that decide an even split.
type Witnesses struct {
	Ping []netip.Addr     `json:",omitempty"`
	TCP  []netip.AddrPort `json:",omitempty"`
}

// Any reports whether there are any.
func (w Witnesses) Any() bool { return len(w.Ping)+len(w.TCP) > 0 }

// Quorum is what a view must have for a rule to be served in it; the numbers are package member's Need.
type Quorum uint8

// The quorums.
const (
	QuorumNone Quorum = iota
	QuorumMajority
	QuorumWitness
)

// Heartbeat holds the detector's settings.
type Heartbeat struct {
	Interval  time.Duration
	Tolerance int // intervals of silence before a host is no longer heard
	Lease     int // intervals without confirmation before the kernel stops accepting
}

// Network is a network between hosts.
type Network struct {
	Name      string
	Interface string
	Multicast Multicast
}

// Multicast holds a network's settings.
type Multicast struct {
	Disabled bool
	Own      multicast.Setting `json:",omitempty"` // what the network itself says; the cluster's setting counts where it says nothing
	Lenient  bool              `json:"-"`          // have an address chosen if the one given is none
	Address  netip.Addr        // invalid: to be chosen
	First    netip.Addr        // of the range to choose from
	Last     netip.Addr
	Ranged   bool   `json:",omitempty"` // the range is the file's: leases have to be in it too
	NoMADCAP bool   `json:",omitempty"` // ask no server for a lease
	Warning  string `json:"-"`          // what of the file is not followed
}

// VIP is a virtual address.
type VIP struct {
	Name      string
	Address   netip.Prefix // the address with its subnet's length
	Interface string       // empty: the interface that is on the address's subnet
	Delivery  delivery.Mode
	Tunnel    Tunnel `json:",omitempty"`
	Rules     []int  // indexes into Config.Rules
	// Accelerate: drop in the driver, where it can.
	Accelerate bool `json:",omitempty"`
	Yields     bool `json:",omitempty"` // to a stranger that claims the address
}

// Check is a probe of something on this host.
type Check struct {
	Name     string
	HTTP     *HTTPProbe // exactly one of HTTP and TCP is set
	TCP      *TCPProbe
	Interval time.Duration
	Timeout  time.Duration
	Fall     int // failures in a row before it is down
	Rise     int // successes in a row before it is up
}

// HTTPProbe asks for a URL.
type HTTPProbe struct {
	URL    string
	Host   string // Host header; empty: from the URL
	Method string
	Expect []StatusRange
}

// StatusRange is a range of HTTP status codes, both ends included.
type StatusRange struct{ First, Last int }

// TCPProbe opens a connection.
type TCPProbe struct {
	Address netip.AddrPort
}
