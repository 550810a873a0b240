package wire

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/member"
)

func TestTwoHostsRestartedAtOnce(t *testing.T) {
	a, b := makeCodec(t, testOptions(0)), makeCodec(t, testOptions(1))
	// Both first heartbeats cross, so do both challenges and both proofs: two round trips, nobody waits for the other.
	challengeB, challengeA := answerOf(a, beat(t, b, "")), answerOf(b, beat(t, a, ""))
	proofA, proofB := answerOf(a, challengeA), answerOf(b, challengeB)
	for name, tc := range map[string]struct {
		to, from *Codec
		proof    []byte
	}{"a proved to b": {b, a, proofA}, "b proved to a": {a, b, proofB}} {
		if _, _, why := tc.to.Open(tc.proof, testStart); why != Accepted {
			t.Errorf("%s: %v", name, why)
		}
		if _, _, why := tc.to.Open(beat(t, tc.from, ""), testStart); why != Accepted {
			t.Errorf("%s: heartbeat: %v", name, why)
		}
	}
}

// answerOf returns a reply that may be kept.
func answerOf(c *Codec, d []byte) []byte {
	_, reply, _ := c.Open(d, testStart)
	return bytes.Clone(reply)
}

// TestProofThroughLoss loses each datagram with the given chance until both hosts hear each other.
func TestProofThroughLoss(t *testing.T) {
	for _, tc := range []struct {
		name      string
		loss      float64
		intervals int // until 99 of 100 pairs hear each other
	}{{"none", 0, 2}, {"20 %", .2, 20}, {"50 %", .5, 200}} {
		t.Run(tc.name, func(t *testing.T) {
			rng, slow := rand.New(rand.NewPCG(1, 2)), 0
			for range 200 {
				if intervalsUntilHeard(t, func() bool { return rng.Float64() < tc.loss }, 1000) > tc.intervals {
					slow++
				}
			}
			if slow > 2 {
				t.Errorf("%d of 200 pairs took more than %d intervals", slow, tc.intervals)
			}
		})
	}
}

func intervalsUntilHeard(t *testing.T, lost func() bool, limit int) int {
	t.Helper()
	hosts := [2]*Codec{makeCodec(t, testOptions(0)), makeCodec(t, testOptions(1))}
	heard := [2]bool{}
	var deliver func(to int, d []byte, now time.Time)
	deliver = func(to int, d []byte, now time.Time) {
		if lost() {
			return
		}
		m, reply, why := hosts[to].Open(d, now)
		heard[to] = heard[to] || why == Accepted && m.Type == Heartbeat
		if reply != nil {
			deliver(1-to, bytes.Clone(reply), now)
		}
	}
	for i := range limit {
		now := testStart.Add(time.Duration(i) * testInterval)
		deliver(1, beat(t, hosts[0], ""), now)
		deliver(0, beat(t, hosts[1], ""), now)
		if heard[0] && heard[1] {
			return i + 1
		}
	}
	return limit + 1
}

// TestChallengesArePaced replays recordings of many boots of one host at once.
func TestChallengesArePaced(t *testing.T) {
	to := makeCodec(t, testOptions(1))
	var recorded [][]byte
	for range 2 * candidateCount {
		recorded = append(recorded, beat(t, makeCodec(t, testOptions(0)), ""))
	}
	for i := range 10 {
		now, challenges := testStart.Add(time.Duration(i)*testInterval), 0
		for part := range time.Duration(10) {
			for _, d := range recorded {
				if _, reply, _ := to.Open(d, now.Add(part*testInterval/10)); reply != nil {
					challenges++
				}
			}
		}
		if challenges != 1 {
			t.Errorf("%d challenges in interval %d, want 1", challenges, i)
		}
	}
}

