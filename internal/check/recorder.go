package check

import (
	"net/http/httptrace"
	"strings"
	"sync"
)

// recorder keeps the request as the transport really writes it. The transport does so in a goroutine of its own, which may go
// on for a moment after the probe was cut off.
type recorder struct {
	mu   sync.Mutex
	text strings.Builder
}

// trace records the request line as soon as there is a connection to send it on, then the headers.
func (r *recorder) trace(requestLine string) *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { r.line(requestLine) },
		WroteHeaderField: func(key string, values []string) {
			for _, v := range values {
				if key == "Authorization" {
					v = "(not shown)" // a transcript is shown to everybody who may see the status
				}
				r.line(key + ": " + v)
			}
		},
	}
}

func (r *recorder) line(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if room := maxRequest - r.text.Len(); room > 0 {
		r.text.WriteString(printable(s, room) + "\n")
	}
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.TrimSuffix(r.text.String(), "\n")
}
