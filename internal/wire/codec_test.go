package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/member"
)

const testInterval = 20 * time.Millisecond

var (
	testSecret = []byte("0123456789abcdef0123456789abcdef")
	testStart  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

func testOptions(self member.ID) Options {
	return Options{Cluster: "farm", Secret: testSecret, Self: self, Hosts: 3, Boot: NewBoot(), Interval: testInterval}
}

func makeCodec(t testing.TB, o Options) *Codec {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func beat(t testing.TB, c *Codec, payload string) []byte {
	t.Helper()
	d, _, err := c.Seal(nil, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// makePair returns two hosts, 0 and 1, of which the second has proved the first.
func makePair(t testing.TB) (from, to *Codec) {
	t.Helper()
	from, to = makeCodec(t, testOptions(0)), makeCodec(t, testOptions(1))
	prove(t, from, to, testStart)
	return from, to
}

// prove lets `to` challenge `from`, without loss.
func prove(t testing.TB, from, to *Codec, now time.Time) {
	t.Helper()
	_, challenge, why := to.Open(beat(t, from, "hello"), now)
	if why != Boot || challenge == nil {
		t.Fatalf("first heartbeat: %v, challenge %x; want a challenge", why, challenge)
	}
	_, proof, _ := from.Open(challenge, now)
	if proof == nil {
		t.Fatal("challenge was not answered")
	}
	if m, _, why := to.Open(proof, now); why != Accepted || m.Type != Proof {
		t.Fatalf("proof: %v", why)
	}
}

func TestHeartbeatIsHeardOnceProved(t *testing.T) {
	from, to := makePair(t)
	d := beat(t, from, "payload")
	m, reply, why := to.Open(d, testStart)
	if why != Accepted || reply != nil {
		t.Fatalf("reason %v, reply %x", why, reply)
	}
	if m.Type != Heartbeat || m.From != 0 || m.Boot != from.Boot() || m.Seq != 2 || string(m.Payload) != "payload" {
		t.Errorf("message %+v", m)
	}
	if got := to.CountersOf(0); got.Of(Accepted) != 2 || got.Of(Boot) != 1 {
		t.Errorf("counters of host 0: %v", got.Named())
	}
}

func TestSealLeavesWhatIsInFront(t *testing.T) {
	from, to := makePair(t)
	d, _, err := from.Seal([]byte("front"), []byte("payload"))
	if err != nil || !bytes.HasPrefix(d, []byte("front")) {
		t.Fatalf("datagram %q, error %v", d, err)
	}
	if _, _, why := to.Open(d[5:], testStart); why != Accepted {
		t.Errorf("reason %v", why)
	}
}

func TestPayloadSizes(t *testing.T) {
	from, to := makePair(t)
	for _, tc := range []struct {
		name string
		size int
		err  error
	}{{"empty", 0, nil}, {"largest", MaxPayload, nil}, {"one too many", MaxPayload + 1, ErrTooLong}} {
		t.Run(tc.name, func(t *testing.T) {
			d, _, err := from.Seal(nil, make([]byte, tc.size))
			if !errors.Is(err, tc.err) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			if err != nil {
				return
			}
			if len(d) > MaxDatagram {
				t.Errorf("datagram of %d bytes", len(d))
			}
			if m, _, why := to.Open(d, testStart); why != Accepted || len(m.Payload) != tc.size {
				t.Errorf("reason %v, payload of %d bytes", why, len(m.Payload))
			}
		})
	}
}

func TestSequenceIsKnownBeforeSealing(t *testing.T) {
	from, to := makePair(t)
	failure := errors.New("cannot say")
	if _, _, err := from.SealNext(nil, func(uint64) ([]byte, error) { return nil, failure }); !errors.Is(err, failure) {
		t.Fatalf("error %v", err)
	}
	var told uint64
	d, seq, err := from.SealNext(nil, func(seq uint64) ([]byte, error) { told = seq; return []byte("x"), nil })
	if err != nil {
		t.Fatal(err)
	}
	if m, _, why := to.Open(d, testStart); why != Accepted || m.Seq != told || m.Seq != seq || seq != 3 {
		t.Errorf("%v: sequence %d on the wire, %d told, %d returned; want 3", why, m.Seq, told, seq)
	}
}

func TestImpossibleOptions(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Options)
		want   error
	}{
		{"no secret", func(o *Options) { o.Secret = nil }, ErrSecret},
		{"short secret", func(o *Options) { o.Secret = o.Secret[:15] }, ErrSecret},
		{"no hosts", func(o *Options) { o.Hosts = 0 }, ErrOptions},
		{"too many hosts", func(o *Options) { o.Hosts = member.MaxHosts + 1 }, ErrOptions},
		{"self not among the hosts", func(o *Options) { o.Self = 3 }, ErrOptions},
		{"no boot", func(o *Options) { o.Boot = 0 }, ErrOptions},
		{"no interval", func(o *Options) { o.Interval = 0 }, ErrOptions},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := testOptions(0)
			tc.change(&o)
			if _, err := New(o); !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
		})
	}
}

