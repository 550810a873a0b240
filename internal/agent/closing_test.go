package agent

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/filter"
)

// connTo is a connection to a port of the VIP.
func connTo(port uint16) filter.Conn {
	return filter.Conn{Local: netip.AddrPortFrom(netip.MustParseAddr("10.77.0.100"), port), Remote: netip.MustParseAddrPort("10.77.0.201:40000"), State: filter.Established}
}

func TestClosingPicksWhatOrdersSay(t *testing.T) {
	conns := []filter.Conn{connTo(80), connTo(443), connTo(7)}
	rule := func(c filter.Conn) (int, bool) { // 80 and 443 are of rules 0 and 1, 7 is of none
		i := slices.Index([]uint16{80, 443}, c.Local.Port())
		return i, i >= 0
	}
	for _, tc := range []struct {
		name  string
		close closing
		want  []uint16
	}{
		{"nothing", closing{rules: []bool{false, false}}, nil},
		{"one rule", closing{rules: []bool{false, true}}, []uint16{443}},
		{"all rules", closing{rules: []bool{true, true}}, []uint16{80, 443}},
		{"the host", closing{all: true}, []uint16{80, 443, 7}},
		{"a rule that this configuration does not have any more", closing{rules: []bool{true}}, []uint16{80}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []uint16
			for _, c := range tc.close.of(conns, rule) {
				got = append(got, c.Local.Port())
			}
			if !slices.Equal(got, tc.want) || tc.close.any() != (tc.want != nil) {
				t.Errorf("closes %v, want %v", got, tc.want)
			}
		})
	}
}

// closer is a scanner of one host with a rule for port 80, and what it has closed.
type closer struct {
	*scanner
	cfg     *config.Config
	conns   []filter.Conn
	looks   int
	onLook  func()
	aborted []filter.Conn
	err     error
}

func newCloser() *closer {
	c := &closer{conns: []filter.Conn{connTo(80)}, onLook: func() {}, cfg: &config.Config{
		VIPs: []config.VIP{{Name: "web", Address: netip.MustParsePrefix("10.77.0.100/24"), Rules: []int{0}}}, Rules: []config.Rule{{Ports: []config.PortRange{{First: 80, Last: 80}}, Protocol: config.TCP}}}}
	look := func(*config.Config) ([]filter.Conn, error) {
		c.looks++
		list := slices.Clone(c.conns)
		c.onLook()
		return list, nil
	}
	abort := func(doomed []filter.Conn) (int, error) {
		c.aborted = append(c.aborted, doomed...)
		if c.err != nil {
			return 0, c.err
		}
		c.conns = nil
		return len(doomed), nil
	}
	c.scanner = newScanner(look, abort, func() (uint64, error) { return 0, errors.New("no such counter") }, nil, nil)
	return c
}

// once asks for a look and takes it.
func (c *closer) take(t *testing.T, close closing) scan {
	t.Helper()
	c.ask(request{cfg: c.cfg, close: close})
	s, err := c.once(<-c.requests, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLookClosesAndCountsWhatIsLeft(t *testing.T) {
	c := newCloser()
	if s := c.take(t, closing{rules: []bool{false}}); s.open != 1 || s.closed != 0 || len(c.aborted) > 0 || c.looks != 1 {
		t.Errorf("without an order: %+v, closed %v", s, c.aborted)
	}
	if s := c.take(t, closing{rules: []bool{true}}); s.open != 0 || s.closed != 1 || s.unclosed != nil || len(c.aborted) != 1 {
		t.Errorf("with one: %+v, closed %v", s, c.aborted)
	}
}

// TestLookThatIsOutdatedClosesNothing: between the order and the look another order has come, by which this host may accept again: what the look finds may be new.
func TestLookThatIsOutdatedClosesNothing(t *testing.T) {
	c := newCloser()
	c.onLook = func() { c.asked.Add(1) }
	if s := c.take(t, closing{all: true}); s.open != 1 || len(c.aborted) > 0 {
		t.Errorf("%+v, closed %v", s, c.aborted)
	}
}

func TestWhatCannotBeClosedIsTold(t *testing.T) {
	c := newCloser()
	c.err = filter.ErrNoAbort
	if s := c.take(t, closing{all: true}); s.open != 1 || !errors.Is(s.unclosed, filter.ErrNoAbort) {
		t.Errorf("%+v", s)
	}
}

// TestEndedConnectionsAreNotCounted: what waits out its last minute is no connection that a drain waits for.
func TestEndedConnectionsAreNotCounted(t *testing.T) {
	c := newCloser()
	c.conns[0].State = filter.TimeWait
	if s := c.take(t, closing{}); s.open != 0 || s.connections != 1 {
		t.Errorf("%+v", s)
	}
}
