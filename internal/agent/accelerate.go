package agent

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/filter"
	"github.com/muster-ha/muster/internal/vip"
)

// accelerated is what became of an interface on which a VIP is to be accelerated.
type accelerated struct {
	link vip.Interface
	put  bool  // by the last look
	err  error // why it goes on without
}

// accelerate sees to it that the interfaces of VIPs that want it, and no others, drop in the driver. It must not run in the loop: a driver may
// take seconds for it.
func accelerate(k kernel, cfg *config.Config, links []vip.Interface) (list []accelerated) {
	wanted := func(index int) bool {
		return slices.ContainsFunc(list, func(a accelerated) bool { return a.link.Index == index })
	}
	for i, v := range cfg.VIPs {
		if !v.Accelerate || wanted(links[i].Index) {
			continue
		}
		a := accelerated{link: links[i]}
		a.put, a.err = k.Accelerate(links[i].Index)
		list = append(list, a)
	}
	have, err := k.Accelerated()
	for _, index := range have {
		if !wanted(index) {
			err = errors.Join(err, k.Decelerate(index))
		}
	}
	if err != nil {
		list = append(list, accelerated{link: vip.Interface{Name: "another interface"}, err: err})
	}
	return list
}

// accelerates takes note of a look. One that was there and had to be put back was taken away by somebody.
func (h *host) accelerates(now []accelerated, at time.Time) {
	for _, a := range now {
		i := slices.IndexFunc(h.early, func(b accelerated) bool { return b.link.Index == a.link.Index })
		was := i >= 0 && h.early[i].err == nil
		switch {
		case a.err != nil && (i < 0 || was):
			h.log.Warn("a VIP is not accelerated", "interface", a.link.Name, "err", a.err)
		case a.put && was:
			text := fmt.Sprintf("the accelerator on %s was found gone; put back", a.link.Name)
			h.drifted("accelerator "+a.link.Name, text, at)
		case a.put:
			h.log.Info("packets that would be dropped are dropped in the driver", "interface", a.link.Name)
		}
	}
	h.early = now
}

// acceleratedLinks names the interfaces whose driver drops.
func (h *host) acceleratedLinks() (names []string) {
	for _, a := range h.early {
		if a.err == nil {
			names = append(names, a.link.Name)
		}
	}
	return names
}

func (h *host) accelerationProblems(self string) (list []api.Problem) {
	for _, a := range h.early {
		if a.err == nil {
			continue
		}
		remedy := "nothing else is wrong; mend that, or take `accelerate: true` out of the file"
		if !errors.Is(a.err, filter.ErrNotAccelerated) {
			remedy = "please report this"
		}
		list = append(list, api.Problem{About: "host " + self, What: fmt.Sprintf("%s is not accelerated: %v", a.link.Name, a.err), Remedy: remedy})
	}
	return list
}
