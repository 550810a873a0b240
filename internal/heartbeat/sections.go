package heartbeat

import (
	"encoding/binary"
	"fmt"
)

// section is a part of a heartbeat that can be left out: a reader that does not know its kind skips it, and when a datagram has
// no room for it, it goes with the next.
type section uint8

// The sections, in the order in which they are written.
const (
	networksSection  section = 1 // what is said of networks: Words
	keysSection      section = 2 // what is said of keys: Keys
	registersSection section = 3 // the digest of the values that all hosts hold in common, and some of them: Registers
	openSection      section = 4 // how many connections are left: Open
	answersSection   section = 5 // which VIPs the sender answers for: Answers
	probesSection    section = 6 // which VIPs the sender sends probes for: Probes
)

// sectionKinds are the sections that this version writes, what cannot wait first.
var sectionKinds = [...]section{networksSection, keysSection, registersSection, openSection, answersSection, probesSection}

// appendSections writes the sections that fit into room bytes, behind the length of them all.
func (m *Message) appendSections(b []byte, room int) []byte {
	start := len(b)
	b = append(b, 0, 0)
	for _, kind := range sectionKinds {
		before := len(b)
		b = append(b, byte(kind), 0, 0)
		body := len(b)
		b = m.appendSection(kind, b, start+room)
		if len(b) == body || len(b)-start > room {
			b = b[:before]
			continue
		}
		binary.BigEndian.PutUint16(b[before+1:], uint16(len(b)-body))
	}
	binary.BigEndian.PutUint16(b[start:], uint16(len(b)-start-2))
	return b
}

// appendSection writes what stands in one section; nothing: it is left out. A section that can be shorter keeps below limit bytes in all.
func (m *Message) appendSection(kind section, b []byte, limit int) []byte {
	switch kind {
	case networksSection:
		if len(m.Words) > 0 {
			return appendWords(b, m.Words)
		}
	case keysSection:
		return appendKeys(b, &m.Keys)
	case registersSection:
		if m.Registers.Digest != 0 {
			return appendRegisters(b, m.Registers, limit)
		}
	case openSection:
		if m.Open.Known {
			return binary.BigEndian.AppendUint32(b, m.Open.Count)
		}
	case answersSection:
		if m.Answers != 0 {
			return binary.BigEndian.AppendUint64(b, m.Answers)
		}
	case probesSection:
		if m.Probes != 0 {
			return binary.BigEndian.AppendUint64(b, m.Probes)
		}
	}
	return b
}

// sections reads what appendSections wrote, and skips sections of later versions. Each kind stands at most once, in rising order.
func (r *reader) sections(m *Message) {
	all := reader{rest: r.bytes(int(r.u16()))}
	last := section(0)
	for len(all.rest) > 0 && all.err == nil {
		kind := section(all.u8())
		one := reader{rest: all.bytes(int(all.u16())), err: all.err}
		if kind <= last {
			one.fail("order of sections")
		}
		last = kind
		if one.section(kind, m) && len(one.rest) > 0 {
			one.fail(fmt.Sprintf("section %d is longer than what it says", kind))
		}
		all.err = one.err
	}
	if r.err == nil {
		r.err = all.err
	}
}

// section reads one section; false: it is of a later version.
func (r *reader) section(kind section, m *Message) bool {
	switch kind {
	case networksSection:
		m.Words = r.words()
	case keysSection:
		m.Keys = r.keys()
	case registersSection:
		m.Registers = r.registers()
	case openSection:
		m.Open = Open{Known: true, Count: r.u32()}
	case answersSection:
		m.Answers = r.u64()
	case probesSection:
		m.Probes = r.u64()
	default:
		return false
	}
	return true
}
