package render

import (
	"fmt"
	"io"
	"slices"

	"github.com/muster-ha/muster/internal/api"
)

// Params writes the parameters that a host uses, those of one thing together.
func Params(w io.Writer, p api.Params) {
	fmt.Fprintf(w, "Parameters in use on host %s, configuration %s\n", plain(p.Host), or(p.Config, unknown))
	if len(p.Differ) > 0 {
		fmt.Fprintf(w, "  another configuration: %s: ask there for the values in use there\n", list(p.Differ, "-"))
	}
	var told []string
	for _, one := range p.Parameters {
		if slices.Contains(told, one.About) {
			continue
		}
		told = append(told, one.About)
		rows := [][]string{}
		for _, e := range p.Parameters {
			if e.About == one.About {
				rows = append(rows, []string{plain(e.Name), or(e.Value, "-"), origin(e)})
			}
		}
		fmt.Fprintf(w, "\n%s\n", plain(one.About))
		table(w, "  ", rows)
	}
}

// origin says where a value comes from; of one set by hand also how it is taken back.
func origin(e api.EffectiveParameter) string {
	switch e.Source {
	case api.FromDefault, api.FromFile, api.FromCluster:
		return string(e.Source)
	case api.FromOverride:
	default:
		return unknown
	}
	text := "by hand on " + or(e.SetOn, "an unknown host")
	if e.SetAt != nil {
		text += " at " + e.SetAt.Local().Format(second)
	}
	return text + "; back: " + or(e.Undo, unknown)
}
