package agent_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"github.com/muster-ha/muster/internal/lab"
)

// TestAcceleratedVIP: the driver drops what the filter would drop, connections go on while it is turned on and off, and what somebody takes away
// is put back and told.
func TestAcceleratedVIP(t *testing.T) {
	const off, on = "    delivery: directed\n", "    delivery: directed\n    accelerate: true\n"
	l := farm(t, "")
	conns := echoes(t, l, 20)
	acceleratedIs := func(want bool) {
		t.Helper()
		eventually(t, patience, fmt.Sprintf("accelerated: %v", want), func() error {
			for _, h := range l.Hosts() {
				s, err := ask(h)
				if err != nil {
					return err
				}
				if got := fmt.Sprint(s.Filter.Accelerated); (got == "[eth0]") != want || (early(t, h) != 0) != want {
					return fmt.Errorf("host %s says %s, and has program %d", h.Name(), got, early(t, h))
				}
			}
			return nil
		})
	}
	reloaded(t, l, off, on)
	acceleratedIs(true)
	for range 12 {
		if _, err := greeting(l, 0, target(7)); err != nil {
			t.Errorf("new connection: %v", err)
		}
	}
	a := l.Host("a")
	detachEarly(t, early(t, a))
	eventually(t, patience, "put back and told", func() error {
		if early(t, a) == 0 {
			return fmt.Errorf("not put back")
		}
		if e := events(t, a, "drift"); len(e) != 1 || !strings.Contains(e[0].Text, "accelerator") {
			return fmt.Errorf("told: %v", e)
		}
		return nil
	})
	reloaded(t, l, on, off)
	acceleratedIs(false)
	reloaded(t, l, off, on)
	acceleratedIs(true)
	muster(t, a, "stop", "--deadline", "5s")
	eventually(t, patience, "nothing left after the stop", func() error {
		if n := early(t, a); n != 0 {
			return fmt.Errorf("program %d is still there", n)
		}
		return nil
	})
	for _, r := range broken(conns.stop(t), "a") {
		t.Errorf("%s of connection %d to %s: %s", r.Kind, r.Conn, r.Host, r.Class)
	}
}

// detachEarly does what an administrator does with `bpftool link detach`.
func detachEarly(t *testing.T, program uint32) {
	t.Helper()
	all := link.Iterator{}
	defer all.Close()
	for all.Next() {
		info, err := all.Link.Info()
		if err != nil || info.XDP() == nil || uint32(info.Program) != program {
			continue
		}
		if err := all.Link.Detach(); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("no link has program %d: %v", program, all.Err())
}

// early is the number of the program in the driver of a host's card; 0: none.
func early(t *testing.T, h *lab.Host) (id uint32) {
	t.Helper()
	err := h.Do(func() error {
		card, err := netlink.LinkByName("eth0")
		if err == nil && card.Attrs().Xdp != nil && card.Attrs().Xdp.Attached {
			id = card.Attrs().Xdp.ProgId
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}
