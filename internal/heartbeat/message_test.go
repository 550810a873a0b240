package heartbeat

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/balance"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/multicast"
	"github.com/muster-ha/muster/internal/register"
	"pgregory.net/rapid"
)

// latest is the newest version.
var latest = Language{Speaks: Range{VersionBase, VersionSections}, Written: VersionSections}

// drawSet gives the hosts of a random set, lowest first.
func drawSet(t *rapid.T, label string) []member.ID {
	var ids []member.ID
	each(rapid.Uint32().Draw(t, label), func(id member.ID) { ids = append(ids, id) })
	return ids
}

func drawAttributes(t *rapid.T) member.Attributes {
	return member.Attributes{Weight: rapid.SampledFrom([]uint16{0, 1, 1000}).Draw(t, "weight"),
		Ready: member.RuleSet(rapid.Uint64Range(0, 3).Draw(t, "ready")), Director: rapid.Bool().Draw(t, "director"),
		Vote: rapid.Bool().Draw(t, "vote"), Tie: rapid.Bool().Draw(t, "tie")}
}

func drawViewID(t *rapid.T) member.ViewID {
	return member.ViewID{Epoch: rapid.Uint64().Draw(t, "epoch"), Proposer: member.ID(rapid.Uint8Max(31).Draw(t, "proposer"))}
}

func drawBuckets(t *rapid.T) (b balance.Bitmap) {
	switch rapid.IntRange(0, 2).Draw(t, "form") {
	case 0:
		for range rapid.IntRange(0, 60).Draw(t, "items") {
			b.Set(rapid.IntRange(0, balance.Buckets-1).Draw(t, "bucket"))
		}
	case 1:
		for range rapid.IntRange(1, 5).Draw(t, "runs") {
			first := rapid.IntRange(0, balance.Buckets-1).Draw(t, "first")
			for i := first; i < min(balance.Buckets, first+rapid.IntRange(1, 2000).Draw(t, "length")); i++ {
				b.Set(i)
			}
		}
	case 2:
		word := rapid.Uint64().Draw(t, "word")
		for i := range b {
			b[i] = word * uint64(i+1)
		}
	}
	return b
}

func drawHolding(t *rapid.T, rule uint8) Holding {
	h := Holding{Rule: rule, Config: member.ConfigID(rapid.Uint64Range(0, 1).Draw(t, "config")),
		Stamp: member.ViewID{Epoch: rapid.Uint64Range(0, 1).Draw(t, "stamp")}, Kind: HoldingKind(rapid.Uint8Max(2).Draw(t, "kind"))}
	if h.Kind == HoldsSome {
		h.Buckets = drawBuckets(t)
	}
	return h
}

