package filter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"

	"github.com/cilium/ebpf"
)

// Client is a client, or a network of clients, that this host remembers in a rule.
type Client struct {
	Rule    int        // index into Setup.Rules of the last Configure
	Address netip.Addr // with the bits that do not count in the rule cleared
}

// clientsAtOnce is how many clients are read in one system call.
const clientsAtOnce = 4096

// SetChains installs whom first packets go to in a rule that remembers clients. Each word is balance.Chain.Word. Use and cost are those of
// SetSlots; a bucket's slot and chain change one after the other.
func (f *Filter) SetChains(rule int, chains *[buckets]uint16) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if rule < 0 || rule >= len(f.pages) {
		f.log.Error("chains for a rule that is not configured", "rule", rule, "rules", len(f.pages))
		return
	}
	page := &f.slots.items[f.pages[rule]]
	for i, word := range chains {
		if page.chains[i] != word {
			page.chains[i] = word
		}
	}
}

// SetRemembers says whether what this host remembers of a rule's clients counts: only while it may serve the rule. When it may again it begins
// anew, for its clients have found other hosts meanwhile.
func (f *Filter) SetRemembers(rule int, counts bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if rule < 0 || rule >= len(f.pages) {
		return
	}
	since := &f.slots.items[f.pages[rule]].rule.since
	switch {
	case !counts:
		atomic.StoreUint64(since, forgotten)
	case atomic.LoadUint64(since) == forgotten:
		atomic.StoreUint64(since, uint64(BootTime()))
	}
}

// Remember notes clients of a rule as seen now. The programs do so by themselves for whom they see; a connection may be silent for longer
// than its client is remembered.
func (f *Filter) Remember(rule int, clients []netip.Addr) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if rule < 0 || rule >= len(f.pages) {
		return nil
	}
	page := f.pages[rule]
	masks, now := f.slots.items[page].rule.masks, uint64(BootTime())
	done := map[[16]byte]bool{}
	for _, c := range clients {
		a := masks.apply(c)
		if done[a] {
			continue
		}
		done[a] = true
		if err := f.maps[filterMapClients].Put(clientKey{uint32(page), a}, now); err != nil {
			return fmt.Errorf("remember client %s: %w", c, err)
		}
	}
	return nil
}

// Clients lists the clients that this host remembers and would serve because of that.
func (f *Filter) Clients() ([]Client, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	rules := map[uint32]int{}
	for rule, page := range f.pages {
		if f.slots.items[page].rule.remember > 0 {
			rules[uint32(page)] = rule
		}
	}
	if len(rules) == 0 {
		return nil, nil
	}
	var list []Client
	now := uint64(BootTime())
	err := f.eachClient(func(key clientKey, seen uint64) {
		rule, ok := rules[key.Page]
		if ok && f.slots.items[key.Page].rule.counts(seen, now) {
			list = append(list, Client{rule, netip.AddrFrom16(key.Address).Unmap()})
		}
	})
	return list, err
}

// eachClient reads the whole table.
func (f *Filter) eachClient(visit func(key clientKey, seen uint64)) error {
	var cursor ebpf.MapBatchCursor
	keys, times := make([]clientKey, clientsAtOnce), make([]uint64, clientsAtOnce)
	for {
		n, err := f.maps[filterMapClients].BatchLookup(&cursor, keys, times, nil)
		for i := range n {
			visit(keys[i], times[i])
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil // that was the end
		}
		if err != nil {
			return fmt.Errorf("list remembered clients: %w", err)
		}
	}
}

// counts reports whether a client that was seen is still remembered. Both times are of CLOCK_BOOTTIME, in ns.
func (r *ruleRecord) counts(seen, now uint64) bool {
	age := uint64(atomic.LoadUint32(&r.remember)) * uint64(1e9)
	return seen >= atomic.LoadUint64(&r.since) && now-min(seen, now) < age
}

// apply clears the bits of an address that do not count, and maps IPv4.
func (m *maskRecord) apply(a netip.Addr) [16]byte {
	a = a.Unmap()
	b := a.As16()
	masks := m.mask6[:]
	if a.Is4() {
		masks = []uint32{^uint32(0), ^uint32(0), ^uint32(0), m.mask4}
	}
	for i, mask := range masks {
		word := b[4*i:]
		binary.NativeEndian.PutUint32(word, binary.NativeEndian.Uint32(word)&mask)
	}
	return b
}
