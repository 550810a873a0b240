package render

import (
	"fmt"
	"time"

	"github.com/muster-ha/muster/internal/api"
)

// handling says what a rule does with its clients. The usual, which is to share them, goes without saying.
func handling(r api.RuleStatus) string {
	text := "affinity " + plain(r.Affinity)
	if r.AffinityIPv4 > 0 {
		text += fmt.Sprintf(" (/%d, /%d)", r.AffinityIPv4, r.AffinityIPv6)
	}
	if r.AffinityTimeout > 0 {
		text += fmt.Sprintf(" for %v after the last packet", time.Duration(r.AffinityTimeout*float64(time.Second)))
	}
	switch r.Handling {
	case "", "shared":
		return text
	case "single":
		return fmt.Sprintf("single (%s), %s", list(r.Priority, "nobody"), text)
	case "refuse":
		return "REFUSES new connections, " + text
	}
	return plain(r.Handling) + ", " + text
}

// memory says how many clients the answering host remembers, of a rule that remembers them.
func memory(r api.RuleStatus) string {
	switch {
	case r.AffinityTimeout == 0:
		return ""
	case r.Remembers == nil:
		return ", clients remembered unknown"
	}
	return fmt.Sprintf(", %d clients remembered", *r.Remembers)
}
