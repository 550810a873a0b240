package madcap

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The example of RFC 2730, section 3.10: two scopes in an option of 51 octets.
func TestScopeListOfTheRFC(t *testing.T) {
	want := unhex(t, `0009 0033 02
		efc00000 efc3ffff 0a 01 80 02 656e 0f 496e7369646520616263642e636f6d
		e0000100 eeffffff 10 01 80 02 656e 05 776f726c64`)
	list := ScopeList{
		{netip.MustParseAddr("239.192.0.0"), netip.MustParseAddr("239.195.255.255"), 10, []ZoneName{{"en", "Inside abcd.com", true}}},
		{netip.MustParseAddr("224.0.1.0"), netip.MustParseAddr("238.255.255.255"), 16, []ZoneName{{"en", "world", true}}},
	}
	got, err := appendOption(nil, list, IPv4)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("encoded % x, %v\nwant    % x", got, err, want)
	}
	parsed, err := parseOption(Raw{OptScopeList, want[4:]}, IPv4)
	if err != nil || fmt.Sprint(parsed) != fmt.Sprint(list) {
		t.Errorf("parsed %v, %v\nwant   %v", parsed, err, list)
	}
}

// The example of RFC 2907, figure 4: S1/S2, S2/S3, S2/S4, S3/S5, S4/S5, S5/S6, S6/S7, and what follows from them.
func TestNestingOfTheRFC(t *testing.T) {
	want := unhex(t, "0011 0008 07 fc 7c 1c 1c 0c 04 00")
	state := NewNesting(7, [][2]int{{0, 1}, {1, 2}, {1, 3}, {2, 4}, {3, 4}, {4, 5}, {5, 6}}...)
	got, err := appendOption(nil, state, IPv4)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("encoded % x, %v, want % x", got, err, want)
	}
	parsed, err := parseOption(Raw{OptNesting, want[4:]}, IPv4)
	if err != nil {
		t.Fatal(err)
	}
	n := parsed.(Nesting)
	for _, tt := range []struct {
		x, y int
		want bool
	}{{0, 6, true}, {6, 0, false}, {2, 3, false}, {3, 2, false}, {3, 3, true}, {4, 5, true}, {0, 7, false}, {-1, 0, false}} {
		if n.Nests(tt.x, tt.y) != tt.want {
			t.Errorf("scope %d inside %d: %v, want %v", tt.x+1, tt.y+1, !tt.want, tt.want)
		}
	}
}

// The layouts of RFC 2730, sections 2.1 and 3, octet by octet.
func TestLayouts(t *testing.T) {
	start := time.Unix(0x01020304, 0).UTC()
	v6 := netip.MustParseAddr("2001:db8::1")
	tests := []struct {
		name   string
		option Option
		want   string
	}{
		{"lease time", LeaseTime(time.Hour), "0001 0004 00000e10"},
		{"IPv4 server", ServerID{serverA}, "0002 0006 0001 c0000201"},
		{"IPv6 server", ServerID{v6}, "0002 0012 0002 20010db8000000000000000000000001"},
		{"random lease identifier", LeaseID("\x00abc"), "0003 0004 00 616263"},
		{"address lease identifier", AddressLeaseID(serverA, []byte{9}), "0003 0008 01 0001 c0000201 09"},
		{"scope", ScopeID{netip.MustParseAddr("239.255.0.0")}, "0004 0004 efff0000"},
		{"option request list", OptionRequest{OptScopeList, OptNesting}, "0005 0004 0009 0011"},
		{"start time", StartTime{start}, "0006 0004 01020304"},
		{"number of addresses", AddressCount{2, 300}, "0007 0004 0002 012c"},
		{"language", Language("en"), "0008 0002 656e"},
		{"no language", Language(""), "0008 0000"},
		{"no ranges", RangeList{}, "000a 0000"},
		{"ranges", RangeList{{netip.MustParseAddr("239.255.0.1"), 2}}, "000a 0006 efff0001 0002"},
		{"current time", CurrentTime{start}, "000b 0004 01020304"},
		{"features", FeatureList{[]Feature{RetryAfter}, nil, []Feature{ServerMobility}}, "000c 000a 0001 0001 0000 0001 0000"},
		{"retry time", RetryTime{start}, "000d 0004 01020304"},
		{"minimum lease time", MinLeaseTime(time.Second), "000e 0004 00000001"},
		{"latest start", MaxStartTime{start}, "000f 0004 01020304"},
		{"error", failure(InvalidRequest, OptScope), "0010 0004 0001 0004"},
		{"option of the future", Raw{4711, []byte{1}}, "1267 0001 01"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := unhex(t, tt.want)
			got, err := appendOption(nil, tt.option, IPv4)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("encoded % x, %v, want % x", got, err, want)
			}
			parsed, err := parseOption(Raw{tt.option.Code(), want[4:]}, IPv4)
			if again, _ := appendOption(nil, parsed, IPv4); err != nil || !bytes.Equal(again, want) {
				t.Errorf("parsed %v, %v", parsed, err)
			}
		})
	}
	m := Message{TypeRelease, IPv6, 0x0a0b0c0d, []Option{LeaseID("\x00a")}}
	want := unhex(t, "00 07 0002 0a0b0c0d 0003 0002 0061 0000 0000")
	if got, err := m.Encode(InRelease); err != nil || !bytes.Equal(got, want) {
		t.Errorf("encoded % x, %v, want % x", got, err, want)
	}
}

