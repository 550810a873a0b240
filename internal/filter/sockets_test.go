package filter

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestConnections counts those to a VIP, over sockets of both families, and no others.
func TestConnections(t *testing.T) {
	otherVIP, plain := netip.MustParseAddr("10.9.0.101"), netip.MustParseAddr("10.9.0.1")
	n := newNode(t, "host")
	for _, a := range []netip.Addr{testVIP, otherVIP, plain, clientIP} {
		n.bearVIP(a)
	}
	want := map[netip.AddrPort]TCPState{}
	n.do(func() error {
		for _, network := range []string{"tcp4", "tcp"} { // the latter is an IPv6 socket that takes IPv4
			l, err := net.Listen(network, ":0")
			if err != nil {
				return err
			}
			t.Cleanup(func() { l.Close() })
			port := uint16(l.Addr().(*net.TCPAddr).Port)
			for _, a := range []netip.Addr{testVIP, otherVIP, plain} {
				c, err := pair(t, l, netip.AddrPortFrom(a, port))
				if err != nil {
					return err
				}
				if a != plain {
					want[c] = Established
				}
			}
		}
		return nil
	})
	var got []Conn
	n.do(func() (err error) {
		got, err = Connections([]netip.Addr{testVIP, otherVIP})
		return err
	})
	if len(got) != len(want) {
		t.Errorf("got %d connections, want %d: %v", len(got), len(want), got)
	}
	for _, c := range got {
		if want[c.Remote] != c.State {
			t.Errorf("unexpected %+v", c)
		}
	}
}

// pair connects to a listener and returns the client's end.
func pair(t *testing.T, l net.Listener, to netip.AddrPort) (netip.AddrPort, error) {
	from := clientIP
	if to.Addr().Is6() {
		from = client6
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, Timeout: time.Second}
	c, err := d.Dial("tcp", to.String())
	if err != nil {
		return netip.AddrPort{}, err
	}
	t.Cleanup(func() { c.Close() })
	s, err := l.Accept()
	if err != nil {
		return netip.AddrPort{}, err
	}
	t.Cleanup(func() { s.Close() })
	return netip.MustParseAddrPort(c.LocalAddr().String()), nil
}

// TestConnectionsOfBothFamilies lists those to VIPs of both in whatever order they are asked for, and no others.
func TestConnectionsOfBothFamilies(t *testing.T) {
	addresses := []netip.Addr{testVIP, vip6, netip.MustParseAddr("10.9.0.101"), netip.MustParseAddr("fd00:9::101"), netip.MustParseAddr("fd00:a::100")}
	n := newNode(t, "host")
	for _, a := range append([]netip.Addr{clientIP, client6}, addresses...) {
		n.bearVIP(a)
	}
	has := map[netip.Addr]netip.AddrPort{}
	n.do(func() error {
		l, err := net.Listen("tcp", ":0")
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		for _, a := range addresses {
			c, err := pair(t, l, netip.AddrPortFrom(a, uint16(l.Addr().(*net.TCPAddr).Port)))
			if err != nil {
				return err
			}
			has[a] = c
		}
		return nil
	})
	rapid.Check(t, func(rt *rapid.T) {
		asked := rapid.SliceOfDistinct(rapid.SampledFrom(addresses), rapid.ID[netip.Addr]).Draw(rt, "VIPs")
		var got []Conn
		n.do(func() (err error) {
			got, err = Connections(asked)
			return err
		})
		if len(got) != len(asked) {
			rt.Fatalf("asked for %v, got %v", asked, got)
		}
		for _, c := range got {
			if has[c.Local.Addr()] != c.Remote || c.State != Established {
				rt.Errorf("unexpected %+v", c)
			}
		}
	})
}

