package agent_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/muster-ha/muster/internal/lab"
)

// forged says, by every protocol that names a neighbour or a member, that the VIPs and their groups are a stranger's business.
func forged() map[string][]byte {
	stranger := []byte{0x02, 0x66, 0x66, 0x66, 0x66, 0x66}
	all := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	four, six := lab.VIP().Addr().AsSlice(), lab.VIP6().Addr().AsSlice()
	arp := func(operation byte) []byte {
		return slices.Concat(all, stranger, []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, operation}, stranger, four, all, four)
	}
	message := slices.Concat([]byte{136, 0, 0, 0, 0x20, 0, 0, 0}, six, []byte{2, 1}, stranger) // a neighbour advertisement that overrides
	nodes := netip.MustParseAddr("ff02::1").AsSlice()
	pseudo := slices.Concat(six, nodes, []byte{0, 0, 0, byte(len(message)), 0, 0, 0, 58}, message)
	binary.BigEndian.PutUint16(message[2:], internetSum(pseudo))
	na := slices.Concat([]byte{0x33, 0x33, 0, 0, 0, 1}, stranger, []byte{0x86, 0xdd, 0x60, 0, 0, 0, 0, byte(len(message)), 58, 255}, six, nodes, message)
	return map[string][]byte{"ARP request": arp(1), "ARP reply": arp(2), "neighbour advertisement": na,
		"IGMP leave": igmp(stranger, 0x17, []byte{224, 0, 0, 2}), "IGMP query": igmp(stranger, 0x11, []byte{224, 0, 0, 1})}
}

// igmp is a message (RFC 2236) about the VIP's group.
func igmp(from []byte, kind byte, to []byte) []byte {
	message := []byte{kind, 0, 0, 0, 239, 255, 0, 100}
	binary.BigEndian.PutUint16(message[2:], internetSum(message))
	header := slices.Concat([]byte{0x46, 0xc0, 0, 32, 0, 0, 0x40, 0, 1, 2, 0, 0, 10, 77, 0, 66}, to, []byte{0x94, 4, 0, 0})
	binary.BigEndian.PutUint16(header[10:], internetSum(header))
	return slices.Concat([]byte{1, 0, 0x5e, to[1] & 0x7f, to[2], to[3]}, from, []byte{8, 0}, header, message)
}

// conflicts counts what a host's filter has seen of claims to a VIP.
func conflicts(t *testing.T, h *lab.Host) (arp, nd uint64) {
	c := status(t, h).Filter.Counters
	return c["arp_conflict"], c["nd_conflict"]
}

func TestForgedARPNAAndIGMPAreCountedAndChangeNoOwnership(t *testing.T) {
	l := farm(t, sixFarm)
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
	mustServe(t, l, "a", "b", "c")
}
