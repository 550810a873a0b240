package heartbeat

import (
	"net/netip"

	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/multicast"
)

// Parse reads what Append wrote, and nothing else: every length is checked, numbers and sets have one spelling, and after the
// holdings there is nothing. A section that is not known is skipped; another version of the heartbeat than those of Spoken is an error. The Message shares no
// memory with b.
func Parse(b []byte) (Message, error) {
	r := &reader{rest: b}
	if len(b) > maxSize {
		r.fail("longer than a datagram")
	}
	var m Message
	m.Language = r.language()
	if m.Written < oldest || m.Written > newest {
		r.fail("version of the heartbeat")
	}
	r.votes = m.Written >= VersionSections
	m.State = member.State(r.u8())
	m.Config, m.Pending = member.ConfigID(r.u64()), member.ConfigID(r.u64())
	m.Attrs = r.attributes()
	if m.Pending != 0 {
		m.Next = r.attributes()
	}
	m.View = r.view()
	m.Hears = r.hearings(m.View)
	m.Links = member.Set(r.u32())
	m.Released, m.Installed = r.viewID(), r.viewID()
	m.HighEpoch = r.u64()
	m.Clock = r.u32()
	m.Echo = Echo{To: r.id(), Clock: r.u32(), Held: r.u32()}
	copy(m.Digest[:], r.bytes(len(m.Digest)))
	m.Version = string(r.bytes(r.count(MaxVersion, "bytes of version")))
	m.Interfaces = r.interfaces()
	m.Orders = r.orders()
	m.Seq = r.varint()
	if m.Written >= VersionSections {
		r.sections(&m)
	}
	m.Holdings = r.holdings()
	if m.State > member.Leaving {
		r.fail("state")
	}
	if len(r.rest) > 0 {
		r.fail("more than one heartbeat")
	}
	if r.err != nil {
		return Message{}, r.err
	}
	return m, nil
}

// interfaces come in runs with one MAC: most hosts have one interface for all VIPs.
func (r *reader) interfaces() []LinkAddr {
	var list []LinkAddr
	for left := r.count(MaxInterfaces, "VIPs"); left > 0 && r.err == nil; {
		n := r.count(left, "VIPs of an interface")
		var mac [6]byte
		copy(mac[:], r.bytes(len(mac)))
		if n == 0 || len(list) > 0 && mac == list[len(list)-1].MAC {
			r.fail("run of VIPs")
		}
		left -= n
		for range n {
			list = append(list, LinkAddr{VIP: r.u8(), MAC: mac})
		}
	}
	if !rising(list, vipOf) {
		r.fail("order of VIPs")
	}
	return list
}

// rising reports whether each key is higher than the one before.
func rising[T any](list []T, key func(T) uint8) bool {
	for i := 1; i < len(list); i++ {
		if key(list[i]) <= key(list[i-1]) {
			return false
		}
	}
	return true
}

func (r *reader) words() []Word {
	n := r.count(MaxWords, "networks")
	if n == 0 {
		return nil
	}
	list := make([]Word, n)
	for i := range list {
		list[i] = r.word()
	}
	if !rising(list, networkOf) {
		r.fail("order of networks")
	}
	return list
}

func (r *reader) word() Word {
	w := Word{Network: r.u8(), Kinds: Kinds(r.u8()), Addr: r.address(),
		Group: multicast.Group{Address: r.address(), Version: r.u32(), How: multicast.How(r.u8())}}
	stranger := r.u8()
	if stranger > 1 || unspeakable(w) {
		r.fail("network")
	}
	w.Stranger = stranger == 1
	w.Hears, w.Direct, w.Near = member.Set(r.u32()), member.Set(r.u32()), member.Set(r.u32())
	return w
}

// address reads one behind its length. What its bytes may be, unspeakable says.
func (r *reader) address() netip.Addr {
	n := r.u8()
	if n == 0 {
		return netip.Addr{}
	}
	a, ok := netip.AddrFromSlice(r.bytes(int(n)))
	if !ok {
		r.fail("length of an address")
	}
	return a
}

func networkOf(w Word) uint8           { return w.Network }
func vipOf(a LinkAddr) uint8           { return a.VIP }
func memberOf(m member.Member) uint8   { return uint8(m.ID) }
func hearingOf(h member.Hearing) uint8 { return uint8(h.ID) }

func (r *reader) orders() []Order {
	n := r.count(MaxOrders, "orders")
	if n == 0 {
		return nil
	}
	orders := make([]Order, n)
	for i := range orders {
		orders[i] = Order{To: r.id(), Verb: Verb(r.u8()), Number: r.varint()}
	}
	return orders
}
