package filter

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"pgregory.net/rapid"
)

// What the accelerator returns.
const (
	earlyDrop = 1
	earlyPass = 2
)

// loadEarly loads the accelerator without an interface.
func (b *bench) loadEarly() {
	b.t.Helper()
	p, err := b.f.earlyProgram()
	if err != nil {
		b.t.Fatalf("%+v", err)
	}
	b.f.programs[early] = p
}

// compare gives a frame to the accelerator and to the filter, and says what is wrong with the two verdicts together.
func (b *bench) compare(frame []byte) (drops bool, err error) {
	verdict, first, _ := b.run(early, frame)
	if verdict == earlyPass && len(first) == 0 {
		return false, nil
	}
	later, second, _ := b.run(ingress, frame)
	if verdict != earlyDrop || later != dropped || fmt.Sprint(first) != fmt.Sprint(second) {
		return true, fmt.Errorf("the accelerator says %d and counts %v, the filter says %d and counts %v", int32(verdict), first, int32(later), second)
	}
	return true, nil
}

// TestEveryEarlyDropIsOneOfTheFilter: for any bytes, in any state, what the accelerator drops the filter drops as well, for the same reason.
func TestEveryEarlyDropIsOneOfTheFilter(t *testing.T) {
	b := newBench(t)
	b.loadEarly()
	seeds := [][]byte{
		fromClient().frame(), fromClient(flags(syn)).frame(), fromClient(udp).frame(), fromClient(icmp).frame(), fromClient(options(40)).frame(),
		fromClient(options(8), udp).frame(), fromClient(edit(tag)).frame(), fromClient(func(p *packet) { p.fragment = 0x2000 }).frame(),
		arpFrame(everyone, clientMAC, 1, clientIP, testVIP),
		fromClient6().frame(), fromClient6(flags(syn)).frame(), fromClient6(udp).frame(), fromClient6(icmp).frame(),
	}
	macs := [][]byte{ownMAC, multiMAC, uniMAC, everyone, strangeMAC}
	froms := [][]byte{clientMAC, peer1MAC}
	drops, states := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		states++
		b.anyState(t)
		for range 50 {
			frame := append([]byte{}, rapid.SampledFrom(seeds).Draw(t, "seed")...)
			copy(frame, rapid.SampledFrom(macs).Draw(t, "to"))
			copy(frame[6:], rapid.SampledFrom(froms).Draw(t, "from"))
			frame = append(frame, rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "more")...)
			for range rapid.IntRange(0, 3).Draw(t, "edits") {
				frame[rapid.IntRange(0, len(frame)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
			}
			if rapid.IntRange(0, 3).Draw(t, "cut") == 0 {
				frame = frame[:rapid.IntRange(14, len(frame)).Draw(t, "length")]
			}
			dropped, err := b.compare(frame)
			if err != nil {
				t.Fatalf("% x: %v", frame, err)
			}
			if dropped {
				drops++
			}
		}
	})
	if drops < 2*states {
		t.Errorf("%d drops in %d states: it does nothing", drops, states)
	}
}