func TestAnswersArePaced(t *testing.T) {
	from, to := makeCodec(t, testOptions(0)), makeCodec(t, testOptions(1))
	challenge := answerOf(to, beat(t, from, ""))
	if answerOf(from, challenge) == nil {
		t.Fatal("no proof")
	}
	if _, proof, why := from.Open(challenge, testStart.Add(testInterval-1)); proof != nil || why != Boot {
		t.Errorf("the same challenge within an interval: %v, %x", why, proof)
	}
	if _, proof, _ := from.Open(challenge, testStart.Add(testInterval)); proof == nil {
		t.Error("the same challenge after an interval is not answered: the proof may have been lost")
	}
}

func TestNotesForOthers(t *testing.T) {
	from, to := makePair(t)
	for _, tc := range []struct {
		name string
		kind Type
		note note
		want Reason
	}{
		{"challenge for another host", Challenge, note{to: 2, boot: to.Boot()}, Boot},
		{"challenge for another boot", Challenge, note{to: 1, boot: to.Boot() + 1}, Boot},
		{"proof for another host", Proof, note{to: 2, boot: to.Boot()}, Boot},
		{"challenge for us", Challenge, note{to: 1, boot: to.Boot()}, Accepted},
		{"host beyond all", Challenge, note{to: member.MaxHosts, boot: to.Boot()}, Malformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, reply, why := to.Open(from.sealNote(nil, tc.kind, tc.note), testStart)
			if why != tc.want || (reply != nil) != (tc.want == Accepted) {
				t.Errorf("reason %v, reply %x; want %v", why, reply, tc.want)
			}
		})
	}
}

// TestDeadBootsDoNotKeepTheLiveOneOut floods with recordings of dead boots, heartbeats and challenges, in front of each
// honest datagram.
func TestDeadBootsDoNotKeepTheLiveOneOut(t *testing.T) {
	live, to := makeCodec(t, testOptions(0)), makeCodec(t, testOptions(1))
	var recorded [][]byte
	for range candidateCount - 1 {
		dead := makeCodec(t, testOptions(0))
		recorded = append(recorded, beat(t, dead, ""), answerOf(dead, beat(t, to, "")))
	}
	now := testStart
	for i := range 40 {
		now = now.Add(testInterval)
		for range 20 {
			for _, d := range recorded {
				to.Open(d, now)
			}
		}
		_, challenge, why := to.Open(beat(t, live, ""), now)
		if why == Accepted {
			return
		}
		if challenge == nil {
			continue
		}
		if _, proof, _ := live.Open(challenge, now); proof != nil {
			if _, _, why := to.Open(proof, now); why != Accepted {
				t.Fatalf("interval %d: proof: %v", i, why)
			}
		}
	}
	t.Error("the live boot was not heard within 40 intervals")
}

func TestKeyDerivationsAreBounded(t *testing.T) {
	from, to := makePair(t)
	forged := beat(t, from, "")
	now := testStart.Add(time.Second)
	const floods = 10000
	before := to.Counters()
	for i := range floods {
		forged[22], forged[23], forged[24] = byte(i), byte(i>>8), 0xff
		to.Open(forged, now.Add(time.Duration(i)*testInterval/floods))
	}
	got := to.Counters()
	if derived := got.Of(Seal) - before.Of(Seal); derived > deriveBurst+deriveRate {
		t.Errorf("%d keys derived in one interval", derived)
	}
	if got.Of(Rate) == 0 {
		t.Error("nothing counted as rate")
	}
	if _, _, why := to.Open(beat(t, from, ""), now.Add(testInterval)); why != Accepted {
		t.Errorf("the proved boot is kept out: %v", why)
	}
	restarted := makeCodec(t, testOptions(0))
	if _, challenge, why := to.Open(beat(t, restarted, ""), now.Add(2*testInterval)); why != Boot || challenge == nil {
		t.Errorf("restart after the flood: %v, challenge %x", why, challenge)
	}
}

