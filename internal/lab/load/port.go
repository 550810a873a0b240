package load

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// portWatch learns the local port of a connection attempt, of one that fails too: which host it was for depends on the port.
// The port is chosen by connect, and after a failure the socket is closed before anyone can ask, so it keeps a second descriptor.
type portWatch struct{ fd int }

// control is for net.Dialer.Control.
func (p *portWatch) control(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) { p.fd, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3) })
	return errors.Join(err, failed)
}

// read returns the port and lets go of the socket; 0 if there is none.
func (p *portWatch) read() uint16 {
	if p.fd <= 0 {
		return 0
	}
	defer unix.Close(p.fd)
	address, err := unix.Getsockname(p.fd)
	if err != nil {
		return 0
	}
	switch a := address.(type) {
	case *unix.SockaddrInet4:
		return uint16(a.Port)
	case *unix.SockaddrInet6:
		return uint16(a.Port)
	}
	return 0
}
