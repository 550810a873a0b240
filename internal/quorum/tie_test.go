package quorum

import (
	"testing"

	"github.com/muster-ha/muster/internal/member"
)

var pair = Electorate{Full: member.First(2)}

// split is a tie that has seen the first view with everybody and now sees the second.
func split(e Electorate, all, half member.View) *Tie {
	t := new(Tie)
	t.View(e, all)
	t.View(e, half)
	return t
}

func (t *Tie) answered(e Electorate, witness, others bool) bool {
	if c, open := t.Ask(e); open {
		t.Answer(c.Number, witness, others)
	}
	return t.Won()
}

func TestTie(t *testing.T) {
	four := Electorate{Full: member.First(4)}
	whole := func(n int) member.View { return viewOf(member.First(n), vote) }
	restarted := whole(2)
	restarted.Members[0].Boot = 99
	for _, c := range []struct {
		name            string
		e               Electorate
		all, half       member.View
		witness, others bool
		want            bool
	}{
		{"the lowest host and the witness", pair, whole(2), viewOf(member.Of(0), vote), true, true, true},
		{"the lowest host without the witness", pair, whole(2), viewOf(member.Of(0), vote), false, false, false},
		{"the other host, and the lowest answers", pair, whole(2), viewOf(member.Of(1), vote), true, true, false},
		{"the other host, and the lowest is silent", pair, whole(2), viewOf(member.Of(1), vote), true, false, true},
		{"the other host alone in the world", pair, whole(2), viewOf(member.Of(1), vote), false, false, false},
		{"a host that has just started", pair, member.View{}, viewOf(member.Of(0), vote), true, false, false},
		{"a host without a vote", pair, whole(2), viewOf(member.Of(0), func(member.ID) member.Attributes { return member.Attributes{} }), true, false, false},
		{"a host that was in that view with another boot", pair, restarted, viewOf(member.Of(0), vote), true, false, false},
		{"less than half", four, whole(4), viewOf(member.Of(0), vote), true, false, false},
		{"half of four with the lowest", four, whole(4), viewOf(member.Of(0, 3), vote), true, true, true},
		{"half of four without it", four, whole(4), viewOf(member.Of(1, 2), vote), true, true, false},
		{"the lowest of the view counts, not that of the file", four, viewOf(member.Of(1, 2, 3), vote), viewOf(member.Of(1, 2), vote), true, true, true},
		{"one of the half was not in that view", four, viewOf(member.Of(1, 2, 3), vote), viewOf(member.Of(0, 1), vote), true, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := split(c.e, c.all, c.half).answered(c.e, c.witness, c.others); got != c.want {
				t.Errorf("won %v, want %v", got, c.want)
			}
		})
	}
}

func TestTieAfterTheFirstAnswer(t *testing.T) {
	all, half := viewOf(member.First(2), vote), viewOf(member.Of(0), vote)
	t.Run("the lowest host that had no witness at first has no privilege later", func(t *testing.T) {
		tie := split(pair, all, half)
		if tie.answered(pair, false, true) || tie.answered(pair, true, true) {
			t.Error("it goes on though the other may have done so meanwhile")
		}
		if !tie.answered(pair, true, false) {
			t.Error("it does not go on though nobody else is there")
		}
	})
	t.Run("an answer for a contest that is over", func(t *testing.T) {
		tie := split(pair, all, half)
		c, _ := tie.Ask(pair)
		tie.View(pair, all)
		tie.View(pair, half)
		if tie.Answer(c.Number, true, false); tie.Won() {
			t.Error("it counts")
		}
	})
	t.Run("a host that did not run for a while", func(t *testing.T) {
		tie := split(pair, all, half)
		tie.Stalled()
		if tie.answered(pair, true, false) {
			t.Error("it goes on though the other may have done so meanwhile")
		}
	})
	t.Run("who has won keeps it until the votes change", func(t *testing.T) {
		tie := split(pair, all, half)
		tie.answered(pair, true, false)
		joined := viewOf(member.First(2), func(id member.ID) member.Attributes { return member.Attributes{Vote: id == 0, Tie: id == 0} })
		tie.View(pair, viewOf(member.Of(0), func(member.ID) member.Attributes { return member.Attributes{Vote: true, Tie: true} }))
		if tie.View(pair, joined); !tie.Won() {
			t.Error("the other one came back without a vote, and the quorum is lost")
		}
		if tie.View(pair, all); tie.Won() {
			t.Error("both vote, and the tie goes on")
		}
	})
	t.Run("whom it asks for", func(t *testing.T) {
		tie := split(Electorate{Full: member.First(4)}, viewOf(member.First(4), vote), viewOf(member.Of(1, 3), vote))
		if c, open := tie.Ask(Electorate{Full: member.First(4)}); !open || c.Others != member.Of(0, 2) {
			t.Errorf("%+v, %v", c, open)
		}
	})
}
