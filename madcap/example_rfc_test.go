package madcap

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// The examples of RFC 2730, appendix A, one after the other, with two servers.
func TestExamplesOfTheRFC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet()
		servers := map[netip.Addr]*Server{serverA: testServer(t, serverA), serverB: testServer(t, serverB)}
		for _, s := range servers {
			n.serve(t, s)
		}
		c := testClient(t, n)
		group := LocalScope(IPv4).ServerGroup()

		// 1. Multicast scope list discovery, with English names.
		found, err := c.Scopes(t.Context(), netip.Addr{}, "en")
		if err != nil || len(found) != 2 {
			t.Fatalf("scopes: %v, %v, want two servers", found, err)
		}
		for _, info := range found {
			if len(info.Scopes) != 2 || len(info.Scopes[0].Names) != 1 || info.Scopes[0].Name("en") != "here" || info.Skew.Abs() > time.Second {
				t.Errorf("server %v: %+v", info.Server, info)
			}
			if !info.Nesting.Nests(0, 1) || info.Nesting.Nests(1, 0) {
				t.Errorf("server %v does not tell that the local scope nests in the global one", info.Server)
			}
		}
		same(t, n, "0s GETINFO to "+group.String(), "0s ACK to 192.0.2.100", "0s ACK to 192.0.2.100")

		// 2. Multicast discovery and address allocation, from the global scope, for two hours.
		global := found[0].Scopes[1]
		begun := time.Now()
		lease, err := c.Lease(t.Context(), Request{Scope: global, Time: 2 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if lease.Addresses() != 1 || !global.Span().Contains(lease.Ranges[0].span()) || !lease.Expires.Equal(begun.Add(2*time.Hour)) {
			t.Errorf("lease %+v", lease)
		}
		selected, other := servers[lease.Server], servers[serverA]
		if selected == other {
			other = servers[serverB]
		}
		synctest.Wait()
		if len(selected.Leases()) != 1 || len(other.Leases()) != 0 || len(other.book.holds) != 0 {
			t.Errorf("the server not selected keeps %v", other.book.holds)
		}
		n.history()

		// 3. Lease extension half way, by another hour.
		time.Sleep(time.Until(lease.RenewAt()))
		renewed, err := c.Renew(t.Context(), lease, Terms{Time: 2 * time.Hour})
		if err != nil || !renewed.Expires.Equal(begun.Add(3*time.Hour)) || renewed.Ranges[0] != lease.Ranges[0] {
			t.Errorf("renewed %+v, %v", renewed, err)
		}
		same(t, n, "1h0m1s RENEW to "+lease.Server.String(), "1h0m1s ACK to 192.0.2.100")

		// 4. Address release, half an hour later.
		time.Sleep(30 * time.Minute)
		if err := c.Release(t.Context(), renewed); err != nil {
			t.Error(err)
		}
		same(t, n, "1h30m1s RELEASE to "+lease.Server.String(), "1h30m1s ACK to 192.0.2.100")
		if left := selected.Leases(); len(left) != 0 {
			t.Errorf("server keeps %v", left)
		}

		// 5. Unicast address allocation.
		again, err := c.Lease(t.Context(), Request{Scope: global, Time: time.Hour, Server: lease.Server})
		if err != nil || again.Server != lease.Server {
			t.Errorf("lease %+v, %v", again, err)
		}
		same(t, n, "1h30m1s REQUEST to "+lease.Server.String(), "1h30m1s ACK to 192.0.2.100")
	})
}

func same(t *testing.T, n *fakeNet, want ...string) {
	t.Helper()
	if got := n.history(); !slices.Equal(got, want) {
		t.Errorf("sent %q\nwant %q", got, want)
	}
}
