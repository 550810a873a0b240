package filter

// The layout that the programs in bpf/ share with this package: bpf/layout.h has the same numbers. A change here that an agent
// of another version would misread needs another layout number.
const (
	layout   = 2
	maxVIPs  = 32
	maxPages = 126 // what seven bits can name; the programs' default is 64
	buckets  = 4096

	addressBits   = 10
	addressProbes = 4

	flagDirector = 1

	maxTaken = 2 // cluster MACs of a VIP

	portByPort = 0x80
	portPage   = 0x7f

	// nobody is a slot without owner and holders: nothing new is accepted, what has a socket goes on.
	nobody = 0x00ffffff
)

type hostRecord struct {
	layout uint32
	self   uint32
}

// addressTable finds a VIP by its address: see addresses.go.
type addressTable [1<<addressBits + addressProbes]uint64

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

// ruleRecord says what of a client's address counts in its bucket, in network order.
type ruleRecord struct {
	mask4 uint32
	mask6 [4]uint32
	_     uint32
}

type slotPage struct {
	rule  ruleRecord
	slots [buckets]uint32
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
	MAC [6]byte
	_   uint16
}

// protocolIndex is the place of a protocol in a portTable.
func protocolIndex(protocol uint8) (int, bool) {
	switch protocol {
	case ProtocolTCP:
		return 0, true
	case ProtocolUDP:
		return 1, true
	}
	return 0, false
}
