package standing

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-ha/muster/internal/register"
)

// Orders are all standing orders.
type Orders struct {
	Hosts map[string]Host // by name; those without an order are not in it
	Rules []RuleOrder     // by VIP, protocol and port; of one rule, the order for all hosts first
}

// Read finds the orders among the common values.
func Read(entries []register.Entry) Orders {
	o := Orders{Hosts: map[string]Host{}}
	for _, e := range entries {
		if e.Deleted {
			continue
		}
		if name, ok := strings.CutPrefix(e.Key, hostPrefix); ok {
			if h, ok := parseHost(e.Value); ok {
				h.Set = setOf(e)
				o.Hosts[name] = h
			}
			continue
		}
		if r, ok := parseRule(e.Key, e.Value); ok {
			r.Set = setOf(e)
			o.Rules = append(o.Rules, r)
		}
	}
	slices.SortFunc(o.Rules, func(a, b RuleOrder) int {
		return cmp.Or(cmp.Compare(a.Rule.VIP, b.Rule.VIP), compareBool(a.Rule.UDP, b.Rule.UDP), cmp.Compare(a.Rule.Port, b.Rule.Port), cmp.Compare(a.Host, b.Host))
	})
	return o
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// Host is the order of a host.
func (o Orders) Host(name string) Host { return o.Hosts[name] }

// About says what a key of the common values is about: a host's name, or a rule. false: no order.
func About(key string) (host string, rule string, ok bool) {
	if name, found := strings.CutPrefix(key, hostPrefix); found {
		return name, "", true
	}
	part := strings.Split(key, "/")
	if part[0]+"/" != rulePrefix || len(part) < 4 {
		return "", "", false
	}
	port, err := strconv.ParseUint(part[2], 10, 16)
	return "", Rule{VIP: part[1], Port: uint16(port), UDP: part[3] == "udp"}.String(), err == nil
}
