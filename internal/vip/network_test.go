package vip

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	pkt "github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/system"
)

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// space is a network namespace of the test's own.
type space struct {
	t      *testing.T
	handle netns.NsHandle
}

// do runs f in the namespace, on a thread that ends with it.
func (s space) do(f func() error) {
	s.t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // not unlocked: the thread stays in the namespace, so it must end
		err := netns.Set(s.handle)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		s.t.Fatal(err)
	}
}

func newSpace(t *testing.T) space {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("run this test as root: it makes network namespaces")
	}
	made := make(chan netns.NsHandle)
	go func() {
		runtime.LockOSThread()
		h, err := netns.New()
		if err != nil {
			h = netns.None()
		}
		made <- h
	}()
	h := <-made
	if !h.IsOpen() {
		t.Fatal("make network namespace")
	}
	t.Cleanup(func() { h.Close() })
	s := space{t, h}
	s.do(func() error { return up("lo") })
	return s
}

func up(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}

// cable makes two namespaces with an eth0 each, a cable between them.
func cable(t *testing.T) (host, client space) {
	t.Helper()
	host, client = newSpace(t), newSpace(t)
	host.do(func() error {
		attrs := netlink.LinkAttrs{Name: "eth0"}
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(client.handle)})
	})
	for s, addrs := range map[space][2]string{host: {"10.77.0.1/24", "fd00:77::1/64"}, client: {"10.77.0.201/24", "fd00:77::201/64"}} {
		s.do(func() error {
			l, err := netlink.LinkByName("eth0")
			if err != nil {
				return err
			}
			a, err := netlink.ParseAddr(addrs[0])
			if err != nil {
				return err
			}
			a6, err := netlink.ParseAddr(addrs[1])
			if err != nil {
				return err
			}
			a6.Flags = unix.IFA_F_NODAD
			return errors.Join(netlink.AddrAdd(l, a), netlink.AddrAdd(l, a6), netlink.LinkSetUp(l))
		})
	}
	host.carrier("eth0")
	client.carrier("eth0")
	return host, client
}

// carrier waits until the kernel has noticed the cable: until then it throws away what is sent.
func (s space) carrier(name string) {
	s.t.Helper()
	updates, done := make(chan netlink.LinkUpdate, 16), make(chan struct{})
	defer close(done)
	mustDo(s.t, netlink.LinkSubscribeWithOptions(updates, done, netlink.LinkSubscribeOptions{Namespace: &s.handle, ListExisting: true}))
	late := time.After(10 * time.Second)
	for {
		select {
		case u := <-updates:
			if a := u.Attrs(); a.Name == name && a.OperState == netlink.OperUp {
				return
			}
		case <-late:
			s.t.Fatalf("%s has no carrier", name)
		}
	}
}

func vipPrefix() netip.Prefix { return netip.MustParsePrefix("10.77.0.100/24") }

func (s space) find() (i Interface) {
	s.t.Helper()
	s.do(func() (err error) { i, err = Find(vipPrefix(), ""); return err })
	return i
}

// asks asks for the VIP from the namespace and gives who answered.
func (s space) asks() (who net.HardwareAddr) {
	s.t.Helper()
	i := s.find()
	s.do(func() (err error) { who, err = ask(i, address()); return err })
	return who
}

func (s space) journal() (j *system.Journal) {
	s.t.Helper()
	s.do(func() (err error) { j, err = system.Open(s.t.TempDir(), slog.New(slog.DiscardHandler)); return err })
	s.t.Cleanup(func() { j.Close() })
	return j
}

func TestFindOnARealHost(t *testing.T) {
	t.Parallel() // a cable takes the kernel up to a second
	host, _ := cable(t)
	i := host.find()
	if i.Name != "eth0" || i.Index == 0 || len(i.MAC) != 6 || !i.Up {
		t.Errorf("found %+v", i)
	}
	host.do(func() error {
		_, err := Find(netip.MustParsePrefix("192.0.2.1/24"), "")
		if !errors.Is(err, ErrNoInterface) || !strings.Contains(err.Error(), "eth0 10.77.0.1/24") {
			t.Errorf("elsewhere: %v", err)
		}
		return nil
	})
}

func TestTheKernelIsSilentForACarriedVIP(t *testing.T) {
	t.Parallel() // a cable takes the kernel up to a second
	host, client := cable(t)
	j := host.journal()
	host.do(func() error { return j.AddAddress("lo", system.Address{Prefix: single(address())}) })
	if mac := client.asks(); !bytes.Equal(mac, host.find().MAC) {
		t.Fatalf("an address on lo alone is answered for (%v): the test proves nothing otherwise", mac)
	}
	host.do(j.Undo)
	host.do(func() error { return Carry(j, address(), "eth0") })
	if mac := client.asks(); mac != nil {
		t.Errorf("the kernel answered: %v", mac)
	}
	host.do(func() error {
		l, err := net.Listen("tcp", "10.77.0.100:80")
		if err != nil {
			return err
		}
		return l.Close()
	})
	host.do(func() error { return Drop(j, address(), "eth0", true) })
	if c := j.Changes(); len(c) != 0 {
		t.Errorf("Drop left %v", c)
	}
}

