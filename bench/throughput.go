package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/lab"
)

const (
	throughputRounds  = 3
	throughputClients = 8 // so many addresses that some belong to the director and some do not; the last is HAProxy's machine
	throughputSpan    = 3 * time.Second
	webPort, bulkPort = 8080, 5201
)

func throughputRow() row {
	return row{"throughput", "Throughput and cost beside a plain host, HAProxy and xt_cluster", `One client and three hosts on one bridge, all on the processors of one machine, which is what
bounds every figure. Bulk: one TCP connection of iperf3 for 3 s, to the VIP (by a client that the director owns, and by one whose packets it forwards) and each way. Connections:
wrk with 32 at a time, each request one connection, answered by the smallest server. CPU is what all processors did meanwhile without wrk itself and without
what they do at rest, for each request: hosts, bridge and balancer together. HAProxy runs in TCP mode in a namespace of its own; xt_cluster on the hosts themselves (one client
address has one host there). All are measured in turn, three times.`, runThroughput}
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
	to      netip.Addr // the address that clients use
	web     bool       // connections are measured
	before  func(context.Context) error
	after   func(context.Context) error
	results armResults
}

// armResults has a value for each round.
type armResults struct{ up, down, rate, cpu []float64 }

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
	return []arm{
		{name: "plain", bulk: c.Client(1), to: c.Host("a").Address(), web: true},
		{name: "directed", bulk: local, to: vip, web: true},
		{name: "directed, forwarded", bulk: forwarded, to: vip},
		{name: "igmp", bulk: local, to: vip, web: true, before: mode("directed", "igmp"), after: mode("igmp", "directed")},
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

// measure adds a round to an arm.
func (c *contest) measure(ctx context.Context, a *arm) error {
	if a.before != nil {
		if err := a.before(ctx); err != nil {
			return err
		}
	}
	for _, way := range []struct {
		reverse bool
		values  *[]float64
	}{{false, &a.results.up}, {true, &a.results.down}} {
		gbits, err := bulk(ctx, a.bulk, a.to, way.reverse)
		if err != nil {
			return err
		}
		*way.values = append(*way.values, gbits)
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

func (r armResults) newest() string {
	text := fmt.Sprintf("%.2f Gbit/s up, %.2f down", r.up[len(r.up)-1], r.down[len(r.down)-1])
	if n := len(r.rate); n > 0 {
		text += fmt.Sprintf(", %.0f connections/s, %.1f µs of CPU for each", r.rate[n-1], r.cpu[n-1])
	}
	return text
}
