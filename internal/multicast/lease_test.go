package multicast

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-ha/muster/madcap"
)

var noon = time.Unix(1763812800, 0)

// lease is one of an hour from noon on.
func lease() Lease {
	a := netip.MustParseAddr
	return Lease{Address: a("239.255.8.1"), Server: a("192.0.2.1"), Scope: a("239.255.0.0"), ID: madcap.LeaseID("\x00sixteen octets !"),
		Obtained: noon, Expires: noon.Add(time.Hour)}
}

func TestLeaseIsKeptAsOneLine(t *testing.T) {
	const want = "239.255.8.1 192.0.2.1 239.255.0.0 007369787465656e206f63746574732021 1763812800 1763816400 -"
	if got := lease().String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	address := rapid.Custom(func(t *rapid.T) netip.Addr {
		b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address")
		if rapid.Bool().Draw(t, "IPv4") {
			return netip.AddrFrom4([4]byte(b))
		}
		return netip.AddrFrom16([16]byte(b))
	})
	rapid.Check(t, func(t *rapid.T) {
		l := Lease{Address: address.Draw(t, "group"), Server: address.Draw(t, "server"), Scope: address.Draw(t, "scope"),
			ID: madcap.NewLeaseID(), Obtained: time.Unix(rapid.Int64Range(0, lastSecond).Draw(t, "obtained"), 0),
			Expires: time.Unix(rapid.Int64Range(0, lastSecond).Draw(t, "expires"), 0), Shared: rapid.Bool().Draw(t, "shared")}
		got, err := ParseLease(l.String())
		if l.sound() != (err == nil) || err == nil && got != l {
			t.Errorf("%v is read as %v, %v", l, got, err)
		}
	})
}

func TestDamagedLeases(t *testing.T) {
	good := lease().String()
	for _, tc := range []struct{ name, text string }{
		{"empty", ""},
		{"cut short", good[:40]},
		{"a field more", good + " -"},
		{"no group", strings.Replace(good, "239.255.8.1", "10.0.0.1", 1)},
		{"scope that is no group", strings.Replace(good, "239.255.0.0", "10.0.0.0", 1)},
		{"scope of another family", strings.Replace(good, "239.255.0.0", "ff05::", 1)},
		{"server that is a group", strings.Replace(good, "192.0.2.1", "239.1.1.1", 1)},
		{"no server", strings.Replace(good, "192.0.2.1", "0.0.0.0", 1)},
		{"address with a zone", strings.Replace(good, "192.0.2.1", "fe80::1%eth0", 1)},
		{"no identifier", strings.Replace(good, "007369787465656e206f63746574732021", "", 1)},
		{"identifier in capitals", strings.Replace(good, "6e", "6E", 1)},
		{"ends before it begins", strings.Replace(good, "1763816400", "1763812799", 1)},
		{"no time", strings.Replace(good, "1763816400", "1763812800", 1)},
		{"time with a plus", strings.Replace(good, "1763816400", "+1763816400", 1)},
		{"time that no clock shows", strings.Replace(good, "1763816400", "253402300800", 1)},
		{"unknown word", strings.Replace(good, " -", " both", 1)},
		{"long", good + strings.Repeat("0", 200)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if l, err := ParseLease(tc.text); err == nil {
				t.Errorf("taken as %v", l)
			}
		})
	}
}

func FuzzParseLease(f *testing.F) {
	f.Add(lease().String())
	f.Add("ff15::1 fd00::1 ff15:: 00ff 1 2 shared")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLease(text)
		if err == nil && (l.String() != text || !l.Address.IsMulticast()) {
			t.Errorf("%q is taken as %v", text, l)
		}
	})
}

func TestLeaseAsASource(t *testing.T) {
	nothing := func(netip.Addr) bool { return false }
	for _, tc := range []struct {
		name  string
		held  Held
		avoid func(netip.Addr) bool
		want  error
	}{
		{"no lease", Held{Now: noon}, nothing, ErrNoLease},
		{"valid", Held{lease(), noon.Add(time.Hour - 1)}, nothing, nil},
		{"expired", Held{lease(), noon.Add(time.Hour)}, nothing, ErrNoLease},
		{"to be avoided", Held{lease(), noon}, Avoid([]netip.Addr{lease().Address}, nil), ErrNoLease},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, how, err := tc.held.Choose(tc.avoid)
			if !errors.Is(err, tc.want) || err == nil && (a != lease().Address || how != Leased) {
				t.Errorf("%v, %v, %v", a, how, err)
			}
		})
	}
}

// TestWhatToDoAboutALease is the life of a lease: asked for, renewed at half of its time by whoever is responsible then, replaced, given
// back, and asked for again after failures.
func TestWhatToDoAboutALease(t *testing.T) {
	l := lease()
	for _, tc := range []struct {
		name string
		k    Keeping
		at   time.Duration // after noon
		want Task
	}{
		{"no lease", Keeping{Wanted: true}, 0, Ask},
		{"no lease, just failed", Keeping{Wanted: true, Failed: noon}, RetryEvery - 1, Nothing},
		{"no lease, failed a while ago", Keeping{Wanted: true, Failed: noon}, RetryEvery, Ask},
		{"not wanted", Keeping{}, 0, Nothing},
		{"not wanted, failed a while ago", Keeping{Failed: noon}, RetryEvery, Nothing},
		{"not wanted any more", Keeping{Lease: l, Fit: true}, 0, GiveBack},
		{"not wanted any more, expired", Keeping{Lease: l}, 2 * time.Hour, GiveBack},
		{"new", Keeping{Wanted: true, Lease: l, Fit: true}, 0, Nothing},
		{"before half of the time", Keeping{Wanted: true, Lease: l, Fit: true}, 30*time.Minute - 1, Nothing},
		{"half of the time", Keeping{Wanted: true, Lease: l, Fit: true}, 30 * time.Minute, Renew},
		{"a failure before the lease does not count", Keeping{Wanted: true, Lease: l, Fit: true, Failed: noon.Add(-time.Minute)}, 30 * time.Minute, Renew},
		{"renewal just failed", Keeping{Wanted: true, Lease: l, Fit: true, Failed: noon.Add(30 * time.Minute)}, 45*time.Minute - 1, Nothing},
		{"half of what is left", Keeping{Wanted: true, Lease: l, Fit: true, Failed: noon.Add(30 * time.Minute)}, 45 * time.Minute, Renew},
		{"hardly anything left", Keeping{Wanted: true, Lease: l, Fit: true, Failed: noon.Add(time.Hour - 8*time.Second)}, time.Hour - 4*time.Second, Nothing},
		{"a pause at least", Keeping{Wanted: true, Lease: l, Fit: true, Failed: noon.Add(time.Hour - 8*time.Second)}, time.Hour - 3*time.Second, Renew},
		{"expired", Keeping{Wanted: true, Lease: l, Fit: true}, time.Hour, Forget},
		{"strangers", Keeping{Wanted: true, Lease: l}, 0, Replace},
		{"strangers, expired", Keeping{Wanted: true, Lease: l}, time.Hour, Forget},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.k.Next(noon.Add(tc.at)); got != tc.want {
				t.Errorf("task %v, want %v", got, tc.want)
			}
		})
	}
}
