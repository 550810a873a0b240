package filter

import "sync/atomic"

// SetSlots installs the slots of a rule, an index into Setup.Rules of the last Configure. Each word is balance.Slot.Word. A word
// changes by one store, so a packet sees either the old or the new slot of its bucket; words that stay are not touched. A
// rule that was not configured is ignored and logged.
func (f *Filter) SetSlots(rule int, slots *[buckets]uint32) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if rule < 0 || rule >= len(f.pages) {
		f.log.Error("slots for a rule that is not configured", "rule", rule, "rules", len(f.pages))
		return
	}
	page := &f.slots.items[f.pages[rule]]
	for i, word := range slots {
		if atomic.LoadUint32(&page.slots[i]) != word {
			atomic.StoreUint32(&page.slots[i], word)
		}
	}
}

// Slots reads back the slots of a rule, zero when it is not configured.
func (f *Filter) Slots(rule int) (slots [buckets]uint32) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if rule < 0 || rule >= len(f.pages) {
		return slots
	}
	page := &f.slots.items[f.pages[rule]]
	for i := range slots {
		slots[i] = atomic.LoadUint32(&page.slots[i])
	}
	return slots
}

// reset makes the page one of a rule whose buckets nobody owns and whose clients nobody knows.
func (p *slotPage) reset(h Hash) {
	p.fill(nobody)
	for i := range p.chains {
		p.chains[i] = noChain
	}
	atomic.StoreUint64(&p.rule.since, forgotten)
	p.rule.masks = h.record()
}

// fill gives every bucket one slot.
func (p *slotPage) fill(word uint32) {
	for i := range p.slots {
		atomic.StoreUint32(&p.slots[i], word)
	}
}
