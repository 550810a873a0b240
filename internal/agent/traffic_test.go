package agent_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/lab"
)

// perRound is how many frames all hosts together send in the time of one heartbeat of each. Multicast must be what is wanted; by says
// when it is what happens.
func perRound(t *testing.T, l *lab.Lab, multicast bool) float64 {
	t.Helper()
	a, others := l.Host("a"), len(l.Hosts())-1
	hears := make([]int, len(l.Hosts()))
	for i := range hears {
		hears[i] = others
	}
	by(t, a, fmt.Sprintf("multicast %v", multicast), "", multicast, hears...)
	look := func() (beats, frames uint64) {
		traffic, err := l.Traffic()
		if err != nil {
			t.Fatal(err)
		}
		n := status(t, a).Networks[0]
		if n.Multicast.Used {
			return n.Multicast.Datagrams.Sent, traffic.SentFrames
		}
		return n.Datagrams.Sent, traffic.SentFrames // heartbeats: each is one datagram to each other host
	}
	beats, frames := look()
	var rounds, sent uint64
	eventually(t, patience, "100 heartbeats", func() error {
		now, all := look()
		if rounds, sent = now-beats, all-frames; rounds < 100 {
			return fmt.Errorf("%d", rounds)
		}
		return nil
	})
	return float64(sent) / float64(rounds)
}

// TestMulticastGrowsWithHostsUnicastWithTheirSquare: what N hosts send for one heartbeat of each is N datagrams to a group, or N(N−1) to one
// host each. Other frames are few: ARP, and announcements of addresses.
func TestMulticastGrowsWithHostsUnicastWithTheirSquare(t *testing.T) {
	for _, n := range []int{3, 6} {
		t.Run(fmt.Sprintf("%d hosts", n), func(t *testing.T) {
			l := machines(t, lab.Options{Hosts: n, Config: strings.Replace(lab.DefaultConfig, ", check: web}", "}", 1)})
			if err := l.StartAll(); err != nil {
				t.Fatal(err)
			}
			ready(t, l)
			base, err := os.ReadFile(l.ConfigPath())
			if err != nil {
				t.Fatal(err)
			}
			for _, multicast := range []bool{true, false} {
				sets(t, l, string(base), fmt.Sprintf("{multicast: {disabled: %v}}", !multicast))
				want := float64(n)
				if !multicast {
					want = float64(n * (n - 1))
				}
				// The lower bound leaves room for the two looks not being at the same time, the upper one for a heartbeat out of turn too.
				if got := perRound(t, l, multicast); got < 0.85*want || got > 1.25*want {
					t.Errorf("multicast %v: %.2f frames for a heartbeat of each host, want %.0f", multicast, got, want)
				}
			}
		})
	}
}
