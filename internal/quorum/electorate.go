package quorum

import (
	"fmt"

	"github.com/muster-ha/muster/internal/member"
)

// Electorate is who has a say: a pure value, the same on every host of a configuration.
type Electorate struct {
	Full      member.Set // the configured hosts that serve: one vote each
	Witnesses member.Set // the configured hosts that only bear witness
}

var _ member.Electorate = Electorate{}

// Has reports whether who, as members of v, are a quorum. Only members with a vote count: a host that has just started has none
// yet, because what its earlier boot confirmed may still be good.
func (e Electorate) Has(need member.Need, v member.View, who member.Set) bool {
	if need == member.NoQuorum {
		return true
	}
	c := e.count(v, who)
	switch {
	case 2*c.votes > e.Full.Len():
		return true
	case need != member.Witness || c.votes == 0 || 2*c.votes < e.Full.Len():
		return false
	case e.Witnesses != 0:
		return 2*c.witnesses > e.Witnesses.Len()
	default:
		return c.ties == c.votes
	}
}

// Needs lists what a whole view has.
func (e Electorate) Needs(v member.View) [member.Needs]bool {
	var has [member.Needs]bool
	for need := range has {
		has[need] = e.Has(member.Need(need), v, v.Set())
	}
	return has
}

// tally is what a set of hosts brings together.
type tally struct {
	votes     int // of hosts that serve
	ties      int // how many of those have the word of a witness address
	witnesses int // witness hosts with a vote
	young     int // hosts of either kind without a vote yet
}

func (e Electorate) count(v member.View, who member.Set) tally {
	var c tally
	for _, m := range v.Members {
		switch {
		case !who.Has(m.ID):
		case !m.Vote:
			c.young++
		case e.Witnesses.Has(m.ID):
			c.witnesses++
		case e.Full.Has(m.ID):
			c.votes++
			if m.Tie {
				c.ties++
			}
		}
	}
	return c
}

// Even reports whether a view is exactly half of the hosts that serve: the case for a witness.
func (e Electorate) Even(v member.View) bool { return 2*e.count(v, v.Set()).votes == e.Full.Len() }

// Explain says in words what a view has or lacks, for example "1 of 2 votes and no witness: a majority or exactly half with a
// witness is needed".
func (e Electorate) Explain(need member.Need, v member.View) string {
	c := e.count(v, v.Set())
	text := fmt.Sprintf("%d of %d votes", c.votes, e.Full.Len())
	if need == member.Witness {
		text += e.witnessWords(c)
	}
	if c.young > 0 {
		text += fmt.Sprintf(" (%d of its hosts started a moment ago and have none yet)", c.young)
	}
	if e.Has(need, v, v.Set()) {
		return text
	}
	if need == member.Witness {
		return text + ": more than half are needed, or exactly half with the witness"
	}
	return text + ": more than half are needed"
}

func (e Electorate) witnessWords(c tally) string {
	switch {
	case e.Witnesses != 0:
		return fmt.Sprintf(" and %d of %d witness hosts", c.witnesses, e.Witnesses.Len())
	case 2*c.votes != e.Full.Len():
		return ""
	case c.ties == c.votes:
		return " and the witness"
	default:
		return " and not the witness"
	}
}
