package render

import (
	"fmt"
	"io"

	"github.com/muster-ha/muster/internal/api"
)

// Multicast writes each network's group and who hears whom on it.
func Multicast(w io.Writer, s api.Status) {
	for i, n := range s.Networks {
		if i > 0 {
			fmt.Fprintln(w)
		}
		m := n.Multicast
		path := "unicast"
		if m.Used {
			path = "multicast"
		}
		fmt.Fprintf(w, "Network %s, seen from host %s: heartbeats by %s: %s\n", plain(n.Name), plain(s.Host), path, or(m.Why, "reason unknown"))
		fmt.Fprintf(w, "  group      %s, %s\n", or(m.Group, "none"), or(m.How, unknown))
		if l := m.Lease; l != nil {
			fmt.Fprintf(w, "  lease      %s of server %s, obtained %s, expires %s, renewed at %s by host %s\n             identifier %s\n", or(l.Address, unknown), or(l.Server, unknown),
				l.Obtained.Local().Format(second), l.Expires.Local().Format(second), l.Renewed.Local().Format(second), or(l.Keeper, unknown), or(l.ID, unknown))
		}
		fmt.Fprintf(w, "  servers    %s\n", or(m.MADCAP, unknown))
		if m.Warning != "" {
			fmt.Fprintf(w, "  warning    %s\n", plain(m.Warning))
		}
		if m.Stranger {
			fmt.Fprintf(w, "  warning    another cluster was seen on the group: %s\n", stranger(m))
		}
		fmt.Fprintf(w, "  datagrams  sent %d, accepted %d, refused %s\n", m.Datagrams.Sent, m.Datagrams.Accepted, counters(m.Datagrams.Refused))
		rows := [][]string{{"HOST", "HEARS", "DOES NOT HEAR"}}
		for _, h := range m.Hearing {
			rows = append(rows, hearing(h))
		}
		table(w, "  ", rows)
	}
}

func hearing(h api.MulticastHearing) []string {
	if !h.Known {
		return []string{plain(h.Host), unknown, unknown}
	}
	return []string{plain(h.Host), list(h.Hears, "nobody"), list(h.Deaf, "-")}
}

// second writes a time to the second.
const second = "2006-01-02 15:04:05"

// stranger says what is done about another cluster on the group.
func stranger(m api.MulticastStatus) string {
	if m.How == manual {
		return "its address is manual, so it is kept"
	}
	return "the hosts choose another one"
}

// manual is how the address of a group is found that stands in the file.
const manual = "manual"
