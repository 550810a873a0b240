package ping

import (
	"bytes"
	"context"
	"net/netip"
	"testing"
	"time"
)

var token = [tokenSize]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

// reply is what the kernel of an address makes of a request.
func reply(edit func([]byte) []byte) []byte {
	b := request(3, token)
	b[0] = echoReply
	return edit(b)
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func([]byte) []byte
		want bool
	}{
		{"ours", func(b []byte) []byte { return b }, true},
		{"another token", func(b []byte) []byte { b[headerSize]++; return b }, false},
		{"a request", func(b []byte) []byte { b[0] = echoRequest; return b }, false},
		{"an error", func(b []byte) []byte { b[0] = 3; return b }, false},
		{"a code", func(b []byte) []byte { b[1] = 1; return b }, false},
		{"cut short", func(b []byte) []byte { return b[:len(b)-1] }, false},
		{"too long", func(b []byte) []byte { return append(b, 0) }, false},
		{"nothing", func([]byte) []byte { return nil }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := isAnswer(reply(c.edit), token); got != c.want {
				t.Errorf("taken %v, want %v", got, c.want)
			}
		})
	}
}

func TestChecksumOfARequest(t *testing.T) {
	if got := checksum(request(1, token)); got != 0 {
		t.Errorf("sum over a request with its checksum is %#x, want 0", got)
	}
}

func TestAskTellsWhoIsThere(t *testing.T) {
	here, nowhere := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("240.0.0.1") // RFC 1112: nobody has it
	answered, err := Ask(t.Context(), []netip.Addr{here, nowhere}, 200*time.Millisecond, func([]bool) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	if !answered[0] || answered[1] {
		t.Errorf("answered %v, want the first alone", answered)
	}
}

func TestAskEndsEarly(t *testing.T) {
	here := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	start := time.Now()
	if _, err := Ask(t.Context(), here, time.Minute, func(a []bool) bool { return a[0] }); err != nil || time.Since(start) > 30*time.Second {
		t.Errorf("enough answers: %v after %v", err, time.Since(start))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	start = time.Now()
	if _, err := Ask(ctx, here, time.Minute, func([]bool) bool { return false }); err != nil || time.Since(start) > 30*time.Second {
		t.Errorf("cancelled: %v after %v", err, time.Since(start))
	}
}

func TestAskIsBounded(t *testing.T) {
	if _, err := Ask(t.Context(), make([]netip.Addr, MaxAddresses+1), time.Second, nil); err == nil {
		t.Error("any number of addresses is asked")
	}
	if answered, err := Ask(t.Context(), nil, time.Hour, nil); err != nil || len(answered) != 0 {
		t.Errorf("nobody to ask: %v, %v", answered, err)
	}
}

// FuzzAnswer: only our own token in an echo reply of exactly our size is taken.
func FuzzAnswer(f *testing.F) {
	f.Add(reply(func(b []byte) []byte { return b }))
	f.Add(request(0, token))
	f.Fuzz(func(t *testing.T, b []byte) {
		if isAnswer(b, token) && !bytes.HasSuffix(b, token[:]) {
			t.Errorf("took %x", b)
		}
	})
}
