package render

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-ha/muster/internal/api"
)

// Status writes a cluster's status for people.
func Status(w io.Writer, s api.Status) {
	head(w, s)
	hosts(w, s)
	for _, v := range s.VIPs {
		vip(w, v, s.Host)
	}
	routers(w, s)
	checks(w, s)
	kernel(w, s)
	overrides(w, s.Overrides)
	problems(w, s)
}

func head(w io.Writer, s api.Status) {
	fmt.Fprintf(w, "Cluster %s, seen from host %s (%s)\n", plain(s.Cluster), plain(s.Host), or(s.Version, "version unknown"))
	fmt.Fprintf(w, "  state   %s%s\n", state(s.State), because(s.Why))
	language(w, s.Language)
	if s.Epoch == 0 {
		fmt.Fprintln(w, "  view    none: this host accepts no new connections")
	} else {
		fmt.Fprintf(w, "  view    %d: %s (proposed by %s)\n", s.Epoch, list(s.View.Members, "nobody"), or(s.View.Proposer, unknown))
	}
	fmt.Fprintf(w, "  config  %s  %s\n", short(s.Config.Digest), or(s.Config.Path, unknown))
	if s.Config.Pending != "" {
		fmt.Fprintf(w, "          %s waits until every host of the view has it\n", short(s.Config.Pending))
	}
}

// language writes which version of heartbeats is in use.
func language(w io.Writer, l api.LanguageStatus) {
	if l.Version == 0 {
		fmt.Fprintln(w, "  speaks  unknown")
		return
	}
	fmt.Fprintf(w, "  speaks  version %d of heartbeats%s\n", l.Version, because(l.Why))
}

// spoken writes the range of versions that a host speaks.
func spoken(s *api.SpeaksStatus) string {
	switch {
	case s == nil:
		return unknown
	case s.Lowest == s.Highest:
		return strconv.Itoa(s.Lowest)
	}
	return fmt.Sprintf("%d-%d", s.Lowest, s.Highest)
}

// state writes a state; one of a later version is not guessed at.
func state(s api.State) string {
	switch s {
	case api.StateJoining, api.StateServing, api.StateDrained, api.StateLeaving, api.StateSilent, api.StateWitness, api.StateStopped, api.StateSuspended:
		return string(s)
	}
	return unknown
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + plain(why)
}

// short cuts a digest to what people compare.
func short(digest string) string {
	if len(digest) > 12 {
		digest = digest[:12]
	}
	return or(digest, unknown)
}

func hosts(w io.Writer, s api.Status) {
	rows := [][]string{{"HOST", "ADDRESS", "STATE", "WEIGHT", "HEARD", "LOSS", "DELAY", "SPEAKS", "CONFIG", "DIRECTS", "HOLDS", "WHY"}}
	for _, h := range s.Hosts {
		rows = append(rows, hostRow(h, h.Name == s.Host))
	}
	fmt.Fprintln(w)
	table(w, "", rows)
}

func hostRow(h api.HostStatus, self bool) []string {
	heard, loss, delay := millisOr(h.HeardAgoMS, "never"), unknown, millisOr(h.DelayMS, unknown)
	if h.HeardAgoMS != nil {
		heard += " ago"
	}
	if h.LossPercent != nil {
		loss = percent(*h.LossPercent)
	}
	if self {
		heard, loss, delay = "this host", "-", "-"
	}
	weight := strconv.Itoa(h.Weight)
	if st := state(h.State); st == unknown || h.State == api.StateSilent {
		weight = unknown
	}
	holds := unknown
	if h.Holds != nil {
		holds = strconv.Itoa(*h.Holds)
	}
	return []string{plain(h.Name), or(h.Address, unknown), state(h.State), weight, heard, loss, delay, spoken(h.Speaks), sameConfig(h), list(h.Directs, "-"), holds, or(whyWithOrder(h), "-")}
}

// whyWithOrder is why a host is in its state, with what it has been told where the state does not show that: it counts when the host returns.
func whyWithOrder(h api.HostStatus) string {
	if h.Order == nil || h.State == api.StateDrained || h.State == api.StateStopped || h.State == api.StateSuspended {
		return h.Why
	}
	told := "it is to be " + h.Order.State
	if h.Why == "" {
		return told
	}
	return h.Why + "; " + told
}

func sameConfig(h api.HostStatus) string {
	switch {
	case h.ConfigDiffers == nil:
		return unknown
	case *h.ConfigDiffers:
		return "DIFFERS " + short(h.ConfigDigest)
	}
	return "same"
}

func vip(w io.Writer, v api.VIPStatus, self string) {
	by := "answered by " + or(v.Director, "nobody")
	if v.Delivery == "routed" {
		by = "announced to routers"
	}
	fmt.Fprintf(w, "\nVIP %s  %s on %s, %s\n", plain(v.Name), plain(v.Address), or(v.Interface, "unknown interface"), by)
	delivery(w, v)
	for _, r := range v.Rules {
		fmt.Fprintf(w, "  %s %s  %s, %s%s\n", plain(r.Protocol), plain(r.Ports), handling(r), readiness(r, self), memory(r))
		quorum(w, r)
		for _, o := range r.Orders {
			fmt.Fprintf(w, "    order: %s\n", ruleOrder(o))
		}
		var rows [][]string
		for _, o := range r.Owners {
			rows = append(rows, []string{or(o.Host, "nobody"), bar(o.Percent, mark(o.Host)), percent(o.Percent), fmt.Sprintf("%d buckets", o.Buckets)})
		}
		if rows == nil {
			rows = [][]string{{"split unknown: no view"}}
		}
		table(w, "    ", rows)
	}
}

