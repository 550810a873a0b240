package syn

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

var (
	testVIP    = netip.MustParseAddrPort("10.77.0.100:80")
	toMAC      = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	fromMAC    = net.HardwareAddr{2, 0, 0, 0, 0, 2}
	testCaller = CallerAddress()
)

// TestFramesHaveGoodSums: a frame that is used again for another source has the sums that it would have had from the start, and those are the
// ones of RFC 1071: a kernel drops others without a word.
func TestFramesHaveGoodSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFrame(toMAC, fromMAC, segment{to: testVIP, acknowledge: rapid.Uint32().Draw(t, "acknowledged"), flags: rapid.Byte().Draw(t, "flags")})
		for range 3 {
			f.set(rapid.Uint32().Draw(t, "address"), rapid.Uint16().Draw(t, "port"), rapid.Uint32().Draw(t, "sequence"))
			ip, tcp := f.b[ipAt:tcpAt], f.b[tcpAt:]
			if got := fold(sum(ip)); got != 0xffff {
				t.Fatalf("sum of the IP header %#x", got)
			}
			if got := fold(sum(ip[12:]) + uint32(ip[9]) + tcpSize + sum(tcp)); got != 0xffff {
				t.Fatalf("sum of the segment %#x", got)
			}
		}
	})
}

func TestParse(t *testing.T) {
	good := func() []byte {
		s := segment{from: testVIP, to: netip.AddrPortFrom(testCaller, 20001), sequence: 7, acknowledge: 9, flags: flagSYN | flagACK}
		return s.bytes(fromMAC, toMAC)
	}
	set := func(at int, v byte) []byte { b := good(); b[at] = v; return b }
	long := append(good(), "hello"...)
	binary.BigEndian.PutUint16(long[ipAt+2:], ipSize+tcpSize+5)
	for _, c := range []struct {
		name string
		b    []byte
		want answer
		ok   bool
	}{
		{"answer", good(), answer{port: 20001, flags: flagSYN | flagACK, sequence: 7, acknowledge: 9}, true},
		{"with data", long, answer{port: 20001, flags: flagSYN | flagACK, sequence: 7, acknowledge: 9, data: 5}, true},
		{"padded", append(good(), 0, 0), answer{port: 20001, flags: flagSYN | flagACK, sequence: 7, acknowledge: 9}, true},
		{"short", good()[:frameSize-1], answer{}, false},
		{"ARP", set(13, 6), answer{}, false},
		{"UDP", set(ipAt+9, 17), answer{}, false},
		{"from another", set(ipAt+15, 9), answer{}, false},
		{"to another", set(ipAt+19, 9), answer{}, false},
		{"from another port", set(tcpAt+1, 81), answer{}, false},
		{"header beyond the packet", set(tcpAt+12, 15<<4), answer{}, false},
		{"longer than the frame", set(ipAt+3, 200), answer{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, ok := parse(c.b, testVIP, testCaller); got != c.want || ok != c.ok {
				t.Errorf("got %+v, %v; want %+v, %v", got, ok, c.want, c.ok)
			}
		})
	}
}

// FuzzParse: whatever is on the wire, a frame that is taken has its data within it.
func FuzzParse(f *testing.F) {
	f.Add(segment{from: testVIP, to: netip.AddrPortFrom(testCaller, 20001), flags: flagACK}.bytes(fromMAC, toMAC))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := parse(b, testVIP, testCaller)
		if ok && (a.data < 0 || a.data > len(b)-frameSize) {
			t.Errorf("%d bytes of data in a frame of %d", a.data, len(b))
		}
	})
}
