package heartbeat

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/muster-ha/muster/internal/member"
)

// Append writes the message as a payload behind b. Lists have to be as the types say: sorted, nothing twice; otherwise it returns ErrMalformed,
// and ErrTooLong for what does not fit into a datagram. Nothing is left out: Send, which does leave out, goes another way.
func (m Message) Append(b []byte) ([]byte, error) {
	start := len(b)
	b, err := m.appendBase(b)
	if err != nil {
		return nil, err
	}
	if m.Written >= VersionSections {
		b = m.appendSections(b, math.MaxUint16)
	}
	if b, err = appendHoldings(b, m.Holdings); err != nil {
		return nil, err
	}
	if n := len(b) - start; n > maxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d fit", ErrTooLong, n, maxSize)
	}
	return b, nil
}

// appendBase writes everything but sections and holdings.
func (m *Message) appendBase(b []byte) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	b = m.Language.append(b)
	if m.Written < VersionSections {
		m.forgetVotes()
	}
	b = append(b, byte(m.State))
	b = binary.BigEndian.AppendUint64(b, uint64(m.Config))
	b = binary.BigEndian.AppendUint64(b, uint64(m.Pending))
	b = appendAttributes(b, m.Attrs)
	if m.Pending != 0 {
		b = appendAttributes(b, m.Next)
	}
	b = appendView(b, &m.View)
	b = appendHearings(b, m.Hears, &m.View)
	b = binary.BigEndian.AppendUint32(b, uint32(m.Links))
	b = appendViewID(b, m.Released)
	b = appendViewID(b, m.Installed)
	b = binary.BigEndian.AppendUint64(b, m.HighEpoch)
	b = binary.BigEndian.AppendUint32(b, m.Clock)
	b = append(b, byte(m.Echo.To))
	b = binary.BigEndian.AppendUint32(b, m.Echo.Clock)
	b = binary.BigEndian.AppendUint32(b, m.Echo.Held)
	b = append(b, m.Digest[:]...)
	b = binary.AppendUvarint(b, uint64(len(m.Version)))
	b = append(b, m.Version...)
	b = appendInterfaces(b, m.Interfaces)
	b = appendOrders(b, m.Orders)
	return binary.AppendUvarint(b, m.Seq), nil
}

// check finds what could not be read back.
func (m *Message) check() error {
	for _, rule := range []struct {
		kept bool
		what string
	}{
		{m.Language.sound() && m.Written <= newest, "version of the heartbeat"},
		{m.State <= member.Leaving, "state"},
		{m.Pending != 0 || m.Next == (member.Attributes{}), "attributes for no configuration"},
		{len(m.Version) <= MaxVersion, "version too long"},
		{len(m.Interfaces) <= MaxInterfaces && rising(m.Interfaces, vipOf), "interfaces"},
		{inSet(m.View.Members, memberOf), "members of the view"},
		{inSet(m.Hears, hearingOf), "hosts heard"},
		{len(m.Words) <= MaxWords && rising(m.Words, networkOf) && !slices.ContainsFunc(m.Words, unspeakable), "networks"},
		{m.Keys.speakable(), "keys"},
		{len(m.Orders) <= MaxOrders, "too many orders"},
		{m.View.Proposer < member.MaxHosts && m.Released.Proposer < member.MaxHosts && m.Installed.Proposer < member.MaxHosts, "proposer"},
		{m.Echo.To < member.MaxHosts, "host of the echo"},
	} {
		if !rule.kept {
			return fmt.Errorf("%w: %s", ErrMalformed, rule.what)
		}
	}
	for _, o := range m.Orders {
		if o.To >= member.MaxHosts {
			return fmt.Errorf("%w: host of an order", ErrMalformed)
		}
	}
	return nil
}

// inSet reports whether a list can be written as a set: sorted, each host once.
func inSet[T any](list []T, key func(T) uint8) bool {
	return rising(list, key) && (len(list) == 0 || key(list[len(list)-1]) < member.MaxHosts)
}

func appendInterfaces(b []byte, list []LinkAddr) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].MAC == list[0].MAC {
			n++
		}
		b = binary.AppendUvarint(b, uint64(n))
		b = append(b, list[0].MAC[:]...)
		for _, a := range list[:n] {
			b = append(b, a.VIP)
		}
		list = list[n:]
	}
	return b
}

func appendOrders(b []byte, orders []Order) []byte {
	b = binary.AppendUvarint(b, uint64(len(orders)))
	for _, o := range orders {
		b = append(b, byte(o.To), byte(o.Verb))
		b = binary.AppendUvarint(b, o.Number)
	}
	return b
}

func appendWords(b []byte, list []Word) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, w := range list {
		b = append(b, w.Network, byte(w.Kinds))
		b = appendAddress(b, w.Addr)
		b = appendAddress(b, w.Group.Address)
		b = binary.BigEndian.AppendUint32(b, w.Group.Version)
		b = append(b, byte(w.Group.How), 0)
		if w.Stranger {
			b[len(b)-1] = 1
		}
		b = binary.BigEndian.AppendUint32(b, uint32(w.Hears))
		b = binary.BigEndian.AppendUint32(b, uint32(w.Direct))
		b = binary.BigEndian.AppendUint32(b, uint32(w.Near))
	}
	return b
}

// appendAddress writes an address behind its length, which is 0 for none.
func appendAddress(b []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return append(b, 0)
	}
	b = append(b, byte(a.BitLen()/8))
	return append(b, a.AsSlice()...)
}

// unspeakable finds what could not be read back, and what no other host could use.
func unspeakable(w Word) bool {
	return w.Kinds&^allKinds != 0 || !speakable(w.Addr) || !speakable(w.Group.Address) || w.Group.Address.IsValid() && !w.Group.Address.IsMulticast()
}

// speakable says whether an address is written in one way only: an interface is the business of the host that has it, an IPv4 address has
// four bytes, and no address is not written as zeros.
func speakable(a netip.Addr) bool {
	return !a.IsValid() || a.Zone() == "" && !a.Is4In6() && !a.IsUnspecified()
}

// each calls f for the hosts of a set, lowest first.
func each(set uint32, f func(member.ID)) {
	for ; set != 0; set &= set - 1 {
		f(member.ID(bits.TrailingZeros32(set)))
	}
}
