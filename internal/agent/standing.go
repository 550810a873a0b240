package agent

import (
	"fmt"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/register"
	"github.com/muster-ha/muster/internal/standing"
)

// settleLimit bounds how long a host that has just started holds back because others know other orders: at 30 % loss all of them arrive in a fraction
// of it, and a host whose ears are broken must not stay without a share for that.
const settleLimit = 3 * time.Second

// orderKinds are the events of orders about hosts.
var orderKinds = map[standing.HostState]string{standing.Started: "resumed", standing.Draining: "drained", standing.Stopped: "stopped", standing.Suspended: "suspended"}

// watchStanding takes the orders that this host has kept, and follows new ones from now on.
func (h *host) watchStanding() {
	h.standing = standing.Read(h.registers.set.Values(""))
	if own := h.standing.Host(h.opt.Host); !own.Serves() {
		h.drainEnds = time.Now().Add(own.Left(time.Now()))
		h.toldOrder(orderKinds[own.State], h.opt.Host, "kept from before: "+h.givenBy(own.Set))
	}
	h.registers.Changed(h.standingChanged)
}

// standingChanged follows an order that is new here.
func (h *host) standingChanged(key string) {
	name, rule, ok := standing.About(key)
	if !ok {
		return
	}
	h.standing = standing.Read(h.registers.set.Values(""))
	last, _ := h.registers.set.Last(key)
	switch {
	case name != "":
		order := h.standing.Host(name)
		if name == h.opt.Host {
			h.drainEnds = time.Now().Add(order.Deadline)
		}
		h.toldOrder(orderKinds[order.State], name, h.hostOrderText(order, last))
	default:
		h.toldOrder("rule_order", "", "rule "+rule+": "+h.ruleOrderText(last))
	}
	h.refresh()
	h.askScan(scanDelay) // what is to be closed may have no other occasion to be looked for
}

// hostOrderText says why a host's order is as it is.
func (h *host) hostOrderText(order standing.Host, last register.Entry) string {
	switch {
	case order.Why == standing.Empty:
		return "its last connection has ended"
	case order.Why == standing.AtDeadline:
		return "the deadline for its connections is over"
	case order.Deadline > 0:
		return fmt.Sprintf("%s; it stops after %v, or when its last connection has ended", h.askedOn(last), order.Deadline)
	}
	return h.askedOn(last)
}

// ruleOrderText says what was said last of a rule.
func (h *host) ruleOrderText(last register.Entry) string {
	if last.Deleted {
		return "no order any more, " + h.askedOn(last)
	}
	for _, o := range h.standing.Rules {
		if standing.RuleKey(o.Rule, o.Host) != last.Key {
			continue
		}
		where := "on all hosts"
		if o.Host != "" {
			where = "on host " + o.Host
		}
		return fmt.Sprintf("%v %s, %s", o.State, where, h.askedOn(last))
	}
	return "an order that this version does not know"
}

func (h *host) askedOn(e register.Entry) string {
	return "asked for on host " + h.orderer(e.Version.Host)
}

// orderer names the host on which an order was given.
func (h *host) orderer(id uint8) string {
	if name := h.name(member.ID(id)); name != "" {
		return name
	}
	return "that the file does not name"
}

// givenBy says who gave an order, and when.
func (h *host) givenBy(s standing.Set) string {
	return fmt.Sprintf("asked for on host %s at %s", h.orderer(s.Host), s.At.UTC().Format(time.RFC3339))
}

func (h *host) toldOrder(kind, about, text string) {
	h.record(api.Event{At: time.Now(), Kind: kind, Host: about, Text: text})
	h.log.Info(kind, "host", about, "why", text)
}

// ruleOrder is the order that counts for a rule of a configuration on a host.
func (h *host) ruleOrder(cfg *config.Config, rule int, on string) standing.RuleOrder {
	return h.standing.RuleOn(on, func(r standing.Rule) bool { return ruleIs(cfg, rule, r) })
}

// ruleIs says whether an order's rule is the one with that number.
func ruleIs(cfg *config.Config, rule int, r standing.Rule) bool {
	conf := &cfg.Rules[rule]
	protocol := config.TCP
	if r.UDP {
		protocol = config.UDP
	}
	if cfg.VIPs[conf.VIP].Name != r.VIP || !conf.Protocol.Has(protocol) {
		return false
	}
	if r.Port == 0 {
		return conf.Rest()
	}
	return conf.HasPort(r.Port)
}

// permitted are the rules of a configuration that no order keeps this host from serving.
func (h *host) permitted(cfg *config.Config) member.RuleSet {
	var set member.RuleSet
	for i := range cfg.Rules {
		if h.ruleOrder(cfg, i, h.opt.Host).State == standing.Enabled {
			set |= 1 << i
		}
	}
	return set
}

// settle reports whether this host must hold back: it has started a moment ago, and a host that it hears knows other orders, one of which may be about
// this host. Without it a host that was stopped while it was down would serve for the blink of an eye.
func (h *host) settle(now time.Time) {
	before := h.unsettled
	early := !h.served && now.Sub(h.started) < settleLimit && h.standing.Host(h.opt.Host).Serves()
	h.unsettled = early && h.othersKnowMore(now)
	if h.unsettled == before {
		return
	}
	if h.unsettled {
		h.toldOrder("held_back", h.opt.Host, fmt.Sprintf("a host that is heard knows other orders: this one gets no share until it knows them too, or for %v", settleLimit))
	}
	h.refresh()
}

// othersKnowMore reports whether a host that is heard has other common values than this one.
func (h *host) othersKnowMore(now time.Time) bool {
	for _, p := range h.peers {
		known := p.last.Registers.Digest
		if known != 0 && known != h.registers.set.Digest() && now.Sub(p.at) < h.silence() {
			return true
		}
	}
	return false
}

// watchDrain stops this host when it has been drained with a deadline and either its last connection has ended or the deadline is over.
func (h *host) watchDrain(now time.Time) {
	own := h.standing.Host(h.opt.Host)
	if own.State != standing.Draining || own.Deadline == 0 {
		return
	}
	why := standing.AtDeadline
	if now.Before(h.drainEnds) {
		if !h.isEmpty() {
			return
		}
		why = standing.Empty
	}
	stopped := standing.Host{State: standing.Stopped, Why: why}
	if err := h.registers.Set(standing.HostKey(h.opt.Host), stopped.Value()); err != nil {
		h.log.Error("cannot stop this host at the end of its drain", "err", err)
	}
	h.speak()
}

// isEmpty reports whether this host has given its share away and a look after that found no connection that lives. The rest of one that has ended
// (TIME_WAIT) is none.
func (h *host) isEmpty() bool {
	open, known := h.openConnections()
	return known && open == 0 && !h.lastScan.cookies && h.handedOver()
}

// openConnections counts the connections to VIPs that this host has, if it gets no new ones and has looked since.
func (h *host) openConnections() (count int, known bool) {
	m, in := memberOf(h.shares.view, h.self)
	if in && m.Weight > 0 || h.lastScan.at != h.shares.view.ViewID || h.isWitness() {
		return 0, false
	}
	return h.lastScan.open, true
}

// sayOpen is what this host says of its connections.
func (h *host) sayOpen() heartbeat.Open {
	open, known := h.openConnections()
	return heartbeat.Open{Known: known, Count: uint32(open)}
}
