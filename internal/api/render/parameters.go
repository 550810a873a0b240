package render

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/muster-ha/muster/internal/api"
)

// parameters writes what can be set, and what cannot, with the names of Windows Server 2003 beside ours.
func parameters(w io.Writer, list []api.ParameterStatus) {
	rows := [][]string{{"PARAMETER", "OLD NAME", "VALUE", "FROM", "DEFAULT", "TYPE", "WRITABLE"}}
	for _, p := range list {
		writable := "yes"
		if !p.Writable {
			writable = "no: " + or(p.Why, unknown)
		}
		rows = append(rows, []string{plain(p.Name), or(p.OldName, "-"), or(p.Value, unknown), from(p), or(p.Default, "-"), or(p.Type, unknown), writable})
	}
	table(w, "  ", rows)
}

// from says where a value comes from; an override with who set it, and what it lies over.
func from(p api.ParameterStatus) string {
	switch p.Source {
	case api.FromDefault, api.FromFile, api.FromCluster:
		return string(p.Source)
	case api.FromOverride:
	default:
		return unknown
	}
	text := "override set on " + or(p.SetOn, "an unknown host")
	if p.SetAt != nil {
		text += " at " + p.SetAt.Local().Format("2006-01-02 15:04:05")
	}
	return text + ", file: " + or(p.File, "nothing")
}

// overrides writes what lies over the file, and how it is taken back.
func overrides(w io.Writer, list []api.OverrideStatus) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(w, "\nOverrides of the file by hand")
	for _, o := range list {
		fmt.Fprintf(w, "  %s\n    back to the file: %s\n", plain(o.Text), plain(o.Undo))
	}
}

// Settings writes how far settings have got.
func Settings(w io.Writer, s api.SettingsAnswer) {
	fmt.Fprintf(w, "set on %s\n", list(s.Have, "no host"))
	if len(s.Lacking) > 0 {
		fmt.Fprintf(w, "not confirmed by %s\n", list(s.Lacking, "-"))
	}
	if len(s.Silent) > 0 {
		fmt.Fprintf(w, "not heard: %s: set there on return\n", list(s.Silent, "-"))
	}
	if s.NotKept != "" {
		fmt.Fprintf(w, "not kept: %s\n", plain(s.NotKept))
	}
}

// meanings say what was wrong with datagrams that were refused. A reason of a later version has none.
func meanings() map[string]string {
	return map[string]string{
		"short":     "too short for a header and a seal",
		"magic":     "of another protocol",
		"version":   "of another version of this protocol",
		"cluster":   "of another cluster",
		"key":       "sealed with a key that this host does not hold, or not any more: another secret?",
		"network":   "of another network between these hosts: a cable in the wrong place?",
		"sender":    "from a host that the file does not name, or from this one",
		"malformed": "genuine, but a field has no meaning",
		"seal":      "damaged or forged",
		"boot":      "from a start of an agent that is not proved yet; one or two at each start are normal",
		"replay":    "recorded and sent again, or too late",
		"rate":      "too many unknown starts at once in the name of this host",
	}
}

// refused writes a network's refused datagrams, each reason with what it means, also those that have not happened.
func refused(w io.Writer, n api.NetworkStatus) {
	uni, multi := n.Datagrams, n.Multicast.Datagrams
	reasons := maps.Clone(uni.Refused)
	if reasons == nil {
		reasons = map[string]uint64{}
	}
	for reason := range multi.Refused {
		reasons[reason] += 0
	}
	if len(reasons) == 0 {
		return
	}
	rows := [][]string{{"REFUSED", "UNICAST", "MULTICAST", "LAST FROM", "MEANING"}}
	known := meanings()
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		rows = append(rows, []string{plain(reason), strconv.FormatUint(uni.Refused[reason], 10), strconv.FormatUint(multi.Refused[reason], 10),
			or(lastFrom(reason, uni, multi), "-"), or(known[reason], unknown)})
	}
	table(w, "  ", rows)
}

// lastFrom is where the last of a reason said to come from.
func lastFrom(reason string, uni, multi api.DatagramStatus) string {
	if from := uni.From[reason]; from != "" {
		return from
	}
	return multi.From[reason]
}
