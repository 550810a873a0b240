package doctor

import (
	"encoding/hex"
	"testing"
)

// general is an IGMPv2 general query of 10.77.0.254, with the option "router alert" in its IPv4 header.
const general = "01005e000001024d0a4d00fe080046c00020000040000102" + "0000" + "0a4d00fee0000001" + "94040000" + "1164ee9b00000000"

func TestQueriesAreToldFromTheRest(t *testing.T) {
	frame, err := hex.DecodeString(general)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		make func(b []byte) []byte
		want string
	}{
		{"query", func(b []byte) []byte { return b }, "10.77.0.254"},
		{"query of a switch without an address", func(b []byte) []byte { copy(b[26:30], make([]byte, 4)); return b }, "0.0.0.0"},
		{"report", func(b []byte) []byte { b[38] = 0x16; return b }, ""},
		{"UDP", func(b []byte) []byte { b[23] = 17; return b }, ""},
		{"cut in the message", func(b []byte) []byte { return b[:40] }, ""},
		{"cut in the header", func(b []byte) []byte { return b[:20] }, ""},
		{"header longer than the packet", func(b []byte) []byte { b[14] = 0x4f; return b }, ""},
		{"header too short", func(b []byte) []byte { b[14] = 0x44; return b }, ""},
		{"IPv6", func(b []byte) []byte { b[14] = 0x66; return b }, ""},
		{"nothing", func([]byte) []byte { return nil }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			from, ok := query(tt.make(append([]byte{}, frame...)))
			if ok != (tt.want != "") || ok && from.String() != tt.want {
				t.Errorf("got %v %v, want %q", from, ok, tt.want)
			}
		})
	}
}

func FuzzQuery(f *testing.F) {
	frame, err := hex.DecodeString(general)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frame)
	f.Fuzz(func(t *testing.T, b []byte) {
		if from, ok := query(b); ok && !from.Is4() {
			t.Errorf("a query of %v", from)
		}
	})
}

func TestAnswersAreOfOurPings(t *testing.T) {
	reply := func(size int) []byte { b := echo(7, size); b[0] = 0; return b }
	for _, tt := range []struct {
		name string
		b    []byte
		size int
	}{
		{"short", reply(smallEcho), smallEcho},
		{"long", reply(fullEcho), fullEcho},
		{"a request", echo(7, smallEcho), 0},
		{"another length than it says", reply(fullEcho)[:smallEcho], 0},
		{"a length that nobody asked for", reply(100), 0},
		{"cut", reply(smallEcho)[:7], 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if size, ok := answer(tt.b, 7); ok != (tt.size > 0) || ok && size != tt.size {
				t.Errorf("got %d, %v, want %d", size, ok, tt.size)
			}
			if _, ok := answer(tt.b, 8); ok {
				t.Error("taken for an answer to somebody else's ping")
			}
		})
	}
}
