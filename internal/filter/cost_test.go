package filter

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// BenchmarkFilter measures a packet through a program and, in turn, through a program that only passes. "added-ns" is
// the difference, of the best of the rounds: the machine's other work can only make a round longer.
func BenchmarkFilter(b *testing.B) {
	own, asking := word(0, no, no, slotOwn), word(0, 1, no, slotOwn|slotAsk)
	for _, c := range []struct {
		name string
		slot uint32
		p    func(connected uint16) packet
	}{
		{"not-ours", own, func(uint16) packet { return fromClient(func(p *packet) { p.dst = clientIP }) }},
		{"established", own, func(uint16) packet { return fromClient() }},
		{"new", own, func(uint16) packet { return fromClient(flags(syn)) }},
		{"forward", word(1, no, no, 0), func(uint16) packet { return fromClient() }},
		{"ask-hit", asking, func(port uint16) packet { return fromClient(func(p *packet) { p.sport = port }) }},
		{"ask-miss-end", word(0, no, no, slotOwn|slotAsk), func(uint16) packet { return fromClient() }},
		{"ask-miss-forward", asking, func(uint16) packet { return fromClient() }},
		{"ipv6-not-ours", own, func(uint16) packet { return fromClient6(func(p *packet) { p.dst = client6 }) }},
		{"ipv6-established", own, func(uint16) packet { return fromClient6() }},
		{"ipv6-options", own, func(uint16) packet { return fromClient6(with(pad(hopByHop, 8), pad(destination, 8))) }},
		{"ipv6-new", own, func(uint16) packet { return fromClient6(flags(syn)) }},
		{"ipv6-forward", word(1, no, no, 0), func(uint16) packet { return fromClient6() }},
		{"ipv6-ask-hit", asking, func(port uint16) packet { return fromClient6(func(p *packet) { p.sport = port }) }},
		{"ipv6-ask-miss-forward", asking, func(uint16) packet { return fromClient6() }},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkCost(b, ingress, c.slot, c.p) })
	}
	unruled := func(uint16) packet { return fromClient(flags(syn), dport(testPort+9)) }
	b.Run("drop", func(b *testing.B) { benchmarkCost(b, ingress, own, unruled) })
	b.Run("drop-early", func(b *testing.B) { benchmarkCost(b, early, own, unruled) })
	b.Run("keep-early", func(b *testing.B) { benchmarkCost(b, early, own, func(uint16) packet { return fromClient() }) })
	back := func(p *packet) { p.src, p.dst = p.dst, p.src }
	b.Run("leaving", func(b *testing.B) { benchmarkCost(b, egress, own, func(uint16) packet { return fromClient(back) }) })
	b.Run("ipv6-leaving", func(b *testing.B) { benchmarkCost(b, egress, own, func(uint16) packet { return fromClient6(back) }) })
}

func benchmarkCost(b *testing.B, d direction, slot uint32, p func(uint16) packet) {
	h := newBench(b)
	vip, client := testVIP, clientIP
	if p(0).src.Is6() {
		h.setup6()
		vip, client = vip6, client6
	}
	h.slot(slot)
	h.loadEarly()
	if d == early {
		h.ifindex = loopback
		h.setup()
	}
	frame := p(h.connect(vip, client)).frame()
	empty := emptyProgram(b, h.f.programs[d].Type())
	best, floor := time.Hour, time.Hour
	for round := 0; b.Loop(); round++ {
		if d == early && round%earlyRounds != 0 {
			continue
		}
		best = min(best, h.time(h.f.programs[d], d, frame))
		floor = min(floor, h.time(empty, d, frame))
	}
	b.ReportMetric(float64(best.Nanoseconds()), "ns/packet")
	b.ReportMetric(float64(floor.Nanoseconds()), "empty-ns")
	b.ReportMetric(float64(best-floor), "added-ns")
	b.ReportMetric(float64(best)/float64(floor), "ratio")
}

// packetsAtOnce is few enough that some rounds are not disturbed.
const packetsAtOnce = 5_000

// earlyRounds is one round of a program in the driver among so many of others: see loopback.
const earlyRounds = 16

// loopback is where Benchmark says that frames come in. It has to be used for programs of the driver: each of their runs begins with
// milliseconds of work that are not the program's, and Benchmark does not count them.
const loopback = 1

// time is what one run of many takes.
func (b *bench) time(p *ebpf.Program, d direction, frame []byte) (each time.Duration) {
	b.t.Helper()
	if d == early {
		b.do(func() (err error) {
			_, each, err = p.Benchmark(frame, packetsAtOnce, nil)
			return err
		})
		return each
	}
	o := &ebpf.RunOptions{Data: frame, Repeat: packetsAtOnce, Context: b.context(d, frame)}
	b.do(func() error {
		_, d, err := benchmarkProgram(p, o)
		each = d
		return err
	})
	return each
}

func benchmarkProgram(p *ebpf.Program, o *ebpf.RunOptions) (uint32, time.Duration, error) {
	start := time.Now()
	verdict, err := p.Run(o)
	return verdict, time.Since(start) / time.Duration(o.Repeat), err
}

// emptyProgram only passes.
func emptyProgram(t testing.TB, kind ebpf.ProgramType) *ebpf.Program {
	t.Helper()
	verdict := int32(-1)
	if kind == ebpf.XDP {
		verdict = earlyPass
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: kind, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, verdict), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// connect makes an established connection to a VIP inside the node, whose client comes from an address, and returns its port.
func (b *bench) connect(vip, client netip.Addr) uint16 {
	b.t.Helper()
	b.bearVIP(vip)
	b.bearVIP(client)
	var port uint16
	b.do(func() error {
		l, err := net.Listen("tcp", netip.AddrPortFrom(vip, testPort).String())
		if err != nil {
			return err
		}
		b.t.Cleanup(func() { l.Close() })
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: client.AsSlice()}, Timeout: time.Second}
		c, err := d.Dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		b.t.Cleanup(func() { c.Close() })
		port = uint16(c.LocalAddr().(*net.TCPAddr).Port)
		return nil
	})
	return port
}
