package filter

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hostOf exchanges a line and says who answered.
func hostOf(c net.Conn) (string, error) {
	if err := c.SetDeadline(time.Now().Add(3 * time.Second)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(c, "hello"); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	host, _, _ := strings.Cut(line, " ")
	return host, err
}

// alone gives all buckets to one host, as if nothing had been elsewhere.
func alone(owner int) func(host, bucket int) uint32 {
	return func(host, _ int) uint32 {
		if host == owner {
			return word(uint32(owner), no, no, slotOwn)
		}
		return word(uint32(owner), no, no, 0)
	}
}

// after is the state when everything has gone to a host and the other of two may still have connections.
func after(owner int) func(host, bucket int) uint32 {
	return func(host, _ int) uint32 {
		if host == owner {
			return word(uint32(owner), uint32(1-owner), no, slotOwn|slotAsk)
		}
		return word(uint32(owner), no, no, slotAsk|slotLast)
	}
}

// closedByServer ends a connection so that the server's side is left in TIME_WAIT.
func closedByServer(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := io.WriteString(c, "bye\n"); err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(3 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
		t.Fatalf("after the server closed: %q, %v", rest, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// states lists the connections that a host has to the VIP.
func (h *farmHost) states() (states []TCPState) {
	h.t.Helper()
	h.do(func() error {
		all, err := Connections([]netip.Addr{testVIP})
		for _, c := range all {
			states = append(states, c.State)
		}
		return err
	})
	return states
}

func (h *farmHost) awaits(t *testing.T, want ...TCPState) {
	t.Helper()
	within(t, 3*time.Second, h.name+"'s connections", func() error {
		if got := h.states(); fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("%v, want %v", got, want)
		}
		return nil
	})
}

// TestPortUsedAgainWhileItsLastConnectionWaits: a host closes a connection, which waits for a minute; the bucket moves, the client uses the
// port again, and the new connection is on another host. The one that waits must not swallow its segments, wherever it is on
// their way. Without SOCKET_WAITS the director does, and the client hangs.
func TestPortUsedAgainWhileItsLastConnectionWaits(t *testing.T) {
	const port = 41000
	for _, c := range []struct {
		name   string
		moves  []func(host, bucket int) uint32 // after the first connection, and after the second
		serves string
	}{
		{"at the director", []func(host, bucket int) uint32{after(1), after(1)}, "h1"},
		{"at the owner when the bucket is back", []func(host, bucket int) uint32{after(1), after(0)}, "h1"},
		{"where the bucket stays", []func(host, bucket int) uint32{alone(0), alone(0)}, "h0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := oddFarm(t, 2, false)
			f.own(alone(0))
			first, err := f.dialFrom(port, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if host, err := hostOf(first); host != "h0" {
				t.Fatalf("%q answered first: %v", host, err)
			}
			closedByServer(t, first)
			f.hosts[0].awaits(t, TimeWait)
			f.own(c.moves[0])
			second, err := f.dialFrom(port, 3*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			for i, slots := range c.moves {
				if i > 0 {
					f.own(slots)
				}
				if host, err := hostOf(second); host != c.serves || err != nil {
					t.Errorf("exchange %d: answered by %q: %v", i, host, err)
				}
			}
		})
	}
}

// TestWhatWaitsAnswersLateSegments: the client's last segment comes again because its acknowledgement was lost. Somebody answers once, or the
// client's kernel would go on for minutes: the host where the connection waits or, where a new one might be elsewhere, a reset.
func TestWhatWaitsAnswersLateSegments(t *testing.T) {
	for _, c := range []struct {
		name  string
		slots func(host, bucket int) uint32
		want  byte
	}{
		{"stayed", alone(0), ack},
		// Another connection could be on the other host, which has none: the end of the chain resets what the client has closed long ago.
		{"moved", after(1), rst},
		{"moved and back", after(0), rst},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := oddFarm(t, 2, false)
			f.own(alone(0))
			frames := f.client.listen(unix.ETH_P_ALL)
			conn, err := f.dialFrom(41000, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			closedByServer(t, conn)
			f.hosts[0].awaits(t, TimeWait)
			var last []byte
			gather(frames, 1, func(b []byte) bool {
				found := len(b) >= offTCP+20 && b[offIP+9] == ProtocolTCP && b[offTCP+13]&fin != 0 && netip.AddrFrom4([4]byte(b[offIP+12:])) == f.client.address
				if found {
					last = append(last[:0], b...)
				}
				return found
			})
			if last == nil {
				t.Fatal("the client's last segment was not seen")
			}
			f.own(c.slots)
			f.client.send(summed(last))
			answers := gather(frames, 1, func(b []byte) bool {
				return len(b) >= offTCP+20 && b[offIP+9] == ProtocolTCP && netip.AddrFrom4([4]byte(b[offIP+12:])) == testVIP
			})
			if len(answers) != 1 || answers[0][offTCP+13] != c.want {
				t.Errorf("%d answers: %x", len(answers), answers)
			}
		})
	}
}

// summed is a frame with its TCP checksum, which the kernel had left to the card.
func summed(b []byte) []byte {
	segment := b[offTCP:]
	segment[16], segment[17] = 0, 0
	pseudo := append(append([]byte{}, b[offIP+12:offIP+20]...), 0, ProtocolTCP, byte(len(segment)>>8), byte(len(segment)))
	all := append(pseudo, segment...)
	if len(all)%2 == 1 {
		all = append(all, 0)
	}
	binary.BigEndian.PutUint16(segment[16:], checksum(all))
	return b
}

// TestEveryCombinationOfFlagsIsAnsweredLikeByOneHost sends segments with all combinations of flags that belong to no connection, to the VIP and
// to one host's own address. Without the chain's one end and the guard, two hosts answer or none does.
func TestEveryCombinationOfFlagsIsAnsweredLikeByOneHost(t *testing.T) {
	ways(t, func(t *testing.T, all bool) {
		for name, slots := range map[string]func(host, bucket int) uint32{"steady": shared(2, 0), "moved": moved} {
			t.Run(name, func(t *testing.T) {
				f := oddFarm(t, 2, all)
				f.own(slots)
				f.answerTo(nobodys)
				want := f.answersToFlags(f.hosts[0].mac, f.hosts[0].address, nil)
				got := f.answersToFlags(f.way(all), testVIP, want)
				for flags := range len(want) {
					if fmt.Sprint(got[flags]) != fmt.Sprint(want[flags]) {
						t.Errorf("flags %#08b: answers with flags %08b, one host gives %08b", flags, got[flags], want[flags])
					}
				}
			})
		}
	})
}

// flagCombinations is all of FIN, SYN, RST, PSH, ACK, URG.
const flagCombinations = 64

// answersToFlags sends one segment for each combination and lists the flags of the answers to each. expected: what to wait for.
func (f *farm) answersToFlags(mac net.HardwareAddr, to netip.Addr, expected [][]byte) [][]byte {
	f.t.Helper()
	const first = 30000
	frames := f.client.listen(unix.ETH_P_IP)
	var segments [][]byte
	for i := range uint8(flagCombinations) {
		segments = append(segments, fromClient(flags(i), func(p *packet) {
			p.src, p.dst, p.from, p.to = nobodys, to, f.client.mac, mac
			p.sport, p.sequence, p.ackSeq = first+uint16(i), 1000, 2000
		}).frame())
	}
	f.client.send(segments...)
	n := 0
	for _, e := range expected {
		n += len(e)
	}
	answers := make([][]byte, flagCombinations)
	gather(frames, max(n, 1), func(b []byte) bool {
		if len(b) < offTCP+20 || b[offIP+9] != ProtocolTCP || netip.AddrFrom4([4]byte(b[offIP+12:])) != to {
			return false
		}
		if port := int(b[offTCP+2])<<8 | int(b[offTCP+3]); port >= first && port < first+flagCombinations && b[offTCP+13] != syn|ack {
			answers[port-first] = append(answers[port-first], b[offTCP+13])
			return true
		} else if port >= first && port < first+flagCombinations && len(answers[port-first]) == 0 {
			answers[port-first] = append(answers[port-first], syn|ack) // sent again and again: nobody ends the handshake
			return true
		}
		return false
	})
	return answers
}

// TestResetsFromBothSides: client and server end a connection in the same moment, while its bucket is on its way. Nothing is left on any host,
// and nobody answers a reset.
func TestResetsFromBothSides(t *testing.T) {
	const many = 20
	f := oddFarm(t, 2, false)
	var conns []*conn
	conns, _ = f.open(many)
	f.own(moved)
	for _, c := range conns {
		if _, err := io.WriteString(c, "abort\n"); err != nil {
			t.Fatal(err)
		}
		if err := c.Conn.(*net.TCPConn).SetLinger(0); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range f.hosts {
		h.awaits(t)
	}
}

// TestResetOfTheClientReachesItsHost: without the chain the host that has the connection would go on with a client that is gone.
func TestResetOfTheClientReachesItsHost(t *testing.T) {
	f := oddFarm(t, 2, false)
	conns, _ := f.open(20)
	f.own(moved)
	for _, c := range conns {
		if err := c.Conn.(*net.TCPConn).SetLinger(0); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range f.hosts {
		h.awaits(t)
	}
}

// TestOptionsOfIP: clients whose packets carry options, the longest possible too, are served by every host. With ports read at the place
// where they are without options, most find no rule.
func TestOptionsOfIP(t *testing.T) {
	const nop, record = 1, 7
	longest := append([]byte{nop, record, 39, 4}, make([]byte, 36)...)
	for name, options := range map[string][]byte{"short": {nop, nop, nop, 0}, "longest": longest} {
		t.Run(name, func(t *testing.T) {
			ways(t, func(t *testing.T, all bool) {
				f := oddFarm(t, 2, all)
				split := map[string]int{}
				for range 16 {
					c, err := f.dialWith(func(fd int) error {
						return unix.SetsockoptString(fd, unix.IPPROTO_IP, unix.IP_OPTIONS, string(options))
					})
					if err != nil {
						t.Fatal(err)
					}
					host, err := hostOf(c)
					if err != nil {
						t.Errorf("exchange: %v", err)
					}
					split[host]++
				}
				if split["h0"] == 0 || split["h1"] == 0 {
					t.Errorf("split %v: want both hosts", split)
				}
			})
		})
	}
}

// dialWith connects with a socket that has been set up first.
func (f *farm) dialWith(set func(fd int) error) (net.Conn, error) {
	f.t.Helper()
	control := func(_, _ string, raw syscall.RawConn) (err error) {
		if e := raw.Control(func(fd uintptr) { err = set(int(fd)) }); e != nil {
			return e
		}
		return err
	}
	var c net.Conn
	err := f.client.try(func() (err error) {
		d := net.Dialer{Timeout: 3 * time.Second, Control: control}
		c, err = d.Dial("tcp4", netip.AddrPortFrom(testVIP, testPort).String())
		return err
	})
	if err == nil {
		f.t.Cleanup(func() { c.Close() })
	}
	return c, err
}

// TestFastOpen: data in the first segment (RFC 7413). Hosts with one key all take it; where each has a key of its own, a client with another
// host's cookie is served all the same, with an ordinary handshake.
func TestFastOpen(t *testing.T) {
	const fastOpenConnect, fastOpen = 30, 23
	for _, c := range []struct {
		name  string
		keyed bool
	}{{"one key for all", true}, {"a key on each host", false}} {
		t.Run(c.name, func(t *testing.T) {
			f := oddFarm(t, 2, false)
			for i, h := range f.hosts {
				h.do(func() error { return sysctl("ipv4/tcp_fastopen", "3") })
				if c.keyed {
					h.do(func() error { return sysctl("ipv4/tcp_fastopen_key", "01020304-05060708-090a0b0c-0d0e0f10") })
				} else {
					h.do(func() error {
						return sysctl("ipv4/tcp_fastopen_key", fmt.Sprintf("01020304-05060708-090a0b0c-0d0e0f1%d", i))
					})
				}
				h.serveFast(fastOpen)
			}
			split := map[string]int{}
			for range 24 {
				conn, err := f.dialWith(func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, fastOpenConnect, 1) })
				if err != nil {
					t.Fatal(err)
				}
				host, err := hostOf(conn)
				if err != nil {
					t.Errorf("exchange: %v", err)
				}
				split[host]++
			}
			if split["h0"] == 0 || split["h1"] == 0 {
				t.Errorf("split %v: want both hosts", split)
			}
			for _, h := range f.hosts {
				n := h.statistic("TcpExt", "TCPFastOpenPassive")
				if c.keyed && n == 0 {
					t.Errorf("%s has taken no data in a first segment", h.name)
				}
				t.Logf("%s: %d fast, %d with another's cookie", h.name, n, h.statistic("TcpExt", "TCPFastOpenPassiveFail"))
			}
		})
	}
}

// serveFast turns fast open on for the host's listener.
func (h *farmHost) serveFast(option int) {
	h.t.Helper()
	raw, err := h.listener.(*net.TCPListener).SyscallConn()
	if err != nil {
		h.t.Fatal(err)
	}
	err = errors.Join(raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, option, 64) }), err)
	if err != nil {
		h.t.Fatal(err)
	}
}
