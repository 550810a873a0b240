package wire

import (
	"strconv"
	"sync/atomic"

	"github.com/muster-ha/muster/internal/member"
)

// Reason says what became of a datagram.
type Reason uint8

// The reasons. All but Accepted mean that the datagram changed nothing.
const (
	Accepted  Reason = iota // it is from who it says, and new
	Short                   // no room for a header and a seal
	Magic                   // another protocol
	Version                 // another version of this protocol
	Cluster                 // another cluster
	Key                     // sealed with a key that we do not hold, or with an older kind of key than the sender's boot has used
	Network                 // another network between the hosts of this cluster: a cable in the wrong place
	Sender                  // an unknown host, or ourselves
	Malformed               // a field without meaning
	Seal                    // damaged or forged
	Boot                    // a boot that is not proved, or a challenge or proof for a boot that is not ours
	Replay                  // heard before, too old, or after the sender's last words
	Rate                    // too many unknown boots at once in the name of this host
	reasonCount
)

// String is the reason's name, as counters and metrics show it.
func (r Reason) String() string {
	names := [reasonCount]string{"accepted", "short", "magic", "version", "cluster", "key", "network", "sender", "malformed", "seal", "boot",
		"replay", "rate"}
	if r >= reasonCount {
		return "reason " + strconv.Itoa(int(r))
	}
	return names[r]
}

// Counters holds the number of datagrams by Reason.
type Counters [reasonCount]uint64

// Of returns the count of one reason.
func (c Counters) Of(r Reason) uint64 {
	if r >= reasonCount {
		return 0
	}
	return c[r]
}

// Named returns the counts by the reasons' names.
func (c Counters) Named() map[string]uint64 {
	named := make(map[string]uint64, reasonCount)
	for r, n := range c {
		named[Reason(r).String()] = n
	}
	return named
}

// counts are live Counters.
type counts [reasonCount]atomic.Uint64

func (c *counts) snapshot() (s Counters) {
	for r := range c {
		s[r] = c[r].Load()
	}
	return s
}

// tally counts for all, and for each host what was certainly sealed by it.
type tally struct {
	total   counts
	senders [member.MaxHosts]counts
}
