package filter

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestND(t *testing.T) {
	unspecified := netip.IPv6Unspecified()
	nonce := []byte{14, 1, 1, 2, 3, 4, 5, 6}
	b := newBench6(t)
	for _, c := range []struct {
		name     string
		director bool
		lapsed   bool
		frame    []byte
		want     uint32
		why      []Reason
		to       net.HardwareAddr
	}{
		{"solicitation at the director", true, false, solicitation(), redirected, []Reason{NDAnswered}, clientMAC},
		{"is he still there", true, false, solicitation(func(m *nd) { m.to, m.dst, m.options = ownMAC, vip6, nil }), redirected, []Reason{NDAnswered}, clientMAC},
		{"search for duplicates", true, false, solicitation(func(m *nd) { m.src, m.options = unspecified, nil }), redirected, []Reason{NDAnswered}, allMAC},
		{"search for duplicates with a nonce", true, false, solicitation(func(m *nd) { m.src, m.options = unspecified, nonce }), redirected, []Reason{NDAnswered}, allMAC},
		{"with more options", true, false, solicitation(func(m *nd) { m.options = append(m.options, make([]byte, 400)...) }), redirected, []Reason{NDAnswered}, clientMAC},
		{"elsewhere", false, false, solicitation(), dropped, []Reason{NDIgnored}, nil},
		{"lapsed", true, true, solicitation(), dropped, []Reason{NDIgnored}, nil},
		{"for another", true, false, solicitation(func(m *nd) { m.target = host6 }), passed, nil, nil},
		{"flooded", true, false, solicitation(func(m *nd) { m.to = strangeMAC }), passed, nil, nil},

		// What the kernel throws away is not for us to answer, nor to be alarmed about.
		{"from beyond the link", true, false, solicitation(func(m *nd) { m.hops = 254 }), passed, nil, nil},
		{"damaged", true, false, solicitation(func(m *nd) { m.edit = func(b []byte) { b[30] ^= 1 } }), passed, nil, nil},
		{"damaged options", true, false, solicitation(func(m *nd) { m.options = make([]byte, 400); m.edit = func(b []byte) { b[len(b)-1] ^= 1 } }), passed, nil, nil},
		{"another code", true, false, solicitation(func(m *nd) { m.edit = otherCode }), passed, nil, nil},
		{"half an option", true, false, solicitation(func(m *nd) { m.options = m.options[:4] }), passed, nil, nil},
		{"truncated", true, false, solicitation()[:77], passed, nil, nil},
		{"without a source, to one alone", true, false, solicitation(func(m *nd) { m.src, m.dst, m.options = unspecified, vip6, nil }), passed, nil, nil},

		{"announcement by a host", true, false, advertisement(func(m *nd) { m.from, m.options = peer1MAC, macOption(2, peer1MAC) }), passed, nil, nil},
		{"announcement by a host, without the MAC", true, false, advertisement(func(m *nd) { m.from, m.options = peer1MAC, nil }), passed, nil, nil},
		{"announcement as if from a host, of a stranger's MAC", true, false, advertisement(func(m *nd) { m.from = peer1MAC }), passed, []Reason{NDConflict}, nil},
		{"announcement by a stranger", true, false, advertisement(), passed, []Reason{NDConflict}, nil},
		{"answer by a stranger", false, false, advertisement(func(m *nd) { m.to, m.dst, m.flags = ownMAC, host6, 0x60 }), passed, []Reason{NDConflict}, nil},
		{"solicitation by a stranger as the VIP", false, false, solicitation(func(m *nd) { m.from, m.src, m.target = strangeMAC, vip6, host6 }), passed, []Reason{NDConflict}, nil},
		{"solicitation by a host as the VIP", false, false, solicitation(func(m *nd) { m.from, m.src, m.target, m.options = peer1MAC, vip6, host6, macOption(1, peer1MAC) }), passed, nil, nil},
		{"forged from beyond the link", true, false, advertisement(func(m *nd) { m.hops = 64 }), passed, nil, nil},
		{"advertisement of another", true, false, advertisement(func(m *nd) { m.src, m.target = host6, host6 }), passed, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := b.f.SetDirector(0, c.director); err != nil {
				t.Fatal(err)
			}
			b.f.SetLease(BootTime() + time.Hour)
			if c.lapsed {
				b.f.SetLease(0)
			}
			b.expect(t, ingress, c.frame, c.want, c.why, c.to)
		})
	}
}

// otherCode gives a message the code 1, and the checksum that it has then.
func otherCode(message []byte) {
	message[1] = 1
	binary.BigEndian.PutUint16(message[2:], binary.BigEndian.Uint16(message[2:])-1)
}

// TestNDAnswerIsComplete compares every byte of the three kinds of answers, whose solicitations are shorter, as long and longer.
func TestNDAnswerIsComplete(t *testing.T) {
	b := newBench6(t)
	if err := b.f.SetDirector(0, true); err != nil {
		t.Fatal(err)
	}
	answer := func(edit func(*nd)) []byte {
		m := nd{to: clientMAC, from: ownMAC, src: vip6, dst: client6, kind: 136, flags: 0x60, target: vip6, options: macOption(2, ownMAC), hops: 255}
		edit(&m)
		return m.frame()
	}
	asIs := func(*nd) {}
	for _, c := range []struct {
		name     string
		question []byte
		want     []byte
	}{
		{"with the asker's MAC", solicitation(), answer(asIs)},
		{"without", solicitation(func(m *nd) { m.options = nil }), answer(asIs)},
		{"with more", solicitation(func(m *nd) { m.options = append(m.options, make([]byte, 64)...) }), answer(asIs)},
		{"search for duplicates", solicitation(func(m *nd) { m.src, m.options = netip.IPv6Unspecified(), nil }),
			answer(func(m *nd) { m.to, m.dst, m.flags = allMAC, allIP, 0x20 })},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, out := b.run(ingress, c.question)
			if string(out) != string(c.want) {
				t.Errorf("answer\n% x, want\n% x", out, c.want)
			}
		})
	}
}

// TestEveryChecksumOfAnAnswerIsRight asks for many addresses: each has another sum, some of which carry twice.
func TestEveryChecksumOfAnAnswerIsRight(t *testing.T) {
	b := newBench(t)
	for i := range uint64(300) {
		a := vip6.As16()
		binary.BigEndian.PutUint64(a[8:], (i+1)*0x9e3779b97f4a7c15)
		target := netip.AddrFrom16(a)
		if err := b.f.Configure(Setup{VIPs: []VIP{{Address: target, Interface: b.ifindex, MAC: ownMAC}}}); err != nil {
			t.Fatal(err)
		}
		if err := b.f.SetDirector(0, true); err != nil {
			t.Fatal(err)
		}
		_, _, out := b.run(ingress, solicitation(func(m *nd) { m.target = target }))
		p := packet{src: target, dst: client6, protocol: protocolICMP6}
		if len(out) != 86 || p.transportChecksum(out[offTCP6:]) != 0 {
			t.Fatalf("answer for %s: % x", target, out)
		}
	}
}
