package agent_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/lab"
)

// pinned makes a client believe in a MAC of the VIP, whatever it hears: a neighbour with an old entry, or a router with a static one.
func pinned(t *testing.T, c *lab.Node, mac string) {
	t.Helper()
	err := c.Do(func() error {
		hardware, err := net.ParseMAC(mac)
		if err != nil {
			return err
		}
		eth, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return netlink.NeighSet(&netlink.Neigh{LinkIndex: eth.Attrs().Index, IP: lab.VIP().Addr().AsSlice(), HardwareAddr: hardware, State: netlink.NUD_PERMANENT})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Who knows the VIP by the MAC of the mode before, or by a host's own, goes on; also while an agent is started again, which forgets nothing.
func TestChangeOfDeliveryLeavesNobodyBehind(t *testing.T) {
	l := farmWithBystander(t, delivery.Multicast)
	late := l.Client(2)
	reached := func(t *testing.T, mac string) {
		t.Helper()
		pinned(t, late, mac)
		seen := map[string]bool{}
		for range 30 {
			name, err := dialFrom(late, 0, target(7), 3*time.Second)
			if err != nil {
				t.Fatalf("to %s: %v", mac, err)
			}
			seen[name] = true
		}
		if len(seen) != 3 {
			t.Errorf("to %s: served by %v, want three hosts", mac, seen)
		}
	}
	before := delivery.Multicast
	for _, m := range []delivery.Mode{delivery.IGMP, delivery.Unicast, delivery.Directed} {
		t.Run(fmt.Sprintf("%v to %v", before, m), func(t *testing.T) {
			old := targetOf(before).MAC.String()
			deliver(t, l, before, m)
			before = m
			reached(t, old)
			for _, h := range l.Hosts() {
				reached(t, macOf(t, h))
			}
			kill(t, l.Host("b"))
			start(t, l, "b")
			reached(t, old)
			if s := status(t, l.Host("b")).VIPs[0]; s.FormerMAC != old {
				t.Errorf("the agent that was started again takes in %q of before, want %s", s.FormerMAC, old)
			}
		})
	}
}

// One answer comes back for each echo request, also when the director's agent has been killed and its kernel does not know that.
func TestOnePingOneAnswerInEveryDelivery(t *testing.T) {
	l := farm(t, ofMode(delivery.Unicast))
	before := delivery.Unicast
	for _, m := range []delivery.Mode{delivery.Unicast, delivery.Multicast, delivery.IGMP} {
		t.Run(m.String(), func(t *testing.T) {
			if m != before {
				deliver(t, l, before, m)
				before = m
			}
			told(t, l, targetOf(m).MAC.String())
			answeredOnce(t, l)
			director := status(t, l.Host("a")).VIPs[0].Director
			kill(t, l.Host(director))
			for _, h := range l.Hosts() {
				if h.Name() != director {
					eventually(t, patience, "another director", func() error {
						s, err := ask(h)
						if err == nil && (s.VIPs[0].Director == director || s.VIPs[0].Director == "") {
							return fmt.Errorf("it is %q", s.VIPs[0].Director)
						}
						return err
					})
				}
			}
			answeredOnce(t, l)
			start(t, l, director)
		})
	}
}

// answeredOnce sends echo requests and counts what comes back.
func answeredOnce(t *testing.T, l *lab.Lab) {
	t.Helper()
	const requests = 5
	answers := 0
	err := l.Client(1).Do(func() error {
		conn, err := net.DialIP("ip4:icmp", nil, &net.IPAddr{IP: lab.VIP().Addr().AsSlice()})
		if err != nil {
			return err
		}
		defer conn.Close()
		for n := range byte(requests) {
			if _, err := conn.Write(echoRequest(n)); err != nil {
				return err
			}
		}
		buffer := make([]byte, 256)
		for {
			if err := conn.SetReadDeadline(time.Now().Add(settle)); err != nil {
				return err
			}
			size, _, err := conn.ReadFrom(buffer) // without the IP header
			if err != nil {
				return nil // all that came
			}
			if size > 0 && buffer[0] == 0 {
				answers++
			}
		}
	})
	if err != nil || answers != requests {
		t.Errorf("%d answers to %d echo requests, %v", answers, requests, err)
	}
}

// echoRequest is one with its checksum (RFC 792).
func echoRequest(n byte) []byte {
	b := []byte{8, 0, 0, 0, 'm', 'u', 0, n}
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	binary.BigEndian.PutUint16(b[2:], ^uint16(sum+sum>>16))
	return b
}
