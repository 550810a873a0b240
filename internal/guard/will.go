package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
)

// maxWill bounds what the guard reads: 32 farewells of at most 1.5 KB, base64, with room to spare.
const maxWill = 256 << 10

// ErrNoWill says that the pipe ended before the agent had said what to do.
var ErrNoWill = errors.New("the agent ended before its guard was told what to do")

// Will is what the guard does when its agent dies.
type Will struct {
	PinDir    string         // the filter's directory, whose lease is taken away
	Local     netip.AddrPort // source of the farewells; port 0: any
	Farewells []Farewell
}

// Farewell is one sealed datagram.
type Farewell struct {
	To       netip.AddrPort
	Datagram []byte
}

// dismissal is what the agent writes when it leaves in good order. Anything else, an end of the pipe above all, is a death.
const dismissal = "dismissed"

// message is what travels through the pipe: the will first, then perhaps a dismissal.
type message struct {
	Will    *Will  `json:",omitempty"`
	Dismiss string `json:",omitempty"`
}

// wait reads the will and reports whether the agent died after that.
func wait(r io.Reader) (Will, bool, error) {
	dec := json.NewDecoder(io.LimitReader(r, maxWill))
	var first message
	if err := dec.Decode(&first); err != nil || first.Will == nil {
		return Will{}, false, ErrNoWill
	}
	var last message
	if err := dec.Decode(&last); err == nil && last.Dismiss == dismissal {
		return *first.Will, false, nil
	}
	return *first.Will, true, nil
}

// repeats are the pauses before each round of farewells: one datagram may be lost, three in 20 ms hardly.
var repeats = [...]time.Duration{0, 5 * time.Millisecond, 15 * time.Millisecond}

// execute carries out the will: the lease first, so that nothing is accepted here when the others take over.
func execute(w Will, revoke func(pinDir string) error) error {
	revoked := revoke(w.PinDir)
	if revoked != nil {
		// Saying goodbye while the kernel still accepts would put two owners on one bucket: let silence and lease do it.
		return fmt.Errorf("revoke lease in %s: %w", w.PinDir, revoked)
	}
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(w.Local))
	if err != nil {
		return fmt.Errorf("open socket on %s for farewells: %w", w.Local, err)
	}
	defer conn.Close()
	var failed error
	for _, pause := range repeats {
		time.Sleep(pause)
		for _, f := range w.Farewells {
			if _, err := conn.WriteToUDPAddrPort(f.Datagram, f.To); err != nil {
				failed = fmt.Errorf("send farewell to %s: %w", f.To, err)
			}
		}
	}
	return failed
}

// Main is the guard process: it returns when the agent has ended, after carrying out its will if it died.
func Main(r io.Reader, revoke func(pinDir string) error) (died bool, err error) {
	will, died, err := wait(r)
	if err != nil || !died {
		return died, err
	}
	return true, execute(will, revoke)
}
