package filter

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrNoAbort: the kernel is built without CONFIG_INET_DIAG_DESTROY, so connections can only be ended by their applications.
var ErrNoAbort = errors.New("the kernel cannot close connections for others (CONFIG_INET_DIAG_DESTROY is off)")

const (
	sockDestroy  = 21 // SOCK_DESTROY of linux/sock_diag.h
	socketIDSize = 48 // struct inet_diag_sockid: ports, addresses, interface, cookie
)

// socketID is a socket as the kernel names it. Its cookie keeps a listener safe that has the same port as a connection which is gone
// meanwhile.
type socketID struct {
	family uint8
	id     [socketIDSize]byte
}

// Abort ends connections that Connections has listed, as the application could: their clients get a reset at once, and the application an error.
// Those that have ended meanwhile, or have nothing left to end (TIME_WAIT), are not counted. On an error the others are ended all the same.
func Abort(conns []Conn) (ended int, err error) {
	if len(conns) == 0 {
		return 0, nil
	}
	fd, err := openDiag()
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	var failed error
	for _, c := range conns {
		if c.State == TimeWait {
			continue
		}
		switch err := abort(fd, c.id); {
		case err == nil:
			ended++
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ESTALE):
		case errors.Is(err, unix.EOPNOTSUPP):
			return ended, ErrNoAbort
		default:
			failed = fmt.Errorf("close connection of %v to %v: %w", c.Remote, c.Local, err)
		}
	}
	return ended, failed
}

// openDiag opens the kernel's interface to sockets, with a bound on how long it may take to answer.
func openDiag() (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return -1, fmt.Errorf("open sock_diag: %w", err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: diagTimeoutSeconds}); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("bound sock_diag: %w", err)
	}
	return fd, nil
}

// abort asks for the end of one socket and waits for the answer.
func abort(fd int, s socketID) error {
	if err := unix.Sendto(fd, abortRequest(s), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	var buffer [512]byte // an acknowledgement repeats the request
	for {
		n, _, err := unix.Recvfrom(fd, buffer[:], 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		default:
			return acknowledged(buffer[:n])
		}
	}
}

// abortRequest is a struct inet_diag_req_v2 for one socket.
func abortRequest(s socketID) []byte {
	le := binary.NativeEndian
	b := make([]byte, 0, unix.NLMSG_HDRLEN+8+socketIDSize)
	b = le.AppendUint32(b, uint32(cap(b)))
	b = le.AppendUint16(b, sockDestroy)
	b = le.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	b = le.AppendUint64(b, 0) // sequence, port
	b = append(b, s.family, unix.IPPROTO_TCP, 0, 0)
	b = le.AppendUint32(b, ^uint32(0)) // in any state
	return append(b, s.id[:]...)
}

// acknowledged reads the answer to one request.
func acknowledged(b []byte) error {
	le := binary.NativeEndian
	if len(b) < unix.NLMSG_HDRLEN+4 || le.Uint16(b[4:]) != unix.NLMSG_ERROR {
		return fmt.Errorf("%w: no acknowledgement", ErrDiag)
	}
	if code := int32(le.Uint32(b[unix.NLMSG_HDRLEN:])); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}
