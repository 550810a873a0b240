package system

import (
	"errors"
	"net/netip"
	"testing"
)

func TestInterfaceOf(t *testing.T) {
	if name, err := InterfaceOf(netip.MustParseAddr("127.0.0.1")); err != nil || name != "lo" {
		t.Errorf("127.0.0.1 is on %q, %v", name, err)
	}
	if name, err := InterfaceOf(netip.MustParseAddr("192.0.2.1")); !errors.Is(err, ErrNoInterface) {
		t.Errorf("192.0.2.1 is on %q, %v", name, err)
	}
}
