package override

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/multicast"
	"github.com/muster-ha/muster/internal/register"
)

// Values are the overrides of one level: values by the parameters' names.
type Values map[string]string

// ValuesOf picks the overrides of a network, or of all networks, out of the common values. Deleted ones must not be among them (register.Set's
// Values leaves them out).
func ValuesOf(level Level, network string, all []register.Entry) Values {
	v := Values{}
	for _, e := range all {
		if of, p, ok := Of(e.Key); ok && p.Level == level && of == network {
			v[p.Name] = e.Value
		}
	}
	return v
}

// With is what the values are after changes, in their order; v stays as it is.
func (v Values) With(changes []Change) Values {
	after := Values{}
	for name, value := range v {
		after[name] = value
	}
	for _, c := range changes {
		if c.Unset {
			delete(after, c.Parameter.Name)
			continue
		}
		after[c.Parameter.Name] = c.Value
	}
	return after
}

// disabled reads the setting of one level: the override wins over the file's.
func (v Values) disabled(file multicast.Setting) multicast.Setting {
	switch v[Disabled] {
	case "true":
		return multicast.Yes
	case "false":
		return multicast.No
	}
	return file
}

// Apply lays overrides over what the file says of a network, and over whether it disables multicast on all of them. A value that this version
// cannot use, because a later one has set it, does not count.
func Apply(file config.Multicast, allDisabled bool, network, cluster Values) config.Multicast {
	set := file
	set.Own = network.disabled(file.Own)
	all := multicast.No
	if allDisabled {
		all = multicast.Yes
	}
	set.Disabled = multicast.Disabled(cluster.disabled(all) == multicast.Yes, set.Own)
	if b, err := strconv.ParseBool(network[MADCAP]); err == nil {
		set.NoMADCAP = !b
	}
	var warnings []string
	warn := func(text string) { warnings = append(warnings, text) }
	if text, ok := network[GroupAddress]; ok {
		set.Address = netip.Addr{}
		if a, good := group(text); good {
			set.Address = a
		} else {
			warn(fmt.Sprintf("address %s, set by hand, is no group address: the hosts choose one", text))
		}
	}
	if why := network.narrow(&set); why != "" {
		warn("set by hand: " + why)
	}
	if len(warnings) > 0 || network.touches(GroupAddress, RangeLower, RangeUpper) {
		set.Warning = strings.Join(warnings, "; ")
	}
	return set
}

// narrow lays the ends of a range over those in effect. The answer says why that is no range, empty: it is one. Then the default is used, as for a
// range of the file. It can only happen when the file has changed since: Check refuses it.
func (v Values) narrow(set *config.Multicast) string {
	if !v.touches(RangeLower, RangeUpper) {
		return ""
	}
	r := multicast.Range{First: set.First, Last: set.Last}
	if a, good := group(v[RangeLower]); good {
		r.First = a
	}
	if a, good := group(v[RangeUpper]); good {
		r.Last = a
	}
	r, why := r.Usable()
	set.First, set.Last, set.Ranged = r.First, r.Last, why == ""
	return why
}

// touches reports whether one of the parameters is overridden.
func (v Values) touches(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { _, ok := v[name]; return ok })
}
