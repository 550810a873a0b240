package wire

import (
	"bytes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/member"
)

// signs makes a host sign with a group key that it holds.
func signs(t interface {
	Helper()
	Fatal(...any)
}, c *Codec, id KeyID) {
	t.Helper()
	if err := c.ring.Use(id, id); err != nil {
		t.Fatal(err)
	}
}

// talk lets one host say a heartbeat and carries what follows, without loss, until nobody answers. It returns what became of
// the heartbeat.
func talk(t testing.TB, from, to *Codec, now time.Time) Reason {
	t.Helper()
	d, at, other := beat(t, from, "payload"), to, from
	_, reply, first := at.Open(d, now)
	for reply != nil {
		at, other = other, at
		_, reply, _ = at.Open(bytes.Clone(reply), now)
	}
	return first
}

// makeFriends returns two hosts that have proved each other.
func makeFriends(t testing.TB) (a, b *Codec) {
	t.Helper()
	a, b = makePair(t)
	prove(t, b, a, testStart)
	return a, b
}

func TestUnknownGroupKeyIsAskedFor(t *testing.T) {
	a, b := makeFriends(t)
	id := a.ring.Draw()
	signs(t, a, id)
	if why := talk(t, a, b, testStart); why != Key {
		t.Errorf("heartbeat under a key that is not held: %v", why)
	}
	if got := b.ring.Held(); len(got) != 1 || got[0] != id {
		t.Fatalf("holds %v after asking, want %v", got, id)
	}
	if why := talk(t, a, b, testStart); why != Accepted {
		t.Errorf("heartbeat under a key that is held: %v", why)
	}
}

// TestNewestKeyIsAskedForAhead: a key that nobody signs with yet is fetched when the host is told that there is one.
func TestNewestKeyIsAskedForAhead(t *testing.T) {
	a, b := makeFriends(t)
	id := a.ring.Draw()
	if err := a.ring.Use(0, id); err != nil {
		t.Fatal(err)
	}
	if talk(t, a, b, testStart); len(b.ring.Held()) != 0 {
		t.Fatal("fetched a key that it does not know of")
	}
	b.ring.Want(member.Set(0).With(a.self))
	if why := talk(t, a, b, testStart); why != Accepted {
		t.Errorf("heartbeat of the host that is asked: %v", why)
	}
	if got := b.ring.Held(); len(got) != 1 || got[0] != id {
		t.Errorf("holds %v, want %v", got, id)
	}
}

func TestKeyQuestionsAndAnswersArePaced(t *testing.T) {
	a, b := makeFriends(t)
	signs(t, a, a.ring.Draw())
	_, ask, _ := b.Open(beat(t, a, ""), testStart)
	ask = bytes.Clone(ask)
	if _, again, _ := b.Open(beat(t, a, ""), testStart); ask == nil || again != nil {
		t.Errorf("asked %x, then %x within an interval", ask, again)
	}
	if _, give, why := a.Open(ask, testStart); give == nil || why != Accepted {
		t.Errorf("question: %v, answer %x", why, give)
	}
	if _, give, why := a.Open(ask, testStart); give != nil || why != Replay {
		t.Errorf("the same question again: %v, answer %x", why, give)
	}
	other := b.askKeys(&b.peers[a.self], a.self, testStart.Add(testInterval))
	if _, give, _ := a.Open(bytes.Clone(other), testStart.Add(testInterval-1)); give != nil {
		t.Error("two answers within an interval")
	}
}

// TestKeysAreForOneBoot: an answer that is recorded opens for nobody else, not even with the secret.
func TestKeysAreForOneBoot(t *testing.T) {
	a, b := makeFriends(t)
	// Whoever has the secret takes the seal off, and stands before the wrapping: the key pair of b's boot is not his.
	spy := makeCodec(t, testOptions(1))
	spy.boot, spy.out.control = b.boot, firstControl+100
	others := map[string]*Codec{"another boot of it": makeCodec(t, testOptions(1)), "another host": makeCodec(t, testOptions(2)), "a spy": spy}
	for _, other := range others {
		prove(t, a, other, testStart)
	}
	signs(t, a, a.ring.Draw())
	_, ask, _ := b.Open(beat(t, a, ""), testStart)
	_, give, _ := a.Open(bytes.Clone(ask), testStart)
	give = bytes.Clone(give)
	if give == nil || bytes.Contains(give, a.ring.groups[0].key) {
		t.Fatalf("no answer, or the key travels as it is: %x", give)
	}
	for name, other := range others {
		want := Boot
		if other == spy {
			want = Seal
		}
		if _, _, why := other.Open(give, testStart); why != want || len(other.ring.Held()) != 0 {
			t.Errorf("%s: %v, want %v; holds %v", name, why, want, other.ring.Held())
		}
	}
}

