package agent

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/multicast"
	"github.com/muster-ha/muster/internal/override"
	"github.com/muster-ha/muster/internal/register"
)

// groupsFile keeps the groups over a restart of the whole cluster: switches and captures know them.
const groupsFile = "groups"

// casting is what this host knows of one network's multicast.
type casting struct {
	heartbeat.NetworkOptions
	group  multicast.Group
	chosen time.Time // when this host chose the group; zero: it did not
	six    bool      // the network has IPv6 addresses
	fled   time.Time // when it left one to strangers, or one lease for another
	use    bool
	why    string
	lease  leasing
}

// settings are what is in effect of a network's multicast: the file, and over it what was set by hand.
func (h *host) settings(name string) config.Multicast {
	if h.applied.config != h.config || h.applied.digest != h.registers.set.Digest() {
		h.applied = applied{h.config, h.registers.set.Digest(), map[string]config.Multicast{}}
	}
	set, known := h.applied.settings[name]
	if !known {
		set = h.applySettings(name)
		h.applied.settings[name] = set
	}
	return set
}

// applied are the settings in effect by network, as long as the file and the common values are these: they are asked for several times an
// interval.
type applied struct {
	config   *config.Config
	digest   register.Digest
	settings map[string]config.Multicast
}

// applySettings lays over the file what was set by hand.
func (h *host) applySettings(name string) config.Multicast {
	set := h.registers.set.Values("")
	return override.Apply(h.fileSettings(name), h.config.NoMulticast,
		override.ValuesOf(override.Network, name, set), override.ValuesOf(override.Cluster, "", set))
}

// fileSettings are what the file says of a network's multicast.
func (h *host) fileSettings(name string) config.Multicast {
	for _, n := range h.config.Networks {
		if n.Name == name {
			return n.Multicast
		}
	}
	all := multicast.DefaultRange()
	return config.Multicast{Disabled: h.config.NoMulticast, First: all.First, Last: all.Last}
}

// inFamily makes what to choose from that of the network's family. When that changes another group is chosen at once: no strangers make
// the hosts run.
func (h *host) inFamily(c *casting, set config.Multicast) config.Multicast {
	six := h.network.IPv6(int(c.Index))
	if six != c.six {
		c.six, c.chosen = six, time.Time{}
	}
	set.Ranged = set.Ranged && set.First.Is6() == six
	r := multicast.Range{First: set.First, Last: set.Last}.For(six)
	set.First, set.Last = r.First, r.Last
	return set
}

// cast decides anew for each network: whether to use multicast, and on which group.
func (h *host) cast(now time.Time) {
	incapable, undecided := h.incapable()
	for i := range h.castings {
		c := &h.castings[i]
		set := h.inFamily(c, h.settings(c.Name))
		before := c.group
		h.agree(c, set, now)
		use, why := multicast.Decide(multicast.Situation{Members: len(h.config.Hosts), Incapable: incapable, Undecided: undecided, Disabled: set.Disabled, Group: c.group})
		h.network.SetMulticast(i, use, c.group)
		if use != c.use || why != c.why || c.group != before {
			h.toldCasting(c, use, why)
		}
		c.use, c.why = use, why
	}
}

// toldCasting records a change, and keeps the groups.
func (h *host) toldCasting(c *casting, use bool, why string) {
	path := "unicast"
	if use {
		path = fmt.Sprintf("multicast to %s (%s)", c.group.Address, c.group.How)
	}
	text := fmt.Sprintf("network %s: heartbeats by %s: %s", c.Name, path, why)
	h.record(api.Event{At: time.Now(), Kind: "multicast", Text: text})
	h.log.Info("multicast", "network", c.Name, "used", use, "group", c.group.Address, "why", why)
	text = ""
	for _, c := range h.castings {
		if c.group.Address.IsValid() {
			text += fmt.Sprintf("%s %s %d %d\n", c.Name, c.group.Address, c.group.Version, c.group.How)
		}
	}
	select {
	case <-h.groupWriter:
	default:
	}
	h.groupWriter <- text
}

// agree finds the group of a network: the file's, or what the hosts agree on. The responsible host chooses.
func (h *host) agree(c *casting, set config.Multicast, now time.Time) {
	if set.Address.IsValid() {
		c.group = multicast.Group{Address: set.Address, Version: c.group.Version, How: multicast.Manual}
		h.keepLease(c, set, false, now)
		return
	}
	var others []multicast.Said
	for id := range h.peers {
		for _, w := range h.peers[id].last.Words {
			if w.Network == c.Index {
				others = append(others, multicast.Said{Group: w.Group, Stranger: w.Stranger && h.machine.Hears(member.ID(id))})
			}
		}
	}
	agreed := multicast.Agree(multicast.Said{Group: c.group, Stranger: h.network.Strangers(int(c.Index))}, others)
	c.group = agreed.Group
	h.keepLease(c, set, agreed.Stranger, now)
	if h.responsible() {
		h.choose(c, set, agreed.Stranger, now)
	}
}

