// Package switchconfig writes what has to be entered into a switch, a router or a hypervisor for the delivery that a cluster's virtual addresses
// have: static ARP and neighbour entries, entries of the MAC table, IGMP snooping with its querier.
//
// Usage: For gives the lines for a vendor, and On those for a hypervisor; Vendors and Hypervisors name them:
//
//	answer, err := switchconfig.For("cisco-ios", switchconfig.Request{VIPs: vips, VLAN: 100, Ports: []string{"Gi1/0/1", "Gi1/0/2"}})
//	for _, s := range answer.Sections { ... s.Title, s.Trust, s.Lines ... }
//
// Nothing is guessed: where a line needs what only the site knows, it holds a word in angle brackets, and Answer.Fill says what belongs
// there. Each section says how far it can be trusted: tested here, written in the vendor's own documents, or not verified.
// A delivery that needs nothing of a switch says so and has no lines.
//
// Concurrency: functions of their arguments, without state and without I/O.
//
// Failure behaviour: an unknown name is ErrUnknown with the names that there are. An address that has no MAC in its mode is left out.
//
// Testing: a golden file for each vendor and hypervisor with every mode and both families; the lines for a Linux bridge are carried out on
// one in the tests, which count what still reaches a port that is none of the hosts'.
package switchconfig
