package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
)

const (
	throughputRounds  = 5
	throughputClients = 8 // so many addresses that some belong to the director and some do not; the last is HAProxy's machine
	throughputSpan    = 3 * time.Second
	bulkSpan          = 2 * time.Second
	webPort, bulkPort = 8080, 5201
	line              = "5gbit" // what a card sends, where a card and not the processors is to be the bound
)

func throughputRow() row {
	return row{"throughput", "Throughput and cost beside a plain host, HAProxy and xt_cluster", `One client and three hosts on one bridge, all on the processors of one machine, which is what
bounds every figure. The switch spares clients what is for a group. Bulk: one TCP connection
of iperf3 for 2 s each way, to the VIP (by a client that the director owns, and by one whose packets it forwards), and just before by the same client to a host's own address, which is
*plain*. Whoever sends has the first processor, and hosts take frames in on the others (rps_cpus), as machines of their own would. *On a line* the client's card sends 5 Gbit/s (tbf), so that it is the bound, as a real card is. Connections: wrk with 32 at a time, each request one
connection, answered by a server of four system calls, so that the way to it is most of the cost: a server that costs more brings all
ratios of the whole cost nearer to one (with Go's own accept loop HAProxy's was 2.1 to 2.6 times that of directed). CPU is what all processors did meanwhile without wrk itself and without
what they do at rest, for each request: hosts, bridge and balancer together. HAProxy runs in TCP mode in a namespace of its own; xt_cluster on the hosts themselves (one client
address has one host there). All are measured in turn, five times.`, runThroughput}
}

// throughputConfig has no check, so that nothing but the load takes processor time.
const throughputConfig = `cluster: shop
secret_file: secret.key
hosts:
{{- range .Hosts}}
  {{.Name}}: {address: {{.Address}}}
{{- end}}
vips:
  web:
    address: {{.VIP}}
    delivery: directed
    rules:
      - {ports: [8080]}
      - {ports: [5201], affinity: client}
`

// contest is the lab with what competes in it.
type contest struct {
	*farm
	rest float64 // processors that are busy while nothing is asked
}

// arm is a way to the hosts.
type arm struct {
	name    string
	bulk    *lab.Node  // who sends in bulk; nil: not measured
	upOnly  bool       // not the way back
	to      netip.Addr // the address that clients use
	web     bool       // connections are measured
	before  func(context.Context) error
	after   func(context.Context) error
	results armResults
}

// armResults has a value for each round. The plain ones are of the same client, a moment before.
type armResults struct{ up, down, plainUp, plainDown, rate, cpu []float64 }

