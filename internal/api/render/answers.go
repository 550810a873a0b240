package render

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/muster-ha/muster/internal/api"
)

// Explanation writes which host gets a client, and why.
func Explanation(w io.Writer, e api.Explanation) {
	bucket, owner := unknown, or(e.Owner, "host unknown")
	if e.Bucket != nil {
		bucket, owner = strconv.Itoa(*e.Bucket), or(e.Owner, "no host")
	}
	view := "none"
	if e.Epoch > 0 {
		view = strconv.FormatUint(e.Epoch, 10)
	}
	fmt.Fprintf(w, "%s to %s (%s, affinity %s): %s\n", plain(e.Client), plain(e.VIP), plain(e.Rule), plain(e.Affinity), owner)
	rows := [][]string{
		{"why", or(e.Why, unknown)},
		{"bucket", bucket},
		{"view", view},
		{"path", or(strings.Join(e.Path, " -> "), unknown)},
		{"also held by", list(e.HeldBy, "nobody")},
		{"a new connection", or(e.AnswerIfNew, unknown)},
		{"an open one", or(e.AnswerIfEstablished, unknown)},
	}
	table(w, "  ", rows)
}

// Event writes one event as a line. It returns what the writer says: whoever follows must notice that nobody reads.
func Event(w io.Writer, e api.Event) error {
	view := "-"
	if e.Epoch > 0 {
		view = strconv.FormatUint(e.Epoch, 10)
	}
	_, err := fmt.Fprintf(w, "%s  view %-4s %-16s %-12s %s\n", e.At.Local().Format("2006-01-02 15:04:05.000"), view, plain(e.Kind), or(e.Host, "-"), plain(e.Text))
	return err
}
