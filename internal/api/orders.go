package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// HostVerb is an order to a host.
type HostVerb string

// The orders to a host.
const (
	DrainHost   HostVerb = "drain"   // no new connections; those that there are go on
	StopHost    HostVerb = "stop"    // none at all
	StartHost   HostVerb = "start"   // serve
	SuspendHost HostVerb = "suspend" // stop, and take no other order but to resume
	ResumeHost  HostVerb = "resume"  // serve, whatever was ordered before
)

// HostOrder is an order to a host.
type HostOrder struct {
	Host     string
	Verb     HostVerb
	Deadline time.Duration // of DrainHost: after this long it stops, or when its last connection has ended; 0: it stays drained
}

// RuleOrder is an order about a rule.
type RuleOrder struct {
	VIP   string // name or address
	Port  uint16 // one of the rule's; 0: the rule for the ports that no other has
	UDP   bool
	Host  string // empty: on all hosts
	State string // enabled, drained or disabled
}

// OrderAnswer says how far an order has got.
type OrderAnswer struct {
	State   string   `json:"state" doc:"State of the host (started, draining, stopped, suspended) or of the rule (enabled, drained, disabled) by the orders that there are now."`
	Have    []string `json:"have" doc:"Hosts that know the order, the answering one included."`
	Lacking []string `json:"lacking" doc:"Hosts that are heard and have not confirmed in time."`
	Silent  []string `json:"silent" doc:"Hosts that are not heard: they get the order when they return."`
	NotKept string   `json:"not_kept" doc:"Why the answering host cannot keep the order over a restart; empty: it does."`
}

// HostOrderStatus is a standing order to a host.
type HostOrderStatus struct {
	State   string     `json:"state" doc:"What it is to be." enum:"draining,stopped,suspended"`
	Reason  string     `json:"reason" doc:"Of stopped after a drain: whether its last connection had ended (empty) or its deadline was over (deadline); an empty text: somebody said so."`
	StopsAt *time.Time `json:"stops_at" doc:"Of draining: when it stops at the latest, by the clock of the host on which that was asked for; null: never."`
	SetOn   string     `json:"set_on" doc:"Host on which it was asked for; empty: a host that the configuration does not name."`
	SetAt   time.Time  `json:"set_at" doc:"When, by that host's clock."`
	Undo    string     `json:"undo" doc:"The command that takes it back."`
}

// RuleOrderStatus is a standing order about a rule.
type RuleOrderStatus struct {
	Host  string    `json:"host" doc:"Host that it is for; empty: all. An order for one host wins over one for all."`
	State string    `json:"state" doc:"What the rule is to be there." enum:"enabled,drained,disabled"`
	SetOn string    `json:"set_on" doc:"Host on which it was asked for; empty: a host that the configuration does not name."`
	SetAt time.Time `json:"set_at" doc:"When, by that host's clock."`
	Undo  string    `json:"undo" doc:"The command that takes it back."`
}

// ruleOrder is a RuleOrder as it travels.
type ruleOrder struct {
	VIP      string `json:"vip" maxLength:"253" doc:"Name or address of the VIP."`
	Port     int    `json:"port" minimum:"0" maximum:"65535" doc:"One of the rule's ports; 0: the rule for the ports that no other has."`
	Protocol string `json:"protocol" enum:"tcp,udp" doc:"The rule's protocol."`
	Host     string `json:"host" maxLength:"253" doc:"Host on which it counts; empty: all."`
	State    string `json:"state" enum:"enabled,drained,disabled" doc:"What the rule is to be."`
}

type ruleOrderInput struct{ Body ruleOrder }

// registerOrders adds the orders to hosts and about rules.
func registerOrders(a huma.API, agent Agent) {
	const path = "/v1/hosts/{host}/"
	ask(a, path+"drain", "drain", "Give a host's share of new connections away", func(ctx context.Context, in *hostDeadlineInput) (OrderAnswer, error) {
		return agent.OrderHost(ctx, HostOrder{in.Host, DrainHost, in.Body.duration()})
	})
	for verb, summary := range map[HostVerb]string{
		ResumeHost:  "Give a host its share again, whatever was ordered before",
		StartHost:   "Give a host its share again that is drained or stopped",
		StopHost:    "Give a host's share away and close its connections; its agent goes on",
		SuspendHost: "Stop a host, and have it refuse all orders but the one to resume",
	} {
		ask(a, path+string(verb), operation(verb), summary, func(ctx context.Context, in *hostInput) (OrderAnswer, error) {
			return agent.OrderHost(ctx, HostOrder{Host: in.Host, Verb: verb})
		})
	}
	ask(a, "/v1/rules", "order-rule", "Enable, drain or disable a rule, on one host or on all", func(ctx context.Context, in *ruleOrderInput) (OrderAnswer, error) {
		b := in.Body
		return agent.OrderRule(ctx, RuleOrder{VIP: b.VIP, Port: uint16(b.Port), UDP: b.Protocol == "udp", Host: b.Host, State: b.State})
	})
}

// operation is a verb's name in the API: `resume` was there first, and `stop` is about the agent.
func operation(verb HostVerb) string {
	if verb == ResumeHost {
		return string(verb)
	}
	return string(verb) + "-host"
}

// OrderHost gives an order to a host.
func (c *Client) OrderHost(ctx context.Context, o HostOrder) (OrderAnswer, error) {
	path := "/v1/hosts/" + url.PathEscape(o.Host) + "/" + string(o.Verb)
	if o.Verb != DrainHost {
		return tell[OrderAnswer](ctx, c, path, nil)
	}
	return tell[OrderAnswer](ctx, c, path, deadline{o.Deadline.Milliseconds()})
}

// OrderRule gives an order about a rule.
func (c *Client) OrderRule(ctx context.Context, o RuleOrder) (OrderAnswer, error) {
	body := ruleOrder{VIP: o.VIP, Port: int(o.Port), Protocol: "tcp", Host: o.Host, State: o.State}
	if o.UDP {
		body.Protocol = "udp"
	}
	return tell[OrderAnswer](ctx, c, "/v1/rules", body)
}

// tell posts something and reads the answer.
func tell[T any](ctx context.Context, c *Client, path string, body any) (T, error) {
	var out T
	var encoded []byte
	if body != nil {
		var err error
		if encoded, err = json.Marshal(body); err != nil {
			return out, fmt.Errorf("encode request: %w", err)
		}
	}
	response, err := c.do(ctx, http.MethodPost, path, encoded, "application/json")
	if err != nil {
		return out, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswerBytes)).Decode(&out); err != nil {
		return out, fmt.Errorf("read agent's answer: %w", err)
	}
	return out, nil
}

// Has reports whether a port is one of the rule's; 0 is of the rule for the ports that no other has.
func (r RuleStatus) Has(port uint16, udp bool) bool {
	if r.Protocol != "both" && (r.Protocol == "udp") != udp {
		return false
	}
	if r.Ports == "rest" {
		return port == 0
	}
	for part := range strings.SplitSeq(r.Ports, ",") {
		first, last, _ := strings.Cut(part, "-")
		low, err := strconv.ParseUint(first, 10, 16)
		high, upTo := strconv.ParseUint(cmp.Or(last, first), 10, 16)
		if err == nil && upTo == nil && uint16(low) <= port && port <= uint16(high) {
			return true
		}
	}
	return false
}
