package register

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// farm is some hosts that tell each other their values by heartbeats on a bad network.
type farm struct {
	t      *testing.T
	rand   *rand.Rand
	hosts  []*Set
	files  []string
	heard  [][]Digest // heard[i][j]: what host i heard of host j last; zero: nothing
	sides  []int      // hosts of different sides do not reach each other
	flight []letter
}

type letter struct {
	from, to int
	said     Said
}

func newFarm(t *testing.T, seed uint64, hosts int) *farm {
	f := &farm{t: t, rand: rand.New(rand.NewPCG(seed, 1)), sides: make([]int, hosts)}
	for i := range hosts {
		f.hosts = append(f.hosts, New(uint8(i)))
		f.files = append(f.files, "")
		f.heard = append(f.heard, make([]Digest, hosts))
	}
	return f
}

// turn has every host say something. Each datagram is lost with the given chance; those that are not arrive in any order.
func (f *farm) turn(loss float64) {
	for from, s := range f.hosts {
		differ := false
		for to, d := range f.heard[from] {
			differ = differ || to != from && d != 0 && d != s.Digest()
		}
		said := s.Say(differ, Budget)
		for to := range f.hosts {
			if to != from && f.sides[to] == f.sides[from] && f.rand.Float64() >= loss {
				f.flight = append(f.flight, letter{from, to, said})
			}
		}
	}
	f.rand.Shuffle(len(f.flight), func(i, j int) { f.flight[i], f.flight[j] = f.flight[j], f.flight[i] })
	keep := 0
	if loss > 0 {
		keep = f.rand.IntN(len(f.flight) + 1) // these come later, and so out of order
	}
	for _, l := range f.flight[keep:] {
		f.heard[l.to][l.from] = l.said.Digest
		f.hosts[l.to].Merge(l.said.Entries)
	}
	f.flight = f.flight[:keep]
}

// disturb changes something on a random host.
func (f *farm) disturb() {
	i := f.rand.IntN(len(f.hosts))
	key := fmt.Sprintf("k%d", f.rand.IntN(70)) // more than there may be
	switch f.rand.IntN(8) {
	case 0, 1, 2:
		_ = f.hosts[i].Put(key, fmt.Sprint(f.rand.Uint64()), noon()) // full: that is an answer too
	case 3, 4:
		if err := f.hosts[i].Delete(key, noon()); err != nil {
			f.t.Fatal(err)
		}
	case 5:
		f.files[i] = f.hosts[i].Encode()
	case 6: // restart from the file, which may be old or missing
		f.hosts[i] = New(uint8(i))
		entries, errs := Decode(f.files[i])
		if len(errs) > 0 && f.files[i] != "" {
			f.t.Fatal(errs)
		}
		f.hosts[i].Merge(entries)
		f.heard[i] = make([]Digest, len(f.hosts))
	case 7: // another partition, or none
		for i := range f.sides {
			f.sides[i] = f.rand.IntN(2) * f.rand.IntN(2)
		}
	}
}

func (f *farm) agree() bool {
	for _, s := range f.hosts {
		if s.Digest() != f.hosts[0].Digest() {
			return false
		}
	}
	return true
}

// TestAllHostsConverge: whatever was set wherever, through loss, reordering, partitions and restarts from old files, all hosts end with
// the same values, and then say no entries any more.
func TestAllHostsConverge(t *testing.T) {
	for seed := range uint64(100) {
		f := newFarm(t, seed, 2+int(seed%6))
		for range 400 {
			if f.rand.IntN(2) == 0 {
				f.disturb()
			}
			f.turn(0.3)
		}
		clear(f.sides)
		// Every entry has its turn within as many heartbeats as there are entries, and at 30 % loss gets through in a few turns.
		limit := 20 * (MaxValues + MaxTombstones)
		for turns := 0; !f.agree(); turns++ {
			if turns > limit {
				t.Fatalf("seed %d: hosts still differ after %d turns", seed, turns)
			}
			f.turn(0.3)
		}
		f.turn(0)
		f.turn(0)
		for i, s := range f.hosts {
			for j, d := range f.heard[i] {
				if i != j && d != s.Digest() {
					t.Fatalf("seed %d: host %d does not know that host %d has all", seed, i, j)
				}
			}
		}
	}
}
