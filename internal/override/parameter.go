package override

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/muster-ha/muster/internal/multicast"
)

// Level says what a parameter is of.
type Level uint8

// The levels.
const (
	Network Level = iota // one network
	Cluster              // all networks
)

// Kind is how a parameter's value is written.
type Kind uint8

// The kinds. A DWORD of the old product is a Truth here: nothing but zero and not zero was ever told apart.
const (
	Truth   Kind = iota // true or false
	Address             // a group of IPv4, or of IPv6 with link-local scope or wider
	Text                // read only
	Time                // read only
)

// String says it in words.
func (k Kind) String() string {
	switch k {
	case Truth:
		return "true or false"
	case Address:
		return "group address"
	case Time:
		return "time (UTC)"
	}
	return "text"
}

// The parameters' names. Those of the file's keys where it has them; `range` is two here, because the old product had two, and because each is
// one value.
const (
	GroupAddress = "address"     // of the network's group: used as it is
	RangeLower   = "range-lower" // of what the hosts choose from
	RangeUpper   = "range-upper"
	Disabled     = "disabled" // of a network, or of the cluster
	MADCAP       = "madcap"   // whether servers are asked for a lease

	// What follows says how things are, and cannot be set.

	ConfigType    = "config-type" // 0 manual, 1 MADCAP lease, 2 self-selected
	LeaseServer   = "lease-server"
	LeaseID       = "lease-id" // whoever knows it can renew and release the lease
	LeaseObtained = "lease-obtained"
	LeaseExpires  = "lease-expires"
)

// Parameter is one thing that is known of a network or of the cluster.
type Parameter struct {
	Level    Level  // two parameters of one name and different levels are two
	Name     string // as `muster network set` takes it
	Old      string // of the private property in Windows Server 2003; empty: there was none
	Kind     Kind   // how its value is written
	Default  string // in effect when neither the file nor an override says anything
	ReadOnly string // why it cannot be set; empty: it can
}

// Parameters are all parameters of a level, in the order in which they are shown.
func Parameters(level Level) []Parameter {
	if level == Cluster {
		return []Parameter{{Cluster, Disabled, "MulticastClusterDisabled", Truth, "false", ""}}
	}
	all := multicast.DefaultRange()
	const leased = "it is what the MADCAP server granted: `madcap=false` does without a lease"
	return []Parameter{
		{Network, GroupAddress, "MulticastAddress", Address, "chosen by the hosts", ""},
		{Network, RangeLower, "MulticastAddressRangeLower", Address, all.First.String(), ""},
		{Network, RangeUpper, "MulticastAddressRangeUpper", Address, all.Last.String(), ""},
		{Network, Disabled, "MulticastDisabled", Truth, "the cluster's", ""},
		{Network, MADCAP, "", Truth, "true", ""},
		{Network, ConfigType, "MulticastConfigType", Text, "none", "it says how the address was found: set `address`, or take it back with `address=`"},
		{Network, LeaseServer, "MulticastLeaseServer", Text, "none", leased},
		{Network, LeaseID, "MulticastLeaseRequestId", Text, "none", leased},
		{Network, LeaseObtained, "MulticastLeaseObtained", Time, "none", leased},
		{Network, LeaseExpires, "MulticastLeaseExpires", Time, "none", leased},
	}
}

// find gives the parameter of a level that is called so, by either name in any case: the old product did not tell cases apart, and whoever
// types by heart does not either.
func find(level Level, name string) (Parameter, bool) {
	list := Parameters(level)
	i := slices.IndexFunc(list, func(p Parameter) bool {
		return strings.EqualFold(p.Name, name) || p.Old != "" && strings.EqualFold(p.Old, name)
	})
	if i < 0 {
		return Parameter{}, false
	}
	return list[i], true
}

// Key is where the common values have a parameter of a network; the network's name does not matter for the cluster's. With the longest name that
// a network can have (63 bytes) it is shorter than register.MaxKey. Networks go by name and not by number: numbers change when the
// file gets another network.
func Key(network string, p Parameter) string { return prefix(p.Level, network) + p.Name }

// prefix is what the keys of a level begin with.
func prefix(level Level, network string) string {
	if level == Cluster {
		return "cluster/"
	}
	return "network/" + network + "/"
}

// Of says which network's parameter a key is of; "" and a parameter of the level Cluster for all networks. false: of none that this
// version knows.
func Of(key string) (network string, p Parameter, ok bool) {
	part := strings.Split(key, "/")
	switch {
	case len(part) == 2 && part[0] == "cluster":
		p, ok = find(Cluster, part[1])
	case len(part) == 3 && part[0] == "network":
		network = part[1]
		p, ok = find(Network, part[2])
	}
	return network, p, ok && p.ReadOnly == "" && Key(network, p) == key
}

// group reads a group address.
func group(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	return a, err == nil && multicast.IsGroup(a)
}
