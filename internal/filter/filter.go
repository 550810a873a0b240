package filter

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
)

// Errors that callers may ask for.
var (
	// ErrSetup: a Setup that cannot be installed.
	ErrSetup = errors.New("setup not possible")
	// ErrNotAttached: Healthy found an interface without its programs.
	ErrNotAttached = errors.New("filter not attached")
	// ErrNotBPF: the pin directory is not on a bpf file system.
	ErrNotBPF = errors.New("not on a bpf file system")
)

// Options are the settings of a filter.
type Options struct {
	PinDir   string       // directory on a bpf file system, made if missing; empty: nothing outlives the process
	MaxRules int          // slot pages, 24 KiB of kernel memory each (default 64, at most 126)
	Log      *slog.Logger // default: discarded

	clsact bool // use clsact even where tcx is there
}

// Filter is the loaded programs and their maps. Its methods may be called from any goroutine.
type Filter struct {
	pinDir string
	log    *slog.Logger
	clsact bool
	early  accelerator

	mu       sync.RWMutex // Lock to change the setup or attachments or to close, RLock for all else
	maps     map[string]*ebpf.Map
	programs map[direction]*ebpf.Program
	attached map[int]attachment // by interface index
	arriving map[int]direction  // the same: which program is at the ingress
	pages    []int              // slot page of each rule of the setup
	vipIndex []int              // place of each VIP of the setup

	host  mapping[hostRecord]
	table mapping[addressTable]
	six   mapping[address6Table]
	lease mapping[uint64]
	votes mapping[uint64] // of the quorum map
	vips  mapping[vipRecord]
	ports mapping[portTable]
	slots mapping[slotPage]
	ends  mapping[tunnelRecord]
}

// Open loads the programs. Maps that an earlier agent pinned are taken over with what is in them when their layout is the same,
// and replaced otherwise. Programs that are attached go on as they are until Attach replaces them in one step.
func Open(o Options) (*Filter, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxRules < 0 || o.MaxRules > maxPages {
		return nil, fmt.Errorf("%w: %d rules, at most %d", ErrSetup, o.MaxRules, maxPages)
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("raise memory limit for eBPF maps: %w (run as root or with CAP_SYS_RESOURCE)", err)
	}
	spec, err := loadFilter()
	if err != nil {
		return nil, err
	}
	if o.MaxRules > 0 {
		spec.Maps[filterMapSlots].MaxEntries = uint32(o.MaxRules)
	}
	f := &Filter{pinDir: o.PinDir, log: o.Log, clsact: o.clsact, attached: map[int]attachment{}, arriving: map[int]direction{}, early: accelerator{on: map[int]earlyLink{}}}
	if err := f.load(spec); err != nil {
		f.release()
		return nil, err
	}
	return f, nil
}

func (f *Filter) load(spec *ebpf.CollectionSpec) error {
	adopted, err := adoptMaps(f.pinDir, spec, f.log)
	if err != nil {
		return err
	}
	defer closeMaps(adopted)
	all, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: adopted})
	if err != nil {
		return fmt.Errorf("load filter: %w", loadHint(err))
	}
	f.maps = all.Maps
	f.programs = map[direction]*ebpf.Program{ingress: all.Programs[filterProgMusterIngress], egress: all.Programs[filterProgMusterEgress], tunnelled: all.Programs[filterProgMusterTunnel]}
	if err := f.mapAll(); err != nil {
		return err
	}
	if adopted != nil {
		return replacePins(f.pinDir, missing(f.maps, adopted))
	}
	for i := range f.slots.items {
		f.slots.items[i].reset(Hash{})
	}
	f.host.items[0].layout = layout
	return pinMaps(f.pinDir, f.maps)
}

// loadHint adds what a person can do about it.
func loadHint(err error) error {
	if errors.Is(err, ebpf.ErrNotSupported) {
		return fmt.Errorf("%w (Linux 5.15 or later is needed)", err)
	}
	return err
}

func (f *Filter) mapAll() (err error) {
	if f.host, err = mapMemory[hostRecord](f.maps[filterMapHost]); err != nil {
		return err
	}
	if f.table, err = mapMemory[addressTable](f.maps[filterMapAddresses]); err != nil {
		return err
	}
	if f.six, err = mapMemory[address6Table](f.maps[filterMapAddresses6]); err != nil {
		return err
	}
	if f.lease, err = mapMemory[uint64](f.maps[filterMapLease]); err != nil {
		return err
	}
	if f.votes, err = mapMemory[uint64](f.maps[filterMapQuorum]); err != nil {
		return err
	}
	if f.vips, err = mapMemory[vipRecord](f.maps[filterMapVips]); err != nil {
		return err
	}
	if f.ports, err = mapMemory[portTable](f.maps[filterMapPorts]); err != nil {
		return err
	}
	if f.ends, err = mapMemory[tunnelRecord](f.maps[filterMapTunnels]); err != nil {
		return err
	}
	f.slots, err = mapMemory[slotPage](f.maps[filterMapSlots])
	return err
}

// Close ends the use of the filter by this process. What is pinned goes on; without a pin directory everything is undone.
func (f *Filter) Close() error {
	errs := []error{f.early.close(f.pinDir)}
	f.mu.Lock()
	defer f.mu.Unlock()
	for ifindex, a := range f.attached {
		if f.pinDir == "" {
			errs = append(errs, a.detach())
		} else {
			errs = append(errs, a.close())
		}
		delete(f.attached, ifindex)
	}
	f.release()
	return errors.Join(errs...)
}

// release closes what the process holds.
func (f *Filter) release() {
	f.host.close()
	f.table.close()
	f.six.close()
	f.lease.close()
	f.votes.close()
	f.vips.close()
	f.ports.close()
	f.slots.close()
	f.ends.close()
	f.pages, f.vipIndex = nil, nil
	closeMaps(f.maps)
	for _, p := range f.programs {
		p.Close()
	}
}

func closeMaps(maps map[string]*ebpf.Map) {
	for _, m := range maps {
		m.Close()
	}
}
