package vip

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/system"
)

func vipPrefix6() netip.Prefix { return netip.MustParsePrefix("fd00:77::100/64") }

// resolves has the namespace's kernel ask for an IPv6 address, and gives the MAC that it was told; nil: nobody answered.
func (s space) resolves(a netip.Addr) (mac net.HardwareAddr) {
	s.t.Helper()
	index := s.find().Index
	entry := &netlink.Neigh{LinkIndex: index, Family: netlink.FAMILY_V6, IP: a.AsSlice()}
	s.do(func() error {
		if err := netlink.NeighDel(entry); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
		c, err := net.DialUDP("udp6", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 9)))
		if err != nil {
			return err
		}
		_, err = c.Write([]byte("who"))
		return errors.Join(err, c.Close())
	})
	for late := time.Now().Add(10 * time.Second); time.Now().Before(late); time.Sleep(10 * time.Millisecond) {
		state := 0
		s.do(func() error {
			list, err := netlink.NeighList(index, netlink.FAMILY_V6)
			for _, n := range list {
				if n.IP.Equal(a.AsSlice()) {
					state, mac = n.State, n.HardwareAddr
				}
			}
			return err
		})
		if state&(netlink.NUD_REACHABLE|netlink.NUD_STALE|netlink.NUD_DELAY) != 0 {
			return mac
		}
		if state&netlink.NUD_FAILED != 0 {
			return nil
		}
	}
	s.t.Fatalf("the kernel asks for %s for ever", a)
	return nil
}

// TestTheKernelIsSilentForACarriedIPv6VIP: neither does it answer, nor look for duplicates, nor ask in the VIP's name; and yet sockets use it.
func TestTheKernelIsSilentForACarriedIPv6VIP(t *testing.T) {
	t.Parallel() // a cable takes the kernel up to a second
	host, client := cable(t)
	j := host.journal()
	if mac := client.resolves(netip.MustParseAddr("fd00:77::1")); !bytes.Equal(mac, host.find().MAC) {
		t.Fatalf("the kernel does not answer for the interface's own address either, but %v: the test proves nothing", mac)
	}
	host.do(func() error { return Carry(j, address6(), "eth0") })
	if mac := client.resolves(address6()); mac != nil {
		t.Errorf("the kernel answered: %v", mac)
	}
	host.do(func() error {
		l, err := net.Listen("tcp", "[fd00:77::100]:80")
		if err != nil {
			return err
		}
		return l.Close()
	})
	if !host.member("ff0200000000000000000001ff000100") {
		t.Error("eth0 does not hear who asks for the VIP")
	}
	host.do(func() error { return Drop(j, address6(), "eth0", true) })
	if c := j.Changes(); len(c) != 0 || host.member("ff0200000000000000000001ff000100") {
		t.Errorf("Drop left %v", c)
	}
}

// member says whether eth0 is in an IPv6 group.
func (s space) member(group string) (in bool) {
	s.t.Helper()
	s.do(func() error {
		table, err := os.ReadFile("/proc/thread-self/net/igmp6")
		in = slices.ContainsFunc(strings.Split(string(table), "\n"), func(line string) bool {
			f := strings.Fields(line)
			return len(f) > 2 && f[1] == "eth0" && f[2] == group
		})
		return err
	})
	return in
}

// TestANewConfigurationDropsTheIPv6VIPThatItDoesNotName: two VIPs of one solicited-node group, and only one is left.
func TestANewConfigurationDropsTheIPv6VIPThatItDoesNotName(t *testing.T) {
	t.Parallel() // a cable takes the kernel up to a second
	host, _ := cable(t)
	j := host.journal()
	other := netip.MustParseAddr("fd00:78::100")
	host.do(func() error {
		err := Carry(j, address6(), "eth0")
		j.Unclaim(Carried)
		return errors.Join(err, Carry(j, other, "eth0"), j.ReleaseUnclaimed())
	})
	var kept []string
	for _, c := range j.Changes() {
		kept = append(kept, c.What())
	}
	if want := []string{"listening for fd00:78::100 on eth0", "address fd00:78::100/128 on lo"}; !slices.Equal(kept, want) {
		t.Errorf("kept %q, want %q", kept, want)
	}
	if !host.member("ff0200000000000000000001ff000100") {
		t.Error("the group that both share was left with the first")
	}
	host.do(j.Undo)
}