// lowest says whether this host is the one of its view that sees to groups and leases.
func (h *host) lowest() bool {
	view := h.shares.view
	return len(view.Members) > 0 && view.Members[0].ID == h.self
}

// responsible says whether this host chooses groups and keeps leases: the lowest of the view does, once the view is installed.
func (h *host) responsible() bool { return h.lowest() && h.machine.IsInstalled() }

// choose gives a network another group if its own will not do, or if there is a lease of another: the sources are asked in order.
func (h *host) choose(c *casting, set config.Multicast, strangers bool, now time.Time) {
	var left []netip.Addr
	if strangers {
		left = append(left, c.group.Address)
	}
	others, r := h.otherGroups(c), multicast.Range{First: set.First, Last: set.Last}
	avoid := multicast.Avoid(left, others)
	held := h.held(c, set, strangers, now)
	a, how, err := held.Choose(avoid)
	m := multicast.Move{
		Lease:  err == nil && (c.group.Address != a || c.group.How != how),
		Unfit:  multicast.Unfit(multicast.Said{Group: c.group, Stranger: strangers}, r, others) || c.group.How == multicast.Leased && err != nil,
		Waits:  h.awaitsLease(c, set, now),
		Chosen: now.Sub(c.chosen), Fled: now.Sub(c.fled),
	}
	if !m.Due() {
		return
	}
	c.chosen = now
	if strangers || m.Lease && c.group.How == multicast.Leased {
		c.fled = now
	}
	for _, source := range []multicast.Source{held, multicast.SelfSelected{Range: r}} {
		a, how, err := source.Choose(avoid)
		if err == nil {
			c.group = multicast.Group{Address: a, Version: c.group.Version + 1, How: how}
			return
		}
		if !errors.Is(err, multicast.ErrNoLease) {
			h.log.Warn("cannot choose a group address", "network", c.Name, "err", err)
		}
	}
}

// otherGroups are the groups of the networks before this one: of two that clash, the later one moves.
func (h *host) otherGroups(c *casting) []netip.Addr {
	var list []netip.Addr
	for i := range h.castings {
		if &h.castings[i] == c {
			break
		}
		list = append(list, h.castings[i].group.Address)
	}
	return list
}

// loadGroups reads the groups of the last time. Without them the hosts choose.
func (h *host) loadGroups() {
	text, err := os.ReadFile(filepath.Join(h.opt.StateDir, groupsFile))
	if err != nil {
		return
	}
	for name, group := range parseGroups(string(text)) {
		for i := range h.castings {
			if h.castings[i].Name == name {
				h.castings[i].group = group
			}
		}
	}
}

// parseGroups reads what toldCasting wrote; lines that are damaged are left out.
func parseGroups(text string) map[string]multicast.Group {
	groups := map[string]multicast.Group{}
	for line := range strings.Lines(text) {
		var name, address string
		var g multicast.Group
		if _, err := fmt.Sscanf(line, "%s %s %d %d", &name, &address, &g.Version, &g.How); err != nil {
			continue
		}
		a, err := netip.ParseAddr(address)
		if err != nil || !multicast.IsGroup(a) {
			continue
		}
		g.Address = a
		groups[name] = g
	}
	return groups
}

// castStatus is one network's multicast, for people.
func (h *host) castStatus(i int, n heartbeat.NetworkStats) api.MulticastStatus {
	c := h.castings[i]
	s := api.MulticastStatus{Used: c.use, Why: c.why, How: c.group.How.String(), Stranger: n.Cast.Stranger, Warning: h.settings(c.Name).Warning}
	if c.use && n.Cast.Down != nil {
		s.Used, s.Why = false, n.Cast.Down.Error()
	}
	if c.group.Address.IsValid() {
		s.Group = c.group.Address.String()
	}
	s.Datagrams = datagrams(n.Cast.Stats)
	s.MADCAP, s.Lease = h.leaseStatus(&h.castings[i])
	for id := range h.config.Hosts {
		s.Hearing = append(s.Hearing, h.hearing(member.ID(id), n))
	}
	return s
}

// hearing says whom a host hears by multicast, as it says itself.
func (h *host) hearing(id member.ID, n heartbeat.NetworkStats) api.MulticastHearing {
	s := api.MulticastHearing{Host: h.name(id), Hears: []string{}, Deaf: []string{}}
	hears, known := n.Cast.Hears, true
	if id != h.self {
		hears, known = 0, false
		for _, w := range h.peers[id].last.Words {
			if w.Network == n.Index && w.Group.Address == n.Cast.Group.Address && h.machine.Hears(id) {
				hears, known = w.Hears, true
			}
		}
	}
	if !known {
		return s
	}
	s.Known = true
	for other := range h.config.Hosts {
		switch {
		case member.ID(other) == id:
		case hears.Has(member.ID(other)):
			s.Hears = append(s.Hears, h.config.Hosts[other].Name)
		case member.ID(other) == h.self || h.machine.Hears(member.ID(other)):
			s.Deaf = append(s.Deaf, h.config.Hosts[other].Name)
		}
	}
	return s
}