// TestWrongSecretGetsNoKeys: neither a stranger's heartbeats nor its questions are answered with anything it could open.
func TestWrongSecretGetsNoKeys(t *testing.T) {
	a, _ := makeFriends(t)
	signs(t, a, a.ring.Draw())
	o := testOptions(2)
	o.Secret = []byte("another secret, long enough")
	stranger := makeCodec(t, o)
	now := testStart
	for range 50 {
		now = now.Add(testInterval)
		if why := talk(t, stranger, a, now); why != Key {
			t.Fatalf("heartbeat of a stranger: %v", why)
		}
		if why := talk(t, a, stranger, now); why != Key {
			t.Fatalf("heartbeat at a stranger: %v", why)
		}
	}
	if got := stranger.ring.Held(); len(got) != 0 {
		t.Errorf("the stranger holds %v", got)
	}
	if !a.Stranger(2).Equal(now) {
		t.Errorf("stranger last seen %v, want %v", a.Stranger(2), now)
	}
}

// TestStrangersWithGroupKeysFindTogether: two hosts that have never met, each with a group key of its own, as after a partition
// during which both were started.
func TestStrangersWithGroupKeysFindTogether(t *testing.T) {
	a, b := makeCodec(t, testOptions(0)), makeCodec(t, testOptions(1))
	signs(t, a, a.ring.Draw())
	signs(t, b, b.ring.Draw())
	now := testStart
	for i := range 4 * blindPause {
		now = now.Add(testInterval)
		one, two := talk(t, a, b, now), talk(t, b, a, now)
		if one == Accepted && two == Accepted {
			t.Logf("after %d intervals", i)
			return
		}
	}
	t.Error("they do not hear each other")
}

func TestRestartedHostGetsTheKey(t *testing.T) {
	a, b := makeFriends(t)
	signs(t, a, a.ring.Draw())
	talk(t, a, b, testStart)
	signs(t, b, b.ring.Held()[0])
	a = makeCodec(t, testOptions(0))
	now := testStart
	for range 10 {
		now = now.Add(testInterval)
		if talk(t, a, b, now) == Accepted && talk(t, b, a, now) == Accepted {
			return
		}
	}
	t.Errorf("after its restart it holds %v, and hears nothing", a.ring.Held())
}

// TestBaseKeyIsNotBelievedAfterAGroupKey: who has stolen the secret does not write heartbeats in the name of a boot that has signed with
// a group key. The boot itself may go back when it proves that it lives.
func TestBaseKeyIsNotBelievedAfterAGroupKey(t *testing.T) {
	a, b := makeFriends(t)
	held := beat(t, a, "held back")
	signs(t, a, a.ring.Draw())
	talk(t, a, b, testStart)
	if why := talk(t, a, b, testStart); why != Accepted {
		t.Fatal(why)
	}
	if _, _, why := b.Open(held, testStart); why != Key {
		t.Errorf("older heartbeat under the base key: %v", why)
	}
	signs(t, a, 0)
	now := testStart.Add(proofLife * testInterval)
	_, challenge, why := b.Open(beat(t, a, ""), now)
	if why != Key || challenge == nil {
		t.Fatalf("heartbeat under the base key: %v, challenge %x", why, challenge)
	}
	_, proof, _ := a.Open(bytes.Clone(challenge), now)
	if _, _, why := b.Open(bytes.Clone(proof), now); why != Accepted {
		t.Fatalf("proof: %v", why)
	}
	if why := talk(t, a, b, now); why != Accepted {
		t.Errorf("heartbeat after the proof: %v", why)
	}
}