func TestFindForIPv6(t *testing.T) {
	t.Parallel() // a cable takes the kernel up to a second
	host, _ := cable(t)
	set := func(name, value string) {
		host.do(func() error {
			return os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte(value), 0)
		})
	}
	find := func(prefix netip.Prefix, iface string) (i Interface, err error) {
		host.do(func() error { i, err = Find(prefix, iface); return nil })
		return i, err
	}
	if i, err := find(vipPrefix6(), ""); err != nil || i.Name != "eth0" {
		t.Errorf("found %+v, %v", i, err)
	}
	_, err := find(netip.MustParsePrefix("fd00:99::100/64"), "")
	if !errors.Is(err, ErrNoInterface) || !strings.Contains(err.Error(), "eth0 fd00:77::1/64") || strings.Contains(err.Error(), "fe80") {
		t.Errorf("elsewhere: %v", err)
	}
	for _, name := range []string{"eth0", "lo"} {
		set(name, "1")
		_, err := find(vipPrefix6(), "eth0")
		if !errors.Is(err, ErrNoIPv6) || !strings.Contains(err.Error(), "sysctl -w net.ipv6.conf."+name+".disable_ipv6=0") {
			t.Errorf("IPv6 off on %s: %v", name, err)
		}
		set(name, "0")
	}
	host.do(func() error {
		l, err := netlink.LinkByName("eth0")
		mustDo(t, err)
		return netlink.LinkSetMTU(l, 1279)
	})
	if _, err := find(vipPrefix6(), "eth0"); !errors.Is(err, ErrNoIPv6) || !strings.Contains(err.Error(), "1280") {
		t.Errorf("MTU too small: %v", err)
	}
}

// TestAdvertisementsTeachTheNeighbours: the client's kernel takes the MAC of an announcement for one that it had learnt, whatever it believed, and
// uses it with the next packet.
func TestAdvertisementsTeachTheNeighbours(t *testing.T) {
	t.Parallel() // a cable takes the kernel up to a second
	host, client := cable(t)
	var port *Port
	i := host.find()
	host.do(func() (err error) { port, err = OpenPort(i); return err })
	defer port.Close()
	frames, err := Announcements(address6(), i.MAC, i.MAC)
	mustDo(t, err)
	index := client.find().Index
	for name, state := range map[string]int{"reachable": netlink.NUD_REACHABLE, "stale": netlink.NUD_STALE} {
		former := net.HardwareAddr{0x02, 0xff, 0, 0, 0, 1}
		client.do(func() error {
			return netlink.NeighSet(&netlink.Neigh{LinkIndex: index, Family: netlink.FAMILY_V6, State: state, IP: address6().AsSlice(), HardwareAddr: former})
		})
		mustDo(t, port.Send(frames[0]))
		var known net.HardwareAddr
		for late := time.Now().Add(5 * time.Second); !bytes.Equal(known, i.MAC) && time.Now().Before(late); time.Sleep(5 * time.Millisecond) {
			client.do(func() error {
				list, err := netlink.NeighList(index, netlink.FAMILY_V6)
				for _, e := range list {
					if e.IP.Equal(address6().AsSlice()) {
						known = e.HardwareAddr
					}
				}
				return err
			})
		}
		if !bytes.Equal(known, i.MAC) {
			t.Errorf("%s: the client knows %v, want %v", name, known, i.MAC)
		}
	}
}

// TestCarryKeepsIPv6AddressesFromTheKernelsChoice is about the flags that the journal asks for.
func TestCarryKeepsIPv6AddressesFromTheKernelsChoice(t *testing.T) {
	t.Parallel() // a cable takes the kernel up to a second
	host, _ := cable(t)
	j := host.journal()
	host.do(func() error { return Carry(j, address6(), "eth0") })
	defer host.do(j.Undo)
	want := system.Change{Kind: system.KindAddress, Link: "lo", Prefix: netip.PrefixFrom(address6(), 128), Scope: system.ScopeHost, NoDAD: true,
		Want: system.Present, Found: system.Absent}
	if !slices.Contains(j.Changes(), want) {
		t.Errorf("changes %+v, want one of them %+v", j.Changes(), want)
	}
	host.do(func() error {
		lo, err := netlink.LinkByName("lo")
		mustDo(t, err)
		list, err := netlink.AddrList(lo, netlink.FAMILY_V6)
		i := slices.IndexFunc(list, func(a netlink.Addr) bool { return a.IP.Equal(address6().AsSlice()) })
		if i < 0 || list[i].PreferedLft != 0 || list[i].Flags&unix.IFA_F_DEPRECATED == 0 || list[i].Flags&unix.IFA_F_NODAD == 0 || list[i].Flags&unix.IFA_F_TENTATIVE != 0 {
			t.Errorf("addresses of lo: %+v", list)
		}
		return err
	})
}
