package agent

import (
	"slices"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/api"
)

// hearsOf is a network by who hears whom: "a:bc b:ac c:-ab" means that c says to hear neither a nor b, "d:?" that d has said nothing.
func hearsOf(name, matrix string) api.NetworkStatus {
	n := api.NetworkStatus{Name: name, Up: true, Interface: "eth1"}
	for field := range strings.FieldsSeq(matrix) {
		host, said, _ := strings.Cut(field, ":")
		h := api.NetworkHearing{Host: host, Known: said != "?"}
		hears, deaf, _ := strings.Cut(strings.Trim(said, "?"), "-")
		h.Hears, h.Deaf = strings.Split(hears, ""), strings.Split(deaf, "")
		n.Hearing = append(n.Hearing, h)
	}
	return n
}

// TestBadNetworkIsThePairs: item 7 of the issue. What is one pair's is told as that pair's, and what is one host's once.
func TestBadNetworkIsThePairs(t *testing.T) {
	down := hearsOf("cross", "a:? b:c-a c:b-a")
	down.Up, down.Why = false, "gone"
	lossy := hearsOf("lan", "a:b b:a")
	lossy.Peers = []api.NetworkPeer{{Host: "b", State: api.PeerHeard, LossPercent: new(30.0)}, {Host: "c", State: api.PeerSilent, LossPercent: new(30.0)}}
	for _, tc := range []struct {
		name    string
		network api.NetworkStatus
		want    string
	}{
		{"all well", hearsOf("lan", "a:bc b:ac c:ab"), ""},
		{"nobody else has said anything", hearsOf("lan", "a:bc b:? c:?"), ""},
		{"one way", hearsOf("cross", "a:c-b b:ac c:ab"), "network cross: host b is not heard by host a (others are)"},
		{"one way, between others", hearsOf("cross", "a:bc b:a-c c:ab"), "network cross: host c is not heard by host b (others are)"},
		{"both ways", hearsOf("cross", "a:c-b b:c-a c:ab"), "network cross: hosts a and b do not hear each other (others are)"},
		{"both ways, two hosts", hearsOf("cross", "a:-b b:-a"), "network cross: hosts a and b do not hear each other"},
		{"one way, two hosts", hearsOf("cross", "a:-b b:a"), "network cross: host b is not heard by host a"},
		{"cut off", hearsOf("cross", "a:c-b b:-ac c:a-b"), "network cross: host b hears nobody and nobody hears it"},
		{"dumb", hearsOf("cross", "a:c-b b:ac c:a-b"), "network cross: host b is heard by nobody"},
		{"deaf", hearsOf("cross", "a:bc b:-ac c:ab"), "network cross: host b hears nobody"},
		{"a host that is gone is no network's problem", hearsOf("lan", "a:b b:a c:?"), ""},
		{"one has not said anything", hearsOf("cross", "a:c-b b:? c:ab"), "network cross: host b is not heard by host a (others are)"},
		{"down here", down, "network cross: is down on host a: gone"},
		{"loss", lossy, "network lan: 30 % of what host b says is lost on the way to host a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var said []string
			for _, p := range networkProblems(api.Status{Host: "a", Networks: []api.NetworkStatus{tc.network}}) {
				said = append(said, p.About+": "+p.What)
				if p.Remedy == "" {
					t.Errorf("%+v has no remedy", p)
				}
			}
			if got := strings.Join(said, "; "); got != tc.want {
				t.Errorf("problems %q, want %q", got, tc.want)
			}
		})
	}
}

// TestEveryPairIsToldOnce: whoever does not hear whom, no two problems are the same, and there is none without a host that is deaf to another.
func TestEveryPairIsToldOnce(t *testing.T) {
	hosts := "abcd"
	for bits := range 1 << 12 {
		n := api.NetworkStatus{Name: "lan", Up: true}
		faults := 0
		for i, l := range hosts {
			h := api.NetworkHearing{Host: string(l), Known: true}
			for j, s := range strings.Replace(hosts, string(l), "", 1) {
				if bits>>(3*i+j)&1 != 0 {
					h.Deaf, faults = append(h.Deaf, string(s)), faults+1
					continue
				}
				h.Hears = append(h.Hears, string(s))
			}
			n.Hearing = append(n.Hearing, h)
		}
		var said []string
		for _, p := range deafness(n, "a") {
			said = append(said, p.What)
		}
		if slices.Sort(said); len(slices.Compact(slices.Clone(said))) != len(said) || (len(said) > 0) != (faults > 0) || len(said) > faults {
			t.Fatalf("%+v is told as %q", n.Hearing, said)
		}
	}
}
