package filter

import "math"

// The layout that the programs in bpf/ share with this package: bpf/layout.h has the same numbers. A change here that an agent
// of another version would misread needs another layout number.
const (
	layout   = 2
	maxVIPs  = 32
	maxOwn   = 64
	maxPages = 126 // what seven bits can name; the programs' default is 64
	buckets  = 4096

	addressBits   = 10
	addressProbes = 4

	flagDirector = 1
	flagTunnel   = 4

	maxTaken = 2 // cluster MACs of a VIP

	portByPort = 0x80
	portPage   = 0x7f

	// nobody is a slot without owner and holders: nothing new is accepted, what has a socket goes on.
	nobody = 0x00ffffff
	// nobodyYet is the same where somebody else may have the connection: what has no socket is dropped in silence.
	nobodyYet = nobody | 2<<24
	// noChain is a chain without a host.
	noChain = 0xffff
	// forgotten is a time since which nobody was remembered.
	forgotten = math.MaxUint64
)

type hostRecord struct {
	layout uint32
	self   uint32
}

// addressTable finds a VIP by its address: see addresses.go.
type addressTable [1<<addressBits + addressProbes]uint64

// address6 is an entry of address6Table: free while its place is zero.
type address6 struct {
	address [16]byte
	place   uint32 // index in the VIP tables plus one
	_       uint32
}

// address6Table is addressTable for IPv6.
type address6Table [1<<addressBits + addressProbes]address6

type vipRecord struct {
	flags   uint32
	ifindex uint32
	mac     [6]byte // of the interface
	_       uint16
	answer  uint64 // the MAC that neighbours are told: see macWord
	taken   [maxTaken]uint64
}

// portTable has the rule of each port, TCP first, UDP second: the page of its slots plus one, and portByPort. Zero: no rule.
type portTable [2][65536]uint8

// maskRecord says what of a client's address counts in its bucket, in network order.
type maskRecord struct {
	mask4 uint32
	mask6 [4]uint32
}

type ruleRecord struct {
	masks    maskRecord
	remember uint32 // seconds; 0: clients are not remembered
	since    uint64 // CLOCK_BOOTTIME in ns; what was noted before does not count
}

type slotPage struct {
	rule   ruleRecord
	slots  [buckets]uint32
	chains [buckets]uint16
}

// clientKey is a client, or its network, of the rule that has a page. IPv4 addresses are mapped.
type clientKey struct {
	Page    uint32
	Address [16]byte
}

type peerKey struct {
	Interface uint32
	MAC       [6]byte
	_         uint16
}

type macKey struct {
	Interface uint32
	ID        uint32
}

type macRecord struct {
	MAC    [6]byte
	_      uint16
	Remote [16]byte // an address of a host behind a tunnel
}

type tunnelRecord struct {
	ifindex uint32
	vni     uint32
	mtu     uint32
	mac     [6]byte
	_       uint16
	local   [16]byte
	v6      uint32
}

// protocolIndexes are the places of a rule's protocol in a portTable; none when there is no such protocol.
func protocolIndexes(protocol uint8) []int {
	switch protocol {
	case ProtocolTCP:
		return []int{0}
	case ProtocolUDP:
		return []int{1}
	case ProtocolBoth:
		return []int{0, 1}
	}
	return nil
}
