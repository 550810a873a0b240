package vip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// eth makes a link with addresses.
func eth(name string, addrs ...string) link {
	l := link{Interface: Interface{Name: name, Index: len(name), MAC: ownMAC(), Up: true}}
	for _, a := range addrs {
		l.addresses = append(l.addresses, netip.MustParsePrefix(a))
	}
	return l
}

func TestChoose(t *testing.T) {
	lo := eth("lo", "127.0.0.1/8", "10.77.0.100/32")
	lo.loopback = true
	tun := eth("tun0", "10.77.0.9/24")
	tun.MAC = nil
	port := eth("eth7", "10.77.0.9/24")
	port.master = true
	tests := []struct {
		name  string
		links []link
		iface string
		want  string
		says  []string // instead
	}{
		{name: "on the subnet", links: []link{lo, eth("eth0", "10.77.0.1/24"), eth("eth1", "192.168.1.1/24")}, want: "eth0"},
		{name: "second address on the subnet", links: []link{eth("eth1", "192.168.1.1/24", "10.77.0.1/24")}, want: "eth1"},
		{name: "wider mask than the VIP's", links: []link{eth("eth0", "10.77.0.1/16")}, want: "eth0"},
		{name: "named though elsewhere", links: []link{eth("eth0", "10.77.0.1/24"), eth("eth1")}, iface: "eth1", want: "eth1"},
		{name: "named of several", links: []link{eth("eth0", "10.77.0.1/24"), eth("eth1", "10.77.0.2/24")}, iface: "eth1", want: "eth1"},
		{name: "none", links: []link{lo, eth("eth1", "192.168.1.1/24", "fe80::1/64")}, says: []string{"10.77.0.0/24", "eth1 192.168.1.1/24", "`interface:`", "!fe80", "!127.0.0.1"}},
		{name: "only lo has it", links: []link{lo}, says: []string{"no address"}},
		{name: "only the VIP itself is on it", links: []link{eth("eth0", "10.77.0.100/24")}, says: []string{"no interface of this host is on"}},
		{name: "several", links: []link{eth("eth0", "10.77.0.1/24"), eth("eth1", "10.77.0.2/24")}, says: []string{"several", "eth0 10.77.0.1/24, eth1 10.77.0.2/24", "`interface:`"}},
		{name: "misspelt", links: []link{lo, eth("eth0", "10.77.0.1/24")}, iface: "et0", says: []string{`"et0"`, "it has eth0", "`interface:`"}},
		{name: "no Ethernet", links: []link{tun}, says: []string{"tun0 is not an Ethernet interface"}},
		{name: "port of a bridge", links: []link{port}, says: []string{"eth7 is a port of a bridge or bond"}},
		{name: "named loopback", links: []link{{Interface: Interface{Name: "lo"}, loopback: true}}, iface: "lo", says: []string{"lo is not an Ethernet interface"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := choose(tt.links, netip.MustParsePrefix("10.77.0.100/24"), tt.iface)
			if got.Name != tt.want || (err == nil) != (tt.want != "") {
				t.Fatalf("got %q, %v; want %q", got.Name, err, tt.want)
			}
			if err != nil && !errors.Is(err, ErrNoInterface) {
				t.Errorf("not ErrNoInterface: %v", err)
			}
			for _, s := range tt.says {
				if unwanted, not := strings.CutPrefix(s, "!"); not && strings.Contains(err.Error(), unwanted) || !not && !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
}

func TestErrorsStayShort(t *testing.T) {
	var links []link
	for i := range 500 {
		l := eth(fmt.Sprint("eth", i), "192.168.1.1/24")
		l.MAC = net.HardwareAddr{2, 0, 0, 0, byte(i >> 8), byte(i)}
		links = append(links, l)
	}
	_, err := choose(links, netip.MustParsePrefix("10.77.0.100/24"), "")
	if err == nil || len(err.Error()) > 700 || !strings.Contains(err.Error(), "and 484 more") {
		t.Errorf("%d bytes: %v", len(err.Error()), err)
	}
}
