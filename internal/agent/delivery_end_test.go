package agent

import (
	"log/slog"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/filter"
	"github.com/muster-ha/muster/internal/system"
	"github.com/muster-ha/muster/internal/vip"
)

// recorder is a filter that remembers its setup.
type recorder struct {
	noKernel
	setup filter.Setup
}

func (r *recorder) Configure(s filter.Setup) error { r.setup = s; return nil }

// inNamespace puts the test into a network namespace of its own with one card.
func inNamespace(t *testing.T) vip.Interface {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("run this test as root: it makes a network namespace")
	}
	runtime.LockOSThread()
	before, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := netns.Set(before); err != nil {
			t.Error(err)
		}
		fresh.Close()
		before.Close()
		runtime.UnlockOSThread()
	})
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "switch"}
	if err := netlink.LinkAdd(veth); err != nil {
		t.Fatal(err)
	}
	link, err := net.InterfaceByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	return vip.Interface{Name: "eth0", Index: link.Index, MAC: link.HardwareAddr, Up: true}
}

// After its minute the MAC of the delivery before is in neither filter nor card; an agent that was started meanwhile ends it as well.
func TestFormerDeliveryEnds(t *testing.T) {
	link := inNamespace(t)
	dir := t.TempDir()
	journal := func() *system.Journal {
		j, err := system.Open(dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	cfg := parse(t, farm)
	cfg.VIPs = cfg.VIPs[:1]
	cfg.Rules = nil
	addr := cfg.VIPs[0].Address.Addr()
	first := journal()
	if err := vip.Receive(first, delivery.Of(delivery.Unicast, addr), "eth0"); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil { // as if the agent had been killed
		t.Fatal(err)
	}
	cfg.VIPs[0].Delivery = delivery.IGMP
	f := &recorder{}
	h := &host{config: cfg, filter: f, changes: journal(), log: slog.New(slog.DiscardHandler)}
	defer h.changes.Close()
	links := []vip.Interface{link}
	began := time.Now()
	ways := h.ways(cfg, links, began)
	if err := h.retake(links, ways); err != nil {
		t.Fatal(err)
	}
	h.vips = []*carried{{link: link, way: ways[0]}}
	taken := func() int { return len(f.setup.VIPs[0].Taken) }
	if got := vip.Received(h.changes, addr, "eth0"); len(got) != 2 || taken() != 2 {
		t.Fatalf("takes in %v, filter %d: want both modes", got, taken())
	}
	h.forgetFormer(began.Add(keepFormer - time.Second))
	if taken() != 2 {
		t.Error("forgotten before its minute was over")
	}
	h.forgetFormer(began.Add(keepFormer))
	if got := vip.Received(h.changes, addr, "eth0"); len(got) != 1 || got[0] != delivery.IGMP || taken() != 1 {
		t.Errorf("takes in %v, filter %d: want igmp alone", got, taken())
	}
	if w := h.vips[0].way; !w.until.IsZero() || w.before.MAC != nil {
		t.Errorf("still waits: %+v", w)
	}
	if err := h.changes.Undo(); err != nil {
		t.Error(err)
	}
}