// edit returns a copy of d with one byte changed.
func edit(d []byte, at int, to byte) []byte {
	d = bytes.Clone(d)
	d[at] = to
	return d
}

// onNetwork is the codec of the same boot on another network.
func onNetwork(t testing.TB, c *Codec, network uint16) *Codec {
	t.Helper()
	o := testOptions(c.self)
	o.Boot, o.Network = c.boot, network
	return makeCodec(t, o)
}

func TestReasons(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func(t *testing.T, from *Codec) []byte
		want Reason
	}{
		{"nothing", func(*testing.T, *Codec) []byte { return nil }, Short},
		{"one byte too short for a seal", func(t *testing.T, c *Codec) []byte { return beat(t, c, "")[:Overhead-1] }, Short},
		{"other protocol", func(*testing.T, *Codec) []byte { return []byte(strings.Repeat("GET / HTTP/1.1\r\n", 10)) }, Magic},
		{"other version", func(t *testing.T, c *Codec) []byte { return edit(beat(t, c, ""), 4, 2) }, Version},
		{"other cluster, same secret", func(t *testing.T, _ *Codec) []byte {
			o := testOptions(0)
			o.Cluster = "barn"
			return beat(t, makeCodec(t, o), "")
		}, Cluster},
		{"unknown key", func(t *testing.T, c *Codec) []byte { return edit(beat(t, c, ""), 7, 1) }, Key},
		{"unknown host", func(t *testing.T, c *Codec) []byte { return edit(beat(t, c, ""), 19, 3) }, Sender},
		{"host beyond a byte", func(t *testing.T, c *Codec) []byte { return edit(beat(t, c, ""), 18, 1) }, Sender},
		{"ourselves", func(t *testing.T, c *Codec) []byte { return edit(beat(t, c, ""), 19, 1) }, Sender},
		{"unknown type", func(t *testing.T, c *Codec) []byte { return edit(beat(t, c, ""), 5, 7) }, Malformed},
		{"other network, high byte", func(t *testing.T, c *Codec) []byte { return edit(beat(t, c, ""), 20, 1) }, Network},
		{"other network of the same boot", func(t *testing.T, c *Codec) []byte { return beat(t, onNetwork(t, c, 1), "") }, Network},
		{"other network's, with our network's number", func(t *testing.T, c *Codec) []byte {
			other := onNetwork(t, c, 1)
			beat(t, other, "") // has a number that was heard here
			return edit(beat(t, other, ""), 21, 0)
		}, Seal},
		{"no boot", func(t *testing.T, c *Codec) []byte {
			d := beat(t, c, "")
			clear(d[22:30])
			return d
		}, Malformed},
		{"heartbeat numbered zero", func(t *testing.T, c *Codec) []byte { return edit(beat(t, c, ""), 37, 0) }, Malformed},
		{"farewell not the last", func(t *testing.T, c *Codec) []byte { return edit(beat(t, c, ""), 5, byte(Farewell)) }, Malformed},
		{"challenge among the heartbeats", func(t *testing.T, c *Codec) []byte { return edit(beat(t, c, ""), 5, byte(Challenge)) }, Malformed},
		{"longer than can be", func(t *testing.T, c *Codec) []byte {
			return append(beat(t, c, ""), make([]byte, MaxDatagram)...)
		}, Malformed},
		{"damaged", func(t *testing.T, c *Codec) []byte {
			b := beat(t, c, "payload")
			return edit(b, headerSize, ^b[headerSize]) // any fixed byte would sometimes be the one that is there
		}, Seal},
		{"truncated", func(t *testing.T, c *Codec) []byte { return beat(t, c, "payload")[:Overhead+3] }, Seal},
		{"another host's name on it", func(t *testing.T, c *Codec) []byte { return edit(beat(t, c, ""), 19, 2) }, Seal},
		{"other secret", func(t *testing.T, _ *Codec) []byte {
			o := testOptions(0)
			o.Secret = []byte("another secret, long enough")
			return beat(t, makeCodec(t, o), "")
		}, Key},
		{"other boot", func(t *testing.T, _ *Codec) []byte { return beat(t, makeCodec(t, testOptions(0)), "") }, Boot},
		{"farewell of another boot", func(t *testing.T, _ *Codec) []byte { return makeCodec(t, testOptions(0)).Farewell() }, Boot},
	} {
		t.Run(tc.name, func(t *testing.T) {
			from, to := makePair(t)
			before := to.Counters()
			if _, _, why := to.Open(tc.make(t, from), testStart); why != tc.want {
				t.Errorf("reason %v, want %v", why, tc.want)
			}
			before[tc.want]++
			if got := to.Counters(); got != before {
				t.Errorf("counters %v, want %v", got.Named(), before.Named())
			}
			if _, _, why := to.Open(beat(t, from, "next"), testStart); why != Accepted {
				t.Errorf("honest heartbeat afterwards: %v", why)
			}
		})
	}
}

