package filter

import (
	"net/netip"
	"sync/atomic"
)

// list reads the addresses that the programs know, with their places in the VIP tables.
func (t *address6Table) list() map[netip.Addr]int {
	all := map[netip.Addr]int{}
	for i := range t {
		if place := int(atomic.LoadUint32(&t[i].place)) - 1; place >= 0 && place < maxVIPs {
			all[netip.AddrFrom16(t[i].address)] = place
		}
	}
	return all
}

// put makes an address lead to a place. The programs see all of it or nothing: the place is stored last.
func (t *address6Table) put(a netip.Addr, place int) error {
	window := t[addressPlace(a):][:addressProbes]
	free := -1
	for i := range window {
		e := &window[i]
		switch taken := atomic.LoadUint32(&e.place) != 0; {
		case taken && e.address == a.As16():
			atomic.StoreUint32(&e.place, uint32(place+1))
			return nil
		case !taken && free < 0:
			free = i
		}
	}
	if free < 0 {
		return errCrowded(a)
	}
	window[free].address = a.As16()
	atomic.StoreUint32(&window[free].place, uint32(place+1))
	return nil
}

// remove makes the programs find an address no more. The address itself stays in the entry: a program may be comparing it.
func (t *address6Table) remove(a netip.Addr) {
	window := t[addressPlace(a):][:addressProbes]
	for i := range window {
		if window[i].address == a.As16() {
			atomic.StoreUint32(&window[i].place, 0)
		}
	}
}
