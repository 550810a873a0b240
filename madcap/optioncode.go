package madcap

import "fmt"

// OptionCode is the number of an option (RFC 2730, section 3).
type OptionCode uint16

// The options of RFC 2730 and, the last, of RFC 2907.
const (
	OptEnd           OptionCode = iota // section 3.1: the last of every message; Parse takes it away
	OptLeaseTime                       // 3.2, seconds
	OptServerID                        // 3.3: whom a client has chosen, or who answers
	OptLeaseID                         // 3.4: what proves whose lease it is
	OptScope                           // 3.5: by its first address
	OptOptionRequest                   // 3.6: what a GETINFO asks for
	OptStartTime                       // 3.7, seconds since 1970; such times come with OptCurrentTime
	OptAddressCount                    // 3.8: least and wanted
	OptLanguage                        // 3.9: of zone names
	OptScopeList                       // 3.10: the smallest first
	OptRanges                          // 3.11: addresses granted, or asked for
	OptCurrentTime                     // 3.12: the sender's clock, against which skew is found
	OptFeatureList                     // 3.13
	OptRetryTime                       // 3.14: when to ask again
	OptMinLeaseTime                    // 3.15, seconds: shorter leases are of no use
	OptMaxStartTime                    // 3.16: later leases are of no use
	OptError                           // 3.17: why a NAK
	OptNesting                         // RFC 2907: which of the scopes lie in which

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
