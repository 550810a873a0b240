package agent_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
)

// unicast is a farm whose hosts send each other every heartbeat at one port, where it can be recorded.
func unicast(t *testing.T) *lab.Lab {
	t.Helper()
	return farm(t, strings.Replace(lab.DefaultConfig, "\nvips:", "\nheartbeat: {multicast: {disabled: true}}\nvips:", 1))
}

// recorded is what one host sent to another: UDP payloads as they were on the wire.
func recorded(t *testing.T, at, from *lab.Host, n int) [][]byte {
	t.Helper()
	conn := capture(t, at.Node, unix.ETH_P_IP)
	defer conn.Close()
	var list [][]byte
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for frame := make([]byte, 2048); len(list) < n; {
		size, _, err := conn.ReadFrom(frame)
		if err != nil {
			t.Fatal(err)
		}
		if payload := heartbeatOf(frame[:size], from.Address()); payload != nil {
			list = append(list, bytes.Clone(payload))
		}
	}
	return list
}

// heartbeatOf is the payload of a frame that carries a datagram of the hosts from an address; nil otherwise.
func heartbeatOf(frame []byte, from netip.Addr) []byte {
	const ethernet, ip, udp = 14, 20, 8
	if len(frame) < ethernet+ip+udp || frame[ethernet+9] != unix.IPPROTO_UDP ||
		!bytes.Equal(frame[ethernet+12:ethernet+16], from.AsSlice()) ||
		binary.BigEndian.Uint16(frame[ethernet+ip+2:]) != lab.HeartbeatPort {
		return nil
	}
	return frame[ethernet+ip+udp:]
}

// throw sends datagrams from a client to a host's heartbeat port.
func throw(t *testing.T, l *lab.Lab, to *lab.Host, datagrams [][]byte) {
	t.Helper()
	hurl(t, l, to, datagrams, time.Millisecond) // not to overflow the socket: what is lost there is counted nowhere
}

// hurl is throw with a pause after each datagram.
func hurl(t *testing.T, l *lab.Lab, to *lab.Host, datagrams [][]byte, pause time.Duration) {
	t.Helper()
	err := l.Client(1).Do(func() error {
		conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.Address(), lab.HeartbeatPort)))
		if err != nil {
			return err
		}
		defer conn.Close()
		for _, d := range datagrams {
			if _, err := conn.Write(d); err != nil {
				return err
			}
			time.Sleep(pause)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// altered is every datagram with one byte changed.
func altered(list [][]byte, at int, change func(byte) byte) [][]byte {
	out := make([][]byte, len(list))
	for i, d := range list {
		out[i] = bytes.Clone(d)
		out[i][at] = change(out[i][at])
	}
	return out
}

func cut(list [][]byte, to int) [][]byte {
	out := make([][]byte, len(list))
	for i, d := range list {
		out[i] = d[:to]
	}
	return out
}

func random(n, size int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = make([]byte, size)
		_, _ = rand.Read(out[i])
	}
	return out
}

// flip is certain to change a byte.
func flip(b byte) byte { return b ^ 0x55 }

func TestBadDatagramsAreCountedAndChangeNothing(t *testing.T) {
	const n = 50
	l := unicast(t)
	a, b := l.Host("a"), l.Host("b")
	wire := recorded(t, a, b, n)
	future := altered(wire, 32, flip) // a sequence number far ahead: no replay, so the seal has to tell
	before := ready(t, l)
	for _, attack := range []struct {
		name   string
		sent   [][]byte
		reason string
	}{
		{"random", random(n, 300), "magic"},
		{"empty", make([][]byte, n), "short"},
		{"cut within the header", cut(wire, 20), "short"},
		{"cut within the seal, of a number to come", cut(future, 80), "seal"},
		{"a number to come", future, "seal"},
		{"other version", altered(wire, 4, func(byte) byte { return 2 }), "version"},
		{"other cluster", altered(wire, 11, flip), "cluster"},
		{"another sender", altered(wire, 19, func(b byte) byte { return b ^ 3 }), "seal"}, // b is 1, c is 2
		{"one bit of the payload", altered(wire, 60, func(b byte) byte { return b ^ 1 }), "replay"},
		{"replayed", wire, "replay"},
	} {
		t.Run(attack.name, func(t *testing.T) {
			first := status(t, a).Datagrams.Refused
			throw(t, l, a, attack.sent)
			eventually(t, patience, "all counted as "+attack.reason, func() error {
				s, err := ask(a)
				if err == nil && s.Datagrams.Refused[attack.reason] < first[attack.reason]+n {
					return fmt.Errorf("before %v, now %v", first, s.Datagrams.Refused)
				}
				return err
			})
			if s := status(t, a); s.Epoch != before || len(s.View.Members) != 3 {
				t.Errorf("view %d of %v, want still %d", s.Epoch, s.View.Members, before)
			}
		})
	}
	mustServe(t, l, "a", "b", "c")
	if epoch := ready(t, l); epoch != before {
		t.Errorf("view %d, want still %d", epoch, before)
	}
}

