package agent

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/delivery"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/vip"
)

// A probe counts that came to the VIP's MAC, on its interface, from a card that its sender has told for that VIP.
func TestProbesThatAreBelieved(t *testing.T) {
	cardB, cardC := [6]byte{2, 0, 0, 0, 0, 2}, [6]byte{2, 0, 0, 0, 0, 3}
	cfg := parse(t, farm)
	a := cfg.VIPs[0].Address.Addr()
	to := [6]byte(delivery.Of(delivery.Multicast, a).MAC)
	good := vip.Probe{Card: cardB, To: to, Source: cfg.Hosts[1].Address, VIP: a, Host: 1}
	changed := func(change func(p *vip.Probe)) vip.Probe {
		p := good
		change(&p)
		return p
	}
	for _, tt := range []struct {
		name  string
		probe vip.Probe
		link  int
		want  bool
	}{
		{"of a host", good, 4, true},
		{"on another interface", good, 5, false},
		{"to another MAC", changed(func(p *vip.Probe) { p.To[5]++ }), 4, false},
		{"for an address that is no VIP", changed(func(p *vip.Probe) { p.VIP = netip.MustParseAddr("10.77.0.7") }), 4, false},
		{"for a VIP that is not probed", changed(func(p *vip.Probe) { p.VIP = cfg.VIPs[1].Address.Addr() }), 4, false},
		{"from a stranger's card", changed(func(p *vip.Probe) { p.Card[5] = 9 }), 4, false},
		{"from another host's card", changed(func(p *vip.Probe) { p.Card = cardC }), 4, false},
		{"of a host that there is not", changed(func(p *vip.Probe) { p.Host = 200 }), 4, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Unix(1000, 0)
			one := &probed{way: probedWay{link: 4, to: to}}
			one.arrivals.Judge(now, 0b110)
			h := &host{config: cfg, peers: make([]peer, 3), probing: probing{vips: map[netip.Addr]*probed{a: one}}}
			h.peers[1].learnt = []heartbeat.LinkAddr{{VIP: 0, MAC: cardB}}
			h.peers[2].learnt = []heartbeat.LinkAddr{{VIP: 0, MAC: cardC}}
			before := one.arrivals
			h.heardProbe(tt.link, tt.probe, now.Add(time.Second))
			if got := one.arrivals != before; got != tt.want {
				t.Errorf("believed: %v, want %v", got, tt.want)
			}
		})
	}
}

// Heartbeats speak of a probe only while it goes out on the way that clients' frames take now.
func TestProbesThatAreSpokenOf(t *testing.T) {
	cfg := parse(t, farm)
	link := vip.Interface{Name: "eth0", Index: 4, MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, Up: true, Carrier: true}
	for _, tt := range []struct {
		name  string
		sends bool
		now   delivery.Mode
		want  uint64
	}{
		{"sent", true, delivery.Multicast, 0b01},
		{"not sent", false, delivery.Multicast, 0},
		{"another way by now", true, delivery.Unicast, 0},
		{"directed by now", true, delivery.Directed, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := cfg.VIPs[0].Address.Addr()
			c := &carried{link: link, announcer: &vip.Announcer{}, way: way{now: delivery.Of(delivery.Multicast, a)}}
			h := &host{config: cfg, vips: []*carried{c, {}}}
			w, ok := h.probedWay(0)
			if !ok {
				t.Fatal("a VIP that all take in is not probed")
			}
			h.probing.vips = map[netip.Addr]*probed{a: {way: w, sends: tt.sends}}
			c.way.now = delivery.Of(tt.now, a)
			if got := h.probesMask(); got != tt.want {
				t.Errorf("%b, want %b", got, tt.want)
			}
		})
	}
}

func TestRemedyForFramesThatDoNotArrive(t *testing.T) {
	const mac = "03:bf:0a:4d:00:64"
	for _, tt := range []struct {
		mode         delivery.Mode
		says, saysNo string
	}{
		{delivery.Unicast, "flood", "mcast_router"},
		{delivery.Multicast, "mcast_router 2", "flood"},
		{delivery.IGMP, "frames to " + mac, "flood"},
	} {
		t.Run(tt.mode.String(), func(t *testing.T) {
			got := undelivered(tt.mode, mac)
			if !strings.Contains(got, tt.says) || strings.Contains(got, tt.saysNo) || !strings.Contains(got, "`delivery: directed`") || !strings.Contains(got, "protocol 253") {
				t.Errorf("%s", got)
			}
		})
	}
}
