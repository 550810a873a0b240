package load

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Table writes phases for a person, one a line.
func Table(w io.Writer, phases []Phase) error {
	width := len("event") // its column alone stands to the left
	for _, p := range phases {
		width = max(width, len(p.Name))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "%-*s\trequests\tfailed\tover 1 s\tlongest wait\tlast delay\tbroken connections\t\n", width, "event")
	for _, p := range phases {
		fmt.Fprintf(t, "%-*s\t%d\t%d\t%d\t%s\t%s\t%s\t\n",
			width, p.Name, p.Requests, p.Failed, p.Late, Short(p.Longest), recovered(p), broken(p))
	}
	return t.Flush()
}

func recovered(p Phase) string {
	if p.Failed+p.Late == 0 {
		return "none"
	}
	return Short(p.Recovered)
}

// broken tells connections that died with their host from those that should have lived.
func broken(p Phase) string {
	text := fmt.Sprint(p.Broken)
	if died := p.Broken - p.Elsewhere; died > 0 {
		text = fmt.Sprintf("%d (%d of %s)", p.Broken, died, p.Host)
	}
	if p.Wrong > 0 {
		text += fmt.Sprintf(", %d WRONG", p.Wrong)
	}
	return text
}

// Short is a duration with a precision that is worth reading.
func Short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	default:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
}
