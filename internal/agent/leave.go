package agent

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	// handOverWait bounds the wait for the others to take over: a view change takes milliseconds, a detection in
	// the middle of it some hundred more.
	handOverWait = 2 * time.Second
	leavePoll    = 50 * time.Millisecond
)

// depart drains, hands over and waits for connections to end, up to the deadline or a second signal.
func (h *host) depart(deadline time.Duration) {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	h.log.Info("leaving: handing over", "deadline", deadline)
	h.withdrawRoutes(ctx)
	h.do(ctx, func() {
		h.leaving = true
		h.refresh()
		h.act(h.machine.Leave(time.Now()))
	})
	h.waitFor(ctx, handOverWait, h.handedOver)
	h.waitFor(h.until(ctx, deadline), deadline, h.noConnections)
}

// until ends with the deadline, or with the earlier one of another order to stop.
func (h *host) until(ctx context.Context, deadline time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	end, _ := ctx.Deadline()
	go func() {
		defer cancel()
		for {
			select {
			case <-ctx.Done():
				return
			case sooner := <-h.leave:
				if sooner < time.Until(end) {
					end = time.Now().Add(sooner)
					time.AfterFunc(sooner, cancel)
				}
			}
		}
	}()
	return ctx
}

// waitFor asks the loop until the answer is yes, ctx ends or the time is over.
func (h *host) waitFor(ctx context.Context, limit time.Duration, question func() bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		answer := false
		if !h.do(ctx, func() { answer = question() }) || answer || !pause(ctx, leavePoll) {
			return
		}
	}
}

// handedOver reports whether this host owns nothing any more and its share is accepted elsewhere.
func (h *host) handedOver() bool {
	m, in := memberOf(h.shares.view, h.self)
	return !in || h.shares.installed && m.Weight == 0 && !m.Director
}

// noConnections reports whether a look that was made after the hand-over found nothing.
func (h *host) noConnections() bool {
	if h.lastScan.at != h.shares.view.ViewID {
		return false
	}
	if h.lastScan.connections == 0 {
		return true
	}
	h.askScan(scanDelay)
	return false
}
