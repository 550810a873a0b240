package render

import (
	"fmt"
	"io"

	"github.com/muster-ha/muster/internal/api"
)

// Keys writes the secret's id and each network's keys.
func Keys(w io.Writer, k api.Keys) {
	fmt.Fprintf(w, "Secret %s, seen from host %s\n", or(k.Secret.ID, unknown), plain(k.Host))
	if k.Secret.Other != "" {
		fmt.Fprintf(w, "  another one, %s, is held while it is changed; waits for %s\n", plain(k.Secret.Other), list(k.Secret.Waits, "nobody"))
	}
	for _, n := range k.Networks {
		networkKeys(w, n)
	}
}

func networkKeys(w io.Writer, n api.NetworkKeys) {
	next := "not planned"
	if n.NextMS != nil {
		next = "in " + millis(*n.NextMS)
	}
	fmt.Fprintf(w, "\nNetwork %s: keys drawn by host %s, the next one %s\n", plain(n.Network), or(n.Responsible, "-"), next)
	if n.Why != "" {
		fmt.Fprintf(w, "  signed with the secret: %s\n", plain(n.Why))
	}
	rows := [][]string{{"KEY", "AGE", "SIGNED WITH BY", "HELD BY"}}
	for _, key := range n.Keys {
		rows = append(rows, []string{plain(key.ID), millis(key.AgeMS), list(key.SignedBy, "nobody"), list(key.HeldBy, "nobody")})
	}
	for _, h := range n.Hosts {
		if !h.Known {
			rows = append(rows, []string{unknown, unknown, plain(h.Host), unknown})
		} else if h.Sign == "" {
			rows = append(rows, []string{"secret", "-", plain(h.Host), "-"})
		}
	}
	table(w, "  ", rows)
}
