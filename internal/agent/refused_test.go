package agent_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/wire"
)

// unicastFarm is a farm whose hosts send each other every heartbeat at one port, where it can be recorded.
func unicastFarm(t *testing.T) *lab.Lab {
	t.Helper()
	return farm(t, strings.Replace(lab.DefaultConfig, "\nvips:", "\nheartbeat: {multicast: {disabled: true}}\nvips:", 1))
}

// with is a datagram with other bytes at a place.
func with(d []byte, at int, by ...byte) []byte {
	out := bytes.Clone(d)
	copy(out[at:], by)
	return out
}

// unprovedHeartbeat is sealed with the cluster's secret in the name of a host, by a boot that nobody has heard of.
func unprovedHeartbeat(t *testing.T, l *lab.Lab) []byte {
	t.Helper()
	secret, err := config.LoadSecret(filepath.Join(l.Dir(), "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := wire.New(wire.Options{Cluster: "shop", Secret: secret, Self: 1, Hosts: 3, Boot: wire.NewBoot(), Interval: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := c.Seal(nil, make([]byte, 100))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestEveryBadDatagramIsCounted: one datagram of each kind of bad ones, at a running cluster. Each is counted by its reason, once, where `muster
// network show` lists it, and nothing follows from it: no event, no other view, no host that is seen differently.
func TestEveryBadDatagramIsCounted(t *testing.T) {
	l := unicastFarm(t)
	a := l.Host("a")
	epoch := ready(t, l)
	eventually(t, patience, "all is said that a start brings", func() error { return quiet(t, a) })
	// Where things stand in a datagram: docs/design/0004.
	const atVersion, atType, atKey, atCluster, atSender, atNetwork, atSequence, header = 4, 5, 6, 10, 18, 20, 30, 38
	good := recorded(t, a, l.Host("b"), 1)[0]
	future := with(good, atSequence+1, 1) // a number far ahead: no replay, so that other reasons show
	before, since := status(t, a), time.Now()
	for _, bad := range []struct {
		reason   string
		datagram []byte
	}{
		{"short", good[:header]},
		{"short", nil},
		{"magic", bytes.Repeat([]byte("x"), 300)},
		{"version", with(good, atVersion, 99)},
		{"cluster", with(good, atCluster, ^good[atCluster])},
		{"sender", with(good, atSender, 0, 0)}, // a itself
		{"sender", with(good, atSender, 0, 9)},
		{"network", with(good, atNetwork, 0, 7)},
		{"malformed", with(good, atType, 99)},
		{"malformed", append(bytes.Clone(future), make([]byte, wire.MaxDatagram)...)},
		{"key", with(future, atKey, ^good[atKey])},
		{"seal", with(future, len(future)-1, ^future[len(future)-1])},
		{"seal", with(future, header, ^future[header])},
		{"boot", unprovedHeartbeat(t, l)},
		{"replay", good},
	} {
		counted(t, l, bad.reason, bad.datagram)
	}
	flooded(t, l, good)
	shown(t, a)
	after := status(t, a)
	if after.Epoch != epoch || !slices.Equal(after.View.Members, before.View.Members) {
		t.Errorf("view %d of %v, want still %d of %v", after.Epoch, after.View.Members, epoch, before.View.Members)
	}
	for i, h := range after.Hosts {
		if h.State != before.Hosts[i].State || h.Boot != before.Hosts[i].Boot || h.Version != before.Hosts[i].Version {
			t.Errorf("host %s is seen as %+v, before as %+v", h.Name, h, before.Hosts[i])
		}
	}
	for _, e := range events(t, a) {
		if e.At.After(since) {
			t.Errorf("event %s: %s", e.Kind, e.Text)
		}
	}
	onTheGroup(t, l)
}

// quiet says that a host has had no event for a second.
func quiet(t *testing.T, h *lab.Host) error {
	list := events(t, h)
	if len(list) > 0 && time.Since(list[len(list)-1].At) < time.Second {
		return fmt.Errorf("%+v", list[len(list)-1])
	}
	return nil
}

// counted sends a datagram to host a and wants exactly one more of that reason, and none of another.
func counted(t *testing.T, l *lab.Lab, reason string, datagram []byte) {
	t.Helper()
	a := l.Host("a")
	want := maps.Clone(status(t, a).Networks[0].Datagrams.Refused)
	want[reason]++
	throw(t, l, a, [][]byte{datagram})
	eventually(t, patience, "counted as "+reason, func() error {
		s, err := ask(a)
		if err != nil {
			return err
		}
		if n := s.Networks[0].Datagrams; !maps.Equal(n.Refused, want) || !strings.HasPrefix(n.From[reason], l.Client(1).Address().String()) {
			return fmt.Errorf("refused %v from %v, want %v", n.Refused, n.From, want)
		}
		return nil
	})
}

// flooded sends many boots that there never were: their number is limited before any cipher is made for them.
func flooded(t *testing.T, l *lab.Lab, good []byte) {
	t.Helper()
	const boots, atBoot = 200, 22
	a := l.Host("a")
	before := status(t, a).Networks[0].Datagrams.Refused
	var flood [][]byte
	for i := range uint64(boots) {
		flood = append(flood, with(good, atBoot, binary.BigEndian.AppendUint64(nil, i+1)...))
	}
	burst(t, l, a, flood)
	eventually(t, patience, "the flood is counted", func() error {
		s, err := ask(a)
		if err != nil {
			return err
		}
		now := s.Networks[0].Datagrams.Refused
		if seal, rate := now["seal"]-before["seal"], now["rate"]-before["rate"]; seal+rate != boots || rate == 0 {
			return fmt.Errorf("%d by their seal, %d by their rate, of %d", seal, rate, boots)
		}
		return nil
	})
}

// burst sends datagrams as fast as it can: fewer than the socket has room for.
func burst(t *testing.T, l *lab.Lab, to *lab.Host, datagrams [][]byte) {
	t.Helper()
	hurl(t, l, to, datagrams, 0)
}

// shown wants every reason in what people read, with a count and a meaning.
func shown(t *testing.T, h *lab.Host) {
	t.Helper()
	text := muster(t, h, "network", "show", "lan")
	for reason, n := range status(t, h).Networks[0].Datagrams.Refused {
		line := ""
		for l := range strings.Lines(text) {
			if f := strings.Fields(l); len(f) > 3 && f[0] == reason && f[1] == fmt.Sprint(n) {
				line = l
			}
		}
		if n == 0 || line == "" || strings.Contains(line, "unknown") && reason != "rate" {
			t.Errorf("%s, %d times: %q", reason, n, line)
		}
	}
}

// onTheGroup throws what is no heartbeat at the group: it is counted apart.
func onTheGroup(t *testing.T, l *lab.Lab) {
	t.Helper()
	a := l.Host("a")
	muster(t, a, "network", "set", "--cluster", "disabled=false")
	m := by(t, a, "multicast", "239.255.", true, 2, 2, 2)
	const port = 3344
	err := l.Client(1).Do(func() error {
		dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
			var bound error
			err := c.Control(func(fd uintptr) { bound = unix.BindToDevice(int(fd), "eth0") })
			if err != nil {
				return err
			}
			return bound
		}}
		conn, err := dialer.DialContext(t.Context(), "udp4", netip.AddrPortFrom(netip.MustParseAddr(m.Group), port).String())
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write(bytes.Repeat([]byte("x"), 300))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, "counted on the group", func() error {
		s, err := ask(a)
		if err == nil && s.Networks[0].Multicast.Datagrams.Refused["magic"] != 1 {
			return fmt.Errorf("%+v", s.Networks[0].Multicast.Datagrams)
		}
		return err
	})
	if n := status(t, a).Networks[0].Multicast.Datagrams.Refused["sender"]; n != 0 {
		t.Errorf("%d of a's own datagrams came back to it from the group", n)
	}
}