func TestConnectionsInEveryState(t *testing.T) {
	f := newFarm(t, farmOptions{hosts: 1})
	f.own(shared(1, 0))
	h := f.hosts[0]
	states := func() (all map[TCPState]int) {
		all = map[TCPState]int{}
		h.do(func() error {
			got, err := Connections([]netip.Addr{testVIP})
			for _, c := range got {
				all[c.State]++
			}
			return err
		})
		return all
	}
	f.answerTo(nobodys)
	f.client.send(f.raw(flags(syn))) // and no more: the client knows nothing of nobody's
	waitFor(t, "half-open connection", func() bool { return states()[SynReceived] == 1 })
	conns, _ := f.open(1)
	if _, err := fmt.Fprintln(conns[0], "bye"); err != nil {
		t.Fatal(err)
	}
	if _, err := conns[0].in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Fatalf("after the host closed: %v, want the end", err)
	}
	conns[0].Close()
	waitFor(t, "connection in TIME_WAIT", func() bool { return states()[TimeWait] == 1 })
	f.open(2)
	if got := states()[Established]; got != 2 {
		t.Errorf("%d established, want 2", got)
	}
}

// waitFor polls: what is waited for happens in the kernel, which no synthetic clock reaches.
func waitFor(t testing.TB, what string, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ready() {
			return
		}
	}
	t.Fatalf("no %s within 5 s", what)
}

func TestThousandsOfSocketsAreListed(t *testing.T) {
	n := newNode(t, "host")
	n.bearVIP(testVIP)
	n.bearVIP(clientIP)
	const many = 3000
	n.do(func() error {
		l, err := net.Listen("tcp", ":0")
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		to := netip.AddrPortFrom(testVIP, uint16(l.Addr().(*net.TCPAddr).Port))
		for range many {
			if _, err := pair(t, l, to); err != nil {
				return err
			}
		}
		start := time.Now()
		got, err := Connections([]netip.Addr{testVIP})
		t.Logf("%d sockets listed in %v", len(got), time.Since(start))
		if len(got) != many {
			t.Errorf("%d connections listed, want %d", len(got), many)
		}
		return err
	})
}

func TestDiagErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		b    []byte
	}{
		{"length too small", []byte{8, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{"length too large", []byte{99, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{"error without code", []byte{16, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{"error", []byte{20, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xea, 0xff, 0xff, 0xff}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, err := parseDiag(c.b, nil, nil); !errors.Is(err, ErrDiag) {
				t.Errorf("got %v, want ErrDiag", err)
			}
		})
	}
}

func FuzzParseDiag(f *testing.F) {
	f.Add([]byte{16, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	message := make([]byte, 16+diagMessageSize)
	message[0], message[4], message[16], message[17] = uint8(len(message)), sockDiagByFamily, 2, 1
	f.Add(message)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, _, _ := parseDiag(b, map[netip.Addr]bool{netip.AddrFrom4([4]byte{}): true}, nil)
		if len(got) > len(b)/diagMessageSize {
			t.Errorf("%d connections from %d bytes", len(got), len(b))
		}
		for _, c := range got {
			if c.State == Listening || !c.Local.IsValid() {
				t.Errorf("not a connection: %+v", c)
			}
		}
	})
}

func TestNetstatCounter(t *testing.T) {
	const good = "TcpExt: A SyncookiesSent B\nTcpExt: 1 42 3\nIpExt: SyncookiesSent\nIpExt: 7\n"
	for _, c := range []struct {
		name, text string
		want       uint64
		fails      bool
	}{
		{"there", good, 42, false},
		{"absent", "TcpExt: A\nTcpExt: 1\n", 0, true},
		{"fewer values than names", "TcpExt: A SyncookiesSent\nTcpExt: 1\n", 0, true},
		{"not a number", "TcpExt: SyncookiesSent\nTcpExt: x\n", 0, true},
		{"empty", "", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := netstatCounter([]byte(c.text), "TcpExt:", "SyncookiesSent")
			if got != c.want || (err != nil) != c.fails {
				t.Errorf("got %d, %v", got, err)
			}
		})
	}
}

func FuzzNetstatCounter(f *testing.F) {
	f.Add([]byte("TcpExt: A SyncookiesSent\nTcpExt: 1 2\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := netstatCounter(b, "TcpExt:", "SyncookiesSent"); err != nil && n != 0 {
			t.Errorf("%d with %v", n, err)
		}
	})
}
