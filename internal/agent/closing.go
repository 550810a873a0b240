package agent

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/filter"
	"github.com/muster-ha/muster/internal/standing"
)

// closing says which connections are to be closed: an order says so, and this host accepts nothing any more where they come from. Closed
// before, their clients would come back to where they were.
type closing struct {
	all   bool   // to any VIP
	rules []bool // by rule
}

// closes is what orders say of the connections of this host, as far as it can be done already.
func (h *host) closes() closing {
	c := closing{rules: make([]bool, len(h.shares.rules))}
	stopped := h.standing.Host(h.opt.Host).Closes()
	c.all = stopped
	for i := range h.shares.rules {
		accepts := h.shares.rules[i].own.Any()
		disabled := h.ruleOrder(h.config, i, h.opt.Host).State == standing.Disabled
		c.rules[i] = !accepts && (stopped || disabled)
		c.all = c.all && !accepts
	}
	return c
}

// of picks the connections that are to be closed.
func (c closing) of(conns []filter.Conn, rule func(filter.Conn) (int, bool)) []filter.Conn {
	return slices.DeleteFunc(slices.Clone(conns), func(conn filter.Conn) bool {
		if c.all {
			return false
		}
		i, ok := rule(conn)
		return !ok || i >= len(c.rules) || !c.rules[i]
	})
}

// any reports whether there is anything to close.
func (c closing) any() bool { return c.all || slices.Contains(c.rules, true) }

// toldClosed records that connections were closed by order.
func (h *host) toldClosed(s scan) {
	if s.closed > 0 {
		text := fmt.Sprintf("%d connections closed by order", s.closed)
		h.log.Info("connections closed", "count", s.closed)
		h.record(api.Event{At: time.Now(), Kind: "connections_closed", Host: h.opt.Host, Text: text})
	}
	if s.unclosed == nil {
		h.cannotClose = ""
		return
	}
	remedy := "trying again"
	if errors.Is(s.unclosed, filter.ErrNoAbort) {
		remedy = "restart the application to close them"
	}
	if text := fmt.Sprintf("connections are to be closed by order and are not: %v; %s", s.unclosed, remedy); text != h.cannotClose {
		h.cannotClose = text
		h.log.Error("cannot close connections", "err", s.unclosed, "what_to_do", remedy)
		h.record(api.Event{At: time.Now(), Kind: "connections_not_closed", Host: h.opt.Host, Text: text})
	}
}
