package filter

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Where our filters stand in a clsact qdisc: first, and under a handle that tells them from others.
const (
	filterPriority = 1
	filterHandle   = 0x4d55
)

// clsact is the pair of classic filters of one interface, for kernels without tcx.
type clsact struct {
	pinDir  string
	ifindex int
	made    bool // the qdisc is ours
	ids     map[direction]ebpf.ProgramID
}

func parentOf(d direction) uint32 {
	if d == ingress {
		return netlink.HANDLE_MIN_INGRESS
	}
	return netlink.HANDLE_MIN_EGRESS
}

func qdiscOf(ifindex int) netlink.Qdisc {
	return &netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{
		LinkIndex: ifindex, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT,
	}}
}

func filterOf(ifindex int, d direction) *netlink.BpfFilter {
	return &netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: ifindex, Parent: parentOf(d), Handle: filterHandle, Priority: filterPriority, Protocol: unix.ETH_P_ALL,
		},
		Name: "muster_" + string(d), DirectAction: true,
	}
}

func attachClsact(pinDir string, ifindex int, programs map[direction]*ebpf.Program) (attachment, error) {
	c := &clsact{pinDir: pinDir, ifindex: ifindex, ids: map[direction]ebpf.ProgramID{}}
	if err := c.arm(programs); err != nil {
		return nil, err
	}
	return c, nil
}

// arm makes the qdisc and both filters. After an error nothing of ours is left.
func (c *clsact) arm(programs map[direction]*ebpf.Program) error {
	if err := c.ensureQdisc(programs[ingress]); err != nil {
		return err
	}
	if err := c.mark(pinFilters, programs[ingress]); err != nil {
		return errors.Join(err, c.detach())
	}
	for _, d := range directions() {
		filter := filterOf(c.ifindex, d)
		filter.Fd = programs[d].FD()
		if err := netlink.FilterReplace(filter); err != nil {
			return errors.Join(fmt.Errorf("add %s filter: %w", d, err), c.detach())
		}
		info, err := programs[d].Info()
		if err != nil {
			return errors.Join(err, c.detach())
		}
		c.ids[d], _ = info.ID()
	}
	return nil
}

func (c *clsact) ensureQdisc(p *ebpf.Program) error {
	err := netlink.QdiscAdd(qdiscOf(c.ifindex))
	if errors.Is(err, fs.ErrExist) {
		c.made = c.made || c.pinDir != "" && exists(c.pin(pinQdisc))
		return nil
	}
	if err != nil {
		return fmt.Errorf("add clsact: %w", err)
	}
	c.made = true
	if err := c.mark(pinQdisc, p); err != nil {
		return errors.Join(err, c.detach())
	}
	return nil
}

func (c *clsact) pin(kind string) string { return filepath.Join(c.pinDir, pinName(kind, c.ifindex)) }

// mark leaves a sign for the next agent and for Remove. A bpf file system holds only eBPF objects: the program will do.
func (c *clsact) mark(kind string, p *ebpf.Program) error {
	if c.pinDir == "" || exists(c.pin(kind)) {
		return nil
	}
	own, err := p.Clone()
	if err != nil {
		return fmt.Errorf("mark %s: %w", kind, err)
	}
	defer own.Close()
	if err := own.Pin(c.pin(kind)); err != nil {
		return fmt.Errorf("mark %s: %w", kind, err)
	}
	return nil
}

func (c *clsact) healthy() error {
	for _, d := range directions() {
		found, err := findFilter(c.ifindex, d)
		if err != nil {
			return err
		}
		if found == nil || found.Id != int(c.ids[d]) {
			return fmt.Errorf("interface %d: %s filter: %w (somebody removed it, or the interface is gone)", c.ifindex, d, ErrNotAttached)
		}
	}
	if c.pinDir != "" && (!exists(c.pin(pinFilters)) || c.made && !exists(c.pin(pinQdisc))) {
		return fmt.Errorf("interface %d: pin: %w (somebody removed it)", c.ifindex, fs.ErrNotExist)
	}
	return nil
}

func (c *clsact) detach() error {
	err := removeFilters(c.ifindex, c.made)
	if c.pinDir == "" {
		return err
	}
	return errors.Join(err, removePin(c.pin(pinFilters)), removePin(c.pin(pinQdisc)))
}

func (c *clsact) close() error { return nil }

func listFilters(ifindex int, d direction) ([]netlink.Filter, error) {
	l := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: ifindex}}
	filters, err := netlink.FilterList(l, parentOf(d))
	if err != nil && !gone(err) {
		return nil, fmt.Errorf("list %s filters of interface %d: %w", d, ifindex, err)
	}
	return filters, nil
}

func findFilter(ifindex int, d direction) (*netlink.BpfFilter, error) {
	filters, err := listFilters(ifindex, d)
	for _, f := range filters {
		if b, ok := f.(*netlink.BpfFilter); ok && b.Handle == filterHandle && b.Priority == filterPriority {
			return b, nil
		}
	}
	return nil, err
}

// removeFilters takes our filters away, and the qdisc if it is ours and nobody else uses it.
func removeFilters(ifindex int, ourQdisc bool) error {
	others := false
	for _, d := range directions() {
		found, err := findFilter(ifindex, d)
		if err != nil {
			return err
		}
		if found != nil {
			if err := netlink.FilterDel(filterOf(ifindex, d)); err != nil && !gone(err) {
				return fmt.Errorf("remove %s filter of interface %d: %w", d, ifindex, err)
			}
		}
		rest, err := listFilters(ifindex, d)
		if err != nil {
			return err
		}
		others = others || len(rest) > 0
	}
	if !ourQdisc || others {
		return nil
	}
	if err := netlink.QdiscDel(qdiscOf(ifindex)); err != nil && !gone(err) {
		return fmt.Errorf("remove clsact of interface %d: %w", ifindex, err)
	}
	return nil
}

// gone says whether there is nothing left to undo: the interface or the qdisc is not there any more.
func gone(err error) bool {
	return errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL)
}
