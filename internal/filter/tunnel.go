package filter

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
)

// maxVNI is the greatest number of a VXLAN network: 24 bits (RFC 7348, section 5).
const maxVNI = 1<<24 - 1

// Tunnel is this host's end of the tunnel to hosts that are no neighbours. The zero value: there is none.
type Tunnel struct {
	Interface int              // index of a VXLAN device that takes each packet's target from the packet (collect metadata)
	MAC       net.HardwareAddr // of that device; a host is known by it, so strangers must not be able to guess it
	VNI       uint32           // the cluster's number in VXLAN headers
	Local     netip.Addr       // this host's address, of the family that the other hosts' have
	MTU       int              // bytes of the largest packet that fits into the tunnel; what SetTunnelMTU has set since stays
}

func (t Tunnel) check() error {
	if t.Interface == 0 {
		return nil
	}
	if t.Interface < 0 || len(t.MAC) != 6 || t.VNI > maxVNI || !t.Local.IsValid() || t.MTU <= 0 {
		return fmt.Errorf("%w: tunnel %+v", ErrSetup, t)
	}
	return nil
}

// writeTunnel puts the end of the tunnel into the kernel's memory. Of a device that is not used any more the other hosts are forgotten.
func (f *Filter) writeTunnel(t Tunnel) error {
	r := &f.ends.items[0]
	if old := r.ifindex; old != 0 && int(old) != t.Interface {
		if err := f.forgetPeers(old); err != nil {
			return err
		}
		atomic.StoreUint32(&r.ifindex, 0)
	}
	if t.Interface == 0 {
		return nil
	}
	r.mac, r.local, r.v6 = [6]byte(t.MAC), t.Local.As16(), 0
	if t.Local.Is6() {
		r.v6 = 1
	}
	atomic.StoreUint32(&r.vni, t.VNI)
	if atomic.LoadUint32(&r.ifindex) == 0 {
		atomic.StoreUint32(&r.mtu, uint32(t.MTU))
	}
	atomic.StoreUint32(&r.ifindex, uint32(t.Interface)) // last: with it the tunnel is there
	return nil
}

// SetTunnelMTU says how large a packet fits into the tunnel, in bytes from its IP header on. New connections get segments of that size.
func (f *Filter) SetTunnelMTU(bytes int) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if bytes <= 0 || len(f.ends.items) == 0 {
		return fmt.Errorf("%w: packets of %d bytes in the tunnel", ErrSetup, bytes)
	}
	atomic.StoreUint32(&f.ends.items[0].mtu, uint32(bytes))
	return nil
}

// SetRemote says that another host has this MAC in the tunnel and this address outside of it. nil removes it, as in SetPeer: nothing
// goes to it, and what comes from it is a stranger's.
func (f *Filter) SetRemote(id uint8, mac net.HardwareAddr, at netip.Addr) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.ends.items) == 0 || f.ends.items[0].ifindex == 0 {
		return fmt.Errorf("%w: there is no tunnel to host %d", ErrSetup, id)
	}
	if mac != nil && (!at.IsValid() || at.Is6() != (f.ends.items[0].v6 != 0)) {
		return fmt.Errorf("%w: host %d is at %v", ErrSetup, id, at)
	}
	var remote [16]byte
	if mac != nil {
		remote = at.As16()
	}
	return f.setPeer(int(f.ends.items[0].ifindex), id, mac, remote)
}

// forgetPeers removes every host that is known on an interface.
func (f *Filter) forgetPeers(ifindex uint32) error {
	var ids []uint8
	var key macKey
	var value macRecord
	for all := f.maps[filterMapMacs].Iterate(); all.Next(&key, &value); {
		if key.Interface == ifindex {
			ids = append(ids, uint8(key.ID))
		}
	}
	var errs []error
	for _, id := range ids {
		errs = append(errs, f.setPeer(int(ifindex), id, nil, [16]byte{}))
	}
	return errors.Join(errs...)
}
