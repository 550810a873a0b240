package heartbeat

import (
	"encoding/binary"
	"fmt"
)

// Holdings go out in runs with one configuration and one stamp: usually there is one run.

// runHead is the most that the head of a run takes: its length, configuration and stamp.
const runHead = 1 + 8 + 9

// entryHead is what an entry takes in front of its buckets.
const entryHead = 2

// appendHoldings writes them in the order given.
func appendHoldings(b []byte, list []Holding) ([]byte, error) {
	if err := checkHoldings(list); err != nil {
		return nil, err
	}
	b = binary.AppendUvarint(b, uint64(len(list)))
	for len(list) > 0 {
		n := 1
		for n < len(list) && sameRun(&list[n], &list[0]) {
			n++
		}
		b = binary.AppendUvarint(b, uint64(n))
		b = binary.BigEndian.AppendUint64(b, uint64(list[0].Config))
		b = appendViewID(b, list[0].Stamp)
		for i := range list[:n] {
			b = appendHolding(b, &list[i])
		}
		list = list[n:]
	}
	return b, nil
}

func sameRun(a, b *Holding) bool { return a.Config == b.Config && a.Stamp == b.Stamp }

func checkHoldings(list []Holding) error {
	var said uint64
	for i := range list {
		h := &list[i]
		if h.Rule >= MaxHoldings || said&(1<<h.Rule) != 0 || h.Kind > HoldsSome || h.Stamp.Proposer >= 32 {
			return fmt.Errorf("%w: holding of rule %d", ErrMalformed, h.Rule)
		}
		said |= 1 << h.Rule
	}
	return nil
}

func appendHolding(b []byte, h *Holding) []byte {
	if h.Kind != HoldsSome {
		return append(b, h.Rule, byte(h.Kind))
	}
	f, _ := best(&h.Buckets)
	return f.append(append(b, h.Rule, byte(f)), &h.Buckets)
}

// size is how many bytes appendHolding writes.
func (h *Holding) size() int {
	if h.Kind != HoldsSome {
		return entryHead
	}
	_, n := best(&h.Buckets)
	return entryHead + n
}

func (r *reader) holdings() []Holding {
	left := r.count(MaxHoldings, "holdings")
	if left == 0 {
		return nil
	}
	list := make([]Holding, 0, left)
	for left > 0 && r.err == nil {
		n := r.count(left, "holdings of a run")
		head := Holding{}
		head.Config, head.Stamp.Epoch, head.Stamp.Proposer = r.configID(), r.u64(), r.id()
		if n == 0 || len(list) > 0 && sameRun(&head, &list[len(list)-1]) {
			r.fail("run of holdings")
		}
		left -= n
		for range n {
			list = append(list, r.holding(head))
		}
	}
	if err := checkHoldings(list); err != nil {
		r.fail("holdings")
	}
	return list
}

// holding takes an entry of the run that head begins.
func (r *reader) holding(head Holding) Holding {
	head.Rule = r.u8()
	kind := r.u8()
	if kind <= uint8(HoldsAll) {
		head.Kind = HoldingKind(kind)
		return head
	}
	head.Kind, head.Buckets = HoldsSome, r.buckets(form(kind))
	return head
}
