package vip

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// arrives waits until a tap has something to read.
func arrives(t *testing.T, tap *Tap) {
	t.Helper()
	mustDo(t, tap.conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	var peek [1]byte
	err := tap.raw.Read(func(fd uintptr) bool {
		_, _, err := unix.Recvfrom(int(fd), peek[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return err != unix.EAGAIN
	})
	if err != nil {
		t.Fatal(err)
	}
	mustDo(t, tap.conn.SetReadDeadline(time.Time{}))
}

// A tap hears the probes of others on its interface, whether or not its card takes the MAC for its own, and nothing else.
func TestTapHearsProbesAndNothingElse(t *testing.T) {
	t.Parallel() // a cable takes the kernel up to a second
	host, other := cable(t)
	i, from := host.find(), other.find()
	var port, own *Port
	var tap *Tap
	host.do(func() (err error) { tap, err = OpenTap(i); return err })
	defer tap.Close()
	other.do(func() (err error) { port, err = OpenPort(from); return err })
	defer port.Close()
	host.do(func() (err error) { own, err = OpenPort(i); return err })
	defer own.Close()
	for _, tt := range []struct {
		name   string
		source string
		vip    netip.Addr
		to     net.HardwareAddr
	}{
		{"multicast", "10.77.0.201", address(), clusterMAC()},
		{"unicast", "10.77.0.201", address(), net.HardwareAddr{0x02, 0xbf, 10, 77, 0, 100}},
		{"IPv6", "fd00:77::201", address6(), net.HardwareAddr{0x33, 0x33, 0, 0, 1, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			probe, err := NewProbe(netip.MustParseAddr(tt.source), tt.vip, from.MAC, tt.to, 1)
			mustDo(t, err)
			mine := probe
			mine.Card = [6]byte(i.MAC)
			foreign := probe.Frame()
			foreign[len(foreign)-probeLen] = 'M'
			asked, err := Question(address(), from.MAC)
			mustDo(t, err)
			mustDo(t, own.Send(mine.Frame()))
			for _, frame := range [][]byte{asked, foreign, probe.Frame()} { // in this order on the cable
				mustDo(t, port.Send(frame))
			}
			arrives(t, tap)
			var heard []Probe
			if whole := tap.Read(func(p Probe) { heard = append(heard, p) }); !whole || !slices.Equal(heard, []Probe{probe}) {
				t.Errorf("heard %+v, all of it: %v", heard, whole)
			}
			if whole := tap.Read(func(p Probe) { t.Errorf("heard twice: %+v", p) }); !whole {
				t.Error("something is lost where nothing came")
			}
		})
	}
}

// Whoever floods a tap makes it say that it has lost something, for one look.
func TestAFloodedTapSaysSo(t *testing.T) {
	t.Parallel()
	host, other := cable(t)
	i, from := host.find(), other.find()
	var port *Port
	var tap *Tap
	other.do(func() (err error) { port, err = OpenPort(from); return err })
	defer port.Close()
	host.do(func() (err error) { tap, err = OpenTap(i); return err })
	defer tap.Close()
	frame := probeOf(t, "10.77.0.201", address(), 1).Frame()
	for range 3 * tapFrames {
		mustDo(t, port.Send(frame))
	}
	heard := 0
	if tap.Read(func(Probe) { heard++ }) || heard == 0 || heard > tapFrames {
		t.Errorf("%d heard, and nothing lost", heard)
	}
	for range 3 {
		heard = 0
		if tap.Read(func(Probe) { heard++ }) && heard == 0 {
			return
		}
	}
	t.Errorf("%d heard, and no end", heard)
}

func TestSourceOfProbes(t *testing.T) {
	links := []link{eth("lo", "127.0.0.1/8", "10.77.0.100/32"), eth("eth0", "fe80::1/64", "192.168.1.1/24", "10.77.0.1/24", "fd00:77::1/64"), eth("other", "10.77.0.9/24")}
	for _, tt := range []struct {
		name, prefix string
		index        int
		want         string
	}{
		{"on the network", "10.77.0.100/24", 4, "10.77.0.1"},
		{"on the IPv6 network", "fd00:77::100/64", 4, "fd00:77::1"},
		{"elsewhere", "172.16.0.1/24", 4, "10.77.0.1"},
		{"none of the family", "fd00:77::100/64", 5, "::"},
		{"no such interface", "10.77.0.100/24", 9, "0.0.0.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := sourceOn(links, tt.index, netip.MustParsePrefix(tt.prefix)); got != netip.MustParseAddr(tt.want) {
				t.Errorf("from %s, want %s", got, tt.want)
			}
		})
	}
	if own := netip.MustParseAddr("10.77.0.1"); SourceOn(0, vipPrefix(), own) != own {
		t.Error("the host's own address was not taken")
	}
}
