package agent_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/muster-ha/muster/internal/lab"
)

// forger is a MAC that no host has.
var forger = []byte{0x02, 0x66, 0x66, 0x66, 0x66, 0x66}

// forged says, by every protocol that names a neighbour or a member, that the VIPs and their groups are a stranger's business.
func forged() map[string][]byte {
	all := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	four, six := lab.VIP().Addr().AsSlice(), lab.VIP6().Addr().AsSlice()
	arp := func(operation byte) []byte {
		return slices.Concat(all, forger, []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, operation}, forger, four, all, four)
	}
	message := slices.Concat([]byte{136, 0, 0, 0, 0x20, 0, 0, 0}, six, []byte{2, 1}, forger) // a neighbour advertisement that overrides
	nodes := netip.MustParseAddr("ff02::1").AsSlice()
	pseudo := slices.Concat(six, nodes, []byte{0, 0, 0, byte(len(message)), 0, 0, 0, 58}, message)
	binary.BigEndian.PutUint16(message[2:], internetSum(pseudo))
	na := slices.Concat([]byte{0x33, 0x33, 0, 0, 0, 1}, forger, []byte{0x86, 0xdd, 0x60, 0, 0, 0, 0, byte(len(message)), 58, 255}, six, nodes, message)
	return map[string][]byte{"ARP request": arp(1), "ARP reply": arp(2), "neighbour advertisement": na,
		"IGMP leave": igmp("224.0.0.2", 0x17), "IGMP query": igmp("224.0.0.1", 0x11)}
}

// conflicts counts what a host's filter has seen of claims to a VIP.
func conflicts(t *testing.T, h *lab.Host) (arp, nd uint64) {
	c := status(t, h).Filter.Counters
	return c["arp_conflict"], c["nd_conflict"]
}

// answering waits until all hosts serve both VIPs: whoever claims one before the hosts have asked for it has it first, and keeps it.
func answering(t *testing.T, l *lab.Lab) {
	t.Helper()
	mustServe(t, l, "a", "b", "c")
	mustServeAt(t, l, target6(7), "a", "b", "c")
}

func TestForgedARPNAAndIGMPAreCountedAndChangeNoOwnership(t *testing.T) {
	l := farm(t, sixFarm)
	answering(t, l)
	before := ready(t, l)
	a := l.Host("a")
	owners := fmt.Sprint(status(t, a).VIPs[0].Director, status(t, a).VIPs[0].Rules[0].Owners, status(t, a).VIPs[1].Director)
	port := clientPort(t, l)
	defer port.Close()
	const times = 20
	for range times {
		for what, frame := range forged() {
			if err := port.Send(frame); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
	}
	for _, h := range l.Hosts() {
		eventually(t, patience, "host "+h.Name()+" has counted", func() error {
			if arp, nd := conflicts(t, h); arp < 2*times || nd < times {
				return fmt.Errorf("%d by ARP and %d by ND, of %d and %d", arp, nd, 2*times, times)
			}
			return nil
		})
	}
	work(t)
	s := status(t, a)
	if after := fmt.Sprint(s.VIPs[0].Director, s.VIPs[0].Rules[0].Owners, s.VIPs[1].Director); after != owners {
		t.Errorf("owners are %s, were %s", after, owners)
	}
	if epoch := ready(t, l); epoch != before {
		t.Errorf("the view changed from %d to %d", before, epoch)
	}
	answering(t, l)
}