func runThroughput(ctx context.Context, b *bench) (figures []figure, err error) {
	c, err := newContest(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	arms, err := c.arms(ctx)
	if err != nil {
		return nil, err
	}
	if c.rest, err = busyAtRest(ctx); err != nil {
		return nil, err
	}
	for round := range b.times(throughputRounds) {
		for i := range arms {
			if err := c.measure(ctx, &arms[i]); err != nil {
				return nil, fmt.Errorf("round %d, %s: %w", round+1, arms[i].name, err)
			}
			b.say("round %d, %s: %s", round+1, arms[i].name, arms[i].results.newest())
		}
	}
	return throughputFigures(arms), nil
}

func newContest(ctx context.Context) (*contest, error) {
	l, err := lab.Up(ctx, lab.Options{Hosts: hosts, Clients: throughputClients, Binary: binary, Config: throughputConfig})
	if err != nil {
		return nil, err
	}
	f := &farm{Lab: l, clients: &clients{}, agents: make(map[string]*api.Client)}
	self, err := os.Executable()
	err = errors.Join(err, spareClients(l))
	for _, h := range l.Hosts() {
		f.agents[h.Name()] = api.New(h.RunDir())
		if err == nil {
			_, err = h.Spawn("answer", self, answerCommand, strconv.Itoa(webPort))
		}
		if err == nil {
			_, err = h.Spawn("iperf3", "iperf3", "-s", "-p", fmt.Sprint(bulkPort))
		}
	}
	if err == nil {
		err = l.StartAll()
	}
	if err == nil {
		err = f.ready(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return &contest{farm: f}, nil
}

// receiveApart has the hosts take frames in on other processors than the first, on which the sender is. A veth hands what is sent to its peer's stack on
// the sender's own processor, so that one paid for every host that takes a frame in.
func (c *contest) receiveApart(ctx context.Context, apart bool) error {
	processors := 0
	if apart {
		processors = 1<<runtime.NumCPU() - 2
	}
	script := fmt.Sprintf("mount -t sysfs sysfs /sys && echo %x > /sys/class/net/eth0/queues/rx-0/rps_cpus", processors)
	for _, h := range c.Hosts() {
		if out, err := h.Exec(ctx, "unshare", "--mount", "sh", "-c", script).CombinedOutput(); err != nil {
			return fmt.Errorf("steer what %s takes in: %w: %s", h.Name(), err, bytes.TrimSpace(out))
		}
	}
	return nil
}

// spareClients makes the switch one that snoops: it hands the frames of a group to the ports of its members, and not to clients'.
func spareClients(l *lab.Lab) error {
	for i := range throughputClients {
		if err := l.FloodMulticast(l.Client(i+1).Name(), false); err != nil {
			return err
		}
	}
	return nil
}

// arms prepares the ways and lists them.
func (c *contest) arms(ctx context.Context) ([]arm, error) {
	local, forwarded, err := c.senders(ctx)
	if err != nil {
		return nil, err
	}
	proxy := c.Client(throughputClients)
	if err := c.startHAProxy(proxy); err != nil {
		return nil, err
	}
	vip := lab.VIP().Addr()
	mode := func(from, to string) func(context.Context) error {
		return func(ctx context.Context) error {
			return errors.Join(c.edit(ctx, "delivery: "+from, "delivery: "+to), pause(ctx, settle))
		}
	}
	igmp, directed := mode("directed", "igmp"), mode("igmp", "directed")
	return []arm{
		{name: "plain", to: c.plain(), web: true},
		{name: "directed", bulk: local, to: vip, web: true},
		{name: "directed, forwarded", bulk: forwarded, to: vip},
		{name: "directed, forwarded, on a line", bulk: forwarded, upOnly: true, to: vip, before: limit(forwarded), after: unlimit(forwarded)},
		{name: "igmp", bulk: local, to: vip, web: true, before: igmp, after: directed},
		{name: "igmp, on a line", bulk: local, upOnly: true, to: vip, before: both(igmp, limit(local)), after: both(unlimit(local), directed)},
		{name: "HAProxy", bulk: c.Client(1), to: proxy.Address(), web: true},
		{name: "xt_cluster", bulk: c.Client(1), to: clusterAddress(), web: true, before: c.startXTCluster, after: c.stopXTCluster},
	}, nil
}

// senders are a client that the director owns in the rule for bulk, and one whose packets it forwards.
func (c *contest) senders(ctx context.Context) (local, forwarded *lab.Node, err error) {
	director, err := c.director(ctx)
	if err != nil {
		return nil, nil, err
	}
	for i := 1; i < throughputClients && (local == nil || forwarded == nil); i++ {
		client := c.Client(i)
		e, err := c.agents["a"].Explain(ctx, api.ExplainRequest{VIP: lab.VIP().Addr().String(), VIPPort: bulkPort, Client: client.Address()})
		if err != nil {
			return nil, nil, err
		}
		if e.Owner == director {
			local = client
		} else {
			forwarded = client
		}
	}
	if local == nil || forwarded == nil {
		return nil, nil, fmt.Errorf("of %d clients none is forwarded, or all are", throughputClients-1)
	}
	return local, forwarded, nil
}

// plain is the address of a host as it is without Muster.
func (c *contest) plain() netip.Addr { return c.Host("a").Address() }

// measure adds a round to an arm.
func (c *contest) measure(ctx context.Context, a *arm) error {
	if a.before != nil {
		if err := a.before(ctx); err != nil {
			return err
		}
	}
	if err := c.measureBulk(ctx, a); err != nil {
		return err
	}
	if a.web {
		rate, cpu, err := c.connections(ctx, a.to)
		if err != nil {
			return err
		}
		a.results.rate, a.results.cpu = append(a.results.rate, rate), append(a.results.cpu, cpu)
	}
	if a.after != nil {
		return a.after(ctx)
	}
	return nil
}

// measureBulk goes each way to a host's own address and then to the arm's: whatever the machine does besides meets both.
func (c *contest) measureBulk(ctx context.Context, a *arm) error {
	if a.bulk == nil {
		return nil
	}
	if err := c.receiveApart(ctx, true); err != nil {
		return err
	}
	for _, way := range []struct {
		to      netip.Addr
		reverse bool
		values  *[]float64
	}{
		{c.plain(), false, &a.results.plainUp}, {a.to, false, &a.results.up},
		{c.plain(), true, &a.results.plainDown}, {a.to, true, &a.results.down},
	} {
		if way.reverse && a.upOnly {
			continue
		}
		gbits, err := bulk(ctx, a.bulk, way.to, way.reverse)
		if err != nil {
			return err
		}
		*way.values = append(*way.values, gbits)
	}
	return c.receiveApart(ctx, false)
}

func (r armResults) newest() string {
	var said []string
	for _, v := range []struct {
		format string
		values []float64
	}{{"%.2f Gbit/s up", r.up}, {"%.2f plain", r.plainUp}, {"%.2f down", r.down}, {"%.2f plain", r.plainDown}, {"%.0f connections/s", r.rate}, {"%.1f µs of CPU for each", r.cpu}} {
		if n := len(v.values); n > 0 {
			said = append(said, fmt.Sprintf(v.format, v.values[n-1]))
		}
	}
	return strings.Join(said, ", ")
}
