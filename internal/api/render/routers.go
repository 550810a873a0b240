package render

import (
	"fmt"
	"io"

	"github.com/muster-ha/muster/internal/api"
)

// routers writes which routers send clients to the answering host.
func routers(w io.Writer, s api.Status) {
	if len(s.BGP) == 0 {
		return
	}
	fmt.Fprintf(w, "\nRouters of %s\n", plain(s.Host))
	for _, b := range s.BGP {
		fmt.Fprintf(w, "  %s  %s (AS %d)  %s\n", plain(b.Neighbor), plain(b.Address), b.AS, sessionWith(b))
	}
}

// sessionWith says whether a router sends clients, and which.
func sessionWith(b api.BGPStatus) string {
	since := ""
	if b.Since != nil {
		since = " since " + b.Since.Local().Format("2006-01-02 15:04:05")
	}
	if !b.Up {
		return "NO session" + since + because(b.Why)
	}
	return "session up" + since + ", told of " + list(b.Announced, "nothing")
}
