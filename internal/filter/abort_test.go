package filter

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestAbortEndsConnectionsAndNothingElse: both ends learn it at once, over sockets of both families, by IPv4 and IPv6; other connections, listeners and what has
// ended meanwhile stay as they are.
func TestAbortEndsConnectionsAndNothingElse(t *testing.T) {
	other4, other6 := netip.MustParseAddr("10.9.0.101"), netip.MustParseAddr("fd00:9::101")
	n := newNode(t, "host")
	for _, a := range []netip.Addr{testVIP, other4, clientIP, vip6, other6, client6} {
		n.bearVIP(a)
	}
	for _, tc := range []struct {
		name, network      string
		from, vip, another netip.Addr
	}{
		{"IPv4", "tcp4", clientIP, testVIP, other4},
		{"IPv4 at a socket of IPv6", "tcp", clientIP, testVIP, other4},
		{"IPv6", "tcp6", client6, vip6, other6},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n.do(func() error {
				l, err := net.Listen(tc.network, ":0")
				if err != nil {
					return err
				}
				t.Cleanup(func() { l.Close() })
				port := uint16(l.Addr().(*net.TCPAddr).Port)
				doomed, _ := bothEnds(t, l, tc.from, netip.AddrPortFrom(tc.vip, port))
				other, otherEnd := bothEnds(t, l, tc.from, netip.AddrPortFrom(tc.another, port))
				conns, err := Connections([]netip.Addr{tc.vip})
				if err != nil {
					return err
				}
				conns = slices.DeleteFunc(conns, func(c Conn) bool { return c.Local.Port() != port })
				if ended, err := Abort(conns); ended != 1 || err != nil {
					t.Errorf("%d connections ended, %v; want 1", ended, err)
				}
				if _, err := doomed.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("the client reads %v, want a reset", err)
				}
				if ended, err := Abort(conns); ended != 0 || err != nil {
					t.Errorf("a second time: %d connections ended, %v", ended, err)
				}
				if _, err := other.Write([]byte("x")); err != nil {
					t.Errorf("connection to another address: %v", err)
				}
				if _, err := otherEnd.Read(make([]byte, 1)); err != nil {
					t.Errorf("connection to another address: %v", err)
				}
				bothEnds(t, l, tc.from, netip.AddrPortFrom(tc.vip, port)) // the listener is there
				return nil
			})
		})
	}
}

// bothEnds makes a connection and gives its two ends. A read that waits ends by a deadline.
func bothEnds(t *testing.T, l net.Listener, from netip.Addr, to netip.AddrPort) (client, server net.Conn) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, Timeout: time.Second}
	client, err := d.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{client, server} {
		if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	return client, server
}

// TestAnswersAboutAnAbort: what is no acknowledgement is an error, and the kernel's own errors are told apart.
func TestAnswersAboutAnAbort(t *testing.T) {
	good := append(make([]byte, 16), 0, 0, 0, 0)
	good[4] = 2 // NLMSG_ERROR
	if err := acknowledged(good); err != nil {
		t.Error(err)
	}
	none := append([]byte(nil), good...)
	none[16], none[17], none[18], none[19] = 0xfe, 0xff, 0xff, 0xff // -2
	if err := acknowledged(none); !errors.Is(err, syscall.ENOENT) {
		t.Error(err)
	}
	other := append([]byte(nil), good...)
	other[4] = 3
	for _, b := range [][]byte{nil, good[:19], other} {
		if err := acknowledged(b); !errors.Is(err, ErrDiag) {
			t.Errorf("%v: %v", b, err)
		}
	}
}
