package doctor

import (
	"fmt"
	"slices"

	"github.com/muster-ha/muster/internal/config"
)

// The checks by name.
const (
	CheckSecret    = "secret"
	CheckKernel    = "kernel"
	CheckInterface = "interface"
	CheckMTU       = "mtu"
	CheckPath      = "path"
	CheckFilter    = "rp_filter"
	CheckRoute     = "route"
	CheckPort      = "port"
	CheckClock     = "clock"
	CheckIGMP      = "igmp"
	CheckUnicast   = "unicast"
	CheckBridge    = "bridge"
	CheckRouted    = "routed"
)

// Names lists the checks in the order in which they are made.
func Names() []string {
	return []string{CheckSecret, CheckKernel, CheckInterface, CheckMTU, CheckPath, CheckFilter, CheckRoute, CheckPort, CheckClock, CheckIGMP, CheckUnicast, CheckBridge, CheckRouted}
}

// OfDelivery are the checks that an agent makes when it starts: what clients would notice and heartbeats do not.
func OfDelivery() []string {
	return []string{CheckMTU, CheckFilter, CheckIGMP, CheckUnicast, CheckBridge, CheckRouted}
}

// Diagnosis is something wrong, or worth knowing, and what to do about it.
type Diagnosis struct {
	Check  string `json:"check"`
	About  string `json:"about"`  // "VIP web", "interface eth0"
	What   string `json:"what"`   // what is wrong
	Remedy string `json:"remedy"` // what to do
	Note   bool   `json:"note"`   // worth knowing, and works all the same
}

// findings gathers diagnoses.
type findings struct {
	list []Diagnosis
	only []string
}

func (f *findings) add(check, about, what, remedy string) {
	f.put(Diagnosis{Check: check, About: about, What: what, Remedy: remedy})
}

func (f *findings) note(check, about, what, remedy string) {
	f.put(Diagnosis{Check: check, About: about, What: what, Remedy: remedy, Note: true})
}

// put keeps what was asked for, once: two VIPs on one interface share its faults.
func (f *findings) put(d Diagnosis) {
	if wanted(f.only, d.Check) && !slices.Contains(f.list, d) {
		f.list = append(f.list, d)
	}
}

// wanted reports whether a check was asked for; nothing asked for is everything.
func wanted(only []string, check string) bool { return len(only) == 0 || slices.Contains(only, check) }

// Diagnose judges the facts of a host (an index into the configuration's hosts). only: these checks; none: all. The result is in the order
// of Names.
func Diagnose(cfg *config.Config, self int, facts Facts, only ...string) []Diagnosis {
	f := &findings{only: only, list: []Diagnosis{}}
	f.secrets(facts)
	f.kernel(cfg, self, facts)
	f.preemption(cfg, facts)
	f.places(cfg, facts)
	f.sizes(facts)
	f.tunnels(facts)
	f.paths(facts)
	f.reverse(cfg, facts)
	f.exits(facts)
	f.port(facts)
	f.clock(facts)
	f.igmp(cfg, facts)
	f.unicast(cfg, facts)
	f.bridges(cfg, facts)
	f.routed(facts)
	return f.list
}

func (f *findings) secrets(facts Facts) {
	for _, file := range facts.Files {
		if file.Err != nil {
			f.add(CheckSecret, file.What, file.Err.Error(), "mend the file: no agent starts without it")
		}
	}
}

func (f *findings) kernel(cfg *config.Config, self int, facts Facts) {
	if cfg.Hosts[self].Witness {
		return // it arms no filter
	}
	for _, feature := range facts.Features {
		if feature.Err != nil {
			f.add(CheckKernel, "kernel", fmt.Sprintf("%s: %v", feature.What, feature.Err), "use Linux 5.15 or later with CONFIG_BPF_SYSCALL and CONFIG_NET_CLS_BPF; in a container, give it CAP_BPF and CAP_NET_ADMIN, or run the agent on the machine itself")
		}
	}
}

func (f *findings) port(facts Facts) {
	if facts.Port != nil {
		f.add(CheckPort, "UDP port 3343", facts.Port.Error(), "see with `ss -ulpn sport = :3343` who has it, and end that: heartbeats cannot use another")
	}
}

func (f *findings) clock(facts Facts) {
	if facts.Clock != nil {
		f.note(CheckClock, "clock", facts.Clock.Error(), "synchronise it (`timedatectl set-ntp true`): the cluster works without, but the times of events and logs cannot be compared")
	}
}
