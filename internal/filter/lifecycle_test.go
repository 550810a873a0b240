package filter

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
)

// traces is what a filter leaves on an interface: qdiscs, filters and tcx programs.
func (n *node) traces() (all []string) {
	n.t.Helper()
	n.do(func() error {
		l, err := netlink.LinkByIndex(n.ifindex)
		if err != nil {
			return err
		}
		qdiscs, err := netlink.QdiscList(l)
		if err != nil {
			return err
		}
		for _, q := range qdiscs {
			if q.Type() == "clsact" {
				all = append(all, "clsact")
			}
		}
		for _, d := range directions() {
			filters, err := listFilters(n.ifindex, d)
			if err != nil {
				return err
			}
			for range filters {
				all = append(all, "filter "+string(d))
			}
			programs, err := tcxPrograms(n.ifindex, d)
			if err != nil {
				return err
			}
			for range programs {
				all = append(all, "tcx "+string(d))
			}
		}
		return nil
	})
	return all
}

// both runs a test for tcx and for kernels without it.
func both(t *testing.T, f func(t *testing.T, clsact bool)) {
	t.Run("tcx", func(t *testing.T) { f(t, false) })
	t.Run("clsact", func(t *testing.T) { f(t, true) })
}

func pinnedFarm(t *testing.T, clsact bool) (*farm, Options) {
	o := Options{PinDir: pinDir(t), clsact: clsact}
	f := newFarm(t, farmOptions{hosts: 1, options: func(int) Options { return o }})
	f.own(shared(1, 0))
	return f, o
}

func TestAgentRestartIsNotNoticed(t *testing.T) {
	both(t, func(t *testing.T, clsact bool) {
		f, o := pinnedFarm(t, clsact)
		h := f.hosts[0]
		conns, _ := f.open(5)
		traces := strings.Join(h.traces(), ", ")
		h.do(h.f.Close)
		f.open(5) // nobody is there, the kernel goes on until the lease lapses
		counted := h.reopen(o)
		if counted.Of(AcceptNew) < 10 {
			t.Errorf("counters do not go on: %d new connections", counted.Of(AcceptNew))
		}
		h.configure(0, false)
		h.do(func() error { return h.f.Attach(h.ifindex) })
		h.do(h.f.Healthy)
		if n, err := broken(conns, "after"); n > 0 {
			t.Errorf("%d broken: %v", n, err)
		}
		f.open(5) // with the slots of the agent before
		if got := strings.Join(h.traces(), ", "); got != traces {
			t.Errorf("programs after: %s; before: %s", got, traces)
		}
	})
}

// reopen starts as a new agent would, and returns the counters that it finds.
func (h *farmHost) reopen(o Options) Counters {
	h.t.Helper()
	f, err := Open(o)
	if err != nil {
		h.t.Fatalf("%+v", err)
	}
	h.t.Cleanup(func() { _ = h.try(f.Close) })
	h.f = f
	c, err := f.Counters()
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func TestAnotherLayoutIsReplaced(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *Filter, o *Options)
	}{
		{"size", func(_ *Filter, o *Options) { o.MaxRules = 8 }},
		{"layout number", func(f *Filter, _ *Options) { f.host.items[0].layout++ }},
		{"a pin is missing", func(_ *Filter, o *Options) { os.Remove(filepath.Join(o.PinDir, filterMapPeers)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, o := pinnedFarm(t, false)
			h := f.hosts[0]
			c.change(h.f, &o)
			h.do(h.f.Close)
			if counted := h.reopen(o); counted != (Counters{}) {
				t.Errorf("counters of another layout were taken over: %v", counted)
			}
			f.open(1) // the old programs go on with the old maps
			h.configure(0, false)
			f.own(shared(1, 0))
			h.f.SetLease(BootTime() + time.Hour)
			h.do(func() error { return h.f.Attach(h.ifindex) })
			f.open(1)
			if f.counters(0).Of(AcceptNew) == 0 {
				t.Error("the new programs did not see the connection")
			}
			if got := len(h.traces()); got != 2 {
				t.Errorf("%v on the interface, want one program each way", h.traces())
			}
		})
	}
}