func drawMessage(t *rapid.T) Message {
	var m Message
	m.State = member.State(rapid.Uint8Max(uint8(member.Leaving)).Draw(t, "state"))
	m.Config, m.Pending = member.ConfigID(rapid.Uint64().Draw(t, "config")), member.ConfigID(rapid.Uint64().Draw(t, "pending"))
	m.Attrs = drawAttributes(t)
	if m.Pending != 0 {
		m.Next = drawAttributes(t)
	}
	m.View = member.View{ViewID: drawViewID(t), Config: m.Config}
	for _, id := range drawSet(t, "members") {
		m.View.Members = append(m.View.Members, member.Member{ID: id, Boot: member.Boot(rapid.Uint64Range(0, 2).Draw(t, "boot")),
			Attributes: drawAttributes(t)})
	}
	for _, id := range drawSet(t, "heard") {
		m.Hears = append(m.Hears, member.Hearing{ID: id, Boot: member.Boot(rapid.Uint64Range(0, 2).Draw(t, "boot")), Seq: rapid.Uint64().Draw(t, "seq")})
	}
	m.Links = member.Set(rapid.Uint32().Draw(t, "links"))
	m.Released, m.Installed, m.HighEpoch = drawViewID(t), drawViewID(t), rapid.Uint64().Draw(t, "high epoch")
	m.Seq = rapid.Uint64().Draw(t, "number")
	m.Language = latest
	m.Serves = rapid.Bool().Draw(t, "serves")
	if rapid.Bool().Draw(t, "base") {
		m.Written = VersionBase
		m.forgetVotes()
	}
	words := rapid.Uint8Max(MaxWords).Draw(t, "words")
	if m.Written < VersionSections {
		words = 0
	}
	for network := range words {
		w := Word{Network: network, Hears: member.Set(rapid.Uint32().Draw(t, "hears")), Direct: member.Set(rapid.Uint32().Draw(t, "direct")), Near: member.Set(rapid.Uint32().Draw(t, "near")),
			Stranger: rapid.Bool().Draw(t, "stranger"), Group: multicast.Group{Version: rapid.Uint32().Draw(t, "version"), How: multicast.Random}}
		w.Kinds, w.Addr, w.Group.Address = drawAddresses(t)
		m.Words = append(m.Words, w)
	}
	if m.Written >= VersionSections {
		m.Keys = drawKeys(t)
	}
	if m.Written >= VersionSections {
		m.Registers.Digest = register.Digest(rapid.Uint64().Draw(t, "registers"))
		m.Answers = rapid.Uint64().Draw(t, "answers")
		m.Probes = rapid.Uint64().Draw(t, "probes")
		if m.Open.Known = rapid.Bool().Draw(t, "open known"); m.Open.Known {
			m.Open.Count = rapid.Uint32().Draw(t, "open")
		}
	}
	if m.Registers.Digest != 0 {
		for i := range rapid.IntRange(0, 3).Draw(t, "entries") {
			m.Registers.Entries = append(m.Registers.Entries, register.Entry{Key: "k" + string(rune('0'+i)), Value: rapid.StringN(0, 8, 32).Draw(t, "value"),
				Version: register.Version{Number: rapid.Uint64Range(1, 1<<40).Draw(t, "version"), Host: rapid.Uint8Max(31).Draw(t, "host")}})
		}
	}
	m.Clock = rapid.Uint32().Draw(t, "clock")
	m.Echo = Echo{To: member.ID(rapid.Uint8Max(31).Draw(t, "echo")), Clock: rapid.Uint32().Draw(t, "echoed"), Held: rapid.Uint32().Draw(t, "held")}
	copy(m.Digest[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
	m.Version = rapid.StringN(0, MaxVersion, MaxVersion).Draw(t, "version")
	for vip := range rapid.IntRange(0, 12).Draw(t, "interfaces") {
		m.Interfaces = append(m.Interfaces, LinkAddr{VIP: uint8(2 * vip), MAC: [6]byte{2, 0, 0, 0, 0, rapid.Uint8Max(1).Draw(t, "mac")}})
	}
	for range rapid.IntRange(0, 3).Draw(t, "orders") {
		m.Orders = append(m.Orders, Order{To: member.ID(rapid.Uint8Max(31).Draw(t, "to")), Verb: Verb(rapid.Byte().Draw(t, "verb")), Number: rapid.Uint64().Draw(t, "number")})
	}
	for rule := range uint8(rapid.IntRange(0, 4).Draw(t, "holdings")) {
		m.Holdings = append(m.Holdings, drawHolding(t, 5-rule))
	}
	return m
}

func TestMessagesAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		b, err := m.Append([]byte("front"))
		if errors.Is(err, ErrTooLong) {
			t.Skip("longer than a datagram")
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(b[5:])
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, m) {
			t.Fatalf("wrote %+v\n read %+v", m, got)
		}
	})
}

// fullMessage is the longest there can be: 32 hosts of which nothing can be abbreviated.
func fullMessage() Message {
	m := Message{Language: latest, Version: strings.Repeat("v", MaxVersion)}
	m.State, m.Config, m.Pending, m.HighEpoch, m.Links = member.Leaving, math.MaxUint64, math.MaxUint64, math.MaxUint64, math.MaxUint32
	m.View = member.View{ViewID: member.ViewID{Epoch: math.MaxUint64, Proposer: 31}, Config: math.MaxUint64}
	m.Released, m.Installed = m.View.ViewID, m.View.ViewID
	for id := range member.ID(member.MaxHosts) {
		m.View.Members = append(m.View.Members, member.Member{ID: id, Boot: member.Boot(math.MaxUint64 - uint64(id)),
			Attributes: member.Attributes{Weight: uint16(id), Ready: math.MaxUint64, Director: true}})
		if id > 0 {
			m.Hears = append(m.Hears, member.Hearing{ID: id, Boot: member.Boot(id), Seq: math.MaxInt64})
		}
	}
	for vip := range 16 {
		m.Interfaces = append(m.Interfaces, LinkAddr{VIP: uint8(vip)})
	}
	return m
}

// usualMessage is what a host of n says when nothing happens, after a year of 20 ms intervals.
func usualMessage(n int) Message {
	m := Message{Language: latest, Version: "1.2.3"}
	m.State, m.Config, m.Links = member.Serving, 1, member.Set(1<<n-1)
	m.View = member.View{ViewID: member.ViewID{Epoch: 7}, Config: 1}
	m.Released, m.Installed = m.View.ViewID, m.View.ViewID
	for id := range member.ID(n) {
		m.View.Members = append(m.View.Members, member.Member{ID: id, Boot: member.Boot(math.MaxUint64 - uint64(id)),
			Attributes: member.Attributes{Weight: 100, Ready: 1, Director: true}})
		if id > 0 {
			m.Hears = append(m.Hears, member.Hearing{ID: id, Boot: member.Boot(math.MaxUint64 - uint64(id)), Seq: 1_576_800_000})
		}
	}
	m.Interfaces = []LinkAddr{{VIP: 0}, {VIP: 1}}
	m.Holdings = []Holding{{Rule: 0, Config: 1, Stamp: m.View.ViewID}}
	return m
}

