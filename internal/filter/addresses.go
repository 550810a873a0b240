package filter

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync/atomic"
)

// addressPlace is where the search for an address begins. Same as find_vip in bpf/common.h.
func addressPlace(a netip.Addr) uint32 { return word4(a) * golden >> (32 - addressBits) }

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
		return fmt.Errorf("%w: address %s shares its place in the table with %d others: choose another", ErrSetup, a, addressProbes)
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
