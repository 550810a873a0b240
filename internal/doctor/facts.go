package doctor

import (
	"net/netip"

	"github.com/muster-ha/muster/internal/vip"
)

// Facts is what was found on this host. What a configuration does not need is not looked for and stays zero.
type Facts struct {
	Files      []File          // secrets, in the order of the configuration
	Features   []Feature       // of the kernel that the filter needs
	Preemption Preemption      // of the kernel
	Places     []Place         // where each VIP is, by its index
	Links      map[string]Link // by interface: of VIPs and networks
	Default4   string          // interface of the IPv4 default route; empty: none
	Exits      []vip.Exit      // routes by which VIPs answer
	Paths      []Path          // to the other hosts
	Port       error           // why the heartbeat's port cannot be had; nil: it is free, or the agent has it
	Clock      error           // why the clock is not synchronised; nil: it is, or nobody knows
	Queriers   map[string]Querier
	Foreign    map[string]string // by interface: the MAC of a cluster that somebody sends from, which switches then learn
	Bridges    map[string]Bridge // by interface: those of VIPs that are bridges
	Routers    []Router          // of the configuration, in its order
	Tunnels    []Tunnel          // to the other hosts, if the configuration has a tunnel
}

// File is a file that nobody else may read.
type File struct {
	What string // "secret", "password of router tor1"
	Err  error  // why it cannot be used
}

// Feature is something that the kernel must be able to do.
type Feature struct {
	What string
	Err  error
}

// Place is the interface of a VIP.
type Place struct {
	Link vip.Interface
	Err  error
}

// Link is an interface.
type Link struct {
	MTU     int
	Carrier bool
	Driver  string // of the card; empty: it is no card of a machine, or its driver is not known
	Reverse int    // rp_filter in effect: 0 off, 1 strict, 2 loose
}

// Path is the way to another host.
type Path struct {
	Host    string
	Address netip.Addr
	Small   bool // it answers a small ping
	Full    bool // it answers a ping as long as the longest heartbeat
}

// Tunnel is the way to a host that packets of clients are wrapped for.
type Tunnel struct {
	Host  string
	Takes int   // the largest packet in bytes, with its IP header, before which nothing has to be cut
	Adds  int   // bytes that wrapping adds
	Err   error // why that is not known
}

// Querier is what was heard of IGMP on an interface.
type Querier struct {
	Address netip.Addr // of the one that asks; invalid: none was heard
	Err     error      // why nobody could listen
}

// Bridge is an interface of VIPs that is a switch of this host's own.
type Bridge struct {
	Snoops   bool // it passes multicast on to who has joined
	Querier4 bool // it hears an IGMP querier, or is one
	Querier6 bool // the same by MLD
	Own      bool // it is one
	Router   bool // the host gets all multicast that comes to it
	Ports    int
	Closed   []string // ports toward other hosts that are not told to pass on all multicast
}

// Router is a neighbour in BGP.
type Router struct {
	Name      string
	Interface string // toward it
	Err       error  // why there is none
}
