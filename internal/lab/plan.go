package lab

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
)

// The addresses are those of the example farm: hosts from .1, clients from .201, the VIP between them.
const (
	maxHosts     = 32 // as many as a cluster
	maxClients   = 50
	maxNetworks  = 8 // besides the first
	firstHost    = 1
	firstClient  = 201
	vipByte      = 100
	prefixLength = 24

	prefixLength6 = 64
)

// Errors of Up and Open.
var (
	ErrExists   = errors.New("a lab of this name exists already: choose another name or remove it with `muster lab down`")
	ErrNotFound = errors.New("no such lab: `muster lab list` shows those that run")
)

// namePattern keeps names fit for a namespace, a file and a command line.
var namePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,19}$`)

// node is what is known of a host or client before it exists.
type node struct {
	Name    string     `json:"name"`
	Address netip.Addr `json:"address"`
	Client  bool       `json:"client,omitempty"`
	Place   place      `json:"place,omitempty"`
	Off     bool       `json:"off,omitempty"`    // the power is cut
	Resume  []spec     `json:"resume,omitempty"` // what to start when the power is back
}

// VIP is the address that the lab's hosts share.
func VIP() netip.Prefix { return netip.PrefixFrom(address(vipByte), prefixLength) }

func address(last int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 0, byte(last)}) }

// VIP6 is an IPv6 address that the lab's hosts can share besides or instead: the default configuration does not.
func VIP6() netip.Prefix { return netip.PrefixFrom(address6(address(vipByte)), prefixLength6) }

// address6 is the IPv6 address beside an IPv4 one: fd00:77::201 beside 10.77.0.201. The last group looks like the last byte in decimal.
func address6(a netip.Addr) netip.Addr {
	b := a.As4()
	last, _ := strconv.ParseUint(strconv.Itoa(int(b[3])), 16, 16) // three decimal digits: cannot fail
	out := [16]byte{0: 0xfd, 14: byte(last >> 8), 15: byte(last)}
	network, _ := strconv.ParseUint(strconv.Itoa(int(b[1])), 16, 16)
	out[2], out[3] = byte(network>>8), byte(network)
	return netip.AddrFrom16(out)
}

// mac is a locally administered address made from the IPv4 address: easy to recognise in a capture, and the same after a
// power cut, as with a real network card.
func mac(a netip.Addr) net.HardwareAddr {
	b := a.As4()
	return net.HardwareAddr{0x02, 0x4d, b[0], b[1], b[2], b[3]}
}

// plan lists the machines: hosts a, b, c and so on, clients c1, c2 and so on.
func plan(hosts, clients int) ([]node, error) {
	if hosts < 1 || hosts > maxHosts {
		return nil, fmt.Errorf("%d hosts: a lab has 1 to %d", hosts, maxHosts)
	}
	if clients < 0 || clients > maxClients {
		return nil, fmt.Errorf("%d clients: a lab has 0 to %d", clients, maxClients)
	}
	var nodes []node
	for i := range hosts {
		nodes = append(nodes, node{Name: hostName(i), Address: address(firstHost + i)})
	}
	for i := range clients {
		nodes = append(nodes, node{Name: "c" + strconv.Itoa(i+1), Address: address(firstClient + i), Client: true})
	}
	return nodes, nil
}

// hostName is a to z, then za to zf: in the order of their names, which numbers the hosts of a cluster, they are in that of their
// addresses too.
func hostName(i int) string {
	const letters = 'z' - 'a' + 1
	if i < letters {
		return string(rune('a' + i))
	}
	return "z" + string(rune('a'+i-letters))
}

func checkName(name string) error {
	if !namePattern.MatchString(name) {
		return fmt.Errorf("lab name %q: use up to 20 of a-z, 0-9 and -, a letter first", name)
	}
	return nil
}

func randomName() string {
	var b [2]byte
	_, _ = rand.Read(b[:]) // never fails
	return "m" + hex.EncodeToString(b[:])
}
