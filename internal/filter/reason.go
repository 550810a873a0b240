package filter

import "fmt"

// Reason says why the programs did with a packet what they did. The order is that of enum reason in bpf/layout.h.
type Reason uint8

// The reasons. A packet to a VIP that is decided counts under exactly one; what is passed untouched counts nowhere.
const (
	AcceptNew        Reason = iota // SYN or UDP in a bucket that this host owns
	AcceptRemembered               // SYN or UDP of a client that this host remembers
	AcceptOwner                    // established, bucket owned here, nothing moved
	AcceptSocket                   // a socket here has the connection
	AcceptCookie                   // the end of a handshake that this host's syncookie began
	AcceptEnd                      // nobody has the connection: the stack answers with a reset
	AcceptICMP                     // ICMP that is answered here, or about a connection here
	AcceptFragment                 // a later fragment before its first, which another host may get too
	AcceptShared                   // the same, and given to all other hosts
	ForwardNew                     // SYN or UDP, to the bucket's owner
	ForwardOwner                   // established, to the bucket's owner
	ForwardNext                    // established, to the next host that may have it
	DropLease                      // new, and the lease has lapsed
	DropNotOwned                   // new, forwarded here or owner not ready
	DropNobody                     // new, and no host owns the bucket
	DropRefused                    // new, and the rule's handling is refuse
	DropNoSocket                   // established, another host may have it
	DropFragment                   // a later fragment before its first, without lease or too many of them
	DropICMP                       // ICMP that another host answers
	DropNoRule                     // no rule for the port
	DropMalformed                  // headers too short or contradictory
	DropFrame                      // sent to a broadcast or multicast address at layer 2
	DropNoPeer                     // would be forwarded, but the other host's MAC is not known
	DropLoop                       // forwarded between hosts too often
	DropSeenByOthers               // would be forwarded, but delivery gives it to the others anyway
	ARPAnswered                    // by this host as director
	ARPIgnored                     // for a VIP, at a host that is not its director
	ARPConflict                    // a stranger uses a VIP as its own (passed, only counted)
	GuardReset                     // a reset for a connection that may live elsewhere
	GuardARP                       // an ARP request in the name of a VIP
	NDAnswered                     // a neighbour solicitation, by this host as director
	NDIgnored                      // one for a VIP, at a host that is not its director
	NDConflict                     // a stranger's neighbour advertisement or solicitation uses a VIP as its own (passed, only counted)
	GuardND                        // a neighbour solicitation in the name of a VIP
	TunnelStranger                 // came through the tunnel, and not from a host of the cluster for a VIP
	TunnelClamped                  // the answer to a SYN was told how large a segment fits the tunnel
	IGMPStranger                   // a stranger joins or leaves a VIP's group (passed, only counted)
	MLDStranger                    // the same by IPv6

	Reasons int = iota // how many there are
)

var reasonNames = [Reasons]string{
	"accept_new", "accept_remembered", "accept_owner", "accept_socket", "accept_cookie", "accept_end", "accept_icmp", "accept_fragment", "accept_shared",
	"forward_new", "forward_owner", "forward_next",
	"drop_lease", "drop_not_owned", "drop_nobody", "drop_refused", "drop_no_socket", "drop_fragment", "drop_icmp", "drop_no_rule",
	"drop_malformed", "drop_frame", "drop_no_peer", "drop_loop", "drop_seen_by_others",
	"arp_answered", "arp_ignored", "arp_conflict", "guard_reset", "guard_arp",
	"nd_answered", "nd_ignored", "nd_conflict", "guard_nd",
	"tunnel_stranger", "tunnel_clamped", "igmp_stranger", "mld_stranger",
}

// String is the name for metrics and people.
func (r Reason) String() string {
	if int(r) >= len(reasonNames) {
		return fmt.Sprintf("reason_%d", uint8(r))
	}
	return reasonNames[r]
}

// Counters counts packets by Reason since the maps were made.
type Counters [Reasons]uint64

// Of is the count of one reason.
func (c Counters) Of(r Reason) uint64 { return c[r] }

// Since is what was counted after an earlier reading.
func (c Counters) Since(earlier Counters) Counters {
	for i := range c {
		c[i] -= earlier[i]
	}
	return c
}

// Counters reads the counters, summed over the CPUs.
func (f *Filter) Counters() (Counters, error) {
	var sum Counters
	var each []Counters
	if err := f.maps[filterMapCounters].Lookup(uint32(0), &each); err != nil {
		return sum, fmt.Errorf("read counters: %w", err)
	}
	for _, c := range each {
		for i, n := range c {
			sum[i] += n
		}
	}
	return sum, nil
}
