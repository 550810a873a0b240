package config

import (
	"fmt"
	"strconv"
)

// witnesses finds witness hosts that cannot be ones, and witnesses that nobody asks.
func (v *validator) witnesses() {
	hosts := v.witnessHosts()
	for _, name := range hosts {
		if path := "/hosts/" + name + "/weight"; v.has(path) {
			v.wrong(path, flaw{fmt.Sprintf("host %s is a witness and serves nothing, so its weight means nothing", quote(name)), "remove `weight`"})
		}
	}
	if len(hosts) > 0 && len(hosts) == len(v.f.Hosts) {
		v.missing("/hosts", flaw{"every host is a witness, so nobody serves", "remove `role: witness` from those that are to serve"})
	}
	if at := "/heartbeat/witness"; len(hosts) > 0 && v.has(at) {
		v.missing(at, flaw{fmt.Sprintf("witness addresses are not asked where host %s is a witness", quote(hosts[0])), "remove `witness`, or the role of the host"})
	}
	v.witnessFamily()
	if at := "/heartbeat/witness"; v.has(at) && !v.spoiled[at] && !v.hasWitnessAddress() {
		v.missing(at, flaw{"`witness` names no address", "add for example `ping: [10.77.0.254]`"})
	}
}

// witnessFamily finds what cannot be pinged: it is done by IPv4 only, and hosts that cannot be asked would look dead.
func (v *validator) witnessFamily() {
	for i, a := range v.f.Heartbeat.Witness.Ping {
		if at := "/heartbeat/witness/ping/" + strconv.Itoa(i); a.IsValid() && !a.Is4() && !v.spoiled[at] {
			v.wrong(at, flaw{quote(a.String()) + " is an IPv6 address, and witnesses are pinged by IPv4 only", "write an IPv4 address, or use `tcp`"})
		}
	}
	if !v.has("/heartbeat/witness") {
		return
	}
	for _, name := range v.inOrder("/hosts/", sorted(v.f.Hosts)) {
		if a := v.f.Hosts[name].Address; a.IsValid() && !a.Is4() {
			v.missing("/heartbeat/witness", flaw{fmt.Sprintf("host %s has an IPv6 address, and with witness addresses hosts ping each other by IPv4", quote(name)), "give a host `role: witness` instead"})
			return
		}
	}
}

func (v *validator) witnessHosts() []string {
	var names []string
	for _, name := range v.inOrder("/hosts/", sorted(v.f.Hosts)) {
		if v.f.Hosts[name].Role == roleWitness {
			names = append(names, name)
		}
	}
	return names
}

func (v *validator) hasWitnessAddress() bool {
	return v.has("/heartbeat/witness/ping") || v.has("/heartbeat/witness/tcp")
}

// ruleQuorum finds a rule that waits for a witness that there is not.
func (v *validator) ruleQuorum(path, quorum string) {
	if quorum != roleWitness || len(v.witnessHosts()) > 0 || v.hasWitnessAddress() {
		return
	}
	v.wrong(path, flaw{"the rule's quorum is `witness`, and there is none", "give a host `role: witness`, add `heartbeat: {witness: {ping: [ADDRESS]}}`, or write `majority`"})
}
