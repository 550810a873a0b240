package vip

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Bounds of what is remembered of strangers, and for how long.
const (
	// Grace is how long a claim is only a suspicion: a host of the cluster whose MAC is not known yet has told it by heartbeat
	// long before.
	Grace = time.Second

	// Silence is how long a stranger says nothing before he counts as gone. He is asked several times meanwhile.
	Silence = time.Minute

	// keptStrangers bounds what is remembered for an address. Whoever forges claims can make up MACs without end.
	keptStrangers = 4

	// watchedAddresses bounds the addresses with strangers: the VIPs and the host's own.
	watchedAddresses = 66
)

// Stranger is somebody who says that an address of ours is his.
type Stranger struct {
	Address   netip.Addr
	MAC       net.HardwareAddr // that he says has it
	Source    net.HardwareAddr // of his frame
	Interface int              // index of the interface that heard him
	First     time.Time        // when he was heard first
	Last      time.Time        // and last
	Claims    int              // how often, each second counted once
	Judged    bool             // he is no host of the cluster
}

// Strangers decides who is a stranger and who a host of the cluster, from what is heard and known. It holds no I/O and no clock. The zero value is
// ready.
type Strangers struct{ list []Stranger }

// Hear takes in a claim.
func (s *Strangers) Hear(c Stranger, now time.Time) {
	same := 0
	for i := range s.list {
		each := &s.list[i]
		if each.Address != c.Address {
			continue
		}
		same++
		if bytes.Equal(each.MAC, c.MAC) && bytes.Equal(each.Source, c.Source) && each.Interface == c.Interface {
			each.Last = now
			each.Claims++
			return
		}
	}
	if same >= keptStrangers || len(s.list) >= keptStrangers*watchedAddresses {
		return // the filter counts it
	}
	c.First, c.Last, c.Claims, c.Judged = now, now, 1, false
	s.list = append(s.list, c)
}

// Judge drops whoever is known by now, and says who was found to be a stranger since the last call and who of those is gone. What was known at
// asked counts: who was heard later is judged the next time.
func (s *Strangers) Judge(now, asked time.Time, known func(Stranger) bool) (found, gone []Stranger) {
	s.list = slices.DeleteFunc(s.list, func(each Stranger) bool {
		leaves := known(each) || now.Sub(each.Last) > Silence
		if leaves && each.Judged {
			gone = append(gone, each)
		}
		return leaves
	})
	for i := range s.list {
		each := &s.list[i]
		if !each.Judged && now.Sub(each.First) >= Grace && asked.After(each.First) {
			each.Judged = true
			found = append(found, *each)
		}
	}
	return found, gone
}

// Forget drops what is remembered of addresses that are not ours any more.
func (s *Strangers) Forget(ours func(netip.Addr) bool) {
	s.list = slices.DeleteFunc(s.list, func(each Stranger) bool { return !ours(each.Address) })
}

// Suspected says whether anybody claims the address who is not known, judged or not.
func (s *Strangers) Suspected(a netip.Addr) bool {
	return slices.ContainsFunc(s.list, func(each Stranger) bool { return each.Address == a })
}

// Claimed says whether a stranger claims the address.
func (s *Strangers) Claimed(a netip.Addr) bool {
	return slices.ContainsFunc(s.list, func(each Stranger) bool { return each.Address == a && each.Judged })
}

// Any says whether there is anybody to judge.
func (s *Strangers) Any() bool { return len(s.list) > 0 }

// List is the strangers that were found and are not gone, in the order in which they were heard first.
func (s *Strangers) List() []Stranger {
	return slices.DeleteFunc(slices.Clone(s.list), func(each Stranger) bool { return !each.Judged })
}
