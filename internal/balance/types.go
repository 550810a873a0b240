package balance

import "github.com/muster-ha/muster/internal/member"

// Buckets is the number of slots of a rule's hash space.
const Buckets = 4096

// Nobody stands for a bucket or place without a host.
const Nobody = 255

// Table gives the owner (a member.ID, or Nobody) of each bucket.
type Table [Buckets]uint8

// Bitmap is a set of buckets, bit b%64 of word b/64.
type Bitmap [Buckets / 64]uint64

// SlotFlag is a flag of a Slot.
type SlotFlag uint8

// The flags of a slot (docs/design/0002-filter.md).
const (
	Own  SlotFlag = 1 << iota // this host accepts new connections
	Ask                       // look for a socket before deciding
	Last                      // nobody after this host may hold the connection
)

// Refused marks the buckets of a rule that takes nothing new from anybody, so that what it drops is counted as that. Two bits of the
// quorum (NeedFlag) are before it.
const Refused SlotFlag = 1 << 5

// NoOwner marks a bucket that nobody owns: Slot.Owner only names the host that segments of a connection are given to first.
const NoOwner SlotFlag = 1 << 6

// needShift is where the need of a rule's quorum stands in the flags.
const needShift = 3

// NeedFlag marks the buckets of a rule that needs a quorum: the kernel then asks for that quorum's deadline besides its lease.
func NeedFlag(need member.Need) SlotFlag { return SlotFlag(need) << needShift }

// Slot is what the filter knows of one bucket. Third is whom to ask when Second has asked already, or, of the last of a chain, who asks it.
type Slot struct {
	Owner, Second, Third uint8
	Flags                SlotFlag
}

// Word packs a slot as the filter's map holds it: owner in the lowest byte, then second, third, flags.
func (s Slot) Word() uint32 {
	return uint32(s.Owner) | uint32(s.Second)<<8 | uint32(s.Third)<<16 | uint32(s.Flags)<<24
}

// Holding is what a member has announced of one rule: the buckets, not its own, in which it still has connections.
type Holding struct {
	ID      member.ID
	Unknown bool   // has not announced since the release for the current view: taken to hold everything
	Ghost   bool   // not a member: its agent died, its kernel lives and resets what it does not know, so it is asked last
	Buckets Bitmap // meaningful when not Unknown
}
