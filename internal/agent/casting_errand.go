package agent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/muster-ha/muster/internal/multicast"
	"github.com/muster-ha/muster/internal/multicast/lessee"
	"github.com/muster-ha/muster/madcap"
)

// gatherTime is how long further servers may answer which scopes there are: not long, because a network waits for its first lease.
const gatherTime = 300 * time.Millisecond

// errands are the goroutines that talk to MADCAP servers, which takes minutes. The loop starts them, and each hands its result to the loop.
type errands struct {
	ctx  context.Context
	end  context.CancelFunc
	work sync.WaitGroup
}

func newErrands() *errands {
	e := &errands{}
	e.ctx, e.end = context.WithCancel(context.Background())
	return e
}

// close ends them and waits for that.
func (e *errands) close() {
	e.end()
	e.work.Wait()
}

// errand is one task about a lease on its way.
type errand struct {
	task   multicast.Task
	lease  multicast.Lease // that the task is about
	begun  time.Time
	cancel context.CancelFunc
}

// send starts a task in a goroutine of its own.
func (h *host) send(c *casting, task multicast.Task, l multicast.Lease) *errand {
	ctx, cancel := context.WithCancel(h.errands.ctx)
	e := &errand{task: task, lease: l, begun: time.Now(), cancel: cancel}
	w := lessee.Wish{Range: allowed(c.lease.set), Avoid: multicast.Avoid([]netip.Addr{l.Address}, h.otherGroups(c))}
	if task == multicast.Renew { // another one may have the same address
		w.Avoid = multicast.Avoid(nil, h.otherGroups(c))
	}
	local, err := h.localOn(c)
	h.errands.work.Go(func() {
		defer cancel()
		var got multicast.Lease
		if err == nil {
			got, err = e.run(ctx, c.Interface, local, w)
		}
		select {
		case h.calls <- func() { h.ended(c, e, got, err) }:
		case <-h.stopped:
		}
	})
	return e
}

// localOn is where this host is on a network; the error says why it is nowhere.
func (h *host) localOn(c *casting) (netip.Addr, error) {
	for _, n := range h.network.Stats() {
		if n.Index == c.Index {
			return n.Address, n.Down
		}
	}
	return netip.Addr{}, fmt.Errorf("there is no network %s", c.Name)
}

// run does the task from an address of this host. A lease that it returns is the network's from now on.
func (e *errand) run(ctx context.Context, device string, local netip.Addr, w lessee.Wish) (multicast.Lease, error) {
	if local.Is6() && local.IsLinkLocalUnicast() {
		local = local.WithZone(device)
	}
	client, err := madcap.NewClient(madcap.ClientConfig{Open: madcap.OpenUDP(madcap.UDPConfig{Interface: device, Local: local}), Family: madcap.FamilyOf(local),
		Gather: gatherTime})
	if err != nil {
		return multicast.Lease{}, err
	}
	return e.ask(ctx, client, w)
}

// ask does the task with a client.
func (e *errand) ask(ctx context.Context, client lessee.Client, w lessee.Wish) (multicast.Lease, error) {
	switch e.task {
	case multicast.Renew:
		return e.renew(ctx, client, w)
	case multicast.Replace:
		got, err := lessee.Obtain(ctx, client, w)
		// Now, not before: the server might have granted the same address again. If it cannot be given back, it expires.
		_ = lessee.Release(ctx, client, e.lease)
		return got, err
	case multicast.GiveBack:
		return multicast.Lease{}, lessee.Release(ctx, client, e.lease)
	}
	return lessee.Obtain(ctx, client, w)
}

// renew asks the lease's server for half of the time that is left, and then any server for another lease.
func (e *errand) renew(ctx context.Context, client lessee.Client, w lessee.Wish) (multicast.Lease, error) {
	patience, cancel := context.WithTimeout(ctx, time.Until(e.lease.Expires)/2)
	defer cancel()
	got, refused := lessee.Renew(patience, client, e.lease)
	if refused == nil {
		return got, nil
	}
	got, err := lessee.Obtain(ctx, client, w)
	if err != nil {
		return multicast.Lease{}, errors.Join(refused, err)
	}
	return got, nil
}

// short is an error for people: on one line, and not without end.
func short(err error) string {
	const most = 400
	text := []rune(strings.ReplaceAll(err.Error(), "\n", "; "))
	if len(text) > most {
		text = append(text[:most], []rune("...")...)
	}
	return string(text)
}
