package filter

import (
	"errors"
	"fmt"
	"net"

	"github.com/cilium/ebpf"
)

// SetPeer says that another host has this MAC on the network of an interface. nil removes it: then nothing is forwarded to it,
// and frames from it count as a client's.
func (f *Filter) SetPeer(ifindex int, id uint8, mac net.HardwareAddr) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.setPeer(ifindex, id, mac, [16]byte{})
}

// setPeer is for both kinds of interface: only a tunnel has remote addresses.
func (f *Filter) setPeer(ifindex int, id uint8, mac net.HardwareAddr, remote [16]byte) error {
	if mac != nil && len(mac) != 6 {
		return fmt.Errorf("%w: %s is not an Ethernet address", ErrSetup, mac)
	}
	macs, peers := f.maps[filterMapMacs], f.maps[filterMapPeers]
	key := macKey{Interface: uint32(ifindex), ID: uint32(id)}
	var old macRecord
	err := macs.Lookup(key, &old)
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("look up host %d: %w", id, err)
	}
	had := err == nil
	if mac != nil {
		record := macRecord{MAC: [6]byte(mac), Remote: remote}
		if had && record == old {
			return nil
		}
		if err := peers.Put(peerKey{Interface: key.Interface, MAC: record.MAC}, uint32(id)); err != nil {
			return fmt.Errorf("add host %d: %w", id, err)
		}
		if err := macs.Put(key, record); err != nil {
			return fmt.Errorf("add host %d: %w", id, err)
		}
	} else if had {
		if err := macs.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("remove host %d: %w", id, err)
		}
	}
	if !had || mac != nil && [6]byte(mac) == old.MAC {
		return nil
	}
	return removePeer(peers, peerKey{Interface: key.Interface, MAC: old.MAC}, id)
}

// removePeer forgets a MAC unless another host has it by now.
func removePeer(peers *ebpf.Map, key peerKey, id uint8) error {
	var owner uint32
	if err := peers.Lookup(key, &owner); err != nil || owner != uint32(id) {
		return nil
	}
	if err := peers.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("remove MAC of host %d: %w", id, err)
	}
	return nil
}
