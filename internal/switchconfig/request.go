package switchconfig

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-ha/muster/internal/delivery"
)

// ErrUnknown says that there is no vendor or hypervisor of that name.
var ErrUnknown = errors.New("unknown")

// Request is what lines are wanted for.
type Request struct {
	VIPs   []VIP
	VLAN   int      // of the hosts, 1 to 4094; 0: a word to fill in
	Ports  []string // of the switch, to which the hosts are connected, as the switch calls them; none: a word to fill in
	Bridge string   // name of a Linux bridge; empty: a word to fill in
}

// VIP is a virtual address with its delivery.
type VIP struct {
	Name    string
	Address netip.Addr
	Mode    delivery.Mode
}

// Answer is what to enter, and what to know about it.
type Answer struct {
	For      string    `json:"for"`      // name of the vendor or hypervisor
	Comment  string    `json:"comment"`  // what a line begins with that is none
	Sections []Section `json:"sections"` // in the order in which they are entered; none: nothing needs to be
	Notes    []string  `json:"notes"`    // what no line can say
	Fill     []Hole    `json:"fill"`     // words in the lines that the site has to replace
}

// Section is some lines for one purpose.
type Section struct {
	Title string   `json:"title"`
	Trust Trust    `json:"trust"`
	Lines []string `json:"lines"`
}

// Trust says where lines come from.
type Trust string

// How far lines can be trusted.
const (
	Tested     Trust = "tested"       // carried out in this project's tests
	Documented Trust = "documented"   // in the vendor's own documents, or shown by others on such a switch; of an entry, with a multicast MAC
	Unverified Trust = "not verified" // of the form of the vendor's commands at best, and nobody says that they take such a MAC: try it first
)

// Hole is a word to be replaced.
type Hole struct {
	Word string `json:"word"`
	Say  string `json:"say"` // what belongs there, and the flag that fills it in, if there is one
}

// The words to be replaced.
const (
	vlanHole    = "<VLAN>"
	portsHole   = "<PORTS>"
	bridgeHole  = "<BRIDGE>"
	routerHole  = "<ROUTER-ADDRESS>"
	querierHole = "<QUERIER-ADDRESS>"
	ifaceHole   = "<ROUTER-INTERFACE>"
	nameHole    = "<VLAN-NAME>"
)

// holes explains them, in the order in which they are told.
func holes() []Hole {
	return []Hole{
		{vlanHole, "number of the hosts' VLAN: --vlan"},
		{portsHole, "ports of the switch to which the hosts are connected, as it calls them: --ports"},
		{bridgeHole, "name of the bridge: --bridge"},
		{nameHole, "name of the hosts' VLAN on this switch"},
		{routerHole, "address of the router's own interface in the VLAN, with its prefix length"},
		{querierHole, "a free address of the VLAN's subnet from which the switch asks for memberships; the router's, if it is the querier"},
		{ifaceHole, "interface of the router in the VLAN"},
	}
}

// vlan is the VLAN's number, or the word for it.
func (r *Request) vlan() string {
	if r.VLAN == 0 {
		return vlanHole
	}
	return strconv.Itoa(r.VLAN)
}

// ports are the hosts' ports with something between them, or the word for them.
func (r *Request) ports(between string) string {
	if len(r.Ports) == 0 {
		return portsHole
	}
	return strings.Join(r.Ports, between)
}

func (r *Request) bridge() string {
	if r.Bridge == "" {
		return bridgeHole
	}
	return r.Bridge
}

// target is a VIP that has a MAC of the cluster.
type target struct {
	VIP
	mac   net.HardwareAddr
	group netip.Addr // of igmp
}

func (t target) v6() bool { return t.Address.Is6() && !t.Address.Is4In6() }

// multicast is true of a MAC that may have several ports, and that most routers take from no answer.
func (t target) multicast() bool { return t.mac[0]&1 != 0 }

// about is how a section's title names it.
func (t target) about() string { return fmt.Sprintf("VIP %s, %v, %v", t.Name, t.Address, t.Mode) }

// targets are the VIPs that mean something to a switch.
func (r *Request) targets() []target {
	var list []target
	for _, v := range r.VIPs {
		if at := delivery.Of(v.Mode, v.Address); at.MAC != nil {
			list = append(list, target{v, at.MAC, at.Group})
		}
	}
	return list
}

// has reports whether a VIP is delivered so, by IPv4 or IPv6.
func has(list []target, mode delivery.Mode, v6 bool) bool {
	return slices.ContainsFunc(list, func(t target) bool { return t.Mode == mode && t.v6() == v6 })
}

// fill finds the words that stand in an answer's lines.
func (a *Answer) fill() {
	a.Fill = []Hole{}
	for _, h := range holes() {
		for _, s := range a.Sections {
			if slices.ContainsFunc(s.Lines, func(line string) bool { return strings.Contains(line, h.Word) }) {
				a.Fill = append(a.Fill, h)
				break
			}
		}
	}
}

// How MACs are written.

// dots is 03bf.0a4d.0064.
func dots(m net.HardwareAddr) string {
	return fmt.Sprintf("%02x%02x.%02x%02x.%02x%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// colons is 03:bf:0a:4d:00:64.
func colons(m net.HardwareAddr) string { return m.String() }
