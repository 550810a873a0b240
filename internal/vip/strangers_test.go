package vip

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func claimOf(last byte) Stranger {
	mac := net.HardwareAddr{2, 0, 0, 0, 9, last}
	return Stranger{Address: address(), MAC: mac, Source: mac, Interface: 2}
}

func unknown(Stranger) bool { return false }

func TestAStrangerIsFoundOnceAndGoesOnce(t *testing.T) {
	var s Strangers
	start := time.Unix(1000, 0)
	s.Hear(claimOf(1), start)
	if !s.Suspected(address()) || s.Claimed(address()) || len(s.List()) > 0 {
		t.Error("a claim is a suspicion at once, and no more")
	}
	if found, _ := s.Judge(start.Add(Grace-1), start.Add(Grace-1), unknown); len(found) > 0 {
		t.Errorf("found %+v before the grace is over", found)
	}
	if found, _ := s.Judge(start.Add(Grace), start, unknown); len(found) > 0 {
		t.Errorf("found %+v though what is known was asked for before the claim", found)
	}
	found, _ := s.Judge(start.Add(Grace), start.Add(Grace), unknown)
	if len(found) != 1 || !s.Claimed(address()) || len(s.List()) != 1 {
		t.Fatalf("found %+v, claimed %v, listed %+v", found, s.Claimed(address()), s.List())
	}
	for at := Grace; at < 3*Silence; at += time.Second { // he goes on
		s.Hear(claimOf(1), start.Add(at))
		if found, gone := s.Judge(start.Add(at), start.Add(at), unknown); len(found)+len(gone) > 0 {
			t.Fatalf("after %v found %+v, gone %+v", at, found, gone)
		}
	}
	end := start.Add(3*Silence - time.Second)
	if _, gone := s.Judge(end.Add(Silence), end, unknown); len(gone) > 0 {
		t.Errorf("gone %+v after exactly the silence", gone)
	}
	_, gone := s.Judge(end.Add(Silence+1), end, unknown)
	if len(gone) != 1 || s.Any() || gone[0].Claims < 170 {
		t.Errorf("gone %+v, any left: %v", gone, s.Any())
	}
}

func TestAHostWhoseMACIsNotKnownYetIsNoStranger(t *testing.T) {
	var s Strangers
	start := time.Unix(1000, 0)
	s.Hear(claimOf(1), start)
	hosts := map[string]bool{}
	known := func(c Stranger) bool { return hosts[c.MAC.String()] }
	s.Judge(start.Add(Grace/2), start.Add(Grace/2), known)
	hosts[claimOf(1).MAC.String()] = true
	if found, gone := s.Judge(start.Add(2*Grace), start.Add(2*Grace), known); len(found)+len(gone) > 0 || s.Suspected(address()) {
		t.Errorf("found %+v, gone %+v; want it dropped in silence", found, gone)
	}
}

func TestStrangersAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Strangers
		now := time.Unix(1000, 0)
		told := 0
		for range rapid.IntRange(0, 300).Draw(t, "claims") {
			now = now.Add(time.Duration(rapid.IntRange(0, 500).Draw(t, "pause")) * time.Millisecond)
			c := claimOf(rapid.Byte().Draw(t, "MAC"))
			c.Address = netip.AddrFrom4([4]byte{10, 77, 0, rapid.ByteRange(0, 2).Draw(t, "address")})
			s.Hear(c, now)
			found, _ := s.Judge(now, now, unknown)
			told += len(found)
			if len(s.list) > 3*keptStrangers {
				t.Fatalf("%d are remembered", len(s.list))
			}
		}
		if most := 3 * keptStrangers * (1 + int(now.Sub(time.Unix(1000, 0))/Silence)); told > most {
			t.Errorf("%d told in %v, want %d at most", told, now.Sub(time.Unix(1000, 0)), most)
		}
	})
}

func TestWhenToAsk(t *testing.T) {
	for _, tt := range []struct {
		name             string
		watched, claimed bool
		length           time.Duration
		want             []time.Duration
	}{
		{"at first, by whoever carries it", false, false, 5 * time.Minute, []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond}},
		{"by the director", true, false, 50 * time.Second, []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond, 30200 * time.Millisecond}},
		{"while a stranger is known", false, true, 25 * time.Second,
			[]time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond, 10200 * time.Millisecond, 20200 * time.Millisecond}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var a Asking
			start := time.Unix(1000, 0)
			a.Begin(start)
			var got []time.Duration
			for at := time.Duration(0); at < tt.length; at += 20 * time.Millisecond {
				if a.Due(start.Add(at), tt.watched, tt.claimed) {
					got = append(got, at)
				}
				if a.Answered(start.Add(at)) != (at >= 300*time.Millisecond) {
					t.Fatalf("answered after %v: %v", at, !(at >= 300*time.Millisecond))
				}
			}
			if len(got) != len(tt.want) {
				t.Fatalf("asked at %v, want %v", got, tt.want)
			}
			for i := range got {
				if got[i] != tt.want[i] {
					t.Errorf("asked at %v, want %v", got, tt.want)
				}
			}
		})
	}
}
