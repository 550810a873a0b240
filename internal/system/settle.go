package system

import (
	"net"
	"time"

	"github.com/vishvananda/netlink"
)

// The kernel makes the route of a new IPv6 address in a worker of its own: nearly always within a millisecond, on a busy machine within a tenth of a
// second.
const (
	settleTime = 500 * time.Millisecond
	settlePoll = time.Millisecond
)

// settle waits until the kernel takes packets for an IPv6 address that was added to lo. Until then connections to it fail, and whoever looks would
// think that somebody has deleted the route.
func settle(link netlink.Link, a netlink.Addr) {
	if len(a.IP) == net.IPv4len || link.Attrs().Flags&net.FlagUp == 0 {
		return
	}
	for deadline := time.Now().Add(settleTime); routed(link, a) != Present && time.Now().Before(deadline); {
		time.Sleep(settlePoll)
	}
}