func TestRemoveLeavesNothing(t *testing.T) {
	both(t, func(t *testing.T, clsact bool) {
		f, o := pinnedFarm(t, clsact)
		h := f.hosts[0]
		h.do(h.f.Close) // as after a crash
		if len(h.traces()) == 0 {
			t.Fatal("Close removed the programs")
		}
		h.do(func() error { return Remove(o.PinDir) })
		if left := h.traces(); len(left) > 0 {
			t.Errorf("left on the interface: %v", left)
		}
		if exists(o.PinDir) {
			t.Error("pin directory is still there")
		}
		h.do(func() error { return Remove(o.PinDir) })
	})
}

func TestRemoveTouchesNoOrdinaryDirectory(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "precious")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Remove(dir); !errors.Is(err, ErrNotBPF) {
		t.Errorf("got %v, want ErrNotBPF", err)
	}
	if !exists(file) {
		t.Error("an ordinary file was removed")
	}
}

func TestOpenNeedsABPFFileSystem(t *testing.T) {
	f, err := Open(Options{PinDir: t.TempDir()})
	if err == nil {
		f.Close()
	}
	if !errors.Is(err, ErrNotBPF) {
		t.Errorf("got %v, want ErrNotBPF", err)
	}
}

func TestMountOnlyOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bpf")
	for _, want := range []bool{true, false} {
		mounted, err := Mount(dir)
		if err != nil || mounted != want {
			t.Errorf("mounted %v, %v; want %v", mounted, err, want)
		}
	}
	if err := unmount(dir); err != nil {
		t.Error(err)
	}
}

func TestDetachUndoesAttach(t *testing.T) {
	both(t, func(t *testing.T, clsact bool) {
		f, o := pinnedFarm(t, clsact)
		h := f.hosts[0]
		h.do(func() error { return h.f.Detach(h.ifindex) })
		if left := h.traces(); len(left) > 0 {
			t.Errorf("left on the interface: %v", left)
		}
		entries, err := os.ReadDir(o.PinDir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if kind, _ := splitPin(e.Name()); kind != "" {
				t.Errorf("pin left: %s", e.Name())
			}
		}
		h.do(func() error { return h.f.Attach(h.ifindex) })
		f.open(1)
	})
}

func TestInterfaceThatIsNotWantedAnyMore(t *testing.T) {
	both(t, func(t *testing.T, clsact bool) {
		f, o := pinnedFarm(t, clsact)
		h := f.hosts[0]
		h.do(h.f.Close)
		h.reopen(o)
		got, err := h.f.Interfaces()
		if err != nil || len(got) != 1 || got[0] != h.ifindex {
			t.Fatalf("interfaces %v, %v; want %d", got, err, h.ifindex)
		}
		h.do(func() error { return h.f.Detach(h.ifindex) })
		if left := h.traces(); len(left) > 0 {
			t.Errorf("left on the interface: %v", left)
		}
		if got, err := h.f.Interfaces(); err != nil || len(got) != 0 {
			t.Errorf("interfaces %v, %v; want none", got, err)
		}
	})
}

func TestQdiscOfOthersStays(t *testing.T) {
	n := newNode(t, "host")
	n.ifindex = n.stub("d0", ownMAC)
	n.do(func() error { return netlink.QdiscAdd(qdiscOf(n.ifindex)) })
	f, err := Open(Options{clsact: true})
	if err != nil {
		t.Fatal(err)
	}
	n.do(func() error { return f.Attach(n.ifindex) })
	if got := len(n.traces()); got != 3 {
		t.Errorf("%v, want a qdisc and two filters", n.traces())
	}
	n.do(f.Close)
	if got := n.traces(); len(got) != 1 || got[0] != "clsact" {
		t.Errorf("left %v, want the qdisc that was there before", got)
	}
}

func TestHealthyNoticesWhatOthersRemove(t *testing.T) {
	both(t, func(t *testing.T, clsact bool) {
		f, o := pinnedFarm(t, clsact)
		h := f.hosts[0]
		h.do(h.f.Healthy)
		h.do(func() error { return Remove(o.PinDir) })
		if err := h.try(h.f.Healthy); !errors.Is(err, ErrNotAttached) {
			t.Errorf("got %v, want ErrNotAttached", err)
		}
	})
}

