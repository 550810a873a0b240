package madcap

import "fmt"

// OptionCode is the number of an option (RFC 2730, section 3).
type OptionCode uint16

// The options of RFC 2730 and, the last, of RFC 2907.
const (
	OptEnd OptionCode = iota
	OptLeaseTime
	OptServerID
	OptLeaseID
	OptScope
	OptOptionRequest
	OptStartTime
	OptAddressCount
	OptLanguage
	OptScopeList
	OptRanges
	OptCurrentTime
	OptFeatureList
	OptRetryTime
	OptMinLeaseTime
	OptMaxStartTime
	OptError
	OptNesting

	// NoOption stands in an error that is not about a certain option (section 3.17.1).
	NoOption OptionCode = 0xffff
)

func (c OptionCode) String() string {
	names := [...]string{
		"End", "Lease Time", "Server Identifier", "Lease Identifier", "Multicast Scope", "Option Request List", "Start Time",
		"Number of Addresses Requested", "Requested Language", "Multicast Scope List", "List of Address Ranges", "Current Time",
		"Feature List", "Retry Time", "Minimum Lease Time", "Maximum Start Time", "Error", "Multicast Scope Nesting State",
	}
	if int(c) >= len(names) {
		return fmt.Sprintf("option %d", uint16(c))
	}
	return names[c]
}
