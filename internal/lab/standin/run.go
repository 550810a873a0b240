package standin

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
)

const (
	port     = 3343
	interval = 50 * time.Millisecond
	silence  = time.Second // generous: tests run beside others on slow machines
)

// peer is what was last heard of a host.
type peer struct {
	heard   time.Time
	drained bool
}

type message struct {
	name string
	word string
}

// run tells the others every interval that this host lives, and moves the address.
func (a *agent) run(ctx context.Context) error {
	if err := a.read(); err != nil {
		return err
	}
	_ = os.Remove(a.statusPath()) // of a predecessor that was killed
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: a.peers[a.host].AsSlice(), Port: port})
	if err != nil {
		return err
	}
	defer conn.Close()
	heard := make(chan message)
	go listen(ctx, conn, heard)
	a.alive, a.began = make(map[string]peer), time.Now()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			a.say(conn, "bye")
			return a.give()
		case m := <-heard:
			a.hear(m)
		case <-tick.C:
			if err := a.tick(conn); err != nil {
				return err
			}
		}
	}
}

func listen(ctx context.Context, conn *net.UDPConn, heard chan<- message) {
	var buffer [64]byte
	for {
		n, err := conn.Read(buffer[:])
		if err != nil {
			return
		}
		name, word, _ := strings.Cut(string(buffer[:n]), " ")
		select {
		case heard <- message{name, word}:
		case <-ctx.Done():
			return
		}
	}
}

func (a *agent) hear(m message) {
	if m.word == "bye" {
		delete(a.alive, m.name)
		return
	}
	a.alive[m.name] = peer{time.Now(), m.word == "drained"}
}

func (a *agent) say(conn *net.UDPConn, word string) {
	for name, address := range a.peers {
		if name != a.host {
			_, _ = conn.WriteToUDPAddrPort([]byte(a.host+" "+word), netip.AddrPortFrom(address, port))
		}
	}
}

func (a *agent) tick(conn *net.UDPConn) error {
	word := "serving"
	if _, err := os.Stat(a.drainPath(a.host)); err == nil {
		word = "drained"
	}
	a.say(conn, word)
	a.hear(message{a.host, word})
	for name, p := range a.alive {
		if time.Since(p.heard) > silence {
			delete(a.alive, name)
		}
	}
	if time.Since(a.began) <= silence {
		return nil // others may be there that were not heard yet
	}
	if err := a.place(); err != nil {
		return err
	}
	return a.write()
}

// place takes the address if this host is the first that serves, and gives it away if not.
func (a *agent) place() error {
	for _, name := range a.names() {
		if p, ok := a.alive[name]; ok && !p.drained {
			if name == a.host {
				return a.take()
			}
			break
		}
	}
	return a.give()
}

func (a *agent) take() error {
	if a.has {
		return nil
	}
	a.has = true
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	if err := netlink.AddrReplace(link, a.netlinkAddr()); err != nil {
		return fmt.Errorf("take address: %w", err)
	}
	return a.announce(link.Attrs())
}

func (a *agent) give() error {
	if !a.has {
		return nil
	}
	a.has = false
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	return netlink.AddrDel(link, a.netlinkAddr())
}

func (a *agent) netlinkAddr() *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: a.vip.Addr().AsSlice(), Mask: net.CIDRMask(a.vip.Bits(), 32)}}
}

// announce tells everybody on the network whose the address is now, with a gratuitous ARP request.
func (a *agent) announce(link *netlink.LinkAttrs) error {
	const arp = 0x0806
	conn, err := packet.Listen(&net.Interface{Index: link.Index, Name: link.Name}, packet.Raw, arp, nil)
	if err != nil {
		return fmt.Errorf("announce address: %w", err)
	}
	defer conn.Close()
	broadcast := net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	frame := append(append([]byte{}, broadcast...), link.HardwareAddr...)
	frame = append(frame, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1)
	frame = append(append(frame, link.HardwareAddr...), a.vip.Addr().AsSlice()...)
	frame = append(append(frame, 0, 0, 0, 0, 0, 0), a.vip.Addr().AsSlice()...)
	_, err = conn.WriteTo(frame, &packet.Addr{HardwareAddr: broadcast})
	return err
}
