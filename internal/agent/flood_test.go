package agent_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/filter"
	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/syn"
)

// aim is where a flood at a port of the VIP goes: to the director. The hosts get a way back to strangers.
func aim(t *testing.T, l *lab.Lab, port uint16) syn.Options {
	t.Helper()
	if err := syn.ReturnPath(l); err != nil {
		t.Fatal(err)
	}
	if _, err := greeting(l, 0, target(7)); err != nil { // now the client knows where the VIP is
		t.Fatal(err)
	}
	text, err := neighbour(l, lab.VIP().Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	to, err := net.ParseMAC(text)
	if err != nil {
		t.Fatal(err)
	}
	return syn.Options{To: to, Target: netip.AddrPortFrom(lab.VIP().Addr(), port)}
}

// flood sends SYNs from the first client, as fast as it can, until stop, which says how many.
func flood(t *testing.T, l *lab.Lab, o syn.Options) (stop func() uint64) {
	t.Helper()
	type result struct {
		sent uint64
		err  error
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan result, 1)
	go func() {
		sent, err := syn.Flood(ctx, l.Client(1), o)
		ended <- result{sent, err}
	}()
	return func() uint64 {
		cancel()
		r := <-ended
		if r.err != nil {
			t.Error(r.err)
		}
		return r.sent
	}
}

// cookies is how many SYNs a host has answered with a cookie.
func cookies(t *testing.T, h *lab.Host) (sent uint64) {
	t.Helper()
	if err := h.Do(func() (err error) { sent, err = filter.SyncookiesSent(); return err }); err != nil {
		t.Fatal(err)
	}
	return sent
}

// other is a host that is not the director of the VIP.
func other(t *testing.T, l *lab.Lab) *lab.Host {
	t.Helper()
	director := status(t, l.Host("a")).VIPs[0].Director
	for _, h := range l.Hosts() {
		if h.Name() != director {
			return h
		}
	}
	t.Fatal("there is only the director")
	return nil
}

// owned lists ports of the caller whose connections to a port of the VIP begin at a host.
func owned(t *testing.T, l *lab.Lab, host string, vipPort uint16, n int) (ports []uint16) {
	t.Helper()
	client := api.New(l.Host(host).RunDir())
	defer client.Close()
	for port := uint16(20000); len(ports) < n; port++ {
		e, err := client.Explain(t.Context(), api.ExplainRequest{VIP: lab.VIP().Addr().String(), VIPPort: vipPort, Client: syn.CallerAddress(), Port: port})
		if err != nil {
			t.Fatal(err)
		}
		if e.Owner == host {
			ports = append(ports, port)
		}
	}
	return ports
}

// TestConnectionsBegunByCookieSurviveAMoveUnderFlood: as many SYNs as the machine can make fill the tables of the hosts, so one answers
// with cookies and remembers nothing. Strangers begin connections there; all its buckets move away; then the strangers finish. No host
// is taken for silent, and connections that were there live. If a host that sends cookies did not say that it may hold anything, what it
// had begun would be reset; if nobody looked at cookies, it would live only where its host happens to be the last that is asked, which the
// counter tells.
func TestConnectionsBegunByCookieSurviveAMoveUnderFlood(t *testing.T) {
	const strangers = 20
	l := farm(t, "")
	conns := echoes(t, l, 30)
	leaver := other(t, l)
	ports := owned(t, l, leaver.Name(), 7, strangers)
	for _, h := range l.Hosts() {
		if h.Name() == leaver.Name() {
			continue
		}
		// One kernel runs all hosts of a lab, and its cookies are good for each of them: the others must not know what to do with one.
		if err := h.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/tcp_syncookies", []byte("0"), 0o644) }); err != nil {
			t.Fatal(err)
		}
	}
	o := aim(t, l, 7)
	stop := flood(t, l, o)
	began := time.Now()
	eventually(t, patience, "cookies of host "+leaver.Name(), func() error {
		if cookies(t, leaver) == 0 {
			return fmt.Errorf("none sent")
		}
		return nil
	})
	caller, err := syn.NewCaller(l.Client(1), o.To, o.Target)
	if err != nil {
		t.Fatal(err)
	}
	defer caller.Close()
	calls, err := caller.Begin(patience, ports...)
	if err != nil {
		t.Fatal(err)
	}
	muster(t, leaver, "host", "drain", leaver.Name())
	eventually(t, patience, leaver.Name()+" without buckets", func() error {
		for _, share := range hostIn(status(t, l.Host("a")), leaver.Name()).Shares {
			if share.Buckets > 0 {
				return fmt.Errorf("it has %d", share.Buckets)
			}
		}
		return nil
	})
	director := l.Host(status(t, leaver).VIPs[0].Director)
	// Its look at its sockets takes milliseconds; what it finds does not count as long as cookies are about.
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(poll) {
		if holds := hostIn(status(t, director), leaver.Name()).Holds; holds != nil {
			t.Fatalf("%s is taken to hold %d buckets only, although its cookies are about", leaver.Name(), *holds)
		}
	}
	for _, c := range calls {
		if err := c.Finish(5 * time.Second); err != nil {
			t.Errorf("connection begun before the move: %v", err)
		}
	}
	time.Sleep(max(0, 4*time.Second-time.Since(began))) // the flood is to last
	sent := stop()
	if n := status(t, leaver).Filter.Counters[filter.AcceptCookie.String()]; n < strangers/2 {
		t.Errorf("%s has taken %d of %d connections by their cookies: the others were never forgotten", leaver.Name(), n, strangers)
	}
	if t.Logf("%d SYNs", sent); sent < 40000 {
		t.Errorf("%d SYNs in 4 s: no flood", sent)
	}
	nobodySilent(t, l)
	for _, r := range broken(conns.stop(t)) {
		t.Errorf("%s of connection %d to %s: %s", r.Kind, r.Conn, r.Host, r.Class)
	}
}

// nobodySilent checks that no host was taken for silent.
func nobodySilent(t *testing.T, l *lab.Lab) {
	t.Helper()
	for _, h := range l.Hosts() {
		for _, e := range events(t, h, "host_silent", "link_down") {
			t.Errorf("host %s: %s %s: %s", h.Name(), e.Kind, e.Host, e.Text)
		}
	}
}