// anyState gives the filter any slots, lease and director, and an address of one of the families.
func (b *bench) anyState(t *rapid.T) {
	setup := b.setup
	if rapid.Bool().Draw(t, "IPv6") {
		setup = b.setup6
	}
	setup(multiMAC, uniMAC)
	id := rapid.SampledFrom([]uint32{0, 1, 2, no})
	flags := rapid.SampledFrom([]uint32{0, slotOwn, slotOwn | slotAsk, slotAsk, slotAsk | slotLast, 1<<3 | slotOwn, 0x20, 0x40, 0xff})
	b.slot(word(id.Draw(t, "owner"), id.Draw(t, "second"), id.Draw(t, "third"), flags.Draw(t, "flags")))
	b.f.SetLease(0)
	if rapid.Bool().Draw(t, "lease") {
		b.f.SetLease(BootTime() + time.Hour)
	}
	if err := b.f.SetDirector(0, rapid.Bool().Draw(t, "director")); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsDroppedEarly(t *testing.T) {
	own, other, nobodys := word(0, no, no, slotOwn), word(1, no, no, 0), word(no, no, no, 0)
	later := func(p *packet) { p.fragment = 185 }
	all := newBench(t)
	for _, c := range []struct {
		name   string
		slot   uint32
		lapsed bool
		p      packet
		why    []Reason // nothing: kept
	}{
		{"no rule", own, false, fromClient(dport(81), flags(syn)), []Reason{DropNoRule}},
		{"no rule, UDP", own, false, fromClient(udp, dport(54)), []Reason{DropNoRule}},
		{"SYN without the lease", own, true, fromClient(flags(syn)), []Reason{DropLease}},
		{"SYN of another without the lease", other, true, fromClient(flags(syn)), []Reason{DropLease}},
		{"nobody's", nobodys, false, fromClient(flags(syn)), []Reason{DropNobody}},
		{"refused", word(no, no, no, 0x20), false, fromClient(flags(syn)), []Reason{DropRefused}},
		{"forwarded to a host that does not own it", other, false, fromClient(flags(syn), from(peer2MAC)), []Reason{DropNotOwned}},
		{"another's, and it has the frame", other, false, fromClient(flags(syn), to(multiMAC)), []Reason{DropSeenByOthers}},
		{"another's connection, and it has the frame", other, false, fromClient(to(multiMAC)), []Reason{DropSeenByOthers}},
		{"another's with options of IP", other, false, fromClient(options(40), to(multiMAC)), []Reason{DropSeenByOthers}},
		{"to everybody", own, false, fromClient(to(everyone)), []Reason{DropFrame}},

		{"new", own, false, fromClient(flags(syn)), nil},
		{"established", own, false, fromClient(), nil},
		{"to be forwarded", other, false, fromClient(flags(syn)), nil},
		{"perhaps a socket's", word(1, no, no, slotAsk), false, fromClient(to(multiMAC)), nil},
		{"nobody's connection", nobodys, false, fromClient(to(multiMAC)), nil},
		{"flag of a later version", word(no, no, no, 0x80), false, fromClient(flags(syn)), nil},
		{"another address", own, false, fromClient(func(p *packet) { p.dst = clientIP }), nil},
		{"flooded", other, false, fromClient(to(strangeMAC)), nil},
		{"fragment", other, false, fromClient(later, to(multiMAC)), nil},
		{"tagged", own, false, fromClient(edit(tag), dport(81)), nil},
		{"ICMP", other, false, fromClient(icmp, to(multiMAC)), nil},
		{"malformed", own, false, fromClient(set(offTCP+12, 4<<4)), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := all.again(t)
			b.setup(multiMAC)
			b.loadEarly()
			b.slot(c.slot)
			if c.lapsed {
				b.f.SetLease(0)
			}
			frame := c.p.frame()
			want := uint32(earlyPass)
			if c.why != nil {
				want = earlyDrop
			}
			if verdict, counted, _ := b.run(early, frame); verdict != want || fmt.Sprint(counted) != fmt.Sprint(c.why) {
				t.Errorf("verdict %d, counted %v; want %d, %v", verdict, counted, want, c.why)
			}
			if _, err := b.compare(frame); err != nil {
				t.Error(err)
			}
		})
	}
}

// accelerated is a farm that all frames reach, with the accelerator on every host.
func accelerated(t *testing.T, o func(int) Options) *farm {
	t.Helper()
	f := newFarm(t, farmOptions{hosts: 2, shared: true, options: o})
	f.own(shared(2, 0))
	for _, h := range f.hosts {
		h.accelerate(true)
	}
	return f
}

// accelerate asks for the accelerator and checks whether this put it there.
func (h *farmHost) accelerate(want bool) {
	h.t.Helper()
	h.do(func() error {
		put, err := h.f.Accelerate(h.ifindex)
		if err == nil && put != want {
			err = fmt.Errorf("put there: %v, want %v", put, want)
		}
		return err
	})
}

// TestAcceleratedHostsServe: connections live as without it, and what is another host's is gone before the filter sees it.
func TestAcceleratedHostsServe(t *testing.T) {
	f := accelerated(t, nil)
	conns, split := f.open(30)
	if split["h0"] == 0 || split["h1"] == 0 {
		t.Errorf("split %v: want both hosts", split)
	}
	f.own(moved)
	if n, err := broken(conns, "after"); n > 0 {
		t.Errorf("%d of %d connections broken by a move: %v", n, len(conns), err)
	}
	f.answerTo(nobodys)
	for _, h := range f.hosts {
		h.do(h.f.attached[h.ifindex].detach) // only the accelerator is left
	}
	before := f.counted(DropNoRule)
	f.client.send(f.raw(flags(syn), dport(testPort+9), to(multiMAC)))
	within(t, 3*time.Second, "early drops", func() error {
		if n := f.counted(DropNoRule) - before; n != 2 {
			return fmt.Errorf("%d counted, want one on each host", n)
		}
		return nil
	})
}

// TestAcceleratorOutlivesTheAgent: it goes on while nobody is there, the next agent takes it over, and Remove leaves nothing.
func TestAcceleratorOutlivesTheAgent(t *testing.T) {
	dirs := []string{pinDir(t), pinDir(t)}
	f := accelerated(t, func(host int) Options { return Options{PinDir: dirs[host]} })
	h := f.hosts[0]
	before := h.early()
	if before == 0 {
		t.Fatal("it is not there")
	}
	h.do(h.f.Close)
	if h.early() != before {
		t.Error("Close took it off")
	}
	h.reopen(Options{PinDir: dirs[0]})
	h.accelerate(true)
	if now := h.early(); now == 0 || now == before {
		t.Errorf("program %d after %d: want the new agent's", now, before)
	}
	h.do(func() error { return Remove(dirs[0]) })
	if h.early() != 0 || exists(filepath.Join(dirs[0], pinName(pinEarly, h.ifindex))) {
		t.Error("Remove has left something")
	}
}

