package filter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
)

// claimsPause is waited for after claims have been read: whatever strangers do, the agent is woken twenty times a second at most. What the ring
// cannot hold until then is counted by the programs, and not told.
const claimsPause = 50 * time.Millisecond

// claimLen is the length of struct claim in bpf/claims.h.
const claimLen = 36

// Claim is what somebody says who is no host of the cluster that the filter knows: that an address of ours is his. It comes from the
// network, and everything in it may be forged.
type Claim struct {
	Address   netip.Addr
	Interface int              // index of the interface that heard it
	MAC       net.HardwareAddr // that is said to have the address
	Source    net.HardwareAddr // of the frame
}

// ReadClaims hands what is claimed to take until the context ends, each claimant once a second at most. Reading takes no time
// while nobody claims anything. It is for one caller at a time.
func (f *Filter) ReadClaims(ctx context.Context, take func(Claim)) error {
	reader, err := ringbuf.NewReader(f.maps[filterMapClaims])
	if err != nil {
		return fmt.Errorf("read claims: %w", err)
	}
	defer reader.Close()
	stop := context.AfterFunc(ctx, func() { _ = reader.Close() })
	defer stop()
	var record ringbuf.Record
	for {
		if err := reader.ReadInto(&record); err != nil {
			if errors.Is(err, ringbuf.ErrClosed) {
				return nil
			}
			return fmt.Errorf("read claims: %w", err)
		}
		if c, ok := parseClaim(record.RawSample); ok {
			take(c)
		}
		if record.Remaining > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(claimsPause):
		}
	}
}

// parseClaim reads a struct claim.
func parseClaim(b []byte) (c Claim, ok bool) {
	if len(b) < claimLen {
		return c, false
	}
	return Claim{
		Address:   netip.AddrFrom16([16]byte(b)).Unmap(),
		Interface: int(binary.NativeEndian.Uint32(b[16:])),
		MAC:       net.HardwareAddr(append([]byte(nil), b[20:26]...)),
		Source:    net.HardwareAddr(append([]byte(nil), b[28:34]...)),
	}, true
}

// writeOwn tells the programs which addresses besides the VIPs they have to watch. One that stays is there at every moment.
func (f *Filter) writeOwn(own []netip.Addr) error {
	table := f.maps[filterMapOwn]
	want := map[[16]byte]bool{}
	for _, a := range own {
		want[a.As16()] = true
		if err := table.Put(a.As16(), uint32(1)); err != nil {
			return fmt.Errorf("watch address %s: %w", a, err)
		}
	}
	var key [16]byte
	var value uint32
	var old [][16]byte
	for all := table.Iterate(); all.Next(&key, &value); {
		if !want[key] {
			old = append(old, key)
		}
	}
	for _, key := range old {
		if err := table.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("watch address %s no more: %w", netip.AddrFrom16(key), err)
		}
	}
	return nil
}
