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
		if m.Warning != "" {
			fmt.Fprintf(w, "  warning    %s\n", plain(m.Warning))
		}
		if m.Stranger {
			fmt.Fprintln(w, "  warning    another cluster was seen on the group: the hosts choose another one")
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