func TestParseIgnoresWhatIsNoMessage(t *testing.T) {
	tests := map[string]string{
		"empty":                     "",
		"11 octets":                 "00 08 0001 00000001 0000 00",
		"another version":           "01 08 0001 00000001 0000 0000",
		"no End":                    "00 08 0001 00000001 0003 0001 61",
		"End is not the last":       "00 08 0001 00000001 0000 0000 0003 0001 61",
		"End with a value":          "00 08 0001 00000001 0000 0001 00",
		"option beyond the message": "00 08 0001 00000001 0003 00ff 61 0000 0000",
		"half an option header":     "00 08 0001 00000001 0003 0001 61 0000 00",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			if m, err := Parse(unhex(t, text)); !errors.Is(err, ErrMalformed) {
				t.Errorf("parsed %v, %v, want that it is malformed", m, err)
			}
		})
	}
}

func TestParseBlamesTheOption(t *testing.T) {
	tests := []struct {
		name, option string
		want         OptionCode
	}{
		{"lease time too short", "0001 0003 000001", OptLeaseTime},
		{"lease time too long", "0001 0005 0000000001", OptLeaseTime},
		{"server of a family not known", "0002 0006 0007 01020304", OptServerID},
		{"server without address", "0002 0002 0001", OptServerID},
		{"lease identifier twice", "0003 0001 62", OptLeaseID},
		{"scope of the other family", "0004 0010 ff030000000000000000000000000000", OptScope},
		{"no options requested", "0005 0000", OptOptionRequest},
		{"half a requested option", "0005 0001 00", OptOptionRequest},
		{"count too short", "0007 0003 000000", OptAddressCount},
		{"scope list cut off", "0009 0005 01 efff0000", OptScopeList},
		{"scope list with more than it says", "0009 0002 00 00", OptScopeList},
		{"scope ends before it begins", "0009 000b 01 efff0001 efff0000 10 00", OptScopeList},
		{"scope is unicast", "0009 000b 01 0a000000 0a0000ff 10 00", OptScopeList},
		{"scope twice", "0009 0015 02 efff0000 efff0001 10 00 efff0000 efff0002 10 00", OptScopeList},
		{"zone name of nothing", "0009 0010 01 efff0000 efff0001 10 01 80 02 656e 00", OptScopeList},
		{"zone name without language", "0009 000f 01 efff0000 efff0001 10 01 80 00 01 61", OptScopeList},
		{"zone name is not UTF-8", "0009 0010 01 efff0000 efff0001 10 01 80 01 65 01 ff", OptScopeList},
		{"range of nothing", "000a 0006 efff0000 0000", OptRanges},
		{"half a range", "000a 0005 efff0000 00", OptRanges},
		{"range of unicast", "000a 0006 0a000000 0001", OptRanges},
		{"range beyond multicast", "000a 0006 effffffe 0003", OptRanges},
		{"features cut off", "000c 0006 ffff 0000 0000", OptFeatureList},
		{"error without code", "0010 0001 00", OptError},
		{"nesting of another length", "0011 0003 03 00 00", OptNesting},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Parse(unhex(t, "00 08 0001 00000001 0003 0001 61"+tt.option+"0000 0000"))
			var option *OptionError
			if !errors.As(err, &option) || option.Code != tt.want {
				t.Errorf("parsed %v, %v, want an error about %v", m, err, tt.want)
			}
			if id, _ := Get[LeaseID](m); id != "a" {
				t.Errorf("lease identifier %q is lost", id)
			}
		})
	}
}

