package quorum

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/muster-ha/muster/internal/member"
)

// drawElectorate is up to seven hosts, some of them witnesses, at least one that serves.
func drawElectorate(t *rapid.T) (Electorate, member.Set) {
	all := member.First(rapid.IntRange(1, 7).Draw(t, "hosts"))
	witnesses := (member.Set(rapid.Uint32().Draw(t, "witnesses")) & all).Without(member.ID(rapid.IntRange(0, all.Len()-1).Draw(t, "full")))
	return Electorate{Full: all &^ witnesses, Witnesses: witnesses}, all
}

func viewOf(hosts member.Set, attrs func(member.ID) member.Attributes) member.View {
	v := member.View{ViewID: member.ViewID{Epoch: 1}}
	for id := range hosts.All() {
		v.Members = append(v.Members, member.Member{ID: id, Boot: member.Boot(id) + 1, Attributes: attrs(id)})
	}
	return v
}

func vote(member.ID) member.Attributes { return member.Attributes{Vote: true} }

// TestAnyTwoQuorumsMeet is what safety rests on: whoever votes, two sets that both have a quorum share a host. Ties are apart: only
// their witness knows.
func TestAnyTwoQuorumsMeet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, all := drawElectorate(t)
		a, b := member.Set(rapid.Uint32().Draw(t, "a"))&all, member.Set(rapid.Uint32().Draw(t, "b"))&all
		for need := member.Majority; need < member.Needs; need++ {
			if e.Has(need, viewOf(a, vote), a) && e.Has(need, viewOf(b, vote), b) && a&b == 0 {
				t.Fatalf("%+v: %b and %b both have quorum %d", e, a, b, need)
			}
		}
	})
}

// TestMoreHostsNeverHaveLess: a host more, a vote more or a tie more takes no quorum away, and a majority is enough for everything.
func TestMoreHostsNeverHaveLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, all := drawElectorate(t)
		votes, who := member.Set(rapid.Uint32().Draw(t, "votes")), member.Set(rapid.Uint32().Draw(t, "who"))&all
		id := member.ID(rapid.IntRange(0, 6).Draw(t, "more"))
		some := viewOf(all, func(id member.ID) member.Attributes { return member.Attributes{Vote: votes.Has(id)} })
		more := viewOf(all, func(other member.ID) member.Attributes {
			return member.Attributes{Vote: votes.Has(other) || other == id}
		})
		for need := member.NoQuorum; need < member.Needs; need++ {
			if e.Has(need, some, who) && (!e.Has(need, some, who.With(id)&all) || !e.Has(need, more, who)) {
				t.Fatalf("%+v: %b has quorum %d with votes %b, and not with host %d as well", e, who, need, votes, id)
			}
		}
		if e.Has(member.Majority, some, who) && !e.Has(member.Witness, some, who) {
			t.Fatal("a majority is not enough for need Witness")
		}
	})
}

func TestHasAndExplain(t *testing.T) {
	tie := func(ids ...member.ID) func(member.ID) member.Attributes {
		return func(id member.ID) member.Attributes {
			return member.Attributes{Vote: true, Tie: member.Of(ids...).Has(id)}
		}
	}
	young := func(ids ...member.ID) func(member.ID) member.Attributes {
		return func(id member.ID) member.Attributes { return member.Attributes{Vote: !member.Of(ids...).Has(id)} }
	}
	two, three, five := Electorate{Full: member.First(2)}, Electorate{Full: member.First(3)}, Electorate{Full: member.First(5)}
	arbiter := Electorate{Full: member.First(2), Witnesses: member.Of(2)}
	jury := Electorate{Full: member.First(4), Witnesses: member.Of(4, 5, 6)}
	for _, c := range []struct {
		name  string
		e     Electorate
		need  member.Need
		v     member.View
		want  bool
		words string
	}{
		{"no need", five, member.NoQuorum, member.View{}, true, "0 of 5 votes"},
		{"three of five", five, member.Majority, viewOf(member.First(3), vote), true, "3 of 5 votes"},
		{"two of five", five, member.Majority, viewOf(member.First(2), vote), false, "2 of 5 votes: more than half are needed"},
		{"two of three, one has just started", three, member.Majority, viewOf(member.First(2), young(1)), false, "(1 of its hosts started a moment ago and have none yet)"},
		{"half is no majority", two, member.Majority, viewOf(member.First(1), tie(0)), false, "1 of 2 votes: more than half"},
		{"half and a witness address", two, member.Witness, viewOf(member.First(1), tie(0)), true, "1 of 2 votes and the witness"},
		{"half alone", two, member.Witness, viewOf(member.First(1), vote), false, "and not the witness: more than half are needed, or exactly half with the witness"},
		{"less than half and a witness address", five, member.Witness, viewOf(member.First(2), tie(0, 1)), false, "2 of 5 votes:"},
		{"half, and one of them has no word of a witness", Electorate{Full: member.First(4)}, member.Witness, viewOf(member.First(2), tie(0)), false, "2 of 4 votes and not the witness"},
		{"half and the witness host", arbiter, member.Witness, viewOf(member.Of(1, 2), vote), true, "1 of 2 votes and 1 of 1 witness hosts"},
		{"the witness host alone", arbiter, member.Witness, viewOf(member.Of(2), vote), false, "0 of 2 votes"},
		{"a witness host that has just started", arbiter, member.Witness, viewOf(member.Of(1, 2), young(2)), false, "0 of 1 witness hosts"},
		{"a tie counts nothing where there are witness hosts", arbiter, member.Witness, viewOf(member.Of(1), tie(1)), false, "0 of 1"},
		{"a witness host is no vote", arbiter, member.Majority, viewOf(member.Of(1, 2), vote), false, "1 of 2 votes"},
		{"half and one of three witness hosts", jury, member.Witness, viewOf(member.Of(0, 1, 4), vote), false, "1 of 3 witness hosts"},
		{"half and two of three witness hosts", jury, member.Witness, viewOf(member.Of(0, 1, 4, 6), vote), true, "2 of 3 witness hosts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.e.Has(c.need, c.v, c.v.Set()); got != c.want {
				t.Errorf("has %v, want %v", got, c.want)
			}
			if got := c.e.Needs(c.v)[c.need]; got != c.want {
				t.Errorf("among all needs %v, want %v", got, c.want)
			}
			if got := c.e.Explain(c.need, c.v); !strings.Contains(got, c.words) {
				t.Errorf("says %q, want %q in it", got, c.words)
			}
		})
	}
}
