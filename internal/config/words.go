package config

import "fmt"

// String is the word of the file.
func (p Protocol) String() string {
	switch p {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case Both:
		return "both"
	}
	return fmt.Sprintf("protocol %d", uint8(p))
}

// String is the word of the file.
func (a Affinity) String() string {
	switch a {
	case AffinityNone:
		return "none"
	case AffinityClient:
		return "client"
	case AffinityNetwork:
		return "network"
	}
	return fmt.Sprintf("affinity %d", uint8(a))
}

// String is the word of the file.
func (h Handling) String() string {
	switch h {
	case Shared:
		return "shared"
	case Single:
		return "single"
	case Refuse:
		return "refuse"
	}
	return fmt.Sprintf("handling %d", uint8(h))
}

// String is the word of the file.
func (q Quorum) String() string {
	switch q {
	case QuorumNone:
		return "none"
	case QuorumMajority:
		return "majority"
	case QuorumWitness:
		return "witness"
	}
	return fmt.Sprintf("quorum %d", uint8(q))
}

// String is the range as the file has it: "80" or "8000-8099".
func (r PortRange) String() string { return rangeText(int(r.First), int(r.Last)) }

// Contains says whether a port is in the range.
func (r PortRange) Contains(port uint16) bool { return r.First <= port && port <= r.Last }

// named is the range with its noun.
func (r PortRange) named() string {
	if r.First == r.Last {
		return "port " + r.String()
	}
	return "port range " + r.String()
}

// String is the range as the file has it.
func (r StatusRange) String() string { return rangeText(r.First, r.Last) }

// Contains says whether a status code is in the range.
func (r StatusRange) Contains(code int) bool { return r.First <= code && code <= r.Last }

func rangeText(first, last int) string {
	if first == last {
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d-%d", first, last)
}
