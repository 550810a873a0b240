package agent_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/lab"
)

// groups are those of the lab's VIPs in delivery igmp.
func groups() (four, six []byte) {
	return delivery.Of(delivery.IGMP, lab.VIP().Addr()).Group.AsSlice(), delivery.Of(delivery.IGMP, lab.VIP6().Addr()).Group.AsSlice()
}

// igmp is a stranger's message about the VIP's group: in one record behind another group's if it is a report of version 3, else alone (RFC 2236,
// RFC 3376).
func igmp(to string, kind byte) []byte {
	group, _ := groups()
	message := slices.Concat([]byte{kind, 0, 0, 0}, group)
	if kind == 0x22 {
		message = slices.Concat([]byte{kind, 0, 0, 0, 0, 0, 0, 2, 4, 0, 0, 0, 239, 1, 2, 3, 3, 0, 0, 0}, group)
	}
	binary.BigEndian.PutUint16(message[2:], internetSum(message))
	dst := netip.MustParseAddr(to).AsSlice()
	header := slices.Concat([]byte{0x46, 0xc0, 0, byte(24 + len(message)), 0, 0, 0x40, 0, 1, 2, 0, 0, 10, 77, 0, 66}, dst, []byte{0x94, 4, 0, 0})
	binary.BigEndian.PutUint16(header[10:], internetSum(header))
	return slices.Concat([]byte{1, 0, 0x5e, dst[1] & 0x7f, dst[2], dst[3]}, forger, []byte{8, 0}, header, message)
}

// mld is the same by IPv6 (RFC 2710, RFC 3810).
func mld(to string, kind byte) []byte {
	_, group := groups()
	message := slices.Concat([]byte{kind, 0, 0, 0, 0, 0, 0, 0}, group)
	if kind == 143 {
		message = slices.Concat([]byte{kind, 0, 0, 0, 0, 0, 0, 1, 3, 0, 0, 0}, group)
	}
	src, dst := netip.MustParseAddr("fe80::66").AsSlice(), netip.MustParseAddr(to).AsSlice()
	binary.BigEndian.PutUint16(message[2:], internetSum(slices.Concat(src, dst, []byte{0, 0, 0, byte(len(message)), 0, 0, 0, 58}, message)))
	header := slices.Concat([]byte{0x60, 0, 0, 0, 0, byte(8 + len(message)), 0, 1}, src, dst, []byte{58, 0, 5, 2, 0, 0, 1, 0})
	return slices.Concat([]byte{0x33, 0x33}, dst[12:], forger, []byte{0x86, 0xdd}, header, message)
}

// isMember says what is wrong unless a host's card is in the VIPs' groups.
func isMember(h *lab.Host) error {
	four, six := groups()
	slices.Reverse(four) // as the kernel prints it on the machines that the filter is for
	return h.Do(func() error {
		list, err := os.ReadFile("/proc/thread-self/net/igmp")
		list6, err6 := os.ReadFile("/proc/thread-self/net/igmp6")
		if err := errors.Join(err, err6); err != nil {
			return err
		}
		if !strings.Contains(string(list), strings.ToUpper(hex.EncodeToString(four))) || !strings.Contains(string(list6), hex.EncodeToString(six)) {
			return fmt.Errorf("host %s is in\n%s%s", h.Name(), list, list6)
		}
		return nil
	})
}

// strangers is what a host has counted of them.
func strangers(t *testing.T, h *lab.Host) [2]uint64 {
	c := status(t, h).Filter.Counters
	return [2]uint64{c["igmp_stranger"], c["mld_stranger"]}
}

func TestForgedIGMPIsCountedAndChangesNoMembership(t *testing.T) {
	l := farm(t, strings.ReplaceAll(sixFarm, ", rules: [{ports: [80", ", delivery: igmp, rules: [{ports: [80"))
	answering(t, l)
	four, six := delivery.Of(delivery.IGMP, lab.VIP().Addr()).Group.String(), delivery.Of(delivery.IGMP, lab.VIP6().Addr()).Group.String()
	port := clientPort(t, l)
	defer port.Close()
	had := map[string][2]uint64{}
	for _, h := range l.Hosts() {
		if err := isMember(h); err != nil {
			t.Fatal(err)
		}
		had[h.Name()] = strangers(t, h)
	}
	const times = 20
	for range times {
		for _, frame := range [][]byte{
			igmp("224.0.0.1", 0x11), igmp(four, 0x11), mld("ff02::1", 130), mld(six, 130), // who asks is no member, and not counted
			igmp("224.0.0.2", 0x17), igmp(four, 0x12), igmp(four, 0x16), igmp("224.0.0.22", 0x22),
			mld("ff02::2", 132), mld(six, 131), mld("ff02::16", 143),
		} {
			if err := port.Send(frame); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, h := range l.Hosts() {
		want := [2]uint64{had[h.Name()][0] + 4*times, had[h.Name()][1] + 3*times}
		eventually(t, patience, "host "+h.Name()+" has counted", func() error {
			if got := strangers(t, h); got != want {
				return fmt.Errorf("%d by IGMP and MLD, want %d", got, want)
			}
			return nil
		})
	}
	work(t)
	for _, h := range l.Hosts() {
		if err := isMember(h); err != nil {
			t.Error(err)
		}
	}
	answering(t, l)
}