func TestReplayIsRefused(t *testing.T) {
	from, to := makePair(t)
	first := beat(t, from, "first")
	for i, want := range []Reason{Accepted, Replay, Replay} {
		if _, _, why := to.Open(first, testStart); why != want {
			t.Errorf("time %d: %v, want %v", i, why, want)
		}
	}
	late := beat(t, from, "late")
	for range windowBits {
		to.Open(beat(t, from, "newer"), testStart)
	}
	if _, _, why := to.Open(late, testStart); why != Replay {
		t.Errorf("never heard, but older than the window: %v", why)
	}
}

func TestReasonNames(t *testing.T) {
	named := Counters{Replay: 7}.Named()
	if len(named) != int(reasonCount) || named["replay"] != 7 || named["accepted"] != 0 {
		t.Errorf("named counters %v", named)
	}
	if got := reasonCount.String(); got != "reason 13" {
		t.Errorf("unknown reason is called %q", got)
	}
	if (Counters{}).Of(reasonCount) != 0 {
		t.Error("unknown reason has a count")
	}
}

// TestLayout pins the header down: other versions and other implementations depend on it.
func TestLayout(t *testing.T) {
	h := header{kind: Heartbeat, key: 0xa1b2c3d4, sender: 2, boot: 0x1122334455667788, seq: 0x0102030405060708}
	got := h.append(nil, tagOf("farm"))
	want := "4d535452" + "01" + "01" + "a1b2c3d4" + hex.EncodeToString(func() []byte { tag := tagOf("farm"); return tag[:] }()) + "0002" + "0000" +
		"1122334455667788" + "0102030405060708"
	if hex.EncodeToString(got) != want {
		t.Errorf("header %x\n  want %s", got, want)
	}
	if tag := tagOf("farm"); hex.EncodeToString(tag[:]) != farmTag {
		t.Errorf("tag %x, want %s", tag, farmTag)
	}
	if len(got) != headerSize || Overhead != 54 {
		t.Errorf("header of %d bytes, overhead %d", len(got), Overhead)
	}
}

// farmTag is what `printf farm | sha256sum | cut -c1-16` says.
const farmTag = "c8cf701f30ad11d3"
