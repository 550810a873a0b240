package balance

import "github.com/muster-ha/muster/internal/member"

// Single is the table of a rule whose clients all go to one host: the first of an order that is eligible. Hosts that are not in the order get
// nothing; where none of it is eligible, nobody owns anything.
func Single(order []int, eligible member.Set) *Table {
	for _, id := range order {
		if eligible.Has(member.ID(id)) {
			return allTo(uint8(id))
		}
	}
	return allTo(Nobody)
}

// allTo gives every bucket to one host.
func allTo(owner uint8) *Table {
	t := new(Table)
	for b := range t {
		t[b] = owner
	}
	return t
}
