package member

import "time"

// keptSendings is how many of our sendings are remembered: five seconds of intervals at the default, more than any lease.
const keptSendings = 256

// sendings remembers when our newest heartbeats were sent.
type sendings struct {
	seqs  [keptSendings]uint64
	times [keptSendings]time.Time
}

func (s *sendings) note(seq uint64, at time.Time) {
	s.seqs[seq%keptSendings], s.times[seq%keptSendings] = seq, at
}

// at is when heartbeat seq was sent; zero when it is forgotten or never was.
func (s *sendings) at(seq uint64) time.Time {
	if s.seqs[seq%keptSendings] != seq {
		return time.Time{}
	}
	return s.times[seq%keptSendings]
}

// Lease is until when this host may accept new connections. Zero: not at all.
//
// It counts from the sending of the newest of our heartbeats that every member of the view has confirmed. A member that has just
// fallen silent, and until then confirmed what was new, is not waited for: it is probably dead. One that we heard while it
// no longer heard us is: it will go on without us. The word of one that is not in a view with us, though it hears us, is worth nothing:
// others may take it for free, and what it had with us too. Only a new view gives it a moment to come.
func (m *Machine) Lease(time.Time) time.Time {
	if m.view.IsZero() {
		return time.Time{}
	}
	base := m.ticked
	for _, member := range m.view.Members {
		if member.ID == m.self || m.excused(member) {
			continue
		}
		p := &m.peers[member.ID]
		if _, ok := p.hearsBoot(m.self, m.boot); !ok || p.boot != member.Boot {
			return time.Time{}
		}
		if p.word.Before(base) {
			base = p.word
		}
	}
	if base.IsZero() {
		return time.Time{}
	}
	return base.Add(time.Duration(m.timing.Lease) * m.timing.Interval)
}

// vouches reports whether a member says that we are in its view, or has not had the time to come to ours.
func (m *Machine) vouches(v View) bool {
	return v.Names(m.self, m.boot) || m.viewAge < m.quiet()
}

// excused reports whether our lease does not depend on a member.
func (m *Machine) excused(member Member) bool {
	p := &m.peers[member.ID]
	switch {
	case p.isPast(member.Boot):
		return true
	case p.boot != member.Boot: // named by the others, not heard by us
		return false
	case m.isSilent(p):
		return true
	default:
		return p.fresh && p.silence >= m.quiet()
	}
}