// delivery says where clients send to.
func delivery(w io.Writer, v api.VIPStatus) {
	fmt.Fprintf(w, "  delivery %s", or(v.Delivery, unknown))
	if v.MAC != "" {
		fmt.Fprintf(w, " to %s", plain(v.MAC))
	}
	if v.Group != "" {
		fmt.Fprintf(w, ", group %s", plain(v.Group))
	}
	if v.FormerMAC != "" {
		fmt.Fprintf(w, "; %s of the delivery before is still taken in", plain(v.FormerMAC))
	}
	fmt.Fprintln(w)
}

// quorum says of a rule that needs one whether it is there.
func quorum(w io.Writer, r api.RuleStatus) {
	switch {
	case r.Quorum == "" || r.Quorum == "none":
	case r.HasQuorum:
		fmt.Fprintf(w, "    quorum %s: yes, %s\n", plain(r.Quorum), or(r.QuorumWhy, unknown))
	default:
		fmt.Fprintf(w, "    NO QUORUM (%s): %s\n", plain(r.Quorum), or(r.QuorumWhy, unknown))
	}
}

func readiness(r api.RuleStatus, self string) string {
	text := "checks good on " + plain(self)
	if !r.Ready {
		text = "checks NOT good on " + plain(self)
	}
	switch {
	case r.ConnectionsHeld == nil:
		return text + ", connections held unknown"
	case *r.ConnectionsHeld > 0:
		return fmt.Sprintf("%s, %d connections held from before", text, *r.ConnectionsHeld)
	}
	return text
}

func checks(w io.Writer, s api.Status) {
	if len(s.Checks) == 0 {
		return
	}
	fmt.Fprintf(w, "\nChecks on %s\n", plain(s.Host))
	for _, c := range s.Checks {
		fmt.Fprintf(w, "  %s  %s%s\n", plain(c.Name), checkState(c), because(c.Why))
		if c.Last != nil && (c.State != "up" || !c.Last.Good) {
			transcript(w, *c.Last)
		}
	}
}

func checkState(c api.CheckStatus) string {
	text := unknown
	if c.State == "up" || c.State == "down" {
		text = c.State
	}
	if c.Since != nil {
		text += " since " + c.Since.Local().Format("2006-01-02 15:04:05")
	}
	return text
}

func transcript(w io.Writer, t api.Transcript) {
	fmt.Fprintf(w, "    | last probe at %s, %s\n", t.At.Local().Format("15:04:05.000"), millis(t.TookMS))
	for line := range strings.Lines(t.Text) {
		fmt.Fprintf(w, "    | %s\n", plain(strings.TrimRight(line, "\r\n")))
	}
}

func kernel(w io.Writer, s api.Status) {
	f := s.Filter
	armed := "NOT armed: this host accepts no new connections"
	switch {
	case s.State == api.StateWitness:
		armed = "none: a witness accepts no connections"
	case f.Armed:
		armed = "armed"
	}
	early := ""
	if len(f.Accelerated) > 0 {
		early = ", accelerated on " + plain(strings.Join(f.Accelerated, ", "))
	}
	fmt.Fprintf(w, "\nFilter on %s  %s, hook %s%s, lease %s\n", plain(s.Host), armed, or(f.Hook, "none"), early, millisOr(f.LeaseMS, unknown))
	if len(f.Counters) > 0 {
		fmt.Fprintf(w, "  packets    %s\n", counters(f.Counters))
	}
	fmt.Fprintf(w, "  datagrams  sent %d, accepted %d, refused %s\n", s.Datagrams.Sent, s.Datagrams.Accepted, counters(s.Datagrams.Refused))
	timer(w, s.Timer)
}

// timer writes how promptly the agent runs.
func timer(w io.Writer, t api.TimerStatus) {
	if t.Ticks == 0 {
		fmt.Fprintf(w, "  timer      %s\n", unknown)
		return
	}
	fmt.Fprintf(w, "  timer      late by %s (half of the time), %s (99 %%), %s (at worst); longest turn %s (%s); scheduled %s\n",
		millis(t.MedianMS), millis(t.P99MS), millis(t.WorstMS), millis(t.LongestMS), or(t.Longest, unknown), or(t.Scheduling, unknown))
}

// counters lists what is not zero, by name.
func counters(m map[string]uint64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if m[name] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", plain(name), m[name]))
		}
	}
	return list(parts, "none")
}

func problems(w io.Writer, s api.Status) {
	switch {
	case len(s.Problems) > 0:
		fmt.Fprintln(w, "\nProblems")
	case s.Epoch == 0 || !s.Filter.Armed && s.State != api.StateWitness:
		fmt.Fprintln(w, "\nNo problem reported, but this host accepts no new connections.")
	default:
		fmt.Fprintln(w, "\nNo problem known.")
	}
	for i, p := range s.Problems {
		fmt.Fprintf(w, "  %d. %s: %s\n", i+1, plain(p.About), plain(p.What))
		fmt.Fprintf(w, "     do: %s\n", or(p.Remedy, "no remedy known"))
	}
}