// TestRecordingsByReason: one window covers all keys of a boot, and a key is good on one network.
func TestRecordingsByReason(t *testing.T) {
	a, b := makeFriends(t)
	first := a.ring.Draw()
	signs(t, a, first)
	talk(t, a, b, testStart)
	old := beat(t, a, "under the first key")
	b.Open(old, testStart)
	unheard := beat(t, a, "under the first key, held back")
	second := a.ring.Draw()
	signs(t, a, second)
	talk(t, a, b, testStart.Add(testInterval))
	for range windowBits {
		b.Open(beat(t, a, ""), testStart)
	}
	expect := func(name string, d []byte, want Reason) {
		t.Helper()
		before := b.Counters()
		if _, _, why := b.Open(d, testStart); why != want || b.Counters().Of(want) != before.Of(want)+1 {
			t.Errorf("%s: %v, want %v", name, why, want)
		}
	}
	expect("under an old key, heard before", old, Replay)
	expect("under an old key, held back until the window had passed", unheard, Replay)
	ahead := a.nextHeader(first)
	b.ring.Drop(first)
	expect("under a key that was dropped", ahead, Key)
	expect("under the key in use, its number changed", edit(beat(t, a, ""), 37, 0xfe), Seal)
	expect("another network's", beat(t, onNetwork(t, a, 1), ""), Network)
	other := onNetwork(t, a, 1)
	other.ring, other.out.beats = a.ring, a.out.beats+10
	expect("another network's with the same key and our network's number", edit(beat(t, other, ""), 21, 0), Seal)
	restarted := makeCodec(t, testOptions(0))
	restarted.ring = a.ring
	prove(t, restarted, b, testStart.Add(time.Second))
	expect("of an earlier boot", beat(t, a, ""), Replay)
}

// nextHeader is a heartbeat under a key that its ring may have dropped.
func (c *Codec) nextHeader(id KeyID) []byte {
	k := c.ring.find(id)
	h := header{kind: Heartbeat, key: id, network: c.network, sender: c.self, boot: c.boot, seq: c.nextBeat()}.append(nil, c.tag)
	var n nonce
	return k.seal(c.self, c.boot, c.network).Seal(h, n.set(c.out.beats), nil, h)
}

// TestControlUnderAGroupKeyIsRefused: what goes to one host is under the base key alone.
func TestControlUnderAGroupKeyIsRefused(t *testing.T) {
	a, b := makeFriends(t)
	id := a.ring.Draw()
	signs(t, a, id)
	talk(t, a, b, testStart)
	k := a.ring.find(id)
	h := header{kind: Farewell, key: id, sender: a.self, boot: a.boot, seq: lastWords}.append(nil, a.tag)
	var n nonce
	if _, _, why := b.Open(k.seal(a.self, a.boot, 0).Seal(h, n.set(lastWords), nil, h), testStart); why != Key {
		t.Errorf("farewell under a group key: %v", why)
	}
	if _, _, why := b.Open(a.Farewell(), testStart); why != Accepted {
		t.Errorf("farewell under the base key: %v", why)
	}
}

func TestSecretIsChangedLive(t *testing.T) {
	a, b := makeFriends(t)
	second := []byte("the second secret, long enough ..")
	old, _ := a.ring.Bases()
	sealed := a.Farewell()
	id, err := a.ring.AddSecret(second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.ring.AddSecret(second); err != nil {
		t.Fatal(err)
	}
	if err := a.ring.UseSecret(id); err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]*Codec{{a, b}, {b, a}} {
		if why := talk(t, pair[0], pair[1], testStart); why != Accepted {
			t.Errorf("while one signs with the new secret and one with the old: %v", why)
		}
	}
	if bytes.Equal(a.Farewell(), sealed) {
		t.Error("the farewell is not sealed anew")
	}
	if _, err := a.ring.AddSecret([]byte("the third secret, much too soon ..")); !errors.Is(err, ErrSecretChange) {
		t.Errorf("a third secret: %v", err)
	}
	a.ring.DropSecret()
	if sign, other := a.ring.Bases(); sign != id || other != 0 {
		t.Errorf("signs with %v and holds %v", sign, other)
	}
	if why := talk(t, b, a, testStart); why != Key {
		t.Errorf("with the old secret alone: %v", why)
	}
	if err := a.ring.UseSecret(old); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("use the dropped secret: %v", err)
	}
	if _, err := a.ring.AddSecret([]byte("short")); !errors.Is(err, ErrSecret) {
		t.Errorf("short secret: %v", err)
	}
}

