package lab

import (
	"fmt"

	"github.com/vishvananda/netlink"
)

// Traffic is what went over a node's cables, as the switch's ports count it: frames of every kind, bytes with Ethernet's header.
type Traffic struct {
	SentFrames, SentBytes         uint64 // by the node: a frame to a group counts once
	ReceivedFrames, ReceivedBytes uint64 // by the node: a frame to a group counts at every port to which the switch copies it
}

// Since is what came after an earlier look. It means nothing when a power cut lies between: the ports are new after it.
func (t Traffic) Since(o Traffic) Traffic {
	return Traffic{t.SentFrames - o.SentFrames, t.SentBytes - o.SentBytes, t.ReceivedFrames - o.ReceivedFrames, t.ReceivedBytes - o.ReceivedBytes}
}

// Traffic is what the hosts have sent and received on all networks since the lab was made or, for each, its power came back.
func (l *Lab) Traffic() (sum Traffic, err error) {
	err = l.sw.do(func() error {
		for _, h := range l.Hosts() {
			for network := range l.networks + 1 {
				t, err := portTraffic(portOf(h.name, network))
				if err != nil {
					return err
				}
				sum.add(t)
			}
		}
		return nil
	})
	return sum, err
}

func (t *Traffic) add(o Traffic) {
	t.SentFrames, t.SentBytes = t.SentFrames+o.SentFrames, t.SentBytes+o.SentBytes
	t.ReceivedFrames, t.ReceivedBytes = t.ReceivedFrames+o.ReceivedFrames, t.ReceivedBytes+o.ReceivedBytes
}

// portTraffic turns a port's counters round: what the switch receives, the node has sent.
func portTraffic(port string) (Traffic, error) {
	link, err := netlink.LinkByName(port)
	if err != nil {
		return Traffic{}, fmt.Errorf("find port %s: %w", port, err)
	}
	s := link.Attrs().Statistics
	if s == nil {
		return Traffic{}, fmt.Errorf("read counters of port %s: the kernel gives none", port)
	}
	return Traffic{SentFrames: s.RxPackets, SentBytes: s.RxBytes, ReceivedFrames: s.TxPackets, ReceivedBytes: s.TxBytes}, nil
}
