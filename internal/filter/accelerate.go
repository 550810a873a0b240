package filter

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ErrNotAccelerated: an interface cannot run the program that drops early, and goes on without it. Nothing but processor time is lost.
var ErrNotAccelerated = errors.New("cannot drop packets in the driver")

// pinEarly is the kind of pin of the accelerator's link.
const pinEarly = string(early)

// accelerator is the program that drops early, and where it runs. It has a lock of its own: some drivers take seconds to take in a program, and
// nothing may keep the lease waiting.
type accelerator struct {
	mu      sync.Mutex // taken before the filter's, if both are
	program *ebpf.Program
	on      map[int]earlyLink // by interface index
}

// earlyLink is the accelerator on an interface.
type earlyLink struct {
	link link.Link
	id   ebpf.ProgramID
}

// Accelerate runs the accelerator on an interface: a program in the driver that drops what the filter would drop, counted by the same
// reasons. It changes no packet and accepts none. Called again it looks whether the program is still there; put says whether it was put
// there by this call. Where there is a reason against it, the error says which, and the program is not there afterwards. Call it
// after Attach: it knows nothing that the filter does not.
//
// Some drivers restart the card when a first program is attached, which takes up to seconds, in which the card is deaf.
func (f *Filter) Accelerate(ifindex int) (put bool, err error) {
	f.early.mu.Lock()
	defer f.early.mu.Unlock()
	if err := unsafeToDropEarly(ifindex); err != nil {
		return false, errors.Join(err, f.early.takeOff(f.pinDir, ifindex))
	}
	if e, ok := f.early.on[ifindex]; ok {
		if e.runs(ifindex) {
			return false, nil
		}
		if err := f.early.takeOff(f.pinDir, ifindex); err != nil {
			return false, err
		}
	}
	p, err := f.earlyProgram()
	if err != nil {
		return false, err
	}
	l, err := attachEarly(f.pinDir, ifindex, p)
	if err != nil {
		return false, whyNot(ifindex, err)
	}
	info, err := p.Info()
	if err != nil {
		return false, errors.Join(fmt.Errorf("look at accelerator: %w", err), destroyLink(l))
	}
	id, _ := info.ID()
	f.early.on[ifindex] = earlyLink{link: l, id: id}
	return true, nil
}

// Decelerate takes the accelerator off an interface, an earlier agent's too. One that has none is no error.
func (f *Filter) Decelerate(ifindex int) error {
	f.early.mu.Lock()
	defer f.early.mu.Unlock()
	return f.early.takeOff(f.pinDir, ifindex)
}

func (a *accelerator) takeOff(pinDir string, ifindex int) (err error) {
	if e, ok := a.on[ifindex]; ok {
		delete(a.on, ifindex)
		err = destroyLink(e.link)
	} else if pinDir != "" {
		err = removeLink(filepath.Join(pinDir, pinName(pinEarly, ifindex)))
	}
	if err != nil {
		return fmt.Errorf("take accelerator off interface %d: %w", ifindex, err)
	}
	return nil
}

