package config

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/delivery"
)

// MaxPassword is the longest key of TCP MD5 (RFC 2385) that Linux takes, in bytes.
const MaxPassword = 80

// ErrPassword says that a file holds no password for a session.
var ErrPassword = errors.New("the file is not a password")

// BGP is what the hosts tell routers, and which ones; the zero value: nothing.
type BGP struct {
	AS        int // of the hosts
	Neighbors []Neighbor
}

// Neighbor is a router that every host has a session with.
type Neighbor struct {
	Name         string
	Address      netip.Addr
	AS           int
	PasswordFile string        `json:"-"` // absolute; empty: no password. A host's own business, like all paths
	HoldTime     time.Duration // whole seconds
	BFD          time.Duration `json:",omitempty"` // between packets; 0: none
}

// Routes reports whether an address is announced by BGP.
func (c *Config) Routes() bool {
	for _, v := range c.VIPs {
		if v.Delivery == delivery.Routed {
			return true
		}
	}
	return false
}

func buildBGP(dir string, f FileBGP) BGP {
	b := BGP{AS: f.AS}
	for _, name := range sorted(f.Neighbors) {
		n := f.Neighbors[name]
		built := Neighbor{Name: name, Address: n.Address, AS: n.AS, HoldTime: n.HoldTime, BFD: n.BFD}
		if n.PasswordFile != "" {
			built.PasswordFile = below(dir, n.PasswordFile)
		}
		b.Neighbors = append(b.Neighbors, built)
	}
	return b
}

// routing finds routed addresses that no router would hear of, and routers that cannot be ones.
func (v *validator) routing() {
	routed := v.routedVIPs()
	if !v.has("/bgp") {
		for _, name := range routed {
			v.wrong("/vips/"+name+"/delivery", flaw{"delivery `routed` needs routers to announce the address to, and the file has no `bgp`",
				"add for example `bgp: {as: 64512, neighbors: {tor1: {address: 10.77.0.254, as: 64513}}}`, or write `directed`"})
		}
		return
	}
	if len(routed) == 0 && !v.spoiled["/vips"] {
		v.warn("/bgp", flaw{"no address has delivery `routed`, so nothing is announced", "write `delivery: routed` where it is meant, or remove `bgp`"})
	}
	v.neighbors()
	if v.spoiled["/bgp"] {
		return
	}
	for _, name := range routed {
		v.heardOf(name)
	}
}

// routedVIPs gives the addresses with delivery routed in the order of the file.
func (v *validator) routedVIPs() []string {
	var names []string
	for _, name := range v.inOrder("/vips/", sorted(v.f.VIPs)) {
		if v.f.VIPs[name].Delivery == delivery.Routed.String() {
			names = append(names, name)
		}
	}
	return names
}

// heardOf finds an address that no router of its family is told of, and one that is reached by another interface than the other
// routed ones: the routers are behind one.
func (v *validator) heardOf(name string) {
	vip, path := v.f.VIPs[name], "/vips/"+name
	if a := vip.Address.Addr(); a.IsValid() {
		heard := false
		for _, n := range v.f.BGP.Neighbors {
			heard = heard || n.Address.Is4() == a.Is4()
		}
		if !heard {
			v.wrong(path+"/address", flaw{fmt.Sprintf("no router below `bgp` has an address of the family of %v", a), "add a router with such an address: each is told of addresses of its own family"})
		}
	}
	for _, other := range v.routedVIPs() {
		if i := v.f.VIPs[other].Interface; i != "" && vip.Interface != "" && i != vip.Interface {
			v.wrong(path+"/interface", flaw{fmt.Sprintf("routed addresses are reached by one interface, and VIP %s names %s", quote(other), quote(i)), "name the same, or none"})
			return
		}
	}
}

// neighbors judges the routers.
func (v *validator) neighbors() {
	first := map[netip.Addr]string{}
	for _, name := range v.inOrder("/bgp/neighbors/", sorted(v.f.BGP.Neighbors)) {
		path, n := "/bgp/neighbors/"+name, v.f.BGP.Neighbors[name]
		if n.HoldTime%time.Second != 0 {
			v.wrong(path+"/hold_time", flaw{fmt.Sprintf("hold time %v is not in whole seconds", n.HoldTime), fmt.Sprintf("write `%v`", n.HoldTime.Round(time.Second))})
		}
		if !n.Address.IsValid() {
			continue
		}
		if other, twice := first[n.Address]; twice {
			v.wrong(path+"/address", flaw{fmt.Sprintf("router %s has the address of router %s", quote(name), quote(other)), "give each its own address, or remove one of them"})
			continue
		}
		first[n.Address] = name
		for host, h := range v.f.Hosts {
			if h.Address == n.Address {
				v.wrong(path+"/address", flaw{fmt.Sprintf("router %s has the address of host %s", quote(name), quote(host)), "write the router's address"})
			}
		}
	}
}

// LoadPassword reads the password of a session; empty for a neighbour without one.
func LoadPassword(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe must not make the agent wait: it is refused below
	if err != nil {
		return "", fmt.Errorf("load password: %w; write the router's password into it, with mode 0600", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("load password: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("load password %s: %w: not a regular file", path, ErrPassword)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", fmt.Errorf("load password: %w: %s has mode %04o; run `chmod 600 %s`", ErrSecretMode, path, mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxPassword+3)) // one byte more than a line can have
	if err != nil {
		return "", fmt.Errorf("load password: %w", err)
	}
	return passwordIn(path, string(text))
}

// passwordIn takes the line out of a file's text. Errors show nothing of it.
func passwordIn(path, text string) (string, error) {
	password := strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	switch {
	case password == "":
		return "", fmt.Errorf("load password %s: %w: it is empty", path, ErrPassword)
	case len(password) > MaxPassword:
		return "", fmt.Errorf("load password %s: %w: it is longer than %d bytes", path, ErrPassword, MaxPassword)
	case strings.ContainsAny(password, "\n\r\x00"):
		return "", fmt.Errorf("load password %s: %w: it has more than one line", path, ErrPassword)
	}
	return password, nil
}