func TestSizes(t *testing.T) {
	for _, tc := range []struct {
		name    string
		message Message
		most    int
	}{
		{"32 hosts, nothing abbreviated", fullMessage(), 1400},
		{"32 hosts, quiet: a whole bitmap still fits", usualMessage(32), maxSize - bitmapSize - entryHead},
		{"3 hosts, quiet", usualMessage(3), 250},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, err := tc.message.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(b) > tc.most {
				t.Errorf("%d bytes, more than %d", len(b), tc.most)
			}
			if got, err := Parse(b); err != nil || !reflect.DeepEqual(got, tc.message) {
				t.Errorf("read %+v, %v", got, err)
			}
		})
	}
}

func TestWhatCannotBeWritten(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Message)
		want   error
	}{
		{"no version", func(m *Message) { m.Language = Language{} }, ErrMalformed},
		{"a version that it does not speak", func(m *Message) { m.Speaks.Highest = VersionBase }, ErrMalformed},
		{"a version that nobody speaks", func(m *Message) { m.Speaks.Highest, m.Written = 9, 9 }, ErrMalformed},
		{"state", func(m *Message) { m.State = 3 }, ErrMalformed},
		{"version", func(m *Message) { m.Version = strings.Repeat("v", MaxVersion+1) }, ErrMalformed},
		{"members unsorted", func(m *Message) { m.View.Members = []member.Member{{ID: 1}, {ID: 0}} }, ErrMalformed},
		{"member twice", func(m *Message) { m.View.Members = []member.Member{{ID: 1}, {ID: 1}} }, ErrMalformed},
		{"member beyond all", func(m *Message) { m.View.Members = []member.Member{{ID: 32}} }, ErrMalformed},
		{"heard unsorted", func(m *Message) { m.Hears = []member.Hearing{{ID: 1}, {ID: 0}} }, ErrMalformed},
		{"interfaces unsorted", func(m *Message) { m.Interfaces = []LinkAddr{{VIP: 1}, {VIP: 0}} }, ErrMalformed},
		{"order for no host", func(m *Message) { m.Orders = []Order{{To: 32}} }, ErrMalformed},
		{"too many orders", func(m *Message) { m.Orders = make([]Order, MaxOrders+1) }, ErrMalformed},
		{"proposer", func(m *Message) { m.Released.Proposer = 32 }, ErrMalformed},
		{"echo", func(m *Message) { m.Echo.To = 32 }, ErrMalformed},
		{"networks unsorted", func(m *Message) { m.Words = []Word{{Network: 2}, {Network: 1}} }, ErrMalformed},
		{"address with an interface", func(m *Message) { m.Words = []Word{{Addr: netip.MustParseAddr("fe80::1%eth0")}} }, ErrMalformed},
		{"address with two spellings", func(m *Message) { m.Words = []Word{{Addr: netip.MustParseAddr("::ffff:10.0.0.1")}} }, ErrMalformed},
		{"kind of address", func(m *Message) { m.Words = []Word{{Kinds: 8}} }, ErrMalformed},
		{"address that nobody has", func(m *Message) { m.Words = []Word{{Addr: netip.IPv4Unspecified()}} }, ErrMalformed},
		{"group that is none", func(m *Message) {
			m.Words = []Word{{Group: multicast.Group{Address: netip.AddrFrom4([4]byte{10, 0, 0, 1})}}}
		}, ErrMalformed},
		{"networks with keys unsorted", func(m *Message) { m.Keys = Keys{Base: 1, Words: []KeyWord{{Network: 2}, {Network: 1}}} }, ErrMalformed},
		{"keys of no secret", func(m *Message) { m.Keys = Keys{Words: []KeyWord{{Network: 2}}} }, ErrMalformed},
		{"rule twice", func(m *Message) { m.Holdings = []Holding{{Rule: 1}, {Rule: 1}} }, ErrMalformed},
		{"rule beyond all", func(m *Message) { m.Holdings = []Holding{{Rule: 64}} }, ErrMalformed},
		{"kind of holding", func(m *Message) { m.Holdings = []Holding{{Kind: 3}} }, ErrMalformed},
		{"stamp of no host", func(m *Message) { m.Holdings = []Holding{{Stamp: member.ViewID{Proposer: 32}}} }, ErrMalformed},
		{"too long", func(m *Message) {
			*m = fullMessage()
			for vip := range m.Interfaces {
				m.Interfaces[vip].MAC[0] = byte(vip)
			}
		}, ErrTooLong},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := usualMessage(3)
			tc.change(&m)
			if _, err := m.Append(nil); !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
		})
	}
}