func TestProofs(t *testing.T) {
	for _, tc := range []struct {
		name  string
		delay time.Duration
		want  Reason
	}{
		{"at once", 0, Accepted},
		{"as late as can be", proofLife*testInterval - 1, Accepted},
		{"held back too long", proofLife * testInterval, Boot},
	} {
		t.Run(tc.name, func(t *testing.T) {
			from, to := makeCodec(t, testOptions(0)), makeCodec(t, testOptions(1))
			_, challenge, _ := to.Open(beat(t, from, ""), testStart)
			_, proof, _ := from.Open(challenge, testStart)
			if _, _, why := to.Open(proof, testStart.Add(tc.delay)); why != tc.want {
				t.Errorf("reason %v, want %v", why, tc.want)
			}
		})
	}
}

func TestHeartbeatsBeforeTheProofAreNotHeard(t *testing.T) {
	from, to := makeCodec(t, testOptions(0)), makeCodec(t, testOptions(1))
	_, challenge, _ := to.Open(beat(t, from, ""), testStart)
	held := beat(t, from, "held back")
	_, proof, _ := from.Open(challenge, testStart)
	if _, _, why := to.Open(proof, testStart); why != Accepted {
		t.Fatal(why)
	}
	if _, _, why := to.Open(held, testStart); why != Replay {
		t.Errorf("heartbeat from before the proof: %v", why)
	}
}

func TestProofIsForOneBootAndOneHost(t *testing.T) {
	from := makeCodec(t, testOptions(0))
	asker := makeCodec(t, testOptions(1))
	_, challenge, _ := asker.Open(beat(t, from, ""), testStart)
	_, proof, _ := from.Open(challenge, testStart)
	for name, other := range map[string]*Codec{
		"another host":        makeCodec(t, testOptions(2)),
		"another boot of it":  makeCodec(t, testOptions(1)),
		"another, that asked": askedBy(t, from, testOptions(1)),
	} {
		if _, _, why := other.Open(proof, testStart); why != Boot {
			t.Errorf("%s: %v", name, why)
		}
	}
	if _, reply, why := makeCodec(t, testOptions(0)).Open(challenge, testStart); why != Boot || reply != nil {
		t.Errorf("challenge for another boot: %v, reply %x", why, reply)
	}
}

func askedBy(t *testing.T, from *Codec, o Options) *Codec {
	t.Helper()
	c := makeCodec(t, o)
	if _, challenge, _ := c.Open(beat(t, from, ""), testStart); challenge == nil {
		t.Fatal("no challenge")
	}
	return c
}

func TestRestartedHostReplacesItsOldBoot(t *testing.T) {
	from, to := makePair(t)
	old := beat(t, from, "from the old boot")
	restarted := makeCodec(t, testOptions(0))
	prove(t, restarted, to, testStart.Add(testInterval))
	if _, _, why := to.Open(beat(t, restarted, ""), testStart.Add(testInterval)); why != Accepted {
		t.Errorf("new boot: %v", why)
	}
	if _, reply, why := to.Open(old, testStart.Add(testInterval)); why != Replay || reply != nil {
		t.Errorf("old boot: %v, reply %x", why, reply)
	}
}

func TestFarewell(t *testing.T) {
	from, to := makePair(t)
	inFlight, farewell := beat(t, from, "in flight"), from.Farewell()
	m, reply, why := to.Open(farewell, testStart)
	if why != Accepted || m.Type != Farewell || m.From != 0 || m.Boot != from.Boot() || reply != nil {
		t.Fatalf("farewell: %v, %+v, reply %x", why, m, reply)
	}
	for name, d := range map[string][]byte{"heartbeat in flight": inFlight, "farewell again": farewell, "later": beat(t, from, "")} {
		if _, reply, why := to.Open(d, testStart.Add(time.Hour)); why != Replay || reply != nil {
			t.Errorf("%s: %v, reply %x", name, why, reply)
		}
	}
	restarted := makeCodec(t, testOptions(0))
	prove(t, restarted, to, testStart.Add(2*time.Hour))
	if _, _, why := to.Open(farewell, testStart.Add(2*time.Hour)); why != Replay {
		t.Errorf("farewell of the boot before: %v", why)
	}
	if _, _, why := to.Open(beat(t, restarted, ""), testStart.Add(2*time.Hour)); why != Accepted {
		t.Errorf("heartbeat after the old farewell: %v", why)
	}
}
