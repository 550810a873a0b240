package agent

import (
	"testing"

	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
)

const farm = `
cluster: shop
secret_file: secret.key
hosts:
  a: {address: 10.77.0.1}
  b: {address: 10.77.0.2}
  c: {address: 10.77.0.3}
vips:
  mail:
    address: 10.77.0.101/24
    rules:
      - {ports: [25], protocol: tcp}
  web:
    address: 10.77.0.100/24
    rules:
      - {ports: [80], protocol: tcp}
      - {ports: [53], protocol: udp, affinity: client}
`

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("farm.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// viewOf is a view of hosts that are ready for every rule.
func viewOf(cfg *config.Config, epoch uint64, ids ...member.ID) member.View {
	v := member.View{ViewID: member.ViewID{Epoch: epoch, Proposer: ids[0]}, Config: configID(cfg)}
	for _, id := range ids {
		v.Members = append(v.Members, member.Member{ID: id, Boot: member.Boot(id) + 1,
			Attributes: member.Attributes{Weight: 1, Ready: ^member.RuleSet(0), Director: true}})
	}
	return v
}

// slotsOf is what the filter would be told of a rule.
func slotsOf(s *shares, rule int) []balance.Slot {
	var words [balance.Buckets]uint32
	s.slots(rule, &words)
	out := make([]balance.Slot, len(words))
	for b, w := range words {
		out[b] = balance.Slot{Owner: uint8(w), Second: uint8(w >> 8), Third: uint8(w >> 16), Flags: balance.SlotFlag(w >> 24)}
	}
	return out
}

func owned(slots []balance.Slot) int {
	n := 0
	for _, s := range slots {
		if s.Flags&balance.Own != 0 {
			n++
		}
	}
	return n
}

func TestFirstViewOwnsNothingUntilInstalled(t *testing.T) {
	cfg := parse(t, farm)
	s := newShares(1, cfg, rank(cfg), nil)
	s.release(viewOf(cfg, 1, 0, 1, 2))
	if n := owned(slotsOf(s, 0)); n != 0 {
		t.Errorf("owns %d buckets after a release from no view, want 0", n)
	}
	s.install()
	if n := owned(slotsOf(s, 0)); n < 1365 || n > 1366 {
		t.Errorf("owns %d buckets of 4096 among three, want a third", n)
	}
}

func TestReleaseKeepsOnlyWhatIsOwnBeforeAndAfter(t *testing.T) {
	cfg := parse(t, farm)
	s := newShares(0, cfg, rank(cfg), nil)
	s.release(viewOf(cfg, 1, 0, 1))
	s.install()
	before := s.rules[0].own
	s.release(viewOf(cfg, 2, 0, 1, 2))
	during := s.rules[0].own
	if gained := during.AndNot(before); gained.Any() {
		t.Errorf("%d buckets gained by a release", gained.Count())
	}
	s.install()
	gained := s.rules[0].own.AndNot(during)
	if after := s.rules[0].own; gained.Count() > 1 { // thirds of 4096 are not whole: one bucket evens them out
		t.Errorf("host 0 kept %d buckets and has %d: a join moved buckets between the hosts that stay", during.Count(), after.Count())
	}
}

func TestNobodyOwnsABucketTwiceWhileHostsAreAtDifferentSteps(t *testing.T) {
	cfg := parse(t, farm)
	a, b := newShares(0, cfg, rank(cfg), nil), newShares(1, cfg, rank(cfg), nil)
	for _, s := range []*shares{a, b} {
		s.release(viewOf(cfg, 1, 0, 1))
		s.install()
	}
	next := viewOf(cfg, 2, 0, 1, 2)
	check := func(step string) {
		t.Helper()
		for i := range cfg.Rules {
			if both := a.rules[i].own.And(b.rules[i].own); both.Any() {
				t.Errorf("%s: rule %d: %d buckets owned twice", step, i, both.Count())
			}
		}
	}
	a.release(next)
	check("a released, b not yet")
	b.release(next)
	check("both released")
	b.install()
	check("b installed, a not yet")
	a.install()
	check("both installed")
}

func TestOthersAreTakenToHoldUntilTheySayOtherwise(t *testing.T) {
	cfg := parse(t, farm)
	s := newShares(0, cfg, rank(cfg), nil)
	v := viewOf(cfg, 7, 0, 1)
	s.release(v)
	s.install()
	s.held(v.ViewID, make([]balance.Holding, len(cfg.Rules)))
	asking := func() (n int) {
		for _, slot := range slotsOf(s, 1) {
			if slot.Flags&balance.Ask != 0 {
				n++
			}
		}
		return n
	}
	if n := asking(); n == 0 {
		t.Error("no bucket asks although host 1 has not announced")
	}
	none := heartbeat.Holding{Rule: 1, Config: v.Config, Stamp: v.ViewID, Kind: heartbeat.HoldsNone}
	stale := none
	stale.Stamp.Epoch--
	if changed := s.hear(1, []heartbeat.Holding{stale}); len(changed) > 0 || asking() == 0 {
		t.Error("an announcement from before the release was believed")
	}
	foreign := none
	foreign.Config++
	if changed := s.hear(1, []heartbeat.Holding{foreign}); len(changed) > 0 {
		t.Error("an announcement for another configuration was believed")
	}
	if changed := s.hear(1, []heartbeat.Holding{none}); len(changed) != 1 || asking() != 0 {
		t.Errorf("changed %v, %d buckets still ask; want rule 1 settled", changed, asking())
	}
	if changed := s.hear(1, []heartbeat.Holding{none}); len(changed) != 0 {
		t.Error("the same announcement counts as a change: every heartbeat would rewrite the filter")
	}
	if changed := s.hear(2, []heartbeat.Holding{none}); len(changed) != 0 {
		t.Error("an announcement of a host outside the view was believed")
	}
}

func TestOwnBucketsAreNotAnnouncedAsHeld(t *testing.T) {
	cfg := parse(t, farm)
	s := newShares(0, cfg, rank(cfg), nil)
	v := viewOf(cfg, 1, 0, 1)
	s.release(v)
	everywhere := make([]balance.Holding, len(cfg.Rules))
	everywhere[0].Buckets = balance.Full()
	s.held(v.ViewID, everywhere)
	got := s.announcements()[0]
	if got.Kind != heartbeat.HoldsSome || got.Buckets.Count() != 2048 || got.Stamp != v.ViewID {
		t.Errorf("announced kind %d with %d buckets for %v; want the 2048 that are not our own for %v", got.Kind, got.Buckets.Count(), got.Stamp, v.ViewID)
	}
	if !s.holding() {
		t.Error("holds connections in others' buckets and does not know it")
	}
}

func TestWithoutAViewConnectionsGoOnInSilence(t *testing.T) {
	s := newShares(0, parse(t, farm), rank(parse(t, farm)), nil)
	want := balance.Slot{Owner: balance.Nobody, Second: balance.Nobody, Third: balance.Nobody, Flags: balance.Ask}
	for b, slot := range slotsOf(s, 0) {
		if slot != want {
			t.Fatalf("bucket %d: slot %+v, want %+v", b, slot, want)
		}
	}
}

func TestNewConfigurationKeepsWhatUnchangedRulesAccept(t *testing.T) {
	cfg := parse(t, farm)
	s := newShares(0, cfg, rank(cfg), nil)
	s.release(viewOf(cfg, 1, 0, 1))
	s.install()
	next := parse(t, farm+"      - {ports: [8080], protocol: tcp}\n")
	n := newShares(0, next, rank(next), s)
	n.release(viewOf(next, 2, 0, 1))
	for i := range next.Rules {
		got, want := n.rules[i].own.Count(), 2048
		if next.RuleKey(i) == next.RuleKey(len(next.Rules)-1) {
			want = 0 // new: nothing before the install
		}
		if got != want {
			t.Errorf("rule %d: %d buckets accepted over the change, want %d", i, got, want)
		}
	}
}

func TestDirectorsSpreadAndWaitForTheInstall(t *testing.T) {
	cfg := parse(t, farm)
	s := newShares(0, cfg, rank(cfg), nil)
	s.release(viewOf(cfg, 1, 0, 1))
	if s.directing(0) || s.directing(1) {
		t.Error("directs before the install")
	}
	s.install()
	if s.directing(0) == s.directing(1) {
		t.Errorf("two VIPs on two hosts: host 0 directs %v and %v, want one", s.directing(0), s.directing(1))
	}
	one := 0
	if s.directing(1) {
		one = 1
	}
	s.release(viewOf(cfg, 2, 0))
	if !s.directing(one) || s.directing(1-one) {
		t.Error("a release must keep the VIP that stays and must not take the one that comes")
	}
	s.withdraw()
	if s.directing(0) || s.directing(1) {
		t.Error("directs without a view")
	}
}

func TestGhostsAreAskedLast(t *testing.T) {
	cfg := parse(t, farm)
	s := newShares(2, cfg, rank(cfg), nil)
	s.haunt(member.Of(0))
	v := viewOf(cfg, 3, 1, 2)
	s.release(v)
	s.install()
	for b, slot := range slotsOf(s, 0) {
		switch {
		case slot.Owner == 2 && (slot.Second != 1 || slot.Third != 0):
			t.Fatalf("bucket %d: %+v: owner 2 asks member 1 first and ghost 0 after it", b, slot)
		case slot.Owner == 1 && slot.Second != 0:
			t.Fatalf("bucket %d: %+v: member 2 asks the ghost next", b, slot)
		}
	}
	s.haunt(0)
	for b, slot := range slotsOf(s, 0) {
		if slot.Second == 0 || slot.Third == 0 {
			t.Fatalf("bucket %d: %+v: the ghost is over and still asked", b, slot)
		}
	}
}
