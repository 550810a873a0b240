package lab

import (
	"errors"
	"fmt"
	"math"
	"net"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// HeartbeatPort is the UDP port of the agents' heartbeats. Those by multicast have the next one; whoever means heartbeats means both.
const HeartbeatPort = 3343

// Direction is which of a node's frames are meant.
type Direction uint8

// The directions.
const (
	Sent     Direction = iota // frames that the node sends
	Received                  // frames on their way to the node
)

// Priorities of filters on a port: one for the loss, one for what is withheld, one for what comes late, one for each node that is not heard.
const (
	lossPriority     = 1
	withholdPriority = 2
	delayPriority    = 1000 // what is dropped need not be late
	blockPriority    = 100
)

// drop describes the frames that a program on a port drops.
type drop struct {
	percent float64          // of those that match, at random
	udpPort uint16           // only UDP over IPv4 to or from this port; 0: any frame
	source  net.HardwareAddr // only frames from this address; nil: from any

	destination net.HardwareAddr // only frames to this address; nil: to any
}

// Loss makes the network lose part of a node's frames, at random: all of them or, with a UDP port, only those to or from
// it. It replaces an earlier loss in the same direction; 0 per cent ends it.
func (n *Node) Loss(percent float64, udpPort uint16, d Direction) error {
	return n.LossOn(0, percent, udpPort, d)
}

// LossOn is Loss on one of the lab's networks; 0 is the first.
func (n *Node) LossOn(network int, percent float64, udpPort uint16, d Direction) error {
	if percent < 0 || percent > 100 || math.IsNaN(percent) {
		return fmt.Errorf("lose %v %% of frames of %s: give 0 to 100", percent, n.name)
	}
	return n.lab.sw.do(func() error {
		port := portOf(n.name, network)
		if err := removeDrop(port, d, lossPriority); err != nil || percent == 0 {
			return err
		}
		return addDrop(port, d, lossPriority, drop{percent: percent, udpPort: udpPort})
	})
}

// Divide makes hosts of different groups deaf to each other, while hosts in no group, and clients, go on hearing everybody. It is
// the partition that is worst for clients: they see both sides. Heal ends it.
func (l *Lab) Divide(groups ...[]string) error {
	if err := l.checkGroups(groups); err != nil {
		return err
	}
	if err := l.mend(); err != nil {
		return err
	}
	for i, group := range groups {
		for _, to := range group {
			for j, others := range groups {
				if i == j {
					continue
				}
				for _, from := range others {
					if err := l.Deafen(to, from); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// Deafen drops everything that comes from one node to another: loss in one direction. Heal ends it.
func (l *Lab) Deafen(to, from string) error {
	source := slices.IndexFunc(l.nodes, func(n node) bool { return n.Name == from })
	if source < 0 || l.Node(to) == nil {
		return fmt.Errorf("drop frames from %q to %q: no such node", from, to)
	}
	return l.sw.do(func() error {
		priority := uint16(blockPriority + source)
		if err := removeDrop(to, Received, priority); err != nil {
			return err
		}
		return addDrop(to, Received, priority, drop{percent: 100, source: mac(l.nodes[source].Address)})
	})
}

// mend ends what Divide and Deafen did.
func (l *Lab) mend() error {
	return l.sw.do(func() error {
		for _, n := range l.nodes {
			for i := range l.nodes {
				if err := removeDrop(n.Name, Received, uint16(blockPriority+i)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// parent is the hook of a port for a direction. What a node sends comes into the switch.
func (d Direction) parent() uint32 {
	if d == Sent {
		return netlink.HANDLE_MIN_INGRESS
	}
	return netlink.HANDLE_MIN_EGRESS
}

func addDrop(port string, d Direction, priority uint16, what drop) error {
	return addFilter(port, d, priority, what.instructions())
}

// addFilter hangs a program on a port, written in instructions, because a bare machine has no compiler for it. The kernel holds it until the
// filter or the port goes: no process has to stay.
func addFilter(port string, d Direction, priority uint16, code asm.Instructions) error {
	link, err := netlink.LinkByName(port)
	if err != nil {
		return fmt.Errorf("find port %s: %w", port, err)
	}
	index := link.Attrs().Index
	hook := &netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{LinkIndex: index,
		Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT}}
	if err := netlink.QdiscAdd(hook); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add clsact to port %s (the kernel needs sch_clsact): %w", port, err)
	}
	program, err := loadFilter(code)
	if err != nil {
		return err
	}
	defer program.Close()
	filter := &netlink.BpfFilter{FilterAttrs: filterAttrs(index, d, priority), Fd: program.FD(), Name: "lab", DirectAction: true}
	if err := netlink.FilterAdd(filter); err != nil {
		return fmt.Errorf("add filter to port %s (the kernel needs cls_bpf): %w", port, err)
	}
	return nil
}

func filterAttrs(index int, d Direction, priority uint16) netlink.FilterAttrs {
	return netlink.FilterAttrs{LinkIndex: index, Parent: d.parent(), Handle: 1, Priority: priority, Protocol: unix.ETH_P_ALL}
}

// removeDrop takes a program off a port; there may be none.
func removeDrop(port string, d Direction, priority uint16) error {
	link, err := netlink.LinkByName(port)
	if err != nil {
		return fmt.Errorf("find port %s: %w", port, err)
	}
	filters, err := netlink.FilterList(link, d.parent())
	if err != nil {
		return nil // no clsact on the port: nothing was ever added
	}
	for _, f := range filters {
		if f.Attrs().Priority != priority {
			continue
		}
		if err := netlink.FilterDel(f); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("remove filter from port %s: %w", port, err)
		}
	}
	return nil
}

func loadFilter(code asm.Instructions) (*ebpf.Program, error) {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "lab", Type: ebpf.SchedCLS, License: "Apache-2.0", Instructions: code})
	if err != nil {
		return nil, fmt.Errorf("load filter: %w", err)
	}
	return program, nil
}

func (d drop) instructions() asm.Instructions {
	const shot, next = 2, -1
	// Loads of packet bytes want the context in R6; one beyond the packet's end lets it pass.
	code := asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)}
	if d.source != nil {
		code = append(code, matchMAC(atSource, d.source)...)
	}
	if d.destination != nil {
		code = append(code, matchMAC(atDestination, d.destination)...)
	}
	if d.udpPort != 0 {
		code = append(code, d.matchUDP()...)
	}
	// A random word is always below 2^32: 100 per cent.
	threshold := int64(d.percent / 100 * (1 << 32))
	return append(code,
		asm.FnGetPrandomU32.Call(),
		asm.LoadImm(asm.R1, threshold, asm.DWord),
		asm.JGE.Reg(asm.R0, asm.R1, "pass"),
		asm.Mov.Imm(asm.R0, shot), asm.Return(),
		asm.Mov.Imm(asm.R0, next).WithSymbol("pass"), asm.Return())
}

// unless jumps to the end unless a 32-bit value in R0 is the one wanted. A comparison with an immediate would extend its sign.
func unless(value uint32) asm.Instructions {
	return asm.Instructions{asm.LoadImm(asm.R1, int64(value), asm.DWord), asm.JNE.Reg(asm.R0, asm.R1, "pass")}
}

// Where a frame has its addresses.
const (
	atDestination = 0
	atSource      = 6
)

func matchMAC(at int32, m net.HardwareAddr) asm.Instructions {
	code := asm.Instructions{asm.LoadAbs(at, asm.Word)}
	code = append(code, unless(uint32(m[0])<<24|uint32(m[1])<<16|uint32(m[2])<<8|uint32(m[3]))...)
	code = append(code, asm.LoadAbs(at+4, asm.Half))
	return append(code, unless(uint32(m[4])<<8|uint32(m[5]))...)
}

// ports are the UDP ports that are meant.
func (d drop) ports() []uint16 {
	if d.udpPort == HeartbeatPort {
		return []uint16{HeartbeatPort, HeartbeatPort + 1}
	}
	return []uint16{d.udpPort}
}

func (d drop) matchUDP() asm.Instructions {
	code := asm.Instructions{asm.LoadAbs(12, asm.Half)}
	code = append(code, unless(unix.ETH_P_IP)...)
	code = append(code, asm.LoadAbs(23, asm.Byte))
	code = append(code, unless(unix.IPPROTO_UDP)...)
	code = append(code,
		asm.LoadAbs(14, asm.Byte), asm.And.Imm(asm.R0, 0x0f), asm.LSh.Imm(asm.R0, 2), asm.Mov.Reg(asm.R7, asm.R0),
		asm.LoadInd(asm.R0, asm.R7, 14, asm.Half))
	ports := d.ports()
	for _, port := range ports {
		code = append(code, asm.JEq.Imm(asm.R0, int32(port), "hit"))
	}
	code = append(code, asm.LoadInd(asm.R0, asm.R7, 16, asm.Half))
	for _, port := range ports[1:] {
		code = append(code, asm.JEq.Imm(asm.R0, int32(port), "hit"))
	}
	code = append(code, unless(uint32(ports[0]))...)
	return append(code, asm.Mov.Imm(asm.R1, 0).WithSymbol("hit")) // a place to jump to
}