// TestRingIsBounded: more keys than fit push the oldest out, and never those in use.
func TestRingIsBounded(t *testing.T) {
	r, err := NewRing("farm", testSecret)
	if err != nil {
		t.Fatal(err)
	}
	first, second := r.Draw(), r.Draw()
	if err := r.Use(first, second); err != nil {
		t.Fatal(err)
	}
	for range 2 * maxGroups {
		r.Draw()
	}
	if held := r.Held(); len(held) != maxGroups || held[0] != first || held[1] != second {
		t.Errorf("%d keys, the first ones %v", len(held), held[:2])
	}
	r.Drop(first)
	if held := r.Held(); held[0] != first {
		t.Error("the key in use was dropped")
	}
	if err := r.Use(first+1, 0); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("use a key that is not held: %v", err)
	}
	if sign, _ := r.Bases(); r.Use(sign, 0) == nil {
		t.Error("a base key was taken for a group key")
	}
}

func TestIDsSayNothingOfTheKey(t *testing.T) {
	k := newGroup(testSecret, tagOf("farm"))
	if id := newGroup(testSecret, tagOf("farm")).id; id != k.id {
		t.Errorf("one key has two ids, %v and %v", id, k.id)
	}
	if newGroup(testSecret, tagOf("barn")).id == k.id {
		t.Error("the id does not depend on the cluster")
	}
	if KeyID(0).String() != "none" || KeyID(0xab).String() != "000000ab" {
		t.Errorf("ids are written %v and %v", KeyID(0), KeyID(0xab))
	}
}

// TestRingsAreNotWrittenOut: whoever logs a ring, by whatever means, logs ids.
func TestRingsAreNotWrittenOut(t *testing.T) {
	a, _ := makeFriends(t)
	signs(t, a, a.ring.Draw())
	asJSON, err := json.Marshal(a.ring)
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "ring", a.ring)
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "ring", a.ring)
	for name, text := range map[string]string{"%v": fmt.Sprintf("%v", a.ring), "%+v": fmt.Sprintf("%+v", a.ring), "%#v": fmt.Sprintf("%#v", a.ring),
		"%x": fmt.Sprintf("%x", a.ring.String()), "JSON": string(asJSON), "log": logged.String()} {
		if name != "%x" && !strings.Contains(text, a.ring.Held()[0].String()) {
			t.Errorf("%s does not name the key: %s", name, text)
		}
		for _, k := range [][]byte{a.ring.groups[0].key, a.ring.bases[0].extract, a.ring.private.Bytes()} {
			for _, form := range []string{string(k), hex.EncodeToString(k), base64.StdEncoding.EncodeToString(k), strings.Trim(fmt.Sprint(k), "[]")} {
				if strings.Contains(text, form) {
					t.Errorf("%s has key bytes: %s", name, text)
				}
			}
		}
	}
}

// TestWrappingKeysDiffer: each direction and each network has its own, so that a sequence is a nonce.
func TestWrappingKeysDiffer(t *testing.T) {
	a, b := makeFriends(t)
	seen := map[string]string{}
	for _, network := range []uint16{0, 1, 256} {
		a.network = network
		p := &a.peers[b.self]
		ours, theirs := a.ends(p, b.self, b.ring.public())
		other := theirs
		other.boot++
		for name, wrap := range map[string]cipher.AEAD{"given": a.wrapper(p, ours, theirs, b.ring.public()), "taken": a.wrapper(p, theirs, ours, b.ring.public()),
			"another boot": a.wrapper(p, ours, other, b.ring.public())} {
			var n nonce
			out := string(wrap.Seal(nil, n.set(firstControl), []byte("payload"), nil))
			if seen[out] != "" {
				t.Errorf("%s on network %d has the key of %s", name, network, seen[out])
			}
			seen[out] = name
		}
	}
	if a.wrapper(&a.peers[b.self], end{}, end{}, [publicSize]byte{}) != nil {
		t.Error("a public key of low order is taken")
	}
}

// TestKnownBootIsAskedInAFlood: who has sealed something before does not share the places of those of whom nothing is known.
func TestKnownBootIsAskedInAFlood(t *testing.T) {
	a, b := makeCodec(t, testOptions(0)), makeCodec(t, testOptions(1))
	a.Open(b.sealNote(nil, Challenge, note{to: a.self, boot: a.boot}), testStart) // b's boot is a candidate now
	signs(t, b, b.ring.Draw())
	forged := beat(t, b, "")
	forged[22] ^= 0xff // another boot
	if _, question, why := a.Open(forged, testStart); why != Key || question == nil {
		t.Fatalf("unknown boot: %v, %x", why, question)
	}
	if _, question, why := a.Open(beat(t, b, ""), testStart); why != Key || question == nil {
		t.Errorf("known boot: %v, %x", why, question)
	}
}
