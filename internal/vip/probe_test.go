package vip

import (
	"bytes"
	"encoding/hex"
	"net"
	"net/netip"
	"testing"
)

func clusterMAC() net.HardwareAddr { return net.HardwareAddr{0x01, 0, 0x5e, 0x7f, 0, 0x64} }

// probeOf is that of a host, for the VIP of either family.
func probeOf(t testing.TB, source string, a netip.Addr, host uint8) Probe {
	t.Helper()
	p, err := NewProbe(netip.MustParseAddr(source), a, ownMAC(), clusterMAC(), host)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProbesByteByByte(t *testing.T) {
	for _, tt := range []struct {
		name  string
		probe Probe
		want  string
	}{
		{"IPv4", probeOf(t, "10.77.0.1", address(), 2), `
			01 00 5e 7f 00 64  02 00 00 00 00 0a  08 00  # to the cluster, from the card's own
			45 00 00 1c  00 00 40 00  40 fd 24 e7        # for experiments, whole
			0a 4d 00 01  0a 4d 00 64
			6d 75 73 74 65 72  01  02                    # muster, version, host`},
		{"IPv6", probeOf(t, "fd00:77::1", address6(), 31), `
			01 00 5e 7f 00 64  02 00 00 00 00 0a  86 dd
			60 00 00 00  00 08  fd  40
			fd 00 00 77 00 00 00 00 00 00 00 00 00 00 00 01
			fd 00 00 77 00 00 00 00 00 00 00 00 00 00 01 00
			6d 75 73 74 65 72  01  1f`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.probe.Frame()
			if want := unhex(t, tt.want); !bytes.Equal(got, want) {
				t.Errorf("got\n%swant\n%s", hex.Dump(got), hex.Dump(want))
			}
			if back, ok := ReadProbe(append(got, make([]byte, 18)...)); !ok || back != tt.probe {
				t.Errorf("read %+v, %v", back, ok)
			}
		})
	}
}

func TestFramesThatAreNoProbe(t *testing.T) {
	four, six := probeOf(t, "10.77.0.1", address(), 0).Frame(), probeOf(t, "fd00:77::1", address6(), 0).Frame()
	for _, tt := range []struct {
		name  string
		frame []byte
		at    int
		value byte
	}{
		{"ARP", four, 13, 0x06},
		{"options", four, 14, 0x46},
		{"longer than it is", four, 17, 0x1d},
		{"a fragment", four, 20, 0x60},
		{"UDP", four, 23, 17},
		{"checksum", four, 25, 0},
		{"another experiment", four, 34, 'M'},
		{"version to come", four, 40, 2},
		{"IPv6 of another version", six, 14, 4 << 4},
		{"IPv6 shorter than it is", six, 19, 7},
		{"IPv6 with UDP", six, 20, 17},
		{"IPv6, another experiment", six, 54, 'M'},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := bytes.Clone(tt.frame)
			b[tt.at] = tt.value
			if p, ok := ReadProbe(b); ok {
				t.Errorf("taken for %+v", p)
			}
		})
	}
	for _, whole := range [][]byte{four, six} {
		for n := range whole {
			if p, ok := ReadProbe(whole[:n]); ok {
				t.Errorf("%d bytes were taken for %+v", n, p)
			}
		}
	}
}

func TestProbesThatCannotBeMade(t *testing.T) {
	own, four := netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("::ffff:10.77.0.100")
	for _, tt := range []struct {
		name        string
		source, vip netip.Addr
		card, to    net.HardwareAddr
	}{
		{"two families", own, address6(), ownMAC(), clusterMAC()},
		{"no VIP", own, netip.Addr{}, ownMAC(), clusterMAC()},
		{"nothing", netip.Addr{}, netip.Addr{}, ownMAC(), clusterMAC()},
		{"IPv4 in disguise", address6(), four, ownMAC(), clusterMAC()},
		{"InfiniBand", own, address(), make(net.HardwareAddr, 20), clusterMAC()},
		{"no cluster MAC", own, address(), ownMAC(), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if p, err := NewProbe(tt.source, tt.vip, tt.card, tt.to, 0); err == nil {
				t.Errorf("made %+v", p)
			}
		})
	}
}

// FuzzReadProbe: what is taken for a probe is one, and reads the same when it is written again.
func FuzzReadProbe(f *testing.F) {
	for _, p := range []Probe{probeOf(f, "10.77.0.1", address(), 2), probeOf(f, "fd00:77::1", address6(), 31)} {
		f.Add(p.Frame())
		f.Add(append(p.Frame(), 0, 0, 0))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := ReadProbe(b)
		if !ok {
			return
		}
		if again, ok := ReadProbe(p.Frame()); !ok || again != p || len(p.Frame()) > len(b) {
			t.Errorf("read %+v, again %+v, %v", p, again, ok)
		}
	})
}
