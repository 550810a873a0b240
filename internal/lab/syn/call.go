package syn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
)

// ErrNoAnswer: the VIP has not answered in time.
var ErrNoAnswer = errors.New("no answer from the VIP")

// again is how often a segment is sent until it is answered.
const again = 50 * time.Millisecond

// Caller is a stranger that makes handshakes by hand.
type Caller struct {
	*sender
	to      net.HardwareAddr
	vip     netip.AddrPort
	address netip.Addr
	buffer  []byte
}

// Call is a handshake of which the VIP's answer has come.
type Call struct {
	caller   *Caller
	port     uint16
	sequence uint32 // ours, behind the SYN
	theirs   uint32 // the number that has to be acknowledged: a cookie under a flood
}

// CallerAddress is the source of all callers.
func CallerAddress() netip.Addr { return netip.AddrFrom4([4]byte{10, 66, 0, 1}) }

// NewCaller opens a caller on a node. The hosts need a ReturnPath to it.
func NewCaller(n *lab.Node, to net.HardwareAddr, vip netip.AddrPort) (*Caller, error) {
	s, err := openSender(n)
	if err != nil {
		return nil, err
	}
	c := &Caller{sender: s, to: to, vip: vip, address: CallerAddress(), buffer: make([]byte, 2048)}
	if err := c.listen(); err != nil {
		s.close()
		return nil, fmt.Errorf("listen for the VIP's answers: %w", err)
	}
	return c, nil
}

// Close ends the caller.
func (c *Caller) Close() { c.close() }

// listen makes the kernel hand us what is sent to the caller and nothing else: a flood's answers would bury it.
func (c *Caller) listen() error {
	a := c.address.As4()
	program, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.ETH_P_IP, SkipTrue: 3},
		bpf.LoadAbsolute{Off: ipAt + 16, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(a[:]), SkipTrue: 1},
		bpf.RetConstant{Val: 2048},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(program))
	for i, p := range program {
		filter[i] = unix.SockFilter{Code: p.Op, Jt: p.Jt, Jf: p.Jf, K: p.K}
	}
	if err := unix.SetsockoptSockFprog(c.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}); err != nil {
		return err
	}
	if err := unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: again.Microseconds()}); err != nil {
		return err
	}
	return unix.Bind(c.fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_IP), Ifindex: c.at.Ifindex})
}

// Begin sends a SYN from each of the ports and waits for the answers, for each as long as the limit.
func (c *Caller) Begin(limit time.Duration, ports ...uint16) ([]Call, error) {
	var calls []Call
	for _, port := range ports {
		call := Call{caller: c, port: port, sequence: rand.Uint32()}
		a, err := call.until(flagSYN, limit, func(a answer) bool { return a.flags == flagSYN|flagACK && a.acknowledge == call.sequence+1 })
		if err != nil {
			return calls, err
		}
		call.sequence, call.theirs = a.acknowledge, a.sequence+1
		calls = append(calls, call)
	}
	return calls, nil
}

// Finish sends the last segment of the handshake and waits for the first data, which a service that greets sends.
func (call Call) Finish(limit time.Duration) error {
	_, err := call.until(flagACK, limit, func(a answer) bool { return a.data > 0 })
	return err
}

// until sends a segment again and again until the answer is good.
func (call Call) until(flags byte, limit time.Duration, good func(answer) bool) (answer, error) {
	c := call.caller
	frame := segment{from: netip.AddrPortFrom(c.address, call.port), to: c.vip, sequence: call.sequence, acknowledge: call.theirs, flags: flags}.bytes(c.to, c.mac)
	var last answer
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if err := c.send(frame); err != nil {
			return last, err
		}
		for next := time.Now().Add(again); time.Now().Before(next); {
			n, _, err := unix.Recvfrom(c.fd, c.buffer, 0)
			if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
				break
			}
			if err != nil {
				return last, fmt.Errorf("receive frame: %w", err)
			}
			a, ok := parse(c.buffer[:n], c.vip, c.address)
			if !ok || a.port != call.port {
				continue
			}
			if last = a; good(a) {
				return a, nil
			}
			if a.flags&flagRST != 0 {
				return a, fmt.Errorf("port %d: reset: %w", call.port, ErrNoAnswer)
			}
		}
	}
	return last, fmt.Errorf("port %d: %w within %v (last: flags %#x)", call.port, ErrNoAnswer, limit, last.flags)
}

// bigEndian gives a number to the kernel in the network's order.
func bigEndian(n uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n))
}
