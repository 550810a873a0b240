package tunnel

import (
	"net/netip"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/lab"
)

// TestPathMTU: the link says how much at most, and a router on the way says that it is less.
func TestPathMTU(t *testing.T) {
	l, err := lab.Up(t.Context(), lab.Options{Hosts: 2, Far: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(); err != nil {
			t.Error(err)
		}
	})
	a, b := l.Host("a"), l.Host("b")
	ask := func() (mtu int) {
		if err := a.Do(func() (err error) { mtu, err = PathMTU(t.Context(), a.Address(), b.Address(), 4789); return err }); err != nil {
			t.Fatal(err)
		}
		return mtu
	}
	if got := ask(); got != 1500 {
		t.Errorf("%d bytes on a way of usual links", got)
	}
	if err := l.Narrow(1400); err != nil {
		t.Fatal(err)
	}
	// The answer may take longer than usual on a busy machine; then the next question finds it.
	for deadline := time.Now().Add(10 * time.Second); ask() != 1400; {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes, and the router takes 1400", ask())
		}
	}
	if err := a.Do(func() error {
		_, err := PathMTU(t.Context(), a.Address(), netip.MustParseAddr("203.0.113.1"), 4789)
		return err
	}); err == nil {
		t.Error("no error for a host to which no way leads")
	}
}
