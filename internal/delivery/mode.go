package delivery

import "fmt"

// Mode is how the packets of clients reach the hosts. The numbers are part of a configuration's digest: they never change.
type Mode uint8

// The modes.
const (
	Directed  Mode = iota // one host answers ARP and ND with its own MAC and passes packets on
	Unicast               // a unicast MAC that no switch learns: every port gets the frames
	Multicast             // a multicast MAC: every port gets the frames, or those that the switch was told
	IGMP                  // a group's MAC: the ports whose hosts have joined the group get the frames
	Routed                // routers choose a host and send to its own MAC: BGP tells them of the hosts
)

// Modes lists all modes.
func Modes() []Mode { return []Mode{Directed, Unicast, Multicast, IGMP, Routed} }

// String is the word of the configuration file.
func (m Mode) String() string {
	switch m {
	case Directed:
		return "directed"
	case Unicast:
		return "unicast"
	case Multicast:
		return "multicast"
	case IGMP:
		return "igmp"
	case Routed:
		return "routed"
	}
	return fmt.Sprintf("delivery %d", uint8(m))
}

// Parse finds a mode by its word.
func Parse(word string) (Mode, bool) {
	for _, m := range Modes() {
		if m.String() == word {
			return m, true
		}
	}
	return 0, false
}

// Shared reports whether every host gets every frame of a client, by a MAC that all of them take in.
func (m Mode) Shared() bool { return m == Unicast || m == Multicast || m == IGMP }
