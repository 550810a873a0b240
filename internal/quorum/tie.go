package quorum

import (
	"slices"

	"github.com/muster-ha/muster/internal/member"
)

// Tie is how this host decides an even split where addresses bear witness. The zero value knows no history and wins nothing.
//
// A half may win only if everybody in it was, with the same boot, in the last view that had a quorum: who has just started cannot know
// what the others have decided meanwhile. Of two such halves, the one with the lowest host of that view goes on if the witness
// answers it at once; the other one, or any half later, only if nothing of the rest of the cluster answers either. What
// was won stays won while the same hosts are exactly half of the votes.
type Tie struct {
	base    member.View // the last view with a quorum, as long as nobody else has come since
	number  uint64      // counts the contests
	voters  []member.Member
	open    bool // exactly half, and not won yet
	asked   bool // the first answer of this contest has come
	won     bool
	history bool // base means something
}

// Contest is an even split to be decided: the number to give back with the answer, and who is to be asked for.
type Contest struct {
	Number uint64     // an answer to an earlier contest is not taken
	Others member.Set // hosts that serve and are not in this half
}

// View takes in the view that this host has installed.
func (t *Tie) View(e Electorate, v member.View) {
	t.remember(e, v)
	voters := voting(e, v)
	even := 2*len(voters) == e.Full.Len()
	if even && slices.EqualFunc(voters, t.voters, sameHost) {
		return // the same half as before, whoever else is there without a vote
	}
	t.number++
	t.voters, t.open, t.asked, t.won = nil, even && t.history, false, false
	if even {
		t.voters = voters
	}
}

// remember keeps the last view with a quorum for as long as those who are left were in it.
func (t *Tie) remember(e Electorate, v member.View) {
	if !v.IsZero() && e.Has(member.Witness, v, v.Set()) {
		t.base, t.history = v, true
		return
	}
	t.history = t.history && !slices.ContainsFunc(v.Members, func(m member.Member) bool {
		return e.Full.Has(m.ID) && !t.base.Names(m.ID, m.Boot)
	})
}

// Stalled forgets the history: while this host did not run, the others may have gone on without it.
func (t *Tie) Stalled() { t.history, t.open = false, false }

// Ask is the contest to be decided; false: there is none.
func (t *Tie) Ask(e Electorate) (Contest, bool) {
	if !t.open {
		return Contest{}, false
	}
	c := Contest{Number: t.number, Others: e.Full}
	for _, m := range t.voters {
		c.Others = c.Others.Without(m.ID)
	}
	return c, true
}

// Answer takes in what was found for a contest: whether a witness has answered a question that was asked after the contest began, and
// whether anything of the others has. An answer for a contest that is over changes nothing.
func (t *Tie) Answer(number uint64, witness, others bool) {
	if !t.open || number != t.number {
		return
	}
	first := !t.asked && t.hasLowest()
	t.asked = true
	if witness && (first || !others) {
		t.won, t.open = true, false
	}
}

// hasLowest reports whether the lowest host with a vote in the last view with a quorum is in this half.
func (t *Tie) hasLowest() bool {
	for _, m := range t.base.Members {
		if m.Vote {
			return slices.ContainsFunc(t.voters, func(v member.Member) bool { return sameHost(v, m) })
		}
	}
	return false
}

// Won reports whether this host says that its half goes on.
func (t *Tie) Won() bool { return t.won }

// voting is the hosts of a view that serve and have a vote.
func voting(e Electorate, v member.View) []member.Member {
	return slices.DeleteFunc(slices.Clone(v.Members), func(m member.Member) bool { return !m.Vote || !e.Full.Has(m.ID) })
}

func sameHost(a, b member.Member) bool { return a.ID == b.ID && a.Boot == b.Boot }
