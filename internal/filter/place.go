package filter

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// The kernel's tables are the only memory of where an address or a rule has its place: an agent that starts anew finds the
// places of the one before, and what stays does not move.

// placeVIPs gives each address its place, the one that it has already if any. Addresses that are not wanted are removed first.
func (f *Filter) placeVIPs(want []VIP) []int {
	has := f.addresses()
	wanted := map[netip.Addr]bool{}
	for _, v := range want {
		wanted[v.Address] = true
	}
	used := map[int]bool{}
	for a, place := range has {
		if wanted[a] {
			used[place] = true
			continue
		}
		f.forget(a)
	}
	places := make([]int, len(want))
	for i, v := range want {
		place, ok := has[v.Address]
		if !ok {
			place = firstFree(used)
			used[place] = true
			f.vips.items[place] = vipRecord{}
			f.ports.items[place] = portTable{}
		}
		places[i] = place
	}
	for place := range f.vips.items {
		if !used[place] {
			f.vips.items[place].take(nil) // nobody's group any more
		}
	}
	return places
}

func firstFree(used map[int]bool) int {
	n := 0
	for used[n] {
		n++
	}
	return n
}

func (f *Filter) writeVIP(place int, v VIP) {
	r := &f.vips.items[place]
	atomic.StoreUint32(&r.ifindex, uint32(v.Interface))
	r.mac = [6]byte(v.MAC)
	setFlag(&r.flags, flagTunnel, v.Tunnel)
	r.take(v.Taken) // first: a neighbour that is told of a MAC is served there
	answer := v.Answer
	if answer == nil {
		answer = v.MAC
	}
	atomic.StoreUint64(&r.answer, macWord(answer))
}

func setFlag(flags *uint32, flag uint32, on bool) {
	if on {
		atomic.OrUint32(flags, flag)
	} else {
		atomic.AndUint32(flags, ^flag)
	}
}

// take makes these the cluster MACs. One that stays is there at every moment.
func (r *vipRecord) take(macs []net.HardwareAddr) {
	var missing []uint64
	for _, m := range macs {
		if word := macWord(m); !slices.Contains(r.taken[:], word) {
			missing = append(missing, word)
		}
	}
	for i, word := range r.taken {
		if slices.ContainsFunc(macs, func(m net.HardwareAddr) bool { return macWord(m) == word }) {
			continue
		}
		next := uint64(0)
		if len(missing) > 0 {
			next, missing = missing[0], missing[1:]
		}
		atomic.StoreUint64(&r.taken[i], next)
	}
}

// areMACs says whether all are Ethernet addresses. The address of zeros stands for none.
func areMACs(all ...net.HardwareAddr) bool {
	return !slices.ContainsFunc(all, func(m net.HardwareAddr) bool { return len(m) != 6 || macWord(m) == 0 })
}

// macWord is a MAC as the programs compare it: its bytes in the order of the wire, then two of zero.
func macWord(m net.HardwareAddr) uint64 {
	var b [8]byte
	copy(b[:], m)
	return binary.LittleEndian.Uint64(b[:]) // the programs are compiled for little-endian machines only
}

// writeAddresses makes the addresses known, after everything about them is in place.
func (f *Filter) writeAddresses(vips []VIP, places []int) error {
	for i, v := range vips {
		if err := f.find(v.Address, places[i]); err != nil {
			return err
		}
	}
	return nil
}

// placeRules gives each rule a page of slots: the page that one of its ports leads to already, else a free one, which is
// cleared first. A page that only outgoing rules use counts as free when there is no other.
func (f *Filter) placeRules(rules []Rule, ports [][2][]PortRange, vipPlaces []int) []int {
	pages := make([]int, len(rules))
	taken := map[int]bool{}
	for i, r := range rules {
		pages[i] = f.pageOf(r, ports[i], vipPlaces[r.VIP], taken)
		if pages[i] >= 0 {
			taken[pages[i]] = true
			f.quietGains(vipPlaces[r.VIP], ports[i], pages[i])
		}
	}
	leaving := f.pagesInUse(vipPlaces)
	for i := range rules {
		if pages[i] >= 0 {
			continue
		}
		page := f.freePage(taken, leaving)
		f.slots.items[page].reset(rules[i].Hash)
		pages[i], taken[page] = page, true
	}
	for i, r := range rules {
		atomic.StoreUint32(&f.slots.items[pages[i]].rule.remember, uint32(r.Remember/time.Second))
	}
	return pages
}

// quietGains makes a page say nothing about its buckets when it is about to get a port of another: by its old slots the owner of a bucket
// would reset connections of that port which another host has.
func (f *Filter) quietGains(vipPlace int, ports [2][]PortRange, page int) {
	gains := false
	each(ports, func(protocol, port int) bool {
		had := int(f.ports.items[vipPlace][protocol][port]&portPage) - 1
		gains = had >= 0 && had != page
		return !gains
	})
	if gains {
		f.slots.items[page].fill(nobodyYet)
	}
}

// pageOf is the page that a rule has now, or -1. The same hash is asked for: else the old slots mean other buckets.
func (f *Filter) pageOf(r Rule, ports [2][]PortRange, vipPlace int, taken map[int]bool) int {
	found := -1
	each(ports, func(protocol, port int) bool {
		b := f.ports.items[vipPlace][protocol][port]
		page := int(b&portPage) - 1
		if page < 0 || page >= len(f.slots.items) || taken[page] {
			return true
		}
		if (b&portByPort != 0) == r.Hash.ByPort && f.slots.items[page].rule.masks == r.Hash.record() {
			found = page
		}
		return found < 0
	})
	return found
}

func (f *Filter) pagesInUse(vipPlaces []int) map[int]bool {
	used := map[int]bool{}
	for _, place := range vipPlaces {
		for protocol := range f.ports.items[place] {
			for _, b := range f.ports.items[place][protocol] {
				if b != 0 {
					used[int(b&portPage)-1] = true
				}
			}
		}
	}
	return used
}

func (f *Filter) freePage(taken, leaving map[int]bool) int {
	second := 0
	for page := range f.slots.items {
		if taken[page] {
			continue
		}
		if !leaving[page] {
			return page
		}
		second = page
	}
	return second
}

// writePorts leads each port of the VIP to its rule's page, touching only what changes.
func (f *Filter) writePorts(place, vip int, rules []Rule, ports [][2][]PortRange, pages []int) {
	var want portTable
	for i, r := range rules {
		if r.VIP != vip {
			continue
		}
		b := uint8(pages[i] + 1)
		if r.Hash.ByPort {
			b |= portByPort
		}
		each(ports[i], func(protocol, port int) bool {
			want[protocol][port] = b
			return true
		})
	}
	has := &f.ports.items[place]
	for protocol := range want {
		for n, b := range want[protocol] {
			if has[protocol][n] != b {
				has[protocol][n] = b
			}
		}
	}
}