// Accelerated lists the interfaces with the accelerator of this filter, or of an earlier agent with the same pin directory.
func (f *Filter) Accelerated() ([]int, error) {
	f.early.mu.Lock()
	defer f.early.mu.Unlock()
	all := slices.Collect(maps.Keys(f.early.on))
	if f.pinDir != "" {
		pinned, err := pinnedOf(f.pinDir, func(kind string) bool { return kind == pinEarly })
		if err != nil {
			return nil, err
		}
		all = append(all, pinned...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// forgetEarly takes off the accelerators of an earlier agent whose maps are replaced: nobody would move their lease on, and they would drop
// everything new.
func forgetEarly(pinDir string) error {
	pinned, err := pinnedOf(pinDir, func(kind string) bool { return kind == pinEarly })
	errs := []error{err}
	for _, ifindex := range pinned {
		errs = append(errs, removeLink(filepath.Join(pinDir, pinName(pinEarly, ifindex))))
	}
	return errors.Join(errs...)
}

// close ends this process's hold. Without pins nothing is left.
func (a *accelerator) close(pinDir string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, e := range a.on {
		if pinDir == "" {
			errs = append(errs, destroyLink(e.link))
		} else {
			errs = append(errs, e.link.Close())
		}
	}
	clear(a.on)
	if a.program != nil {
		errs = append(errs, a.program.Close())
		a.program = nil
	}
	return errors.Join(errs...)
}

// runs says whether the kernel still runs exactly this program on that interface.
func (e earlyLink) runs(ifindex int) bool {
	info, err := e.link.Info()
	return err == nil && info.XDP() != nil && int(info.XDP().Ifindex) == ifindex && info.Program == e.id
}

// earlyProgram loads the accelerator when it is first wanted, with the maps of the filter.
func (f *Filter) earlyProgram() (*ebpf.Program, error) {
	if f.early.program != nil {
		return f.early.program, nil
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if len(f.host.items) == 0 {
		return nil, fmt.Errorf("%w: filter is closed", ErrSetup)
	}
	spec, err := loadEarly()
	if err != nil {
		return nil, err
	}
	spec.Maps[filterMapSlots].MaxEntries = f.maps[filterMapSlots].MaxEntries()
	shared := maps.Clone(f.maps) // the filter has maps that the accelerator has no use for
	maps.DeleteFunc(shared, func(name string, _ *ebpf.Map) bool { return spec.Maps[name] == nil })
	all, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: shared})
	if err != nil {
		return nil, fmt.Errorf("%w: load accelerator: %w (Linux 5.18 or later is needed)", ErrNotAccelerated, err)
	}
	defer all.Close()
	f.early.program = all.DetachProgram(earlyProgMusterEarly)
	return f.early.program, nil
}

// attachEarly takes over the pinned link or makes one.
func attachEarly(pinDir string, ifindex int, p *ebpf.Program) (link.Link, error) {
	path := ""
	if pinDir != "" {
		path = filepath.Join(pinDir, pinName(pinEarly, ifindex))
		l, err := adoptLink(path, ifindex, p)
		if l != nil || err != nil {
			return l, err
		}
	}
	l, err := link.AttachXDP(link.XDPOptions{Program: p, Interface: ifindex, Flags: link.XDPDriverMode})
	if err != nil || path == "" {
		return l, err
	}
	if err := l.Pin(path); err != nil {
		return nil, errors.Join(fmt.Errorf("pin link: %w", err), l.Close())
	}
	return l, nil
}

// unsafeToDropEarly says why an interface must not have the accelerator. Cards take VLAN tags off frames, and a program in the driver does not
// see them: it would take what is for a VLAN interface for what is for the card itself.
func unsafeToDropEarly(ifindex int) error {
	links, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return fmt.Errorf("list interfaces: %w", err)
	}
	return belowVLAN(links, ifindex)
}

func belowVLAN(links []netlink.Link, ifindex int) error {
	for _, l := range links {
		if l.Type() == "vlan" && l.Attrs().ParentIndex == ifindex {
			return fmt.Errorf("%w: VLAN interface %s stands on interface %d, and its frames look the same there", ErrNotAccelerated, l.Attrs().Name, ifindex)
		}
	}
	return nil
}

// whyNot says in words why the kernel refused.
func whyNot(ifindex int, err error) error {
	why := "its driver refuses"
	switch {
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EEXIST):
		why = "another XDP program is there"
	case errors.Is(err, ebpf.ErrNotSupported), errors.Is(err, unix.EOPNOTSUPP):
		why = "its driver has no native XDP, or not with these settings (MTU, merging of packets by the card)"
	case errors.Is(err, unix.ENODEV):
		why = "it is gone"
	}
	return fmt.Errorf("%w on interface %d: %s: %w", ErrNotAccelerated, ifindex, why, err)
}