// early is the number of the XDP program on the host's interface; 0: none.
func (h *farmHost) early() (id uint32) {
	h.t.Helper()
	h.do(func() error {
		l, err := netlink.LinkByIndex(h.ifindex)
		if err == nil && l.Attrs().Xdp != nil && l.Attrs().Xdp.Attached {
			id = l.Attrs().Xdp.ProgId
		}
		return err
	})
	return id
}

func TestAcceleratorIsPutBack(t *testing.T) {
	f := accelerated(t, nil)
	h := f.hosts[0]
	h.accelerate(false)
	h.do(h.f.early.on[h.ifindex].link.(interface{ Detach() error }).Detach) // somebody else's `bpftool link detach`
	if h.early() != 0 {
		t.Fatal("it is still there")
	}
	h.accelerate(true)
	if h.early() == 0 {
		t.Error("it is not back")
	}
	h.do(func() error { return h.f.Detach(h.ifindex) })
	if h.early() != 0 || len(h.accelerated()) != 0 {
		t.Error("Detach has left it")
	}
}

func (h *farmHost) accelerated() (all []int) {
	h.t.Helper()
	h.do(func() (err error) { all, err = h.f.Accelerated(); return err })
	return all
}

// TestAcceleratorThatIsNotWantedAnyMore: the next agent finds what the last one left, and takes it off if its file does not ask for it.
func TestAcceleratorThatIsNotWantedAnyMore(t *testing.T) {
	dirs := []string{pinDir(t), pinDir(t)}
	f := accelerated(t, func(host int) Options { return Options{PinDir: dirs[host]} })
	h := f.hosts[0]
	h.do(h.f.Close)
	h.reopen(Options{PinDir: dirs[0]})
	if got := h.accelerated(); len(got) != 1 || got[0] != h.ifindex {
		t.Errorf("accelerated are %v, want %d", got, h.ifindex)
	}
	h.do(func() error { return h.f.Decelerate(h.ifindex) })
	if h.early() != 0 || len(h.accelerated()) != 0 {
		t.Error("it is still there")
	}
}

// TestAcceleratorOfAnotherLayoutIsTakenOff: it has maps in which nobody moves the lease on any more, and would drop everything new.
func TestAcceleratorOfAnotherLayoutIsTakenOff(t *testing.T) {
	dirs := []string{pinDir(t), pinDir(t)}
	f := accelerated(t, func(host int) Options { return Options{PinDir: dirs[host]} })
	h := f.hosts[0]
	h.f.host.items[0].layout++
	h.do(h.f.Close)
	h.reopen(Options{PinDir: dirs[0]})
	if h.early() != 0 {
		t.Error("the accelerator of the other layout is still there")
	}
}

// TestNoAcceleratorBelowVLANs: a card takes tags off, and what is for the VLAN interface looks like the card's own there. This kernel may
// have no VLANs to try it with: what is asked is the decision.
func TestNoAcceleratorBelowVLANs(t *testing.T) {
	links := []netlink.Link{
		&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: "eth0", Index: 2}},
		&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: "eth1", Index: 3}},
		&netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "eth0.5", Index: 4, ParentIndex: 2}, VlanId: 5},
		&netlink.Macvlan{LinkAttrs: netlink.LinkAttrs{Name: "m0", Index: 5, ParentIndex: 3}},
	}
	for ifindex, want := range map[int]bool{2: true, 3: false, 4: false} {
		if err := belowVLAN(links, ifindex); errors.Is(err, ErrNotAccelerated) != want {
			t.Errorf("interface %d: %v, want an error: %v", ifindex, err, want)
		}
	}
}

func TestNoAcceleratorWhereThereIsAnother(t *testing.T) {
	f := newFarm(t, farmOptions{hosts: 2})
	h := f.hosts[0]
	h.do(func() error {
		other, err := link.AttachXDP(link.XDPOptions{Program: emptyProgram(t, ebpf.XDP), Interface: h.ifindex, Flags: link.XDPDriverMode})
		if err != nil {
			return err
		}
		if _, err := h.f.Accelerate(h.ifindex); !errors.Is(err, ErrNotAccelerated) {
			t.Errorf("beside another program: %v, want ErrNotAccelerated", err)
		}
		return other.Close()
	})
	h.do(func() error {
		if _, err := h.f.Accelerate(1); !errors.Is(err, ErrNotAccelerated) { // lo
			t.Errorf("on an interface without native XDP: %v, want ErrNotAccelerated", err)
		}
		return nil
	})
}
