package check

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// tcpProbe opens a connection and closes it.
type tcpProbe struct {
	name    string
	address netip.AddrPort
	timeout time.Duration
}

func (p tcpProbe) probe(ctx context.Context) Transcript {
	conn, err := dialer().DialContext(ctx, "tcp", p.address.String())
	if err != nil {
		what, remedy := explain(err, place{check: p.name, target: p.address.String(), key: "tcp.address", timeout: p.timeout})
		t := failed(what, remedy)
		t.Request = "connect " + p.address.String()
		return t
	}
	_ = conn.Close() // it was opened: that is all we wanted to know
	return Transcript{Good: true, Request: "connect " + p.address.String()}
}

// dialer makes connections that no keep-alive outlives.
func dialer() *net.Dialer { return &net.Dialer{KeepAlive: -1} }
