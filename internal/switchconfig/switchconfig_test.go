package switchconfig

import (
	"bytes"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/delivery"
)

var update = flag.Bool("update", false, "write golden files")

// everything has a VIP of each mode and family.
func everything() Request {
	var r Request
	for _, m := range delivery.Modes() {
		r.VIPs = append(r.VIPs, VIP{m.String(), netip.MustParseAddr("10.77.0.100"), m}, VIP{m.String() + "6", netip.MustParseAddr("2001:db8::4d:64"), m})
	}
	return r
}

func golden(t *testing.T, name string, a Answer) {
	t.Helper()
	var got bytes.Buffer
	if err := a.Write(&got); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

// TestSwitchLinesOfEveryVendor: item 6 of the issue. Every mode by IPv4 and IPv6, with what the site knows and without.
func TestSwitchLinesOfEveryVendor(t *testing.T) {
	ports := map[string][]string{"cisco-ios": {"Gi1/0/1", "Gi1/0/2"}, "cisco-nxos": {"Ethernet1/1", "Ethernet1/2"}, "arista-eos": {"Ethernet1", "Ethernet2"},
		"dell-powerconnect": {"ethernet g1-g2"}, "dell-os10": {"ethernet1/1/1", "ethernet1/1/2"}, "hpe-aruba": {"1/1/1", "1/1/2"},
		"juniper": {"ge-0/0/1.0", "ge-0/0/2.0"}, "linux-bridge": {"a", "b"}}
	if len(ports) != len(Vendors()) {
		t.Errorf("vendors are %v", Vendors())
	}
	for _, name := range Vendors() {
		t.Run(name, func(t *testing.T) {
			known := everything()
			known.VLAN, known.Ports, known.Bridge = 100, ports[name], "br0"
			for kind, r := range map[string]Request{"": known, "-to-fill-in": everything()} {
				a, err := For(name, r)
				if err != nil {
					t.Fatal(err)
				}
				golden(t, name+kind, a)
				if kind == "" && slices.ContainsFunc(a.Fill, func(h Hole) bool { return strings.Contains(h.Say, "--") }) {
					t.Errorf("everything that has a flag is given, and %v is to be filled in", a.Fill)
				}
			}
		})
	}
}

// TestPageSaysHowFarLinesCanBeTrusted: each cell of the table in docs/delivery.md begins with what the sections of its vendor say, or with none where there is no section.
func TestPageSaysHowFarLinesCanBeTrusted(t *testing.T) {
	page, err := os.ReadFile("../../docs/delivery.md")
	if err != nil {
		t.Fatal(err)
	}
	entry := ": static entry of the router in the VLAN"
	columns := []string{"VIP multicast, 10.77.0.100, multicast" + entry, "VIP igmp, 10.77.0.100, igmp" + entry, "VIP multicast, 10.77.0.100, multicast: MAC table",
		"IGMP snooping", "MLD snooping", "VIP igmp6, 2001:db8::4d:64, igmp" + entry}
	for _, name := range Vendors() {
		_, row, ok := strings.Cut(string(page), "\n| `"+name+"`")
		row, _, _ = strings.Cut(row, "\n")
		cells := strings.Split(row, "|")
		if !ok || len(cells) != len(columns)+2 {
			t.Errorf("%s has no row with %d cells: %q", name, len(columns), row)
			continue
		}
		a, err := For(name, everything())
		if err != nil {
			t.Fatal(err)
		}
		for i, title := range columns {
			want := "none"
			for _, s := range a.Sections {
				if strings.HasPrefix(s.Title, title) {
					want = string(s.Trust)
				}
			}
			if cell := strings.TrimSpace(cells[i+1]); !strings.HasPrefix(cell, want) {
				t.Errorf("%s, %s: the page says %q, the lines are %s", name, title, cell, want)
			}
		}
	}
}

// TestEveryHoleIsExplained: a word in angle brackets without an explanation helps nobody.
func TestEveryHoleIsExplained(t *testing.T) {
	for _, name := range Vendors() {
		a, err := For(name, everything())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range a.Sections {
			if s.Trust != Tested && s.Trust != Documented && s.Trust != Unverified {
				t.Errorf("%s: %s is %q", name, s.Title, s.Trust)
			}
			for _, line := range s.Lines {
				for _, h := range a.Fill {
					line = strings.ReplaceAll(line, h.Word, "")
				}
				if strings.ContainsAny(line, "<>") {
					t.Errorf("%s: %q has a word that is not explained", name, line)
				}
			}
		}
	}
}

// TestModesThatNeedNothing: directed and routed delivery say so, and there is nothing to enter.
func TestModesThatNeedNothing(t *testing.T) {
	for _, mode := range []delivery.Mode{delivery.Directed, delivery.Routed} {
		r := Request{VIPs: []VIP{{"web", netip.MustParseAddr("10.77.0.100"), mode}, {"web6", netip.MustParseAddr("2001:db8::1"), mode}}}
		for _, name := range Vendors() {
			a, err := For(name, r)
			if err != nil || len(a.Sections) > 0 || len(a.Fill) > 0 || len(a.Notes) != 1 || !strings.Contains(a.Notes[0], mode.String()+" (web, web6): needs nothing of a switch") {
				t.Errorf("%v on %s: %+v, %v", mode, name, a, err)
			}
		}
	}
}

// TestNotesOfASwitchThatCannotBeTold: where no line exists, the notes are all that there is.
func TestNotesOfASwitchThatCannotBeTold(t *testing.T) {
	for mode, want := range map[delivery.Mode]bool{delivery.Multicast: true, delivery.Unicast: false} {
		a, err := For("hpe-aruba", Request{VIPs: []VIP{{"web", netip.MustParseAddr("10.77.0.100"), mode}}})
		if err != nil || len(a.Sections) > 0 {
			t.Fatalf("%v: %+v, %v", mode, a.Sections, err)
		}
		if got := slices.ContainsFunc(a.Notes, func(n string) bool { return strings.Contains(n, "sends to a cluster by igmp alone") }); got != want {
			t.Errorf("%v: notes are %q", mode, a.Notes)
		}
	}
}

func TestHypervisors(t *testing.T) {
	for _, name := range Hypervisors() {
		a, err := On(name, everything())
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "hypervisor-"+name, a)
	}
}

func TestUnknownNames(t *testing.T) {
	if _, err := For("acme", Request{}); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "cisco-ios") {
		t.Error(err)
	}
	if _, err := On("acme", Request{}); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "proxmox") {
		t.Error(err)
	}
}

func TestRequestsThatNoSwitchHas(t *testing.T) {
	for _, tc := range []struct {
		name string
		r    Request
		good bool
	}{
		{"nothing", Request{}, true}, {"all", Request{VLAN: 4094, Ports: []string{"Gi1/0/1", "port-channel 1", "ge-0/0/1.0"}, Bridge: "br0"}, true},
		{"VLAN", Request{VLAN: 4095}, false}, {"negative VLAN", Request{VLAN: -1}, false}, {"empty port", Request{Ports: []string{""}}, false},
		{"another line", Request{Ports: []string{"Gi1/0/1\nreload"}}, false}, {"a quote", Request{Ports: []string{`a" } accept`}}, false},
		{"bridge", Request{Bridge: "br0; reboot"}, false},
	} {
		if err := tc.r.Check(); (err == nil) != tc.good {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
