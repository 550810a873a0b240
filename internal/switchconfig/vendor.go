package switchconfig

import (
	"fmt"
	"slices"
	"strings"

	"github.com/muster-ha/muster/internal/delivery"
)

// vendor knows how a make of switches is told things. A function that gives no lines says that the switch cannot be told so.
type vendor struct {
	name    string
	comment string
	// neighbour is a static ARP or ND entry, for a router: most take no multicast MAC from an answer (RFC 1812, 3.3.2).
	neighbour func(r *Request, t target) (lines []string, trust Trust)
	// table is an entry of the MAC table with the ports of the hosts.
	table func(r *Request, t target) (lines []string, trust Trust)
	// snooping is IGMP snooping (MLD, for v6) with a querier.
	snooping func(r *Request, v6 bool) (lines []string, trust Trust)
	// member makes the hosts' ports members of a group, for switches that have to be told.
	member func(r *Request, t target) (lines []string, trust Trust)
	notes  []string // about the switch, where it is told anything or would have to be
}

// Vendors names all switches.
func Vendors() []string {
	var names []string
	for _, v := range vendors() {
		names = append(names, v.name)
	}
	return names
}

func vendors() []vendor {
	return []vendor{ciscoIOS(), ciscoNXOS(), aristaEOS(), dellPowerConnect(), dellOS10(), hpeAruba(), juniper(), linuxBridge()}
}

// For writes what a vendor's switch has to be told.
func For(name string, r Request) (Answer, error) {
	for _, v := range vendors() {
		if v.name == name {
			return v.answer(&r), nil
		}
	}
	return Answer{}, fmt.Errorf("%w vendor %q: the vendors are %s", ErrUnknown, name, strings.Join(Vendors(), ", "))
}

func (v *vendor) answer(r *Request) Answer {
	a := Answer{For: v.name, Comment: v.comment, Sections: []Section{}, Notes: modeNotes(r)}
	list := r.targets()
	for _, v6 := range []bool{false, true} {
		if has(list, delivery.IGMP, v6) && v.snooping != nil {
			lines, trust := v.snooping(r, v6)
			a.section(snoopingTitle(r, v6, lines), lines, trust)
		}
	}
	for _, t := range list {
		if t.Mode == delivery.IGMP && v.member != nil {
			lines, trust := v.member(r, t)
			a.section(t.about()+": members of its group", lines, trust)
		}
		if t.Mode != delivery.IGMP && v.table != nil {
			lines, trust := v.table(r, t)
			a.section(t.about()+": MAC table", lines, trust)
		}
	}
	for _, t := range list {
		if t.multicast() && v.neighbour != nil {
			lines, trust := v.neighbour(r, t)
			a.section(t.about()+": static entry of the router in the VLAN", lines, trust)
		}
	}
	// A switch that cannot be told of a multicast MAC has no lines, and its notes say what that means.
	if len(a.Sections) > 0 || slices.ContainsFunc(list, target.multicast) {
		a.Notes = append(a.Notes, v.notes...)
	}
	a.fill()
	return a
}

func (a *Answer) section(title string, lines []string, trust Trust) {
	if len(lines) > 0 {
		a.Sections = append(a.Sections, Section{Title: title, Trust: trust, Lines: lines})
	}
}

// snoopingTitle promises a querier only where a line makes one.
func snoopingTitle(r *Request, v6 bool, lines []string) string {
	what := "IGMP snooping"
	if v6 {
		what = "MLD snooping"
	}
	if slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, "querier") }) {
		what += " and querier"
	}
	return fmt.Sprintf("%s in VLAN %s", what, r.vlan())
}

// modeNotes say what each delivery in use means for a switch, whatever its make.
func modeNotes(r *Request) []string {
	notes := []string{}
	for _, m := range delivery.Modes() {
		var names []string
		for _, v := range r.VIPs {
			if v.Mode == m {
				names = append(names, v.Name)
			}
		}
		if text := modeNote(m); len(names) > 0 && text != "" {
			notes = append(notes, fmt.Sprintf("%v (%s): %s", m, strings.Join(names, ", "), text))
		}
	}
	return notes
}

func modeNote(m delivery.Mode) string {
	switch m {
	case delivery.Directed:
		return "needs nothing of a switch: one host answers with its own MAC"
	case delivery.Routed:
		return "needs nothing of a switch: routers are told by BGP, and send to the hosts' own MACs"
	case delivery.Unicast:
		return "works because no switch learns the cluster's MAC and all of them flood it: give the hosts a VLAN of their own, and block or limit no unknown unicast in it"
	case delivery.Multicast:
		return "is flooded in the VLAN wherever the MAC table has no entry; limit no multicast in it"
	case delivery.IGMP:
		return "needs a querier in the VLAN, or memberships are forgotten after some minutes; a switch that snoops by the address in the packet and not by its MAC floods"
	}
	return ""
}
