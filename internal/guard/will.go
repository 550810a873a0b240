package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxMessage bounds what the guard reads at a time: 31 farewells on each of 16 networks, with room to spare.
const maxMessage = 256 << 10

// ErrNoWill says that the pipe ended before the agent had said what to do.
var ErrNoWill = errors.New("the agent ended before its guard was told what to do")

// Will is what the guard does when its agent dies.
type Will struct {
	PinDir    string     // the filter's directory, whose lease is taken away
	Farewells []Farewell // sent several times each, after the lease is taken away and not otherwise
}

// Farewell is one sealed datagram, and the way that it goes.
type Farewell struct {
	Way
	To       netip.AddrPort
	Datagram []byte
}

// Way is what a datagram leaves by.
type Way struct {
	Local  netip.AddrPort // its source; port 0: any
	Device string         // the interface; empty: what the routes say
}

// dismissal is what the agent writes when it leaves in good order. Anything else, an end of the pipe above all, is a death.
const dismissal = "dismissed"

// message is what travels through the pipe: the will first, then perhaps other wills in its place, then perhaps a dismissal.
type message struct {
	Will    *Will  `json:",omitempty"`
	Dismiss string `json:",omitempty"`
}

// wait reads wills until there is something else, and reports the last of them and whether the agent died after it. A will that was cut
// short does not count: the one before is still good.
func wait(r io.Reader) (will Will, died bool, err error) {
	limited := &io.LimitedReader{R: r}
	dec := json.NewDecoder(limited)
	for known := false; ; known = true {
		limited.N = maxMessage
		var m message
		err := dec.Decode(&m)
		switch {
		case err == nil && m.Will != nil:
			will = *m.Will
		case !known:
			return Will{}, false, ErrNoWill
		default:
			return will, err != nil || m.Dismiss != dismissal, nil
		}
	}
}

// repeats are the pauses before each round of farewells: one datagram may be lost, three in 20 ms hardly.
var repeats = [...]time.Duration{0, 5 * time.Millisecond, 15 * time.Millisecond}

// execute carries out the will: the lease first, so that nothing is accepted here when the others take over. A way that is gone keeps
// no farewell from going by another.
func execute(w Will, revoke func(pinDir string) error) error {
	revoked := revoke(w.PinDir)
	if revoked != nil {
		// Saying goodbye while the kernel still accepts would put two owners on one bucket: let silence and lease do it.
		return fmt.Errorf("revoke lease in %s: %w", w.PinDir, revoked)
	}
	sockets, failed := open(w.Farewells)
	for _, conn := range sockets {
		defer conn.Close()
	}
	for _, pause := range repeats {
		time.Sleep(pause)
		for _, f := range w.Farewells {
			conn := sockets[f.Way]
			if conn == nil {
				continue
			}
			if _, err := conn.WriteTo(f.Datagram, net.UDPAddrFromAddrPort(f.To)); err != nil {
				failed = fmt.Errorf("send farewell to %s: %w", f.To, err)
			}
		}
	}
	return failed
}

// open makes a socket for each way that can be gone. The error is of those that cannot.
func open(list []Farewell) (map[Way]net.PacketConn, error) {
	sockets := map[Way]net.PacketConn{}
	var failed error
	for _, f := range list {
		if _, done := sockets[f.Way]; done {
			continue
		}
		listen := net.ListenConfig{Control: f.bind}
		conn, err := listen.ListenPacket(context.Background(), "udp", f.Local.String())
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("open socket on %s %s for farewells: %w", f.Local, f.Device, err))
			conn = nil
		}
		sockets[f.Way] = conn
	}
	maps.DeleteFunc(sockets, func(_ Way, conn net.PacketConn) bool { return conn == nil })
	return sockets, failed
}

// bind keeps a socket on its interface.
func (w Way) bind(_, _ string, raw syscall.RawConn) error {
	if w.Device == "" {
		return nil
	}
	var failed error
	err := raw.Control(func(fd uintptr) { failed = unix.BindToDevice(int(fd), w.Device) })
	return errors.Join(err, failed)
}

// Main is the guard process: it returns when the agent has ended, after carrying out its will if it died. r is the agent's pipe, and revoke takes away
// the lease of the filter that is pinned in a directory. The error is ErrNoWill, or that the lease could not
// be taken away, and then no farewell was said, or the last farewell that could not be sent; the others were.
func Main(r io.Reader, revoke func(pinDir string) error) (died bool, err error) {
	will, died, err := wait(r)
	if err != nil || !died {
		return died, err
	}
	return true, execute(will, revoke)
}
