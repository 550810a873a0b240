package standing

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
)

// RuleState is how far a rule is served.
type RuleState uint8

// The states of a rule.
const (
	Enabled  RuleState = iota // is served
	Drained                   // gets nothing new; what there is goes on
	Disabled                  // is not served; what there was is closed
)

// String is the word that is kept and shown.
func (s RuleState) String() string {
	return [...]string{"enabled", "drained", "disabled"}[min(s, Disabled)]
}

// ParseRuleState reads the word.
func ParseRuleState(word string) (RuleState, bool) {
	for s := Enabled; s <= Disabled; s++ {
		if word == s.String() {
			return s, true
		}
	}
	return 0, false
}

// Rule names a rule by one of its ports.
type Rule struct {
	VIP  string // its name
	Port uint16 // zero: the rule for the ports that no other rule has
	UDP  bool   // otherwise TCP
}

// String is the rule as a command takes it.
func (r Rule) String() string {
	text := r.VIP + ":" + portName(r.Port)
	if r.UDP {
		text += "/udp"
	}
	return text
}

// Rest is how the rule for all other ports is called in the place of a port.
const Rest = "rest"

func portName(port uint16) string {
	if port == 0 {
		return Rest
	}
	return strconv.Itoa(int(port))
}

// RuleOrder is one order about a rule.
type RuleOrder struct {
	Rule  Rule
	Host  string // empty: on all hosts
	State RuleState
	Set   Set
}

const rulePrefix = "rule/"

// RuleKey is where the common values have an order about a rule. The host's name stands in the value and only a digest of it in the
// key: both names at their longest (63 bytes each) do not fit.
func RuleKey(r Rule, host string) string {
	protocol := "tcp"
	if r.UDP {
		protocol = "udp"
	}
	key := fmt.Sprintf("%s%s/%d/%s", rulePrefix, r.VIP, r.Port, protocol)
	if host == "" {
		return key
	}
	digest := fnv.New32a()
	digest.Write([]byte(host))
	return fmt.Sprintf("%s/%08x", key, digest.Sum32())
}

// value is what is kept of an order about a rule.
func (o RuleOrder) value() string {
	if o.Host == "" {
		return o.State.String()
	}
	return o.State.String() + " " + o.Host
}

// parseRule reads a key and its value. false: they are not of an order about a rule that this version knows.
func parseRule(key, value string) (RuleOrder, bool) {
	part := strings.Split(key, "/")
	if len(part) < 4 || len(part) > 5 || part[0]+"/" != rulePrefix {
		return RuleOrder{}, false
	}
	port, err := strconv.ParseUint(part[2], 10, 16)
	word, host, _ := strings.Cut(value, " ")
	state, known := ParseRuleState(word)
	o := RuleOrder{Rule: Rule{VIP: part[1], Port: uint16(port), UDP: part[3] == "udp"}, Host: host, State: state}
	return o, err == nil && known && RuleKey(o.Rule, host) == key && o.value() == value
}

// Change is what an order does to the common values.
type Change struct {
	Key    string
	Value  string
	Delete bool // Value means nothing
}

// Changes are what brings a rule into a state on a host, or with an empty name on all of them. None: it is so already.
func (o Orders) Changes(r Rule, host string, state RuleState) []Change {
	var list []Change
	put := func(host string) {
		list = append(list, Change{Key: RuleKey(r, host), Value: RuleOrder{Rule: r, Host: host, State: state}.value()})
	}
	drop := func(old RuleOrder) { list = append(list, Change{Key: RuleKey(old.Rule, old.Host), Delete: true}) }
	about := slices.DeleteFunc(slices.Clone(o.Rules), func(old RuleOrder) bool { return old.Rule != r })
	ofAll := slices.IndexFunc(about, func(old RuleOrder) bool { return old.Host == "" })
	for _, old := range about {
		replaced := old.Host == host && state == Enabled && (host == "" || ofAll < 0)
		if replaced || host == "" && old.Host != "" {
			drop(old)
		}
	}
	if state != Enabled || host != "" && ofAll >= 0 {
		put(host)
	}
	return list
}

// RuleOn is the order that counts on a host among those about some rule: what was said of the host before what was said of all, and the stricter of two that
// name the rule by different ports. The zero value: none.
func (o Orders) RuleOn(host string, about func(Rule) bool) RuleOrder {
	var found RuleOrder
	for _, r := range o.Rules {
		if r.Host != "" && r.Host != host || !about(r.Rule) {
			continue
		}
		own, before := r.Host != "", found.Host != ""
		if found.Rule == (Rule{}) || own && !before || own == before && r.State > found.State {
			found = r
		}
	}
	return found
}
