package agent_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/muster-ha/muster/internal/lab"
)

// footprint is everything about a host that an agent might change, as text that can be compared.
func footprint(t *testing.T, l *lab.Lab, h *lab.Host) string {
	t.Helper()
	var lines []string
	err := h.Do(func() error {
		for _, look := range []func() ([]string, error){addresses, sysctls, queueing, neighbours(l), routes} {
			found, err := look()
			if err != nil {
				return err
			}
			lines = append(lines, found...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	pins, err := filepath.Glob(filepath.Join(h.RunDir(), "bpf", "filter", "*"))
	if err != nil {
		t.Fatal(err)
	}
	lines = append(lines, fmt.Sprintf("%d pins", len(pins)))
	for _, attach := range []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress} {
		lines = append(lines, fmt.Sprintf("%d programs at tcx %v", len(attached(t, h, attach)), attach))
	}
	return strings.Join(lines, "\n")
}

func addresses() ([]string, error) {
	list, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	var lines []string
	for _, a := range list {
		lines = append(lines, fmt.Sprintf("address %s of %d scope %d", a.IPNet, a.LinkIndex, a.Scope))
	}
	slices.Sort(lines)
	return lines, err
}

// sysctls reads every setting of the interfaces and of IPv4.
func sysctls() ([]string, error) {
	var lines []string
	err := filepath.WalkDir("/proc/sys/net/ipv4", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if text, err := os.ReadFile(path); err == nil { // a few are write-only
			lines = append(lines, path+" "+strings.TrimSpace(string(text)))
		}
		return nil
	})
	return lines, err
}

func queueing() ([]string, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, each := range links {
		qdiscs, err := netlink.QdiscList(each)
		if err != nil {
			return nil, err
		}
		for _, q := range qdiscs {
			lines = append(lines, fmt.Sprintf("qdisc %s of %s", q.Type(), each.Attrs().Name))
		}
		for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
			filters, err := netlink.FilterList(each, parent)
			if err != nil {
				return nil, err
			}
			lines = append(lines, fmt.Sprintf("%d filters at %x of %s", len(filters), parent, each.Attrs().Name))
		}
	}
	return lines, nil
}

// neighbours lists entries that somebody has set, and any of an address that is no machine's own: those come and go with traffic.
func neighbours(l *lab.Lab) func() ([]string, error) {
	own := map[string]bool{l.Client(1).Address().String(): true}
	for _, h := range l.Hosts() {
		own[h.Address().String()] = true
	}
	return func() ([]string, error) {
		list, err := netlink.NeighList(0, netlink.FAMILY_V4)
		var lines []string
		for _, n := range list {
			if n.State&(netlink.NUD_PERMANENT) != 0 || n.State&netlink.NUD_NOARP == 0 && !own[n.IP.String()] {
				lines = append(lines, "neighbour "+n.String())
			}
		}
		slices.Sort(lines)
		return lines, err
	}
}

func routes() ([]string, error) {
	list, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{}, 0)
	own, errOwn := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: unix.RT_TABLE_LOCAL}, netlink.RT_FILTER_TABLE)
	list, err = append(list, own...), errors.Join(err, errOwn)
	var lines []string
	for _, r := range list {
		lines = append(lines, "route "+r.String())
	}
	slices.Sort(lines)
	return lines, err
}

// attached lists the programs on a host's interface.
func attached(t *testing.T, h *lab.Host, where ebpf.AttachType) []ebpf.ProgramID {
	t.Helper()
	var ids []ebpf.ProgramID
	err := h.Do(func() error {
		eth, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		all, err := link.QueryPrograms(link.QueryOptions{Target: eth.Attrs().Index, Attach: where})
		if err != nil {
			return err
		}
		for _, p := range all.Programs {
			ids = append(ids, p.ID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}