func TestHealthyNoticesThatTheInterfaceIsGone(t *testing.T) {
	both(t, func(t *testing.T, clsact bool) {
		f, _ := pinnedFarm(t, clsact)
		h := f.hosts[0]
		h.do(func() error {
			return netlink.LinkDel(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0", Index: h.ifindex}})
		})
		if err := h.try(h.f.Healthy); !errors.Is(err, ErrNotAttached) {
			t.Errorf("got %v, want ErrNotAttached", err)
		}
		h.do(func() error { return h.f.Detach(h.ifindex) })
	})
}

func TestRevokeEndsTheLease(t *testing.T) {
	f, o := pinnedFarm(t, false)
	conns, _ := f.open(3)
	if err := Revoke(o.PinDir); err != nil {
		t.Fatal(err)
	}
	if _, err := f.dial(testPort, 100*time.Millisecond); err == nil {
		t.Error("connected after the lease was revoked")
	}
	if n, err := broken(conns, "after"); n > 0 {
		t.Errorf("%d broken: %v", n, err)
	}
	if err := Revoke(filepath.Join(o.PinDir, "absent")); err != nil {
		t.Errorf("revoke where nothing is: %v", err)
	}
}

func TestClosedFilterRefuses(t *testing.T) {
	f, err := Open(Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f.SetLease(time.Hour)
	f.SetSlots(0, new([buckets]uint32))
	if f.Lease() != 0 || f.Slots(0) != [buckets]uint32{} {
		t.Error("a closed filter remembers")
	}
	if f.Configure(Setup{}) == nil || f.Healthy() == nil || f.SetDirector(0, true) == nil {
		t.Error("a closed filter claims to work")
	}
	if f.Attach(1) == nil || f.SetPeer(1, 1, net.HardwareAddr{2, 0, 0, 0, 0, 1}) == nil {
		t.Error("a closed filter claims to work")
	}
	if _, err := f.Counters(); err == nil {
		t.Error("a closed filter counts")
	}
	if _, err := f.Programs(); err == nil {
		t.Error("a closed filter has programs")
	}
	if err := f.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

// An agent of a version without quorums has pinned no map for them: what it has counted and knows of connections is taken over all the
// same, and the map is there from then on.
func TestMapsOfAVersionWithoutQuorumsAreTakenOver(t *testing.T) {
	f, o := pinnedFarm(t, false)
	h := f.hosts[0]
	f.open(1)
	pin := filepath.Join(o.PinDir, filterMapQuorum)
	if err := os.Remove(pin); err != nil {
		t.Fatal(err)
	}
	h.do(h.f.Close)
	if counted := h.reopen(o); counted.Of(AcceptNew) == 0 {
		t.Error("the counters begin anew")
	}
	if _, err := os.Lstat(pin); err != nil {
		t.Errorf("the map for quorums is not pinned: %v", err)
	}
	h.do(h.f.Close)
	h.reopen(o)
}

// An agent of a version with fewer reasons has pinned a smaller map of counters: everything but the counts is taken over.
func TestMapsOfAVersionThatCountsLessAreTakenOver(t *testing.T) {
	f, o := pinnedFarm(t, false)
	h := f.hosts[0]
	conns, _ := f.open(1)
	pin := filepath.Join(o.PinDir, filterMapCounters)
	slots := h.f.Slots(0)
	h.do(h.f.Close)
	if err := os.Remove(pin); err != nil {
		t.Fatal(err)
	}
	smaller, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8 * uint32(Reasons-2), MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(smaller.Pin(pin), smaller.Close()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if counted := h.reopen(o); counted != (Counters{}) {
			t.Errorf("counted before anything came: %v", counted)
		}
		h.configure(0, false)
		if h.f.Slots(0) != slots || h.f.Lease() == 0 {
			t.Error("what the agent before knew is lost")
		}
		h.do(h.f.Close)
	}
	h.reopen(o)
	h.configure(0, false)
	h.do(func() error { return h.f.Attach(h.ifindex) })
	if n, err := broken(conns, "after"); n > 0 {
		t.Errorf("%d broken: %v", n, err)
	}
	if f.open(1); f.counters(0).Of(AcceptNew) == 0 {
		t.Error("the new programs count nothing")
	}
}
