package wire

import (
	"testing"
	"time"
)

func TestSteadyPathDoesNotAllocate(t *testing.T) {
	from, to := makePair(t)
	payload, buf := make([]byte, 600), make([]byte, 0, MaxDatagram)
	if n := testing.AllocsPerRun(1000, func() {
		d, _, _ := from.Seal(buf, payload)
		if _, _, why := to.Open(d, testStart); why != Accepted {
			t.Fatal(why)
		}
	}); n != 0 {
		t.Errorf("%v allocations for sealing and opening a heartbeat", n)
	}
}

func BenchmarkSeal(b *testing.B) {
	from, _ := makePair(b)
	payload, buf := make([]byte, 600), make([]byte, 0, MaxDatagram)
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = from.Seal(buf, payload)
	}
}

func BenchmarkSealAndOpen(b *testing.B) {
	from, to := makePair(b)
	payload, buf := make([]byte, 600), make([]byte, 0, MaxDatagram)
	b.ReportAllocs()
	for b.Loop() {
		d, _, _ := from.Seal(buf, payload)
		if _, _, why := to.Open(d, testStart); why != Accepted {
			b.Fatal(why)
		}
	}
}

// BenchmarkGarbage is what one datagram of a flood costs.
func BenchmarkGarbage(b *testing.B) {
	from, to := makePair(b)
	for name, d := range map[string][]byte{
		"other protocol": make([]byte, 600),
		"replay":         opened(b, to, beat(b, from, "payload")),
		"forged":         edit(beat(b, from, string(make([]byte, 600))), headerSize, 0xff),
		"unknown boot":   edit(beat(b, from, string(make([]byte, 600))), 22, 0xff),
	} {
		b.Run(name, func(b *testing.B) {
			now := testStart
			for b.Loop() {
				now = now.Add(time.Microsecond)
				if _, _, why := to.Open(d, now); why == Accepted {
					b.Fatal("accepted")
				}
			}
		})
	}
}

func opened(tb testing.TB, to *Codec, d []byte) []byte {
	tb.Helper()
	if _, _, why := to.Open(d, testStart); why != Accepted {
		tb.Fatal(why)
	}
	return d
}
