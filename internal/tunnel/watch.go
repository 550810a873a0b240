package tunnel

import (
	"context"
	"net/netip"
	"time"
)

// askEvery is how often each way is asked. The kernel forgets what a router said after ten minutes, and a way that has become narrow cuts
// packets until it is known.
const askEvery = 10 * time.Second

// Ask gives the largest packet that the way to a host takes; usually PathMTU.
type Ask func(ctx context.Context, to netip.Addr) (int, error)

// Watch asks the ways to hosts again and again until the context ends. tell gets the largest packet that can be wrapped for all of them, at
// first and whenever it changes; never less than what fits LeastMTU. While no host answers for its way nothing is told.
func Watch(ctx context.Context, hosts []netip.Addr, ask Ask, tell func(fits int)) {
	told := 0
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for {
		if fits := narrowest(ctx, hosts, ask); fits != 0 && fits != told && ctx.Err() == nil {
			told = fits
			tell(fits)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// narrowest is what fits on every way that is known, 0 when none is.
func narrowest(ctx context.Context, hosts []netip.Addr, ask Ask) int {
	least := 0
	for _, to := range hosts {
		path, err := ask(ctx, to)
		if err != nil {
			continue // it cannot be reached at all: there is nothing to fit
		}
		if fits := max(path, LeastMTU) - Overhead(to); least == 0 || fits < least {
			least = fits
		}
	}
	return least
}
