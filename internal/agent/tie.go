package agent

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/ping"
	"github.com/muster-ha/muster/internal/quorum"
)

const (
	// roundLeast is the shortest time in which a silent address is taken for one that does not answer: a busy machine on a LAN answers
	// a ping well within it.
	roundLeast = 250 * time.Millisecond
	// roundPause is between two rounds while a split is not decided.
	roundPause = time.Second
)

// tie decides even splits for this host, where the file names witness addresses. It belongs to the loop, but for the rounds.
type tie struct {
	quorum.Tie
	asking bool      // a round is under way
	again  time.Time // not before
	ticked time.Time
}

// round is what is asked in one round: all of it data, so that it runs outside of the loop.
type round struct {
	contest   quorum.Contest
	witnesses config.Witnesses
	others    []netip.Addr
	limit     time.Duration
}

// watchTie looks at each tick whether a split is to be decided here.
func (h *host) watchTie(now time.Time) {
	t := &h.tie
	if !t.ticked.IsZero() && now.Sub(t.ticked) > h.silence() {
		t.Stalled()
	}
	t.ticked = now
	if !h.config.Witnesses.Any() || t.asking || now.Before(t.again) {
		return
	}
	contest, open := t.Ask(electorate(h.config))
	if !open {
		return
	}
	t.asking, t.again = true, now.Add(roundPause)
	r := round{contest: contest, witnesses: h.config.Witnesses, others: h.addressesOf(contest.Others), limit: max(roundLeast, h.silence())}
	go h.decideTie(r)
}

// decideTie asks and takes the answer into the loop.
func (h *host) decideTie(r round) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*r.limit)
	defer cancel()
	witness, others, err := r.ask(ctx)
	h.later(func() {
		h.tie.asking = false
		if err != nil {
			h.log.Error("cannot ask who is there, so this half does not go on", "err", err)
			return
		}
		h.tie.Answer(r.contest.Number, witness, others)
		h.log.Info("asked the witness in an even split", "answered", witness, "others_answer", others, "goes_on", h.tie.Won())
		h.refresh()
	})
}

// ask asks the witnesses and the others at the same time. Where a ping is not possible nothing is known, and that is an error.
func (r round) ask(ctx context.Context) (witness, others bool, err error) {
	addrs := append(append([]netip.Addr{}, r.witnesses.Ping...), r.others...)
	all := func([]bool) bool { return false } // who is silent is known at the end only
	var group sync.WaitGroup
	connected := make([]bool, len(r.witnesses.TCP))
	for i, a := range r.witnesses.TCP {
		group.Go(func() { connected[i] = connects(ctx, a, r.limit) })
	}
	answered, err := ping.Ask(ctx, addrs, r.limit, all)
	group.Wait()
	for _, yes := range connected {
		witness = witness || yes
	}
	for i, yes := range answered {
		witness = witness || yes && i < len(r.witnesses.Ping)
		others = others || yes && i >= len(r.witnesses.Ping)
	}
	return witness, others, err
}

func connects(ctx context.Context, to netip.AddrPort, limit time.Duration) bool {
	dialer := net.Dialer{Timeout: limit}
	conn, err := dialer.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// addressesOf lists every address of hosts on any network. Of a host whose boot has said farewell none: its kernel may answer, but
// accepts nothing any more, and who starts there anew decides no split.
func (h *host) addressesOf(hosts member.Set) []netip.Addr {
	var list []netip.Addr
	networks := h.network.Stats()
	for id := range hosts.All() {
		if h.machine.Peer(id).Ended {
			continue
		}
		list = append(list, h.config.Hosts[id].Address) // IPv4: the file is refused otherwise
		for _, n := range networks {
			if a := n.Addresses[id]; a.IsValid() && a.Addr() != h.config.Hosts[id].Address && a.Addr().Is4() {
				list = append(list, a.Addr())
			}
		}
	}
	return list[:min(len(list), ping.MaxAddresses-len(h.config.Witnesses.Ping))]
}
