package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/muster-ha/muster/internal/lab"
)

// startHAProxy balances the hosts' ports on a machine of its own: bulk by client, since iperf3's two connections belong together.
func (c *contest) startHAProxy(node *lab.Node) error {
	text := "global\n  maxconn 4000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  timeout server 1m\n"
	for _, s := range []struct {
		name, balance string
		port          int
	}{{"web", "roundrobin", webPort}, {"bulk", "source", bulkPort}} {
		text += fmt.Sprintf("listen %s\n  bind %v:%d\n  balance %s\n", s.name, node.Address(), s.port, s.balance)
		for _, h := range c.Hosts() {
			text += fmt.Sprintf("  server %s %v:%d\n", h.Name(), h.Address(), s.port)
		}
	}
	path := filepath.Join(c.Dir(), "haproxy.cfg")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write configuration of HAProxy: %w", err)
	}
	if _, err := node.Spawn("haproxy", "haproxy", "-f", path); err != nil {
		return fmt.Errorf("start HAProxy (it is in Debian's package haproxy): %w", err)
	}
	return nil
}

// clusterMAC is the group address that xt_cluster's hosts share, of those that its manual page uses.
const clusterMAC = "01:00:5e:00:01:01"

// clusterAddress is the address that xt_cluster's hosts share.
func clusterAddress() netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 0, 150}) }

// startXTCluster sets up what iptables-extensions(8) describes. It is taken away after each round: connection tracking, which it needs, would
// slow the others down.
func (c *contest) startXTCluster(ctx context.Context) error {
	to := clusterAddress().String()
	for i, h := range c.Hosts() {
		err := run(ctx, h.Node,
			"ip maddr add "+clusterMAC+" dev eth0",
			"ip addr add "+to+"/32 dev lo",
			"iptables -t mangle -A PREROUTING -i eth0 -d "+to+" -m cluster --cluster-total-nodes "+strconv.Itoa(hosts)+
				" --cluster-local-node "+strconv.Itoa(i+1)+" --cluster-hash-seed 0xdeadbeef -j ACCEPT",
			"iptables -t mangle -A PREROUTING -i eth0 -d "+to+" -j DROP")
		if err != nil {
			return err
		}
	}
	for i := 1; i < throughputClients; i++ {
		if err := run(ctx, c.Client(i), "ip neigh replace "+to+" lladdr "+clusterMAC+" dev eth0 nud permanent"); err != nil {
			return err
		}
	}
	return pause(ctx, 100*time.Millisecond)
}

func (c *contest) stopXTCluster(ctx context.Context) error {
	var errs []error
	for _, h := range c.Hosts() {
		errs = append(errs, run(ctx, h.Node, "iptables -t mangle -F PREROUTING", "ip addr del "+clusterAddress().String()+"/32 dev lo",
			"ip maddr del "+clusterMAC+" dev eth0"))
	}
	return errors.Join(errs...)
}

// limit gives a node's card a line that is slower than the machine.
func limit(n *lab.Node) func(context.Context) error {
	return func(ctx context.Context) error {
		return run(ctx, n, "tc qdisc add dev eth0 root tbf rate "+line+" burst 1mb latency 10ms")
	}
}

func unlimit(n *lab.Node) func(context.Context) error {
	return func(ctx context.Context) error { return run(ctx, n, "tc qdisc del dev eth0 root") }
}

// both does one thing after another, the second only if the first is done.
func both(first, second func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := first(ctx); err != nil {
			return err
		}
		return second(ctx)
	}
}

// run runs commands on a node, up to the first that fails.
func run(ctx context.Context, node *lab.Node, commands ...string) error {
	for _, command := range commands {
		if out, err := node.Exec(ctx, strings.Fields(command)...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s on %s: %w: %s", command, node.Name(), err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}
