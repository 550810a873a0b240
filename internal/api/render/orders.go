package render

import (
	"fmt"
	"io"
	"strconv"

	"github.com/muster-ha/muster/internal/api"
)

// Ordered writes that an order was given, and to whom it has not come.
func Ordered(w io.Writer, a api.OrderAnswer, sentence string) {
	fmt.Fprintln(w, plain(sentence))
	if len(a.Lacking) > 0 {
		fmt.Fprintf(w, "not confirmed by %s\n", list(a.Lacking, "-"))
	}
	if len(a.Silent) > 0 {
		fmt.Fprintf(w, "not heard: %s: told on return\n", list(a.Silent, "-"))
	}
	if a.NotKept != "" {
		fmt.Fprintf(w, "not kept: %s\n", plain(a.NotKept))
	}
}

// Hosts writes what every host has been told and what it does.
func Hosts(w io.Writer, s api.Status) {
	rows := [][]string{{"HOST", "ORDER", "STATE", "WEIGHT", "CONNECTIONS", "ASKED FOR", "WHY"}}
	for _, h := range s.Hosts {
		row := hostRow(h, h.Name == s.Host)
		rows = append(rows, []string{plain(h.Name), orderOf(h), state(h.State), row[3], connections(h), askedFor(h), or(h.Why, "-")})
	}
	fmt.Fprintf(w, "Hosts, seen from host %s\n", plain(s.Host))
	table(w, "  ", rows)
	for _, h := range s.Hosts {
		if h.Order != nil {
			fmt.Fprintf(w, "  back: %s\n", plain(h.Order.Undo))
		}
	}
}

// Host writes all about one host.
func Host(w io.Writer, s api.Status, h api.HostStatus) {
	row := hostRow(h, h.Name == s.Host)
	fmt.Fprintf(w, "Host %s, %s, seen from host %s\n", plain(h.Name), or(h.Address, "address unknown"), plain(s.Host))
	rows := [][]string{{"order", orderOf(h)}}
	if h.Order != nil {
		rows = append(rows, []string{"asked for", askedFor(h)}, []string{"back", plain(h.Order.Undo)})
	}
	rows = append(rows, []string{"state", state(h.State) + because(h.Why)}, []string{"weight", row[3]}, []string{"connections", connections(h)},
		[]string{"heard", row[4]}, []string{"version", or(h.Version, unknown)}, []string{"configuration", sameConfig(h)}, []string{"answers for", list(h.Directs, "no VIP")})
	for _, share := range h.Shares {
		rows = append(rows, []string{"share", fmt.Sprintf("%s %s: %s", plain(share.VIP), plain(share.Rule), percent(share.Percent))})
	}
	for _, v := range s.VIPs {
		for _, r := range v.Rules {
			for _, o := range r.Orders {
				if o.Host == h.Name || o.Host == "" {
					rows = append(rows, []string{"rule", fmt.Sprintf("%s %s %s: %s", plain(v.Name), plain(r.Protocol), plain(r.Ports), ruleOrder(o))})
				}
			}
		}
	}
	table(w, "  ", rows)
}

// orderOf is what a host has been told.
func orderOf(h api.HostStatus) string {
	if h.Order == nil {
		return "started"
	}
	text := plain(h.Order.State)
	if h.Order.StopsAt != nil {
		text += ", stops at " + h.Order.StopsAt.Local().Format(second) + " at the latest"
	}
	return text
}

// connections is how many a host has; of one that gets new ones nobody counts them.
func connections(h api.HostStatus) string {
	switch {
	case h.Connections != nil:
		return strconv.Itoa(*h.Connections)
	case h.Order == nil:
		return "-"
	}
	return unknown
}

func askedFor(h api.HostStatus) string {
	if h.Order == nil {
		return "-"
	}
	return fmt.Sprintf("on %s at %s", or(h.Order.SetOn, "an unknown host"), h.Order.SetAt.Local().Format(second))
}

// Rules writes what has been said of rules and who serves them.
func Rules(w io.Writer, vips []api.VIPStatus, self string) {
	fmt.Fprintf(w, "Rules, seen from host %s\n", plain(self))
	rows := [][]string{{"VIP", "RULE", "AFFINITY", "CHECKS HERE", "SERVED BY", "ORDERS"}}
	for _, v := range vips {
		for _, r := range v.Rules {
			checks := "good"
			if !r.Ready {
				checks = "NOT good"
			}
			orders := "-"
			for i, o := range r.Orders {
				if i == 0 {
					orders = ruleOrder(o)
					continue
				}
				orders += "; " + ruleOrder(o)
			}
			rows = append(rows, []string{plain(v.Name), plain(r.Protocol) + " " + plain(r.Ports), plain(r.Affinity), checks, owners(r), orders})
		}
	}
	table(w, "  ", rows)
	told := map[string]bool{}
	for _, v := range vips {
		for _, r := range v.Rules {
			for _, o := range r.Orders {
				if !told[o.Undo] {
					fmt.Fprintf(w, "  back: %s\n", plain(o.Undo))
				}
				told[o.Undo] = true
			}
		}
	}
}

// owners lists who gets new connections of a rule.
func owners(r api.RuleStatus) string {
	var parts []string
	for _, o := range r.Owners {
		parts = append(parts, fmt.Sprintf("%s %s", or(o.Host, "nobody"), percent(o.Percent)))
	}
	return list(parts, unknown)
}

// ruleOrder is an order about a rule in a line.
func ruleOrder(o api.RuleOrderStatus) string {
	where := "on all hosts"
	if o.Host != "" {
		where = "on " + plain(o.Host)
	}
	return fmt.Sprintf("%s %s, asked for on %s at %s", plain(o.State), where, or(o.SetOn, "an unknown host"), o.SetAt.Local().Format(second))
}
