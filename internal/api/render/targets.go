package render

import (
	"fmt"
	"io"
)

// AddressTargets is where clients send to for an address, by mode of delivery: the answer of `muster ip2mac`.
type AddressTargets struct {
	Address string       `json:"address"`
	Modes   []ModeTarget `json:"modes"`
}

// ModeTarget is one mode's part of it.
type ModeTarget struct {
	Mode  string `json:"mode"`
	MAC   string `json:"mac"`   // empty: a host's own
	Group string `json:"group"` // empty: none
	VIP   string `json:"vip"`   // of the configuration, if it has this address in this mode
}

// Targets writes them for people, with the MACs beside as NLB writes them.
func Targets(w io.Writer, t AddressTargets) {
	rows := [][]string{{"MODE", "CLUSTER MAC", "AS NLB WRITES IT", "GROUP", "CONFIGURED"}}
	for _, m := range t.Modes {
		configured := "-"
		if m.VIP != "" {
			configured = "VIP " + plain(m.VIP)
		}
		rows = append(rows, []string{plain(m.Mode), or(m.MAC, ownMAC(m.Mode)), or(dashed(m.MAC), "-"), or(m.Group, "-"), configured})
	}
	fmt.Fprintf(w, "%s\n", plain(t.Address))
	table(w, "", rows)
}

// ownMAC says whose MAC clients send to where there is none of the cluster.
func ownMAC(mode string) string {
	if mode == "routed" {
		return "that of the host that a router chose"
	}
	return "the director's own"
}

// dashed writes a MAC as NLB does.
func dashed(mac string) string {
	b := []byte(mac)
	for i := range b {
		if b[i] == ':' {
			b[i] = '-'
		}
	}
	return string(b)
}
