package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// wordBoth is a rule's protocol for TCP and UDP.
const wordBoth = "both"

// ruleCount finds the first rule too many. A default host takes the place of a rule.
func (v *validator) ruleCount() {
	var paths []string
	for name, vip := range v.f.VIPs {
		for i := range vip.Rules {
			paths = append(paths, "/vips/"+name+"/rules/"+strconv.Itoa(i))
		}
		if len(vip.Default) > 0 {
			paths = append(paths, "/vips/"+name+"/default")
		}
	}
	if len(paths) <= MaxRules {
		return
	}
	slices.SortFunc(paths, func(a, b string) int { return cmp.Or(v.order(a, b), cmp.Compare(a, b)) })
	v.wrong(paths[MaxRules], flaw{fmt.Sprintf("the file has %d rules, and %d is the most", len(paths), MaxRules), "join rules that share everything but their ports"})
}

// taken is a range of ports with the rule that has it.
type taken struct {
	PortRange
	protocol string
	rule     int
	path     string
}

// rules judges the rules of one VIP, alone and beside each other.
func (v *validator) rules(path string, rules []FileRule) {
	var all []taken
	for i, r := range rules {
		at := path + "/" + strconv.Itoa(i)
		for j, p := range r.Ports {
			t := taken{p, r.Protocol, i, at + "/ports/" + strconv.Itoa(j)}
			if p.First == 0 || r.Protocol == "" {
				continue
			}
			v.overlap(all, t)
			all = append(all, t)
		}
		v.ruleHandling(at, r)
		v.ruleAffinity(at, r)
		v.ruleChecks(at+"/check", r.Check)
		v.ruleQuorum(at+"/quorum", r.Quorum)
	}
}

// overlap reports the first of the earlier ranges that has a port in common with t.
func (v *validator) overlap(earlier []taken, t taken) {
	for _, e := range earlier {
		protocol, meet := commonProtocol(e.protocol, t.protocol)
		if !meet || e.Last < t.First || t.Last < e.First {
			continue
		}
		common := PortRange{max(e.First, t.First), min(e.Last, t.Last)}
		if e.rule == t.rule {
			v.wrong(t.path, flaw{fmt.Sprintf("%s is in this rule twice", common.named()), "remove one of the two"})
			return
		}
		v.wrong(t.path, flaw{
			fmt.Sprintf("%s %s is already in the rule on line %d: rules of one address must not overlap", protocol, common.named(), v.values[e.path].line),
			"remove it from one of the two rules",
		})
		return
	}
}

// commonProtocol is what two rules' protocols have in common.
func commonProtocol(a, b string) (string, bool) {
	switch {
	case a == wordBoth:
		return b, true
	case b == wordBoth:
		return a, true
	}
	return a, a == b
}

// ruleHandling finds what does not go with a rule's handling. What a rule that refuses would do otherwise may stay in the file: it is often
// refused for a while only.
func (v *validator) ruleHandling(at string, r FileRule) {
	if path := at + "/priority"; r.Handling == "shared" && v.has(path) {
		v.missing(path, flaw{"`priority` means nothing where every host gets its share", "add `handling: single`, or remove `priority`"})
	}
	if path := at + "/weights"; r.Handling == "single" && v.has(path) {
		v.missing(path, flaw{"`weights` mean nothing where one host gets all", "write `handling: shared`, or remove `weights`"})
	}
	v.hostList(at+"/priority", r.Priority)
	v.ruleWeights(at+"/weights", r.Weights)
}

// ruleWeights finds weights of hosts that have none, and a rule that no host is left for.
func (v *validator) ruleWeights(path string, weights map[string]RuleWeight) {
	for _, name := range v.inOrder(path+"/", sorted(weights)) {
		if f := v.hostFlaw(name); f != nil {
			v.missing(path+"/"+name, *f)
		}
	}
	if len(weights) == 0 || v.spoiled[path] {
		return
	}
	for name, h := range v.f.Hosts {
		if w, named := weights[name]; h.Role != roleWitness && (!named || w > 0) {
			return
		}
	}
	v.missing(path, flaw{"every host has weight 0 in this rule, so nobody serves it", "give one of them a weight, or write `handling: refuse`"})
}

// hostList finds names in a list that are no hosts that serve, and names that are there twice.
func (v *validator) hostList(path string, names Names) {
	for i, name := range names {
		at := path + "/" + strconv.Itoa(i)
		if !v.has(at) || v.spoiled[at] {
			continue
		}
		if f := v.hostFlaw(name); f != nil {
			v.wrong(at, *f)
			continue
		}
		if slices.Contains(names[:i], name) {
			v.wrong(at, flaw{"host " + quote(name) + " is in this list twice", "remove one of the two"})
		}
	}
}

// hostFlaw says why a name is not that of a host that serves.
func (v *validator) hostFlaw(name string) *flaw {
	h, ok := v.f.Hosts[name]
	switch {
	case ok && h.Role == roleWitness:
		return &flaw{"host " + quote(name) + " is a witness and serves nothing", "name a host that serves"}
	case ok:
		return nil
	}
	known := sorted(v.f.Hosts)
	if c := closest(name, known); c != "" {
		return &flaw{"there is no host " + quote(name), "did you mean `" + c + "`?"}
	}
	return &flaw{"there is no host " + quote(name), "use " + ticked(known)}
}

// ruleAffinity finds what does not go with a rule's affinity.
func (v *validator) ruleAffinity(at string, r FileRule) {
	if path := at + "/affinity_network"; v.has(path) && r.Affinity != "network" && r.Affinity != "" {
		v.missing(path, flaw{"`affinity_network` means nothing with affinity " + quote(r.Affinity), "write `affinity: network`, or remove it"})
	}
	if path := at + "/affinity_timeout"; v.has(path) && r.Affinity == "none" {
		v.missing(path, flaw{"with affinity `none` no client has a host to be remembered for", "write `affinity: client` or `affinity: network`, or remove `affinity_timeout`"})
	}
}

func (v *validator) ruleChecks(path string, names Names) {
	for i, name := range names {
		at := path + "/" + strconv.Itoa(i)
		if v.spoiled[at] {
			continue
		}
		if _, ok := v.f.Checks[name]; !ok {
			v.wrong(at, v.noCheck(name))
			continue
		}
		if slices.Contains(names[:i], name) {
			v.wrong(at, flaw{"check " + quote(name) + " is in this rule twice", "remove one of the two"})
		}
	}
}

func (v *validator) noCheck(name string) flaw {
	known := sorted(v.f.Checks)
	if c := closest(name, known); c != "" {
		return flaw{"there is no check " + quote(name), "did you mean `" + c + "`?"}
	}
	return flaw{"there is no check " + quote(name), "add it below `checks:`, or remove it here"}
}
