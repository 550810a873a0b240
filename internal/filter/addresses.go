package filter

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"sync/atomic"
)

// Programs find VIPs in two small tables, one for each family; docs/design/0002-filter.md has the reasons.

// addresses reads the addresses that the programs know, with their places in the VIP tables.
func (f *Filter) addresses() map[netip.Addr]int {
	all := f.table.items[0].list()
	maps.Copy(all, f.six.items[0].list())
	return all
}

// find makes the programs find an address at a place.
func (f *Filter) find(a netip.Addr, place int) error {
	if a.Is4() {
		return f.table.items[0].put(a, place)
	}
	return f.six.items[0].put(a, place)
}

// forget makes the programs take an address for another host's.
func (f *Filter) forget(a netip.Addr) {
	if a.Is4() {
		f.table.items[0].remove(a)
		return
	}
	f.six.items[0].remove(a)
}

// errCrowded says that the window of a table in which an address would have to be is full.
func errCrowded(a netip.Addr) error {
	return fmt.Errorf("%w: address %s shares its place in the table with %d others: choose another", ErrSetup, a, addressProbes)
}

// addressPlace is where the search for an address begins. Same as find_vip and find_vip6 in bpf/common.h.
func addressPlace(a netip.Addr) uint32 {
	sum := uint32(0)
	for b := a.AsSlice(); len(b) > 0; b = b[4:] {
		sum = (sum ^ binary.BigEndian.Uint32(b)) * golden
	}
	return sum >> (32 - addressBits)
}

func word4(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// list reads the addresses that the programs know, with their places in the VIP tables.
func (t *addressTable) list() map[netip.Addr]int {
	all := map[netip.Addr]int{}
	for i := range t {
		e := atomic.LoadUint64(&t[i])
		if place := int(uint32(e)) - 1; place >= 0 && place < maxVIPs {
			all[netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(e>>32))))] = place
		}
	}
	return all
}

// put makes an address lead to a place, by one store.
func (t *addressTable) put(a netip.Addr, place int) error {
	entry := uint64(word4(a))<<32 | uint64(place+1)
	window := t[addressPlace(a):][:addressProbes]
	free := -1
	for i := range window {
		e := atomic.LoadUint64(&window[i])
		if uint32(e) != 0 && e>>32 == entry>>32 {
			atomic.StoreUint64(&window[i], entry)
			return nil
		}
		if uint32(e) == 0 && free < 0 {
			free = i
		}
	}
	if free < 0 {
		return errCrowded(a)
	}
	atomic.StoreUint64(&window[free], entry)
	return nil
}

func (t *addressTable) remove(a netip.Addr) {
	window := t[addressPlace(a):][:addressProbes]
	for i := range window {
		if atomic.LoadUint64(&window[i])>>32 == uint64(word4(a)) {
			atomic.StoreUint64(&window[i], 0)
		}
	}
}