// withSection puts a section of a later version behind those of a message without holdings.
func withSection(t *testing.T, m Message, body string) []byte {
	t.Helper()
	m.Holdings = nil
	b, err := m.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	base, err := m.appendBase(nil)
	if err != nil {
		t.Fatal(err)
	}
	sections := append(b[len(base)+2:len(b)-1:len(b)-1], 255, 0, byte(len(body)))
	sections = append(sections, body...)
	b = binary.BigEndian.AppendUint16(base, uint16(len(sections)))
	return append(append(b, sections...), 0)
}

// TestLaterVersions: a section that this version does not know is skipped, by its length.
func TestLaterVersions(t *testing.T) {
	m := usualMessage(3)
	m.Words = []Word{{Network: 1, Hears: 3}}
	b := withSection(t, m, "later")
	m.Holdings = nil
	if got, err := Parse(b); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("read %+v, %v", got, err)
	}
	if _, err := Parse(append(b, 0)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a byte behind the holdings: %v", err)
	}
}

func TestSectionsThatAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name     string
		sections []byte
	}{
		{"longer than what it says", []byte{1, 0, 2, 0, 0}},
		{"shorter than what it says", []byte{1, 0, 1, 9}},
		{"twice", []byte{200, 0, 0, 200, 0, 0}},
		{"falling", []byte{200, 0, 0, 199, 0, 0}},
		{"cut short", []byte{200, 0, 9, 1}},
		{"no length", []byte{200}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := usualMessage(3)
			base, err := m.appendBase(nil)
			if err != nil {
				t.Fatal(err)
			}
			b := binary.BigEndian.AppendUint16(base, uint16(len(tc.sections)))
			if _, err := Parse(append(append(b, tc.sections...), 0)); !errors.Is(err, ErrMalformed) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	m := usualMessage(3)
	m.Orders = []Order{{To: 1, Verb: DrainHost, Number: 300}}
	m.Holdings[0].Kind = HoldsSome
	m.Holdings[0].Buckets.Set(4095)
	b, err := m.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := range b {
		if _, err := Parse(b[:n]); !errors.Is(err, ErrMalformed) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
}

// FuzzParse: whatever is accepted is written the same again but for sections of later versions: there is one spelling of everything.
func FuzzParse(f *testing.F) {
	for _, m := range []Message{usualMessage(3), usualMessage(32), fullMessage(), rich(), previous(usualMessage(3)), previous(rich())} {
		b, err := m.Append(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) || !reflect.DeepEqual(m, Message{}) {
				t.Errorf("message %+v, error %v", m, err)
			}
			return
		}
		again, err := m.Append(nil)
		if err != nil {
			t.Fatalf("%+v was read and cannot be written: %v", m, err)
		}
		twice, err := Parse(again)
		if err != nil || !reflect.DeepEqual(twice, m) {
			t.Errorf("read %x\nwrote %x\nread again %+v, %v", b, again, twice, err)
		}
		if len(again) == len(b) && !bytes.Equal(again, b) {
			t.Errorf("read %x\nwrote %x", b, again)
		}
	})
}

// previous is a message as an agent of the version before writes it, and as this one does for it.
func previous(m Message) Message {
	m.Written = VersionBase
	return m
}

// rich has something of everything.
func rich() Message {
	m := usualMessage(5)
	m.View.Members[2].Weight = 3
	m.Hears[1].Boot = 9
	m.Interfaces = []LinkAddr{{VIP: 0, MAC: [6]byte{1}}, {VIP: 3, MAC: [6]byte{1}}, {VIP: 4, MAC: [6]byte{2}}}
	m.Orders = []Order{{To: 1, Verb: DrainHost, Number: 1}, {To: 2, Verb: ResumeHost, Number: 1 << 40}}
	var scattered, solid, noise balance.Bitmap
	for i := 0; i < balance.Buckets; i += 100 {
		scattered.Set(i)
	}
	for i := 1000; i < 3000; i++ {
		solid.Set(i)
	}
	for i := range noise {
		noise[i] = uint64(i+1) * 0x9e3779b97f4a7c15
	}
	m.Holdings = []Holding{{Rule: 3, Kind: HoldsSome, Buckets: scattered}, {Rule: 1, Kind: HoldsSome, Buckets: solid},
		{Rule: 2, Kind: HoldsSome, Buckets: noise, Config: 1}, {Rule: 0, Kind: HoldsAll, Config: 1}}
	return m
}
