package agent

import (
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/member"
)

// ruled is the example farm with rules of its own for the VIP web, its third host twice as strong, and a host that only votes.
func ruled(t *testing.T, rules string) *config.Config {
	t.Helper()
	text := strings.Replace(farm, "  c: {address: 10.77.0.3}\n", "  c: {address: 10.77.0.3, weight: 2}\n  w: {address: 10.77.0.4, role: witness}\n", 1)
	return parse(t, text[:strings.Index(text, "      - {ports: [80]")]+rules)
}

// shareOf counts the buckets of hosts a, b and c, and of nobody.
func shareOf(t *balance.Table) [4]int {
	var n [4]int
	for _, owner := range t {
		n[min(int(owner), 3)]++
	}
	return n
}

func TestTableOfARuleByItsHandling(t *testing.T) {
	const a, b, c, all = member.ID(0), member.ID(1), member.ID(2), balance.Buckets
	for _, tt := range []struct {
		name, rule string
		in         []member.ID
		want       [4]int
	}{
		{"shared by the hosts' weights", "{ports: [80]}", []member.ID{a, b, c}, [4]int{1024, 1024, 2048, 0}},
		{"shared by the rule's weights", "{ports: [80], weights: {a: 2, c: 1}}", []member.ID{a, b, c}, [4]int{2048, 1024, 1024, 0}},
		{"equal though the hosts are not", "{ports: [80], weights: {c: 1}}", []member.ID{a, c}, [4]int{2048, 0, 2048, 0}},
		{"left out by weight", "{ports: [80], weights: {c: 0}}", []member.ID{a, c}, [4]int{all, 0, 0, 0}},
		{"only one that is left out is there", "{ports: [80], weights: {c: 0}}", []member.ID{c}, [4]int{0, 0, 0, all}},
		{"single, the first of the list", "{ports: [80], handling: single, priority: [c, a]}", []member.ID{a, b, c}, [4]int{0, 0, all, 0}},
		{"single, the next of the list", "{ports: [80], handling: single, priority: [c, a]}", []member.ID{a, b}, [4]int{all, 0, 0, 0}},
		{"single, one that is not in it", "{ports: [80], handling: single, priority: [c, a]}", []member.ID{b}, [4]int{0, all, 0, 0}},
		{"single without a list: by name", "{ports: [80], handling: single}", []member.ID{b, c}, [4]int{0, all, 0, 0}},
		{"refuse", "{ports: [80], handling: refuse, priority: [a]}", []member.ID{a, b, c}, [4]int{0, 0, 0, all}},
		{"default host", "{ports: [80]}\n    default: [b]", []member.ID{a, b, c}, [4]int{0, all, 0, 0}},
		{"default host is not there, and nobody stands in", "{ports: [80]}\n    default: [b]", []member.ID{a, c}, [4]int{0, 0, 0, all}},
		{"quorum that is missing", "{ports: [80], quorum: majority}", []member.ID{a}, [4]int{0, 0, 0, all}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := ruled(t, "      - "+tt.rule+"\n")
			s := newShares(tt.in[0], cfg, rank(cfg), nil)
			s.release(viewOf(cfg, 1, tt.in...))
			if got := shareOf(s.rules[len(s.rules)-1].table); got != tt.want {
				t.Errorf("a, b, c, nobody have %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRulesWithTheSameWeightsShareTheirRankings(t *testing.T) {
	cfg := ruled(t, "      - {ports: [80], weights: {c: 1}}\n      - {ports: [81], weights: {a: 1, c: 1}}\n      - {ports: [82]}\n")
	r := rank(cfg) // of the rule for mail, then of these
	if r[1] != r[2] || r[0] != r[3] || r[0] == r[1] {
		t.Errorf("rankings %p %p %p %p: want the first with the last, and the two between", r[0], r[1], r[2], r[3])
	}
}

func TestRefusedIsMarkedInEveryBucket(t *testing.T) {
	cfg := ruled(t, "      - {ports: [80], handling: refuse}\n")
	s := newShares(0, cfg, rank(cfg), nil)
	s.release(viewOf(cfg, 1, 0, 1))
	for b, slot := range slotsOf(s, 1) {
		if slot.Flags&balance.Refused == 0 || slot.Flags&balance.Own != 0 {
			t.Fatalf("bucket %d: %+v", b, slot)
		}
	}
	if slot := slotsOf(s, 0)[0]; slot.Flags&balance.Refused != 0 {
		t.Errorf("the other rule: %+v", slot)
	}
}

// What a host remembers counts while it may serve the rule, and only then.
func TestMemoryCountsWhileTheHostMayServe(t *testing.T) {
	cfg := ruled(t, "      - {ports: [80], affinity: client, affinity_timeout: 1m}\n")
	s := newShares(0, cfg, rank(cfg), nil)
	if s.remembers(1) {
		t.Error("it counts in no view")
	}
	v := viewOf(cfg, 1, 0, 1)
	s.release(v)
	if !s.remembers(1) || s.remembers(0) {
		t.Errorf("in a view: %v, and of a rule that remembers nobody: %v", s.remembers(1), s.remembers(0))
	}
	v.Members[0].Weight = 0
	s.release(v)
	if s.remembers(1) {
		t.Error("it counts while the host is drained")
	}
	v.Members[0].Weight, v.Members[0].Ready = 1, 1
	s.release(v)
	if s.remembers(1) {
		t.Error("it counts while the rule's check fails")
	}
	s.withdraw()
	var chains [balance.Buckets]uint16
	if s.chains(1, &chains); s.remembers(1) || chains[7] != 0xffff {
		t.Errorf("after a withdrawal it counts: %v, the chain is %04x", s.remembers(1), chains[7])
	}
}
