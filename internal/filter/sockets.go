package filter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// TCPState is the state of a TCP socket, by the kernel's number.
type TCPState uint8

// The states of TCP sockets. A listener is not a connection and is never reported.
const (
	Established TCPState = iota + 1
	SynSent
	SynReceived
	FinWait1
	FinWait2
	TimeWait
	Closed
	CloseWait
	LastAck
	Listening
	Closing
)

// Conn is a connection that this host's kernel has.
type Conn struct {
	Local, Remote netip.AddrPort // IPv4 as such, also when the socket is IPv6
	State         TCPState

	id socketID // for Abort
}

// ErrDiag: the kernel's list of sockets could not be read.
var ErrDiag = errors.New("no answer about sockets")

const (
	sockDiagByFamily = 20
	diagBytecode     = 1
	diagMessageSize  = 72
	maxDiagReply     = 64 << 10

	diagTimeoutSeconds = 2 // the kernel answers at once, if at all
)

// Connections lists the TCP connections to the given addresses in the calling thread's network namespace, half-open ones and those in
// TIME_WAIT included. The kernel filters, so others' sockets cost little.
func Connections(vips []netip.Addr) ([]Conn, error) {
	if len(vips) == 0 {
		return nil, nil
	}
	fd, err := openDiag()
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	wanted := map[netip.Addr]bool{}
	for _, v := range vips {
		wanted[v] = true
	}
	var all []Conn
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		if all, err = dumpSockets(fd, family, vips, wanted, all); err != nil {
			return nil, fmt.Errorf("list sockets: %w", err)
		}
	}
	return all, nil
}

func dumpSockets(fd int, family uint8, vips []netip.Addr, wanted map[netip.Addr]bool, all []Conn) ([]Conn, error) {
	if err := unix.Sendto(fd, diagRequest(family, vips), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	buffer := make([]byte, maxDiagReply)
	for {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var done bool
		if all, done, err = parseDiag(buffer[:n], wanted, all); err != nil || done {
			return all, err
		}
	}
}

// diagRequest asks for all TCP sockets but listeners.
func diagRequest(family uint8, vips []netip.Addr) []byte {
	le := binary.NativeEndian
	code := diagFilter(vips)
	b := make([]byte, 0, 128+len(code))
	b = le.AppendUint32(b, 0) // length: below
	b = le.AppendUint16(b, sockDiagByFamily)
	b = le.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	b = le.AppendUint64(b, 0) // sequence, port
	b = append(b, family, unix.IPPROTO_TCP, 0, 0)
	b = le.AppendUint32(b, ^uint32(1<<Listening))
	b = append(b, make([]byte, 48)...) // any addresses
	b = le.AppendUint16(b, uint16(4+len(code)))
	b = le.AppendUint16(b, diagBytecode)
	b = append(b, code...)
	le.PutUint32(b, uint32(len(b)))
	return b
}

// The kernel's little language for filters on sockets.
const (
	opJump        = 1
	opSourceMatch = 7

	jumpSize  = 4
	matchSize = 12 // without the address
)

// diagFilter is a program that keeps sockets whose local address is one of vips: for each, a match that goes on to a jump to the end,
// and past that jump when it fails; the last one fails to beyond the end, which means no. IPv4 matches IPv6 sockets that speak it.
func diagFilter(vips []netip.Addr) []byte {
	le := binary.NativeEndian
	rest := -jumpSize // the last match needs no jump
	for _, v := range vips {
		rest += matchSize + v.BitLen()/8 + jumpSize
	}
	var b []byte
	for _, v := range vips {
		family, size := unix.AF_INET, matchSize+v.BitLen()/8
		if v.Is6() {
			family = unix.AF_INET6
		}
		b = append(b, opSourceMatch, uint8(size))
		b = le.AppendUint16(b, uint16(size+jumpSize))
		b = append(b, uint8(family), uint8(v.BitLen()), 0, 0)
		b = le.AppendUint32(b, ^uint32(0)) // any port
		b = append(b, v.AsSlice()...)
		if rest -= size + jumpSize; rest > 0 {
			b = append(b, opJump, jumpSize)
			b = le.AppendUint16(b, uint16(jumpSize+rest))
		}
	}
	return b
}

// parseDiag reads the netlink messages of one datagram. done: the list is complete.
func parseDiag(b []byte, wanted map[netip.Addr]bool, all []Conn) (_ []Conn, done bool, err error) {
	le := binary.NativeEndian
	for len(b) >= unix.NLMSG_HDRLEN {
		size := int(le.Uint32(b))
		if size < unix.NLMSG_HDRLEN || size > len(b) {
			return all, false, fmt.Errorf("%w: message of %d bytes in %d", ErrDiag, size, len(b))
		}
		kind, body := le.Uint16(b[4:]), b[unix.NLMSG_HDRLEN:size]
		b = b[min((size+3)&^3, len(b)):]
		switch kind {
		case unix.NLMSG_DONE:
			return all, true, nil
		case unix.NLMSG_ERROR:
			return all, false, diagError(body)
		case sockDiagByFamily:
			if c, ok := parseSocket(body); ok && wanted[c.Local.Addr()] {
				all = append(all, c)
			}
		}
	}
	return all, false, nil
}

func diagError(body []byte) error {
	if len(body) < 4 {
		return fmt.Errorf("%w: short error", ErrDiag)
	}
	if code := int32(binary.NativeEndian.Uint32(body)); code < 0 {
		return fmt.Errorf("%w: %w", ErrDiag, unix.Errno(-code))
	}
	return fmt.Errorf("%w: unexpected acknowledgement", ErrDiag)
}

// parseSocket reads a struct inet_diag_msg.
func parseSocket(b []byte) (Conn, bool) {
	if len(b) < diagMessageSize {
		return Conn{}, false
	}
	address := func(at int) netip.Addr {
		if b[0] == unix.AF_INET {
			return netip.AddrFrom4([4]byte(b[at : at+4]))
		}
		return netip.AddrFrom16([16]byte(b[at : at+16])).Unmap()
	}
	c := Conn{
		Local:  netip.AddrPortFrom(address(8), binary.BigEndian.Uint16(b[4:])),
		Remote: netip.AddrPortFrom(address(24), binary.BigEndian.Uint16(b[6:])),
		State:  TCPState(b[1]),
		id:     socketID{family: b[0], id: [socketIDSize]byte(b[4:])},
	}
	return c, c.State != Listening
}
