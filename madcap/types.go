package madcap

import (
	"fmt"
	"net/netip"
	"time"
)

// Port is the UDP port on which servers listen (RFC 2730, section 2). Clients may use any.
const Port = 2535

// DefaultTTL is the largest TTL, or hop limit, of a multicast message to servers unless configured otherwise (section 2.10).
const DefaultTTL = 16

// Constants of RFC 2730, appendix B, with their recommended values.
const (
	ClockSkewAllowance    = 30 * time.Minute // a larger difference between clocks is an error (section 2.12)
	ExtraAllocationTime   = time.Hour        // how long an address stays reserved before and after its lease (section 2.12)
	NoResponseDelay       = 60 * time.Second // a client gives up after this time (sections 2.2.4 and 2.3)
	OfferHold             = 60 * time.Second // how long a server keeps addresses that it offered (section 2.2.3)
	ResponseCacheInterval = 60 * time.Second // how long a server repeats its answer to a repeated message (section 2.1.4)
	MaxResponseCache      = 5 * time.Minute  // the longest ResponseCacheInterval that is allowed
)

// Type is the kind of a message (RFC 2730, section 2.2).
type Type uint8

// The message types. Discover, Request, Renew, Release and GetInfo come from clients, the others from servers.
const (
	TypeDiscover Type = 1 + iota
	TypeOffer
	TypeRequest
	TypeRenew
	TypeAck
	TypeNak
	TypeRelease
	TypeGetInfo
)

func (t Type) String() string {
	names := [...]string{"", "DISCOVER", "OFFER", "REQUEST", "RENEW", "ACK", "NAK", "RELEASE", "GETINFO"}
	if t == 0 || int(t) >= len(names) {
		return fmt.Sprintf("type %d", uint8(t))
	}
	return names[t]
}

// Family is an address family number of IANA (RFC 2730, section 2.1.3).
type Family uint16

// The families that this package knows.
const (
	IPv4 Family = 1
	IPv6 Family = 2
)

// FamilyOf returns the family of an address. An IPv4 address mapped to IPv6 is an IPv6 address.
func FamilyOf(a netip.Addr) Family {
	if a.Is4() {
		return IPv4
	}
	return IPv6
}

func (f Family) String() string {
	switch f {
	case IPv4:
		return "IPv4"
	case IPv6:
		return "IPv6"
	}
	return fmt.Sprintf("family %d", uint16(f))
}

// size returns the length of an address in octets, 0 for a family that is not known.
func (f Family) size() int {
	switch f {
	case IPv4:
		return 4
	case IPv6:
		return 16
	}
	return 0
}

// Feature is an optional feature (RFC 2730, section 2.13).
type Feature uint16

// The features of RFC 2730, Table 4.
const (
	ServerMobility Feature = iota // another server may renew or release the lease
	RetryAfter                    // a server may ask to be asked again later
	SharedLeaseID                 // whoever knows the lease identifier may change the lease
)

func (f Feature) String() string {
	names := [...]string{"Server Mobility", "Retry After", "Shared Lease Identifier"}
	if int(f) >= len(names) {
		return fmt.Sprintf("feature %d", uint16(f))
	}
	return names[f]
}

// ErrorCode says in a NAK what went wrong (RFC 2730, section 3.17). 1024 to 2047 are for experiments.
type ErrorCode uint16

// The error codes of RFC 2730.
const (
	NotCompleted        ErrorCode = iota // a valid request could not be completed; the extra data names the option
	InvalidRequest                       // malformed or invalid; the extra data names the option
	ExcessiveClockSkew                   // the extra data is the server's time
	LeaseNotRecognized                   // no such lease
	FeatureNotSupported                  // the extra data lists the features that were required and are not supported
)

func (c ErrorCode) String() string {
	names := [...]string{
		"valid request could not be completed", "invalid request", "excessive clock skew",
		"lease identifier not recognized", "required feature not supported",
	}
	if int(c) >= len(names) {
		return fmt.Sprintf("error %d", uint16(c))
	}
	return names[c]
}
