package vip

import (
	"bytes"
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func address() netip.Addr      { return netip.MustParseAddr("10.77.0.100") }
func address6() netip.Addr     { return netip.MustParseAddr("fd00:77::100") }
func ownMAC() net.HardwareAddr { return net.HardwareAddr{0x02, 0, 0, 0, 0, 0x0a} }

// unhex reads a dump, blanks and comments after # left out.
func unhex(t *testing.T, dump string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(dump) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFramesByteByByte(t *testing.T) {
	announced, err := Announcements(address(), ownMAC(), ownMAC())
	if err != nil {
		t.Fatal(err)
	}
	announced6, err := Announcements(address6(), ownMAC(), ownMAC())
	if err != nil || len(announced6) != 1 {
		t.Fatal(announced6, err)
	}
	asked, err := Question(address(), ownMAC())
	if err != nil {
		t.Fatal(err)
	}
	asked6, err := Question(address6(), ownMAC())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		got  []byte
		want string
	}{
		{"question by ND", asked6, `
			33 33 ff 00 01 00  02 00 00 00 00 0a  86 dd  # to those whose address ends so
			60 00 00 00  00 18  3a  ff
			00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
			ff 02 00 00 00 00 00 00 00 00 00 01 ff 00 01 00
			87 00  7b 30  00 00 00 00                    # solicitation
			fd 00 00 77 00 00 00 00 00 00 00 00 00 00 01 00`},
		{"announcement as a request", announced[0], `
			ff ff ff ff ff ff  02 00 00 00 00 0a  08 06  # to all, from us, ARP
			00 01  08 00  06  04  00 01                  # Ethernet, IPv4, lengths, request
			02 00 00 00 00 0a  0a 4d 00 64               # we are 10.77.0.100
			00 00 00 00 00 00  0a 4d 00 64`},
		{"announcement by ND", announced6[0], `
			33 33 00 00 00 01  02 00 00 00 00 0a  86 dd  # to all nodes, from us, IPv6
			60 00 00 00  00 20  3a  ff                   # 32 bytes of ICMPv6, hop limit 255
			fd 00 00 77 00 00 00 00 00 00 00 00 00 00 01 00
			ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01
			88 00  57 a6  20 00 00 00                    # advertisement, override
			fd 00 00 77 00 00 00 00 00 00 00 00 00 00 01 00
			02 01  02 00 00 00 00 0a                     # is at our MAC`},
		{"announcement as a reply", announced[1], `
			ff ff ff ff ff ff  02 00 00 00 00 0a  08 06
			00 01  08 00  06  04  00 02                  # reply
			02 00 00 00 00 0a  0a 4d 00 64
			02 00 00 00 00 0a  0a 4d 00 64`},
		{"probe", asked, `
			ff ff ff ff ff ff  02 00 00 00 00 0a  08 06
			00 01  08 00  06  04  00 01
			02 00 00 00 00 0a  00 00 00 00               # nobody yet
			00 00 00 00 00 00  0a 4d 00 64`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if want := unhex(t, tt.want); !bytes.Equal(tt.got, want) {
				t.Errorf("got\n%swant\n%s", hex.Dump(tt.got), hex.Dump(want))
			}
		})
	}
}

func TestNoFrameForOtherAddresses(t *testing.T) {
	for name, addr := range map[string]netip.Addr{"IPv4 in disguise": netip.MustParseAddr("::ffff:10.77.0.100"), "none": {}} {
		if _, err := Announcements(addr, ownMAC(), ownMAC()); err == nil {
			t.Errorf("%s was announced", name)
		}
	}
	for name, addr := range map[string]netip.Addr{"IPv4 in disguise": netip.MustParseAddr("::ffff:10.77.0.100"), "none": {}} {
		if _, err := Question(addr, ownMAC()); err == nil {
			t.Errorf("%s was probed", name)
		}
	}
	for name, mac := range map[string]net.HardwareAddr{"InfiniBand": make(net.HardwareAddr, 20), "none": nil} {
		if _, err := Announcements(address(), mac, ownMAC()); err == nil {
			t.Errorf("MAC %s was announced", name)
		}
		if _, err := Question(address(), mac); err == nil {
			t.Errorf("probed from MAC %s", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	announced, _ := Announcements(address(), ownMAC(), ownMAC())
	asked, _ := Question(address(), ownMAC())
	for _, b := range [][]byte{announced[0], announced[1], asked, announced[0][:20], nil} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parse(b)
		if !ok {
			return
		}
		again := p.frame()
		if !bytes.Equal(again[6:], b[6:frameLen]) {
			t.Errorf("read and written again:\n%s%s", hex.Dump(b), hex.Dump(again))
		}
	})
}
