package heartbeat

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/muster-ha/muster/internal/member"
)

// A full view of 32 hosts has to leave room for holdings, so what is usual is written once: attributes that are those of the
// member before, and boots that are those of the view.

func appendViewID(b []byte, v member.ViewID) []byte {
	return append(binary.BigEndian.AppendUint64(b, v.Epoch), byte(v.Proposer))
}

func (r *reader) configID() member.ConfigID { return member.ConfigID(r.u64()) }

func (r *reader) viewID() member.ViewID {
	return member.ViewID{Epoch: r.u64(), Proposer: r.id()}
}

func (r *reader) id() member.ID {
	id := member.ID(r.u8())
	if id >= member.MaxHosts {
		r.fail("host")
		return 0
	}
	return id
}

// The flags of attributes.
const (
	directorFlag = 1 << iota
	voteFlag
	tieFlag
)

// forgetVotes takes out what the first version cannot say. Its readers then find no quorum where there is one, which is safe.
func (m *Message) forgetVotes() {
	m.Attrs.Vote, m.Attrs.Tie, m.Next.Vote, m.Next.Tie = false, false, false, false
	m.View.Members = slices.Clone(m.View.Members)
	for i := range m.View.Members {
		m.View.Members[i].Vote, m.View.Members[i].Tie = false, false
	}
}

func flag(set bool, bit byte) byte {
	if set {
		return bit
	}
	return 0
}

func appendAttributes(b []byte, a member.Attributes) []byte {
	b = binary.BigEndian.AppendUint16(b, a.Weight)
	b = binary.BigEndian.AppendUint64(b, uint64(a.Ready))
	return append(b, flag(a.Director, directorFlag)|flag(a.Vote, voteFlag)|flag(a.Tie, tieFlag))
}

func (r *reader) attributes() member.Attributes {
	a := member.Attributes{Weight: r.u16(), Ready: member.RuleSet(r.u64())}
	flags := r.u8()
	if flags > directorFlag|voteFlag|tieFlag || flags > directorFlag && !r.votes {
		r.fail("attributes")
	}
	a.Director, a.Vote, a.Tie = flags&directorFlag != 0, flags&voteFlag != 0, flags&tieFlag != 0
	return a
}

// appendView writes the members as a set, the set of those with the attributes of the member before, and then each.
func appendView(b []byte, v *member.View) []byte {
	b = appendViewID(b, v.ViewID)
	b = binary.BigEndian.AppendUint64(b, uint64(v.Config))
	var set, like uint32
	for i, m := range v.Members {
		set |= 1 << m.ID
		if i > 0 && m.Attributes == v.Members[i-1].Attributes {
			like |= 1 << m.ID
		}
	}
	b = binary.BigEndian.AppendUint32(b, set)
	b = binary.BigEndian.AppendUint32(b, like)
	for _, m := range v.Members {
		b = binary.BigEndian.AppendUint64(b, uint64(m.Boot))
		if like&(1<<m.ID) == 0 {
			b = appendAttributes(b, m.Attributes)
		}
	}
	return b
}

func (r *reader) view() member.View {
	v := member.View{ViewID: r.viewID(), Config: member.ConfigID(r.u64())}
	set, like := r.u32(), r.u32()
	lowest := set & -set
	if like&^set != 0 || like&lowest != 0 {
		r.fail("members")
		return v
	}
	if set == 0 {
		return v
	}
	v.Members = make([]member.Member, 0, bits.OnesCount32(set))
	var before member.Attributes
	each(set, func(id member.ID) {
		m := member.Member{ID: id, Boot: member.Boot(r.u64()), Attributes: before}
		if like&(1<<id) == 0 {
			m.Attributes = r.attributes()
			if len(v.Members) > 0 && m.Attributes == before {
				r.fail("attributes said twice")
			}
		}
		before = m.Attributes
		v.Members = append(v.Members, m)
	})
	return v
}

// appendHearings writes who is heard as a set, the set of those whose boot is the view's, and then each.
func appendHearings(b []byte, hears []member.Hearing, v *member.View) []byte {
	var set, same uint32
	for _, h := range hears {
		set |= 1 << h.ID
		if boot, in := bootIn(v, h.ID); in && boot == h.Boot {
			same |= 1 << h.ID
		}
	}
	b = binary.BigEndian.AppendUint32(b, set)
	b = binary.BigEndian.AppendUint32(b, same)
	for _, h := range hears {
		if same&(1<<h.ID) == 0 {
			b = binary.BigEndian.AppendUint64(b, uint64(h.Boot))
		}
		b = binary.AppendUvarint(b, h.Seq)
	}
	return b
}

func (r *reader) hearings(v member.View) []member.Hearing {
	set, same := r.u32(), r.u32()
	if same&^set != 0 {
		r.fail("hosts heard")
		return nil
	}
	if set == 0 {
		return nil
	}
	hears := make([]member.Hearing, 0, bits.OnesCount32(set))
	each(set, func(id member.ID) {
		boot, in := bootIn(&v, id)
		if same&(1<<id) == 0 {
			said := member.Boot(r.u64())
			if in && said == boot {
				r.fail("boot said twice")
			}
			boot = said
		} else if !in {
			r.fail("boot of no member")
		}
		hears = append(hears, member.Hearing{ID: id, Boot: boot, Seq: r.varint()})
	})
	return hears
}

func bootIn(v *member.View, id member.ID) (member.Boot, bool) {
	for _, m := range v.Members {
		if m.ID == id {
			return m.Boot, true
		}
	}
	return 0, false
}
