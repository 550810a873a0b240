package filter

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// direction is a side of an interface; it names the pins of links.
type direction string

const (
	ingress direction = "ingress"
	egress  direction = "egress"
	early   direction = "xdp" // before ingress, where an interface is accelerated

	// tunnelled is what runs at the ingress of a tunnel; as a side of an interface it is ingress.
	tunnelled direction = "tunnel"
)

// directions in the order of attaching: the guard is there before the first packet is accepted.
func directions() []direction { return []direction{egress, ingress} }

// attachment is what makes the programs run on one interface.
type attachment interface {
	// healthy says whether the kernel still runs exactly these programs.
	healthy() error
	// mend makes the kernel run them again, and leaves alone what it runs.
	mend(programs map[direction]*ebpf.Program) error
	// detach undoes it, pins included.
	detach() error
	// close ends this process's hold and leaves what is pinned.
	close() error
}

// Attach runs the programs on an interface, by tcx, or by clsact where the kernel has no tcx. Programs of an earlier agent
// are replaced in one step. Call it after Configure: without a setup every packet passes.
func (f *Filter) Attach(ifindex int) error { return f.attachAs(ifindex, ingress) }

// AttachTunnel does the same on a tunnel, where what arrives has to prove first that it is from a host of the cluster. Without a setup
// nothing passes, so call it before the tunnel is set up.
func (f *Filter) AttachTunnel(ifindex int) error { return f.attachAs(ifindex, tunnelled) }

func (f *Filter) attachAs(ifindex int, arriving direction) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.attached[ifindex]; ok {
		return nil
	}
	a, err := f.attach(ifindex, f.programsFor(arriving))
	if err != nil {
		return fmt.Errorf("attach filter to interface %d: %w", ifindex, err)
	}
	f.attached[ifindex], f.arriving[ifindex] = a, arriving
	return nil
}

// programsFor are the programs of an interface, by its sides.
func (f *Filter) programsFor(arriving direction) map[direction]*ebpf.Program {
	return map[direction]*ebpf.Program{ingress: f.programs[arriving], egress: f.programs[egress]}
}

func (f *Filter) attach(ifindex int, programs map[direction]*ebpf.Program) (attachment, error) {
	if f.clsact {
		return attachClsact(f.pinDir, ifindex, programs)
	}
	a, err := attachTCX(f.pinDir, ifindex, programs)
	if !errors.Is(err, ebpf.ErrNotSupported) {
		return a, err
	}
	f.log.Info("no tcx in this kernel: using clsact", "interface", ifindex)
	return attachClsact(f.pinDir, ifindex, programs)
}

// Detach takes the programs off an interface, an earlier agent's too. One that has none is no error.
func (f *Filter) Detach(ifindex int) error {
	err := f.Decelerate(ifindex)
	f.mu.Lock()
	defer f.mu.Unlock()
	if a, ok := f.attached[ifindex]; ok {
		delete(f.attached, ifindex)
		err = errors.Join(err, a.detach())
	} else if f.pinDir != "" {
		err = errors.Join(err, removeAttachment(f.pinDir, ifindex))
	}
	if err != nil {
		return fmt.Errorf("detach filter from interface %d: %w", ifindex, err)
	}
	return nil
}

// Interfaces lists the interfaces that have programs of this filter or of an earlier agent with the same pin directory. An
// agent that starts detaches those that its configuration does not name any more.
func (f *Filter) Interfaces() ([]int, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	all := slices.Collect(maps.Keys(f.attached))
	if f.pinDir != "" {
		pinned, err := pinnedInterfaces(f.pinDir)
		if err != nil {
			return nil, err
		}
		all = append(all, pinned...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// tcx is the pair of links of one interface.
type tcx struct {
	pinDir  string
	ifindex int
	links   map[direction]link.Link
	ids     map[direction]ebpf.ProgramID
}

func attachTCX(pinDir string, ifindex int, programs map[direction]*ebpf.Program) (attachment, error) {
	t := &tcx{pinDir: pinDir, ifindex: ifindex, links: map[direction]link.Link{}, ids: map[direction]ebpf.ProgramID{}}
	for _, d := range directions() {
		info, err := programs[d].Info()
		if err != nil {
			return nil, errors.Join(err, t.detach())
		}
		t.ids[d], _ = info.ID()
		l, err := linkTCX(pinDir, ifindex, d, programs[d])
		if err != nil {
			return nil, errors.Join(err, t.detach())
		}
		t.links[d] = l
	}
	return t, nil
}

// linkTCX takes over the pinned link or makes one. Muster is the first to see what arrives and the last to see what leaves.
func linkTCX(pinDir string, ifindex int, d direction, p *ebpf.Program) (link.Link, error) {
	path := ""
	if pinDir != "" {
		path = filepath.Join(pinDir, pinName(string(d), ifindex))
		l, err := adoptLink(path, ifindex, p)
		if l != nil || err != nil {
			return l, err
		}
	}
	o := link.TCXOptions{Interface: ifindex, Program: p, Attach: ebpf.AttachTCXIngress, Anchor: link.Head()}
	if d == egress {
		o.Attach, o.Anchor = ebpf.AttachTCXEgress, link.Tail()
	}
	l, err := link.AttachTCX(o)
	if err != nil {
		return nil, err
	}
	if path == "" {
		return l, nil
	}
	if err := l.Pin(path); err != nil {
		return nil, errors.Join(fmt.Errorf("pin link: %w", err), l.Close())
	}
	return l, nil
}

// adoptLink puts the program in the place of the earlier agent's. It returns nil, and the pin is gone, when the link is not this
// interface's any more.
func adoptLink(path string, ifindex int, p *ebpf.Program) (link.Link, error) {
	l, err := link.LoadPinnedLink(path, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		if linkedTo(l) == ifindex && l.Update(p) == nil {
			return l, nil
		}
		l.Close()
	}
	if err := os.Remove(path); err != nil {
		return nil, fmt.Errorf("remove stale link: %w", err)
	}
	return nil, nil
}

// linkedTo is the interface of a link, 0 when it is gone.
func linkedTo(l link.Link) int {
	info, err := l.Info()
	switch {
	case err != nil:
		return 0
	case info.TCX() != nil:
		return int(info.TCX().Ifindex)
	case info.XDP() != nil:
		return int(info.XDP().Ifindex)
	}
	return 0
}

func (t *tcx) healthy() error {
	for _, d := range directions() {
		if err := t.runs(d); err != nil {
			return err
		}
		if path := t.pin(d); path != "" && !exists(path) {
			return fmt.Errorf("interface %d: pin of %s: %w (somebody removed it)", t.ifindex, d, fs.ErrNotExist)
		}
	}
	return nil
}

func (t *tcx) detach() error {
	var errs []error
	for _, l := range t.links {
		errs = append(errs, destroyLink(l))
	}
	return errors.Join(errs...)
}

func (t *tcx) close() error {
	var errs []error
	for _, l := range t.links {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// destroyLink detaches at once, even if another process holds the link too.
func destroyLink(l link.Link) error {
	if linkedTo(l) != 0 {
		if err := l.Detach(); err != nil {
			return errors.Join(fmt.Errorf("detach link: %w", err), l.Close())
		}
	}
	if err := l.Unpin(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("unpin link: %w", err), l.Close())
	}
	return l.Close()
}

func removeLink(path string) error {
	l, err := link.LoadPinnedLink(path, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open pinned link: %w", err)
	}
	return destroyLink(l)
}
