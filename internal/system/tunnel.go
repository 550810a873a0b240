package system

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"

	"github.com/vishvananda/netlink"
)

// tunnelPrefix begins the name of each tunnel; its UDP port follows. A namespace has room for one VXLAN device of this kind at a port, so the
// port names it, and a tunnel at another port is another device.
const tunnelPrefix = "muster-"

// tunnelShape is all that a journal may name: root deletes a device of that name.
var tunnelShape = regexp.MustCompile(`^muster-[1-9][0-9]{3,4}$`)

// TunnelName is the name of the tunnel at a UDP port.
func TunnelName(port uint16) string { return tunnelPrefix + strconv.Itoa(int(port)) }

// AddTunnel makes a VXLAN device without a peer or network of its own: each packet that is sent through it says where to (RFC 7348; the
// kernel calls it external, or collect metadata). Undo deletes it. It is set up only after the armer had it, also when it has to be
// made anew because somebody deleted it.
func (j *Journal) AddTunnel(port uint16) error {
	return j.change(Change{Kind: KindTunnel, Link: TunnelName(port), Want: Present})
}

// SetTunnelArmer sets what is called with the name of each tunnel before it is set up: at an open UDP port anybody can hand packets to a
// host, so there must be no moment without a guard. Called with the journal locked: it must not use it.
func (j *Journal) SetTunnelArmer(arm func(link string) error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.armTunnel = arm
}

// openTunnel brings a tunnel from any other state to Present.
func (j *Journal) openTunnel(c Change, state string) error {
	if state == Absent {
		if err := j.kernel.set(j.dir, c, Down); err != nil {
			return err
		}
	}
	if j.armTunnel != nil {
		if err := j.armTunnel(c.Link); err != nil {
			return fmt.Errorf("guard %s: %w", c.What(), err)
		}
	}
	return j.kernel.set(j.dir, c, Present)
}

func (c Change) validateTunnel() error {
	if c.Sysctl != "" || c.Path != "" || c.Prefix != (netip.Prefix{}) || c.Scope != 0 || c.NoDAD || !twoStates(c) {
		return fmt.Errorf("%w: stray field in %s", ErrMalformed, c.What())
	}
	if port, err := strconv.ParseUint(c.Link[min(len(c.Link), len(tunnelPrefix)):], 10, 16); !tunnelShape.MatchString(c.Link) || err != nil || port == 0 {
		return fmt.Errorf("%w: tunnel %q", ErrMalformed, c.Link)
	}
	return nil
}

func errTunnelThere(link string) error {
	return fmt.Errorf("%w: interface %s is there and not of this agent: give each cluster of a machine its own `tunnel: {port: ...}`, or, if nothing else runs here, remove it with `ip link del %s`",
		ErrInTheWay, link, link)
}

// lookTunnel tells Present, Down and Absent apart. A device of that name which is no such tunnel is an error.
func lookTunnel(name string) (string, error) {
	link, err := netlink.LinkByName(name)
	if _, missing := errors.AsType[netlink.LinkNotFoundError](err); missing {
		return Absent, nil
	}
	if err != nil {
		return "", fmt.Errorf("find interface %s: %w", name, err)
	}
	device, ok := link.(*netlink.Vxlan)
	if !ok || !device.FlowBased || TunnelName(uint16(device.Port)) != name {
		return "", errTunnelThere(name)
	}
	if link.Attrs().Flags&net.FlagUp == 0 {
		return Down, nil
	}
	return Present, nil
}

func setTunnel(name, state string) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	switch state {
	case Down:
		port, err := strconv.Atoi(name[len(tunnelPrefix):])
		if err != nil {
			return fmt.Errorf("make tunnel %s: %w", name, err)
		}
		if err := netlink.LinkAdd(&netlink.Vxlan{LinkAttrs: attrs, FlowBased: true, Port: port}); err != nil {
			return fmt.Errorf("make tunnel %s: %w (does this kernel have VXLAN?)", name, err)
		}
		return nil
	case Present:
		if err := netlink.LinkSetUp(&netlink.Dummy{LinkAttrs: attrs}); err != nil {
			return fmt.Errorf("set tunnel %s up: %w (if something else has that UDP port, choose another with `tunnel: {port: ...}`)", name, err)
		}
		return nil
	}
	return removeTunnel(name)
}

func removeTunnel(name string) error {
	link, err := netlink.LinkByName(name)
	if _, missing := errors.AsType[netlink.LinkNotFoundError](err); missing {
		return nil
	}
	if err == nil {
		err = netlink.LinkDel(link)
	}
	if err != nil {
		return fmt.Errorf("remove tunnel %s: %w", name, err)
	}
	return nil
}