func TestDropKeepsTheSettingsForOtherVIPs(t *testing.T) {
	t.Parallel() // a cable takes the kernel up to a second
	host, _ := cable(t)
	j := host.journal()
	host.do(func() error {
		return errors.Join(Carry(j, address(), "eth0"), Carry(j, netip.MustParseAddr("10.77.0.101"), "eth0"), Drop(j, address(), "eth0", false))
	})
	if n := len(j.Changes()); n != 3 {
		t.Errorf("%d changes: %v", n, j.Changes())
	}
	host.do(j.Undo)
}

func TestANewConfigurationDropsWhatItDoesNotName(t *testing.T) {
	t.Parallel() // a cable takes the kernel up to a second
	host, _ := cable(t)
	j := host.journal()
	other := netip.MustParseAddr("10.77.0.101")
	host.do(func() error {
		err := errors.Join(j.MakeDir("bpf"), Carry(j, address(), "eth0"))
		j.Unclaim(Carried)
		return errors.Join(err, Carry(j, other, "eth0"), j.ReleaseUnclaimed())
	})
	var kept []string
	for _, c := range j.Changes() {
		kept = append(kept, c.What())
	}
	slices.Sort(kept)
	want := []string{"address 10.77.0.101/32 on lo", "directory bpf", "sysctl net/ipv4/conf/eth0/arp_announce", "sysctl net/ipv4/conf/eth0/arp_ignore"}
	if !slices.Equal(kept, want) {
		t.Errorf("kept %q, want %q", kept, want)
	}
	host.do(j.Undo)
}

func TestCarryRefusesAnAddressInUse(t *testing.T) {
	t.Parallel() // a cable takes the kernel up to a second
	host, _ := cable(t)
	j := host.journal()
	host.do(func() error {
		err := Carry(j, netip.MustParseAddr("10.77.0.1"), "eth0")
		if !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), "ip address del 10.77.0.1/24 dev eth0") {
			t.Errorf("got %v", err)
		}
		return nil
	})
	if len(j.Changes()) != 0 {
		t.Errorf("changed %v", j.Changes())
	}
}

func TestCarryNeedsLo(t *testing.T) {
	t.Parallel() // a cable takes the kernel up to a second
	host, _ := cable(t)
	j := host.journal()
	host.do(func() error {
		lo, err := netlink.LinkByName("lo")
		mustDo(t, err)
		mustDo(t, netlink.LinkSetDown(lo))
		if err := Carry(j, address(), "eth0"); !errors.Is(err, ErrLoopback) {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

func TestAnnouncementsTeachTheNeighbours(t *testing.T) {
	t.Parallel() // a cable takes the kernel up to a second
	host, client := cable(t)
	var port *Port
	i := host.find()
	host.do(func() (err error) { port, err = OpenPort(i); return err })
	defer port.Close()
	former := net.HardwareAddr{0x02, 0xff, 0, 0, 0, 1}
	entry := func() *netlink.Neigh {
		return &netlink.Neigh{LinkIndex: client.find().Index, Family: netlink.FAMILY_V4, State: netlink.NUD_REACHABLE, IP: address().AsSlice(), HardwareAddr: former}
	}
	frames, err := Announcements(address(), i.MAC, i.MAC)
	mustDo(t, err)
	for n, form := range []string{"request", "reply"} {
		t.Run(form, func(t *testing.T) {
			heard := client.hears(t, frames[n], func() { mustDo(t, port.Send(frames[n])) })
			if !heard {
				t.Error("not heard byte for byte")
			}
			client.do(func() error { return netlink.NeighSet(entry()) })
			client.do(func() error { return os.WriteFile("/proc/sys/net/ipv4/neigh/eth0/locktime", []byte("0"), 0) })
			client.hears(t, frames[n], func() { mustDo(t, port.Send(frames[n])) })
			client.do(func() error {
				list, err := netlink.NeighList(client.find().Index, netlink.FAMILY_V4)
				if !slices.ContainsFunc(list, func(e netlink.Neigh) bool {
					return e.IP.Equal(address().AsSlice()) && bytes.Equal(e.HardwareAddr, i.MAC)
				}) {
					t.Errorf("the client has not learnt %v: %v", i.MAC, list)
				}
				return err
			})
		})
	}
}

// hears says whether a frame arrives in the namespace.
func (s space) hears(t *testing.T, frame []byte, send func()) bool {
	t.Helper()
	i := s.find()
	var conn *pkt.Conn
	s.do(func() (err error) {
		conn, err = pkt.Listen(&net.Interface{Index: i.Index}, pkt.Raw, unix.ETH_P_ARP, nil)
		return err
	})
	defer conn.Close()
	send()
	mustDo(t, conn.SetReadDeadline(time.Now().Add(3*time.Second)))
	buf := make([]byte, 1500)
	for range 1000 {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			return false
		}
		if bytes.Equal(buf[:n], frame) {
			return true
		}
	}
	return false
}