// genOptions draws valid options of a family.
func genOptions(t *rapid.T, f Family) []Option {
	seconds := rapid.Uint32()
	when := rapid.Custom(func(t *rapid.T) time.Time { return time.Unix(int64(seconds.Draw(t, "s")), 0).UTC() })
	features := rapid.SliceOfN(rapid.Map(rapid.Uint16(), func(n uint16) Feature { return Feature(n) }), 0, 5)
	ranges := rapid.Custom(func(t *rapid.T) Range {
		return Range{plus(LocalScope(f).First, uint64(rapid.Uint16Range(0, 60000).Draw(t, "at"))), rapid.Uint16Min(1).Draw(t, "n")%256 + 1}
	})
	name := rapid.StringMatching(`[a-zA-Zäöü.]{1,50}`)
	scope := rapid.Custom(func(t *rapid.T) Scope {
		at := rapid.Uint16Range(0, 30000).Draw(t, "at")
		s := Scope{First: plus(LocalScope(f).First, uint64(at)), Last: plus(LocalScope(f).First, 40000), TTL: rapid.Byte().Draw(t, "ttl")}
		for range rapid.IntRange(0, 3).Draw(t, "names") {
			s.Names = append(s.Names, ZoneName{rapid.StringMatching(`[a-z]{2,8}`).Draw(t, "tag"), name.Draw(t, "name"), rapid.Bool().Draw(t, "d")})
		}
		return s
	})
	nesting := rapid.Custom(func(t *rapid.T) Nesting {
		n := rapid.IntRange(0, 20).Draw(t, "scopes")
		o := Nesting{n, make([]bool, n*n)}
		for i := range o.inside {
			o.inside[i] = i/n != i%n && rapid.Bool().Draw(t, "bit")
		}
		return o
	})
	all := []Option{
		LeaseTime(time.Duration(seconds.Draw(t, "s")) * time.Second), MinLeaseTime(time.Duration(seconds.Draw(t, "s")) * time.Second),
		StartTime{when.Draw(t, "t")}, CurrentTime{when.Draw(t, "t")}, RetryTime{when.Draw(t, "t")}, MaxStartTime{when.Draw(t, "t")},
		ServerID{serverA}, LeaseID(rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "id")), ScopeID{LocalScope(f).First},
		OptionRequest{OptionCode(rapid.Uint16().Draw(t, "code"))}, AddressCount{rapid.Uint16().Draw(t, "min"), rapid.Uint16().Draw(t, "n")},
		Language(name.Draw(t, "tag")), RangeList(rapid.SliceOfN(ranges, 0, 10).Draw(t, "ranges")),
		ScopeList(rapid.SliceOfNDistinct(scope, 0, 5, func(s Scope) string { return s.First.String() }).Draw(t, "scopes")),
		FeatureList{features.Draw(t, "f"), features.Draw(t, "f"), features.Draw(t, "f")},
		Failure{ErrorCode(rapid.Uint16().Draw(t, "code")), rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "extra")},
		nesting.Draw(t, "nesting"), Raw{OptionCode(rapid.Uint16Range(18, 65534).Draw(t, "code")), rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "data")},
	}
	return rapid.Permutation(all).Draw(t, "order")[:rapid.IntRange(0, len(all)).Draw(t, "count")]
}

// encodeAny writes a message without looking at where its options may stand.
func encodeAny(t interface{ Fatalf(string, ...any) }, m Message) []byte {
	b := []byte{0, byte(m.Type), 0, byte(m.Family), byte(m.XID >> 24), byte(m.XID >> 16), byte(m.XID >> 8), byte(m.XID)}
	for _, o := range m.Options {
		var err error
		if b, err = appendOption(b, o, m.Family); err != nil {
			t.Fatalf("encode %v: %v", o, err)
		}
	}
	return append(b, 0, 0, 0, 0)
}

func TestMessagesSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom([]Family{IPv4, IPv6}).Draw(t, "family")
		m := Message{Type(rapid.Byte().Draw(t, "type")), f, rapid.Uint32().Draw(t, "xid"), genOptions(t, f)}
		b := encodeAny(t, m)
		got, err := Parse(b)
		if err != nil {
			t.Fatalf("parse % x: %v", b, err)
		}
		if fmt.Sprint(got) != fmt.Sprint(m) {
			t.Fatalf("got  %v\nwant %v", got, m)
		}
		if again := encodeAny(t, got); !bytes.Equal(again, b) {
			t.Fatalf("encoded again % x\nwant          % x", again, b)
		}
	})
}

func TestEncodeRefusesWhatDoesNotFit(t *testing.T) {
	v6 := LocalScope(IPv6)
	tests := []struct {
		name   string
		option Option
		place  Place
	}{
		{"lease of more than 32 bits of seconds", LeaseTime(1 << 32 * time.Second), InAckToRequest},
		{"time before 1970", StartTime{time.Unix(-1, 0)}, InAckToRequest},
		{"time after 2106", StartTime{time.Unix(1<<32, 0)}, InAckToRequest},
		{"scope of the other family", ScopeID{v6.First}, InAckToRequest},
		{"range of the other family", RangeList{{v6.First, 1}}, InAckToRequest},
		{"no server", ServerID{}, InAckToRequest},
		{"no lease identifier", LeaseID(""), InAckToRequest},
		{"known option raw", Raw{OptLeaseTime, nil}, InAckToRequest},
		{"scopes of the other family", ScopeList{v6}, InAckToGetInfo},
		{"more scopes than a count holds", make(ScopeList, 256), InAckToGetInfo},
		{"mapped addresses", ScopeID{netip.MustParseAddr("::ffff:239.255.0.0")}, InAckToRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := fullMessage(tt.place, tt.option.Code(), tt.option)
			if b, err := m.Encode(tt.place); err == nil {
				t.Errorf("encoded % x, want an error", b)
			}
		})
	}
	m := fullMessage(InNak, OptEnd, Raw{100, nil}, Raw{100, nil})
	if _, err := m.Encode(InNak); err == nil {
		t.Error("an option stands twice and is encoded")
	}
}
