package lessee

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-ha/muster/madcap"
)

// TestLyingServers: whatever a server says, in the end there is a lease that can be used or none, and the reason says why.
func TestLyingServers(t *testing.T) {
	// grants changes what is granted, in an OFFER too.
	grants := func(o madcap.Option) func(*testing.T, madcap.Message, madcap.Place, madcap.Message) [][]byte {
		return func(t *testing.T, asked madcap.Message, p madcap.Place, m madcap.Message) [][]byte {
			if p != madcap.InOffer && p != madcap.InAckToRequest {
				return nil
			}
			return [][]byte{with(t, m, p, o)}
		}
	}
	// raw changes the bytes of every answer.
	raw := func(change func([]byte)) func(*testing.T, madcap.Message, madcap.Place, madcap.Message) [][]byte {
		return func(t *testing.T, asked madcap.Message, p madcap.Place, m madcap.Message) [][]byte {
			b, err := m.Encode(p)
			if err != nil {
				t.Fatal(err)
			}
			change(b)
			return [][]byte{b}
		}
	}
	at := func(first string, count uint16) madcap.Option {
		return madcap.RangeList{{First: address(first), Count: count}}
	}
	for _, tc := range []struct {
		name string
		lie  func(*testing.T, madcap.Message, madcap.Place, madcap.Message) [][]byte
		why  string // in the error
	}{
		{"wrong xid", raw(func(b []byte) { b[7]++ }), "no answer from 239.255.255.254:2535 to GETINFO"},
		{"another lease identifier", raw(func(b []byte) {
			i := bytes.Index(b, []byte{0, 3, 0, 17})
			b[i+10]++
		}), "no answer from 239.255.255.254:2535 to GETINFO"},
		{"another protocol version", raw(func(b []byte) { b[0] = 1 }), "no answer"},
		{"no end", raw(func(b []byte) { b[len(b)-4] = 7 }), "no answer"},
		{"address outside the scope", grants(at("239.254.0.1", 1)), "239.254.0.1 is outside the scope"},
		{"address that is no group", raw(func(b []byte) {
			if i := bytes.LastIndex(b, []byte{0, 10, 0, 6}); i > 0 {
				b[i+4] = 10
			}
		}), "not multicast"},
		{"more addresses than asked for", grants(at("239.255.0.1", 2)), "2 addresses, 1 to 1 were asked for"},
		{"address that RFC 2365 keeps", grants(at("239.255.255.7", 1)), "grant only addresses that cannot be used: server 192.0.2.1, address 239.255.255.7"},
		{"lease of no time", raw(func(b []byte) {
			if i := bytes.Index(b, []byte{0, 1, 0, 4}); i > 0 {
				binary.BigEndian.PutUint32(b[i+4:], 0)
			}
		}), "lease of no time"},
		{"lease of a second", grants(madcap.LeaseTime(time.Second)), "lease of 1s, at least 10s was asked for"},
		{"another scope", grants(madcap.ScopeID{Addr: address("239.1.0.0")}), "scope 239.1.0.0 instead of 239.255.0.0"},
		{"server that is a group", grants(madcap.ServerID{Addr: address("239.1.0.0")}), "server identifier 239.1.0.0 is no host's address"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.lie = func(asked madcap.Message, p madcap.Place, m madcap.Message) [][]byte { return tc.lie(t, asked, p, m) }
				begun := time.Now()
				l, err := Obtain(t.Context(), w.client(t), wish())
				if err == nil || !strings.Contains(err.Error(), tc.why) {
					t.Errorf("lease %v, error %v", l, err)
				}
				if took := time.Since(begun); took > attemptTime+returnTime {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// TestAnAbsurdlyLongLeaseCountsForWhatWasAskedFor: it is renewed as if it were shorter.
func TestAnAbsurdlyLongLeaseCountsForWhatWasAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.lie = func(asked madcap.Message, p madcap.Place, m madcap.Message) [][]byte {
			if p != madcap.InOffer && p != madcap.InAckToRequest {
				return nil
			}
			return [][]byte{with(t, m, p, madcap.LeaseTime((1<<32-1)*time.Second))}
		}
		l, err := Obtain(t.Context(), w.client(t), wish())
		if err != nil {
			t.Fatal(err)
		}
		if d := l.Expires.Sub(l.Obtained); d != LeaseTime {
			t.Errorf("a lease of %v", d)
		}
	})
}

func TestASilentServerTakesAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.mute = true
		begun := time.Now()
		_, err := Obtain(t.Context(), w.client(t), wish())
		var silent *madcap.TimeoutError
		if !errors.As(err, &silent) || time.Since(begun) != madcap.NoResponseDelay || w.messages(madcap.TypeGetInfo) != 4 {
			t.Errorf("after %v and %d messages: %v", time.Since(begun), w.messages(madcap.TypeGetInfo), err)
		}
	})
}

// TestServerThatFallsSilentAfterTheScopes costs the time of an attempt and no more.
func TestServerThatFallsSilentAfterTheScopes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.lie = func(asked madcap.Message, p madcap.Place, m madcap.Message) [][]byte {
			w.mute = true
			return nil
		}
		begun := time.Now()
		if l, err := Obtain(t.Context(), w.client(t), wish()); err == nil || time.Since(begun) > attemptTime {
			t.Errorf("%v, %v after %v", l, err, time.Since(begun))
		}
	})
}

// TestAHugeListOfScopes: a few are tried, and the attempt ends in time.
func TestAHugeListOfScopes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.lie = func(asked madcap.Message, p madcap.Place, m madcap.Message) [][]byte {
			if p != madcap.InAckToGetInfo {
				return nil
			}
			var list madcap.ScopeList
			for i := range 255 {
				first := netip.AddrFrom4([4]byte{239, byte(i), 0, 0})
				list = append(list, madcap.Scope{First: first, Last: netip.AddrFrom4([4]byte{239, byte(i), 0, 255}), TTL: 1,
					Names: []madcap.ZoneName{{Language: "en", Name: strings.Repeat("x", 100)}}})
			}
			m.Options = slices.DeleteFunc(slices.Clone(m.Options), func(o madcap.Option) bool { return o.Code() == madcap.OptNesting })
			return [][]byte{with(t, m, p, list)}
		}
		begun := time.Now()
		_, err := Obtain(t.Context(), w.client(t), wish())
		if err == nil || len(err.Error()) > 2000 {
			t.Errorf("error of %d bytes: %v", len(err.Error()), err)
		}
		if n, took := w.messages(madcap.TypeDiscover), time.Since(begun); n == 0 || n > 4*maxScopes || took > attemptTime {
			t.Errorf("%d messages in %v", n, took)
		}
	})
}
