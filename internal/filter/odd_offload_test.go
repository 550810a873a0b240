package filter

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestMergedSegmentsAreDecidedAtOnce: cards and kernels hand up many segments as one packet, some above 64 KiB, whose headers then say that
// they are of no length. They are accepted and forwarded as they are. Without datagram_length's look at that, the large ones are
// dropped as malformed, and the upload crawls.
func TestMergedSegmentsAreDecidedAtOnce(t *testing.T) {
	const upload = 64 << 20
	for name, c := range map[string]struct{ limit, least int }{"ordinary": {0, 8 << 10}, "above 64 KiB": {185_000, 65_536}} {
		t.Run(name, func(t *testing.T) {
			f := oddFarm(t, 2, false)
			f.own(alone(1)) // the director forwards everything
			f.serveSinks()
			if c.limit > 0 {
				f.merge(c.limit)
			}
			took := f.upload(upload)
			forwarded, accepted := f.counters(0), f.counters(1)
			if n := forwarded.Of(DropMalformed) + accepted.Of(DropMalformed); n > 0 {
				t.Errorf("%d packets were taken for malformed", n)
			}
			// Acknowledgements of the answer and a beginning with small windows are in it: most of the bytes came in large packets all the same.
			packets := forwarded.Of(ForwardOwner)
			t.Logf("%d packets of %d bytes on average in %v", packets, upload/int(packets), took)
			if mean := upload / int(packets); mean < c.least {
				t.Errorf("%d bytes a packet on average, want %d: nothing was merged", mean, c.least)
			}
		})
	}
}

// serveSinks reads whatever comes to the second port and says how much that was.
func (f *farm) serveSinks() {
	f.t.Helper()
	for _, h := range f.hosts {
		var l net.Listener
		h.do(func() (err error) {
			l, err = net.Listen("tcp4", netip.AddrPortFrom(testVIP, testPort+1).String())
			return err
		})
		f.t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					n, _ := io.Copy(io.Discard, c)
					fmt.Fprintln(c, n)
				}()
			}
		}()
	}
}

// upload sends so many bytes to the VIP and checks that as many have come.
func (f *farm) upload(size int) time.Duration {
	f.t.Helper()
	start := time.Now()
	c, err := f.dial(testPort+1, 3*time.Second)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := c.SetDeadline(start.Add(20 * time.Second)); err != nil {
		f.t.Fatal(err)
	}
	chunk := make([]byte, 1<<20)
	for sent := 0; sent < size; sent += len(chunk) {
		if _, err := c.Write(chunk); err != nil {
			f.t.Fatalf("after %d bytes: %v", sent, err)
		}
	}
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		f.t.Fatal(err)
	}
	line, err := c.in.ReadString('\n')
	if err != nil || line != strconv.Itoa(size)+"\n" {
		f.t.Fatalf("the host has read %q of %d bytes: %v", line, size, err)
	}
	return time.Since(start)
}

// merge lets packets grow up to a limit everywhere on their way.
func (f *farm) merge(limit int) {
	f.t.Helper()
	set := func(name string) error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetGSOIPv4MaxSize(l, limit); err != nil {
			return err
		}
		return netlink.LinkSetGROIPv4MaxSize(l, limit)
	}
	for _, n := range []*node{f.client, f.hosts[0].node, f.hosts[1].node} {
		f.bridge.do(func() error { return set("p-" + n.name) })
		n.do(func() error { return set("eth0") })
		n.do(func() error {
			return os.WriteFile("/proc/sys/net/ipv4/tcp_wmem", []byte("4096 4000000 8000000"), 0o644)
		})
		n.do(func() error {
			return os.WriteFile("/proc/sys/net/ipv4/tcp_rmem", []byte("4096 4000000 8000000"), 0o644)
		})
	}
	f.bridge.do(func() error { return set("br0") })
}

// TestDatagramsSentAtOnce: a client's kernel hands many datagrams to the card as one (UDP_SEGMENT). All reach the host that the first belongs to.
func TestDatagramsSentAtOnce(t *testing.T) {
	const size, count, clients = 1400, 10, 8
	ways(t, func(t *testing.T, all bool) {
		f := oddFarm(t, 2, all)
		f.serveDatagrams()
		split := map[string]int{}
		for range clients {
			c, one := f.datagrams(), randomBytes(size)
			raw, err := c.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			if e := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT, size) }); e != nil || err != nil {
				t.Fatal(e, err)
			}
			var sent []byte
			for range count {
				sent = append(sent, one...)
			}
			if _, err := c.Write(sent); err != nil {
				t.Fatal(err)
			}
			for range count {
				host, err := received(c, one)
				if err != nil {
					t.Error(err)
					break
				}
				split[host]++
			}
		}
		if split["h0"]+split["h1"] != count*clients || split["h0"]%count != 0 || split["h0"] == 0 || split["h1"] == 0 {
			t.Errorf("split %v: want all datagrams of a client at one host, and both hosts", split)
		}
	})
}
