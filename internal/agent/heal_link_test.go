package agent_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
)

// within is what the issue allows, and a margin for a machine that has other things to do. What it took is logged.
const within = 3 * time.Second

func TestAnInterfaceThatChangesIsFollowed(t *testing.T) {
	l := farm(t, "")
	b := l.Host("b")
	for _, fault := range []struct {
		name string
		make func() error
		told string // in an event of kind interface; empty: none
	}{
		{"MAC changed", func() error {
			return b.Do(func() error { return lab.SetMAC("eth0", net.HardwareAddr{2, 0x4d, 9, 9, 9, 2}) })
		}, "has MAC 02:4d:09:09:09:02"},
		{"renamed", func() error { return renameLink(b, "eth0", "wan0") }, "eth0 is called wan0 now"},
		{"renamed back", func() error { return renameLink(b, "wan0", "eth0") }, "wan0 is called eth0 now"},
		{"switched off and on", func() error { return flap(b, 0) }, ""},
		{"switched off for a second", func() error { return flap(b, time.Second) }, ""},
		{"removed and made again", func() error {
			if err := b.RemoveCard(); err != nil {
				return err
			}
			return b.AddCard(net.HardwareAddr{2, 0x4d, 9, 9, 9, 3})
		}, "eth0 is another one"},
	} {
		t.Run(fault.name, func(t *testing.T) {
			before := len(events(t, b, "interface"))
			if err := fault.make(); err != nil {
				t.Fatal(err)
			}
			made := time.Now()
			eventually(t, patience, "host b serves as before", func() error {
				if n := len(events(t, b, "interface")); fault.told != "" && n == before {
					return fmt.Errorf("not told yet")
				}
				return servesOn(l, b)
			})
			took := time.Since(made)
			t.Logf("as before after %v", took)
			if took > within {
				t.Errorf("it took %v", took)
			}
			list := events(t, b, "interface")[before:]
			if fault.told == "" {
				if len(list) > 0 {
					t.Errorf("told %+v", list)
				}
				return
			}
			if len(list) != 1 || !strings.Contains(list[0].Text, fault.told) {
				t.Errorf("told %+v, want %q once", list, fault.told)
			}
			mustServe(t, l, "a", "b", "c")
		})
	}
	if s := status(t, b); slices.ContainsFunc(s.Problems, func(p api.Problem) bool { return strings.Contains(p.What, "cannot be put back") }) {
		t.Errorf("problems at the end: %+v", s.Problems)
	}
}

// servesOn says what keeps a host from being a full member: in every host's view, forwarded to by its MAC as it is now, with its filter on
// its interface.
func servesOn(l *lab.Lab, h *lab.Host) error {
	for _, each := range l.Hosts() {
		s, err := ask(each)
		if err != nil {
			return err
		}
		if len(s.View.Members) != len(l.Hosts()) || !s.Filter.Armed {
			return fmt.Errorf("%s is in a view of %v, armed %v", each.Name(), s.View.Members, s.Filter.Armed)
		}
		if me := hostIn(s, h.Name()); me.State != api.StateServing {
			return fmt.Errorf("for %s host %s is %s", each.Name(), h.Name(), me.State)
		}
	}
	for range 12 {
		if _, err := greeting(l, 0, target(7)); err != nil {
			return err
		}
	}
	return nil
}

func renameLink(h *lab.Host, from, to string) error {
	return h.Do(func() error {
		link, err := netlink.LinkByName(from)
		if err != nil {
			return err
		}
		return netlink.LinkSetName(link, to)
	})
}

// flap switches a host's interface off and on again.
func flap(h *lab.Host, off time.Duration) error {
	return h.Do(func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		if err := netlink.LinkSetDown(link); err != nil {
			return err
		}
		time.Sleep(off)
		return netlink.LinkSetUp(link)
	})
}