func TestRecordingOfAnEarlierBootChangesNothing(t *testing.T) {
	l := unicast(t)
	a, b := l.Host("a"), l.Host("b")
	old := recorded(t, a, b, 50)
	kill(t, b)
	members(t, a, "a", "c")
	gone := status(t, a)
	throw(t, l, a, old)
	eventually(t, patience, "all refused", func() error {
		s, err := ask(a)
		if err == nil && refused(s.Datagrams.Refused) < refused(gone.Datagrams.Refused)+50 {
			return fmt.Errorf("before %v, now %v", gone.Datagrams.Refused, s.Datagrams.Refused)
		}
		return err
	})
	if s := status(t, a); s.Epoch != gone.Epoch || hostIn(s, "b").State != "silent" {
		t.Errorf("view %d, host b %s; want still %d and silent", s.Epoch, hostIn(s, "b").State, gone.Epoch)
	}
	start(t, l, "b")
	back := ready(t, l)
	throw(t, l, a, old)
	mustServe(t, l, "a", "b", "c")
	if epoch := ready(t, l); epoch != back {
		t.Errorf("view %d after the recording was played to the next boot, want %d", epoch, back)
	}
}

func refused(counts map[string]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

func TestForeignAgentIsCountedAndNotHeard(t *testing.T) {
	for _, foreign := range []struct {
		name   string
		alter  func(config string) string
		reason string
	}{
		{"another secret", func(c string) string { return strings.Replace(c, "secret.key", "other.key", 1) }, "key"},
		{"another cluster", func(c string) string { return strings.Replace(c, "cluster: shop", "cluster: shoe", 1) }, "cluster"},
	} {
		t.Run(foreign.name, func(t *testing.T) {
			l := machines(t, lab.Options{Hosts: 3, Clients: 1})
			if err := l.StartWeb(); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(l.ConfigPath())
			if err != nil {
				t.Fatal(err)
			}
			other := filepath.Join(l.Dir(), "other.yaml")
			if err := os.WriteFile(other, []byte(foreign.alter(string(text))), 0o644); err != nil {
				t.Fatal(err)
			}
			muster(t, l.Host("c"), "key", "new", filepath.Join(l.Dir(), "other.key"))
			for _, name := range []string{"a", "b"} {
				if err := l.Host(name).Start(); err != nil {
					t.Fatal(err)
				}
			}
			before := members(t, l.Host("a"), "a", "b")
			startWith(t, l, l.Host("c"), other)
			members(t, l.Host("c"), "c") // its own cluster, as far as it knows
			eventually(t, patience, "its datagrams counted", func() error {
				s, err := ask(l.Host("a"))
				if err == nil && s.Datagrams.Refused[foreign.reason] < 50 {
					return fmt.Errorf("refused %v", s.Datagrams.Refused)
				}
				return err
			})
			s := status(t, l.Host("a"))
			if s.Epoch != before || hostIn(s, "c").State != "unknown" {
				t.Errorf("view %d, host c %s; want still %d and unknown", s.Epoch, hostIn(s, "c").State, before)
			}
		})
	}
}
