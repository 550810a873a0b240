package agent_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// sixFarm shares an IPv6 address, and an IPv4 one beside it; the hosts' addresses in the file are IPv4.
const sixFarm = `cluster: shop
secret_file: secret.key
hosts:
{{- range .Hosts}}
  {{.Name}}: {address: {{.Address}}}
{{- end}}
vips:
  web: {address: {{.VIP}}, rules: [{ports: [80, 443, 7]}]}
  web6: {address: "{{.VIP6}}", rules: [{ports: [80, 443, 7]}, {ports: [53], protocol: udp, affinity: client}]}
`

func target6(port uint16) string { return netip.AddrPortFrom(lab.VIP6().Addr(), port).String() }

// TestHostsShareAnIPv6Address: a client by IPv6 is served by all hosts, each connection by the host that explain names.
func TestHostsShareAnIPv6Address(t *testing.T) {
	l := farm(t, sixFarm)
	split := map[string]int{}
	for port := range uint16(60) {
		name, err := greeting(l, 42000+port, target6(7))
		if err != nil {
			t.Fatal(err)
		}
		split[name]++
		client := netip.AddrPortFrom(l.Client(1).Address6(), 42000+port).String()
		if out := muster(t, l.Host("a"), "explain", lab.VIP6().Addr().String(), client); !strings.Contains(out, "host "+name) {
			t.Errorf("client %s was served by %s; explain says:\n%s", client, name, out)
		}
	}
	if len(split) != 3 {
		t.Errorf("served by %v, want three hosts", split)
	}
	web := begin(t, l, "http", "--target", target6(80), "--rate", "100", "--timeout", "5s")
	web.flow(t, load.Request, 100)
	all := web.stop(t)
	if bad := failed(all); len(bad) > 0 {
		t.Errorf("%d requests got no answer, the first: %+v", len(bad), bad[0])
	}
	if hosts := perHost(all, load.Request); len(hosts) != 3 {
		t.Errorf("requests were answered by %v, want three hosts", hosts)
	}
}
