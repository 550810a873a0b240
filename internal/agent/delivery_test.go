package agent_test

import (
	"fmt"
	"testing"

	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// target of the lab's VIP in a mode.
func targetOf(m delivery.Mode) delivery.Target { return delivery.Of(m, lab.VIP().Addr()) }

// deliver changes the delivery of the VIP on all hosts at once, and waits until they use it.
func deliver(t *testing.T, l *lab.Lab, from, to delivery.Mode) {
	t.Helper()
	before := digest(t, l.Host("a"))
	edit(t, l, "delivery: "+from.String(), "delivery: "+to.String())
	hangUp(t, l, "a", "b", "c")
	changedOver(t, l, before)
	ready(t, l)
}

// told waits until the client knows the VIP by a MAC.
func told(t *testing.T, l *lab.Lab, mac string) {
	t.Helper()
	eventually(t, patience, "the client knows the VIP at "+mac, func() error {
		got, err := neighbour(l, lab.VIP().Addr().String())
		if err == nil && got == "" {
			_, err = greeting(l, 0, target(7)) // it has not asked yet
		}
		if err == nil && got != mac {
			return fmt.Errorf("it knows %s", got)
		}
		return err
	})
}

// 1,000 connections live through every change of delivery, with a load of new ones beside them. No switch learns a cluster MAC.
func TestChangeOfDeliveryBreaksNoConnection(t *testing.T) {
	const d, u, m, g = delivery.Directed, delivery.Unicast, delivery.Multicast, delivery.IGMP
	l := farm(t, "")
	conns := echoes(t, l, 1000)
	web := requests(t, l, 50)
	web.flow(t, load.Request, 25)
	seen := 0
	for _, change := range [][2]delivery.Mode{{d, u}, {u, m}, {m, g}, {g, d}} {
		t.Run(fmt.Sprintf("%v to %v", change[0], change[1]), func(t *testing.T) {
			deliver(t, l, change[0], change[1])
			mac := targetOf(change[1]).MAC.String()
			s := status(t, l.Host("a")).VIPs[0]
			if s.Delivery != change[1].String() || s.MAC != mac || s.FormerMAC != targetOf(change[0]).MAC.String() {
				t.Errorf("status: %s to %q, before %q", s.Delivery, s.MAC, s.FormerMAC)
			}
			if mac == "" {
				mac = macOf(t, l.Host(s.Director))
			}
			told(t, l, mac)
			web.flow(t, load.Request, 50)
			work(t)
			bad := broken(conns.all())
			for _, r := range bad[seen:] {
				t.Errorf("%s of connection %d to %s: %s", r.Kind, r.Conn, r.Host, r.Class)
			}
			seen = len(bad)
			notLearnt(t, l)
		})
	}
	if bad := failed(web.stop(t)); len(bad) > 0 {
		t.Errorf("%d requests got no answer, the first: %+v", len(bad), bad[0])
	}
	if bad := broken(conns.stop(t)); len(bad) > 0 {
		t.Errorf("%d of 1,000 connections broke", len(bad))
	}
}

// notLearnt wants the switch to know hosts by their own MACs only.
func notLearnt(t *testing.T, l *lab.Lab) {
	t.Helper()
	for _, h := range l.Hosts() {
		macs, err := l.Learned(h.Name())
		if err != nil {
			t.Fatal(err)
		}
		if len(macs) == 0 {
			t.Errorf("the switch has learnt nothing at the port of %s: the test sees nothing", h.Name())
		}
		for _, mac := range macs {
			if mac != macOf(t, h) {
				t.Errorf("the switch has learnt %s at the port of %s", mac, h.Name())
			}
		}
	}
}
