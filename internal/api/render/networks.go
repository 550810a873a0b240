package render

import (
	"fmt"
	"io"

	"github.com/muster-ha/muster/internal/api"
)

// Networks writes the networks between hosts, and who is heard on each.
func Networks(w io.Writer, s api.Status) {
	rows := [][]string{{"NETWORK", "INTERFACE", "ADDRESS", "STATE", "HEARD", "NOT HEARD", "WHY"}}
	for _, n := range s.Networks {
		var heard, not []string
		for _, p := range n.Peers {
			if p.State == api.PeerHeard {
				heard = append(heard, p.Host)
				continue
			}
			not = append(not, p.Host)
		}
		rows = append(rows, []string{plain(n.Name), or(n.Interface, unknown), or(n.Address, "none"), upOrDown(n), list(heard, "nobody"), list(not, "-"), or(n.Why, "-")})
	}
	fmt.Fprintf(w, "Networks, seen from host %s\n", plain(s.Host))
	table(w, "  ", rows)
	if len(s.Parameters) > 0 {
		fmt.Fprintln(w, "\nParameters of all networks; those of one: `muster network show NETWORK`")
		parameters(w, s.Parameters)
	}
	overrides(w, s.Overrides)
}

// Network writes one network with each other host on it.
func Network(w io.Writer, n api.NetworkStatus, self string) {
	fmt.Fprintf(w, "Network %s (number %d) on %s of host %s, %s: %s%s\n", plain(n.Name), n.Number, or(n.Interface, "an unknown interface"), plain(self),
		or(n.Address, "no address"), upOrDown(n), because(n.Why))
	rows := [][]string{{"HOST", "ADDRESS", "STATE", "HEARD", "LOSS", "DELAY", "JITTER"}}
	for _, p := range n.Peers {
		rows = append(rows, networkPeer(p))
	}
	table(w, "  ", rows)
	rows = [][]string{{"BY", "HEARD", "NOT HEARD"}}
	for _, h := range n.Hearing {
		rows = append(rows, networkHearing(h))
	}
	if len(n.Hearing) > 0 {
		table(w, "  ", rows)
	}
	fmt.Fprintf(w, "  datagrams  sent %d, accepted %d, refused %s\n", n.Datagrams.Sent, n.Datagrams.Accepted, counters(n.Datagrams.Refused))
	fmt.Fprintf(w, "  multicast  sent %d, accepted %d, refused %s\n", n.Multicast.Datagrams.Sent, n.Multicast.Datagrams.Accepted, counters(n.Multicast.Datagrams.Refused))
	fmt.Fprintln(w)
	refused(w, n)
	if len(n.Parameters) > 0 {
		fmt.Fprintln(w)
		parameters(w, n.Parameters)
	}
}

// networkHearing writes whom a host hears, as it says itself.
func networkHearing(h api.NetworkHearing) []string {
	if !h.Known {
		return []string{plain(h.Host), unknown, unknown}
	}
	return []string{plain(h.Host), list(h.Hears, "nobody"), list(h.Deaf, "-")}
}

func networkPeer(p api.NetworkPeer) []string {
	heard, loss := millisOr(p.HeardAgoMS, "never"), unknown
	if p.HeardAgoMS != nil {
		heard += " ago"
	}
	if p.LossPercent != nil {
		loss = percent(*p.LossPercent)
	}
	return []string{plain(p.Host), or(p.Address, unknown), peerState(p.State), heard, loss, millisOr(p.DelayMS, unknown), millisOr(p.JitterMS, unknown)}
}

// peerState writes a state; one of a later version is not guessed at.
func peerState(s api.PeerState) string {
	switch s {
	case api.PeerHeard, api.PeerSilent:
		return string(s)
	}
	return unknown
}

func upOrDown(n api.NetworkStatus) string {
	if n.Up {
		return "up"
	}
	return "DOWN"
}
