package multicast

import "fmt"

// Setting is a value that may not be set.
type Setting uint8

// The settings.
const (
	NotSet Setting = iota // neither the file nor an override says anything
	No                    // zero in the old product
	Yes                   // any other number
)

// Disabled says whether multicast is disabled on a network. The network's own setting wins over the cluster's.
func Disabled(cluster bool, network Setting) bool {
	if network == NotSet {
		return cluster
	}
	return network == Yes
}

// enough is the number of members from which on multicast saves datagrams.
const enough = 3

// Situation is what a decision depends on.
type Situation struct {
	Members   int    // configured, whether they are up or not, witness hosts among them
	Incapable string // a member that is heard and whose version cannot; empty: none
	Undecided bool   // the members have not agreed on a version that can yet
	Disabled  bool   // as the function Disabled says
	Group     Group  // that the hosts agree on; without an address there is none yet
}

// Worthwhile says whether so many members would use multicast on a network if they all could: only then is a lease asked for.
func Worthwhile(members int, disabled bool) bool { return !disabled && members >= enough }

// Decide says whether a network uses multicast, and why, in words that end a sentence of `muster multicast show`. The first reason against it is the one
// that is said: what an administrator has set comes before what may change by itself.
func Decide(s Situation) (use bool, why string) {
	switch {
	case s.Disabled:
		return false, "it is disabled"
	case s.Members < enough:
		return false, fmt.Sprintf("the cluster has %d members, and multicast saves datagrams from %d on", s.Members, enough)
	case s.Incapable != "":
		return false, "host " + s.Incapable + " runs a version that cannot"
	case s.Undecided:
		return false, "it begins when the hosts that are heard have agreed on a version that can"
	case !s.Group.Address.IsValid():
		return false, "no group address is agreed yet"
	}
	return true, fmt.Sprintf("the cluster has %d members and all can", s.Members)
}
