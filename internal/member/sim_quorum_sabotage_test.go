package member_test

import (
	"testing"

	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/quorum"
)

// quorumSabotage breaks what keeps the rules with quorum on one side.
type quorumSabotage struct {
	plainLease    bool                                      // the lease that excuses hosts which have just fallen silent
	keepOnRelease bool                                      // the filter keeps what it has when a view is released
	electors      func(quorum.Electorate) member.Electorate // another idea of what a quorum is
}

// voteAtOnce counts hosts that have just started.
type voteAtOnce struct{ quorum.Electorate }

func (e voteAtOnce) Has(need member.Need, v member.View, who member.Set) bool {
	grown := member.View{ViewID: v.ViewID, Config: v.Config}
	for _, m := range v.Members {
		m.Vote = true
		grown.Members = append(grown.Members, m)
	}
	return e.Electorate.Has(need, grown, who)
}

// halfIsEnough takes exactly half of the hosts for a majority.
type halfIsEnough struct{ quorum.Electorate }

func (e halfIsEnough) Has(need member.Need, v member.View, who member.Set) bool {
	n := 0
	for _, m := range v.Members {
		if m.Vote && who.Has(m.ID) && e.Full.Has(m.ID) {
			n++
		}
	}
	return n > 0 && 2*n >= e.Full.Len()
}

// anyWitness needs one witness host of several.
type anyWitness struct{ quorum.Electorate }

func (e anyWitness) Has(need member.Need, v member.View, who member.Set) bool {
	for _, m := range v.Members {
		if m.Vote && who.Has(m.ID) && e.Witnesses.Has(m.ID) {
			return quorum.Electorate{Full: e.Full, Witnesses: member.Of(m.ID)}.Has(need, v, who)
		}
	}
	return e.Electorate.Has(need, v, who)
}

func TestStrictCheckNoticesSabotage(t *testing.T) {
	tests := []struct {
		name  string
		sabot quorumSabotage
	}{
		{"a host that is cut off excuses the others", quorumSabotage{plainLease: true}},
		{"the filter keeps everything at a release", quorumSabotage{keepOnRelease: true}},
		{"half is a majority", quorumSabotage{electors: func(e quorum.Electorate) member.Electorate { return halfIsEnough{e} }}},
		{"one witness of three is enough", quorumSabotage{electors: func(e quorum.Electorate) member.Electorate { return anyWitness{e} }}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			const histories = 300
			for seed := range uint64(histories) {
				w := drawn(seed)
				w.sabot.quorum = test.sabot
				if test.sabot.electors != nil {
					w.electors = test.sabot.electors(w.lawful())
				}
				if err := history(w); err != nil {
					t.Log(err)
					return
				}
			}
			t.Errorf("%d histories, and the checker has noticed nothing", histories)
		})
	}
}
