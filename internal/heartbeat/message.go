package heartbeat

import (
	"errors"
	"net/netip"

	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/multicast"
	"github.com/muster-ha/muster/internal/register"
	"github.com/muster-ha/muster/internal/wire"
)

// Errors returned by Append and Parse.
var (
	// ErrMalformed means that a message breaks a rule of the encoding: what Parse was given is genuine, since its seal was checked, but
	// of an agent with a bug or of a version that it does not say; what Append was given could not be read back.
	ErrMalformed = errors.New("malformed heartbeat")

	// ErrTooLong means that a message does not fit into one datagram (wire.MaxPayload bytes). Send leaves out what can wait, so it
	// concerns only what cannot.
	ErrTooLong = errors.New("heartbeat too long")
)

// Port is the UDP port of heartbeats by unicast: that of the Windows cluster service, which firewalls may know already. Multicast has the next
// one (castPort), so that a socket tells by which way something came.
const Port = 3343

// Limits of a Message.
const (
	MaxVersion    = 32  // bytes of the agent's version
	MaxInterfaces = 256 // entries
	MaxOrders     = 64  // in one heartbeat
	MaxHoldings   = member.MaxRules
	MaxWords      = 16 // networks of which something is said; a file has 8
	maxSize       = wire.MaxPayload
	holdingsRoom  = 128 // is kept from sections: what is not said of holdings is asked for packet by packet
)

// Message is a heartbeat as it travels. From and Boot come from the datagram's envelope. Seq is the number of the heartbeat, common
// to all networks; the envelope's own sequence counts losses of its network.
type Message struct {
	member.Heartbeat
	Language                 // which version this is, set by Send but for Serves
	Version    string        // the agent's; at most MaxVersion bytes
	Digest     [32]byte      // of the configuration in use
	Interfaces []LinkAddr    // where to forward packets for each VIP to; sorted by VIP
	Orders     []Order       // of the last moments; repeated with every heartbeat, for some are lost
	Words      []Word        // of networks; sorted by network; set by Send
	Registers  register.Said // of the values that all hosts hold in common
	Keys       Keys          // which keys the sender signs with and holds, by their ids
	Holdings   []Holding     // of some rules, or of all; each rule at most once
	Open       Open          // connections of a host that gets no new ones
	Answers    uint64        // a bit for each VIP, by its index, that the sender answers for at present
	Probes     uint64        // a bit for each VIP, by its index, for which the sender sends probes (vip.Probe)

	Clock uint32 // sender's clock in microseconds, to measure delay; set by Send
	Echo  Echo   // one host's clock sent back to it; set by Send
}

// Open counts the connections to VIPs that the sender still has. It is said by a host that gets no new ones, and has looked since.
type Open struct {
	Known bool   // whether anything is said
	Count uint32 // half-open ones too, but nothing that has ended (TIME_WAIT)
}

// LinkAddr is the Ethernet address of the interface that carries a VIP on the sender: the director writes it into a frame to hand a client's
// packet to its owner.
type LinkAddr struct {
	VIP uint8   // index into the configuration's VIPs, or TunnelLink
	MAC [6]byte // in the order of the wire
}

// TunnelLink stands in place of a VIP for the sender's end of the tunnel to hosts that are no neighbours, whose address is drawn at random: other hosts
// know by it what the sender has wrapped, and nobody else learns it, for heartbeats are encrypted. It is no VIP's index, so versions that have no
// tunnel ignore it.
const TunnelLink = 255

// Word is what a host says of one network. It travels on all networks that work, so a network that is new, broken or without configured
// addresses is arranged by the others. Sets are of hosts by member.ID.
type Word struct {
	Network  uint8           // NetworkOptions.Index
	Kinds    Kinds           // of addresses that the sender has there; none: the configured one is used
	Addr     netip.Addr      // that the sender uses there, of either family, without an interface; invalid: the configured one
	Group    multicast.Group // that the sender knows of; invalid: none
	Hears    member.Set      // whom it hears by multicast on that group
	Direct   member.Set      // whom it sends to by unicast
	Near     member.Set      // whom it hears on the network, whichever way
	Stranger bool            // another cluster was seen on the group
}

// Order asks another host to do something, until it is no longer repeated. It is repeated because datagrams are lost, and carried out once:
// a number that is no higher than one heard before from that boot does nothing.
type Order struct {
	To     member.ID // who is to do it; the others see it too and leave it alone
	Verb   Verb
	Number uint64 // grows with each order of the sender's boot
}

// Verb is what an Order asks for.
type Verb uint8

// The verbs. A host ignores those that it does not know.
const (
	DrainHost  Verb = 1 + iota // give its share away, keep its connections
	ResumeHost                 // take its share back

	// RotateKeys and the next MaxWords-1 verbs ask for a new key of the network with that number.
	RotateKeys Verb = 32
)

// Holding is what the sender has looked up of one rule: in which buckets, not its own, it still has connections.
type Holding struct {
	Rule    uint8           // index into the rules of the configuration
	Config  member.ConfigID // which one
	Stamp   member.ViewID   // the view whose release came before the look
	Kind    HoldingKind     // whether there are any, and whether Buckets says which
	Buckets balance.Bitmap  // meaningful when Kind is HoldsSome
}

// HoldingKind tells the common answers from those that need a bitmap.
type HoldingKind uint8

// The kinds of holdings.
const (
	HoldsNone HoldingKind = iota // no connection in a bucket that is not the sender's
	HoldsAll                     // or not known: to be taken for all
	HoldsSome                    // in the buckets of the bitmap
)

// Echo sends a host's clock back to it, so that it can measure the round trip: what its clock shows then, less Clock, less Held. Both wrap after 71
// minutes, which differences survive. Each heartbeat has room for one host's; hosts have their turn.
type Echo struct {
	To    member.ID // whose clock it is
	Clock uint32    // as in To's newest heartbeat; with Held zero and Clock zero: none
	Held  uint32    // microseconds between hearing it and sending this
}
