package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/config"
	"github.com/muster-ha/muster/internal/filter"
	"github.com/muster-ha/muster/internal/guard"
	"github.com/muster-ha/muster/internal/heartbeat"
	"github.com/muster-ha/muster/internal/member"
	"github.com/muster-ha/muster/internal/system"
	"github.com/muster-ha/muster/internal/wire"
)

// ErrHost says that the configuration has no host of that name.
var ErrHost = errors.New("no such host in the configuration")

// stopDeadline is how long connections may go on after SIGTERM.
const stopDeadline = 30 * time.Second

// bpfDir and pinDir are below the run directory.
const (
	bpfDir = "bpf"
	pinDir = "bpf/filter"
)

// Run is an agent from start to undone. It ends when ctx does (after draining and handing over) or when a stop is
// asked for through the API; a second SIGTERM or SIGINT ends the waiting for connections.
func Run(ctx context.Context, o Options) error {
	self, ok := o.Config.Host(o.Host)
	if !ok {
		return fmt.Errorf("%w: %q; the hosts are listed in %s", ErrHost, o.Host, o.ConfigPath)
	}
	// A version made from a commit can be longer than heartbeats carry; then its beginning stands for it everywhere.
	o.Version = o.Version[:min(len(o.Version), heartbeat.MaxVersion)]
	server, err := api.Listen(o.RunDir, o.Version, o.Log)
	if err != nil {
		return err
	}
	defer server.Close()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // before the agent works and after, it would end the process and undo nothing
	defer signal.Stop(hangups)
	warn(o.Config, o.Log)
	discreet(o.Log)
	h, err := newHost(o, member.ID(self))
	if err != nil {
		return errors.Join(err, undo(o.RunDir, o.Log))
	}
	return h.run(ctx, server, hangups)
}

// newHost arms everything, with nothing accepted yet: the heartbeat's ports first, because an agent that cannot have them must not have
// touched anything, then the filter, then addresses. Nothing is said or heard before run.
func newHost(o Options, self member.ID) (*host, error) {
	secret, err := config.LoadSecret(o.Config.SecretFile)
	if err != nil {
		return nil, err
	}
	h := &host{
		opt: o, log: o.Log, self: self, config: o.Config,
		calls: make(chan func(), 16), stopped: make(chan struct{}), leave: make(chan time.Duration, 1),
		events: api.NewJournal(keptEvents, time.Now()), peers: make([]peer, len(o.Config.Hosts)), ghosts: map[member.ID]time.Time{},
		epochWriter: make(chan uint64, 1), groupWriter: make(chan string, 1), errands: newErrands(), boot: wire.NewBoot(),
		examined: examination{again: make(chan struct{}, 1)},
		late:     lateness{interval: o.Config.Heartbeat.Interval}, started: time.Now(),
	}
	if err := h.startRouting(); err != nil {
		return nil, err
	}
	h.registers = newRegisters(self, o.StateDir, o.Log)
	if h.network, err = h.openNetworks(secret); err != nil {
		return nil, errors.Join(err, h.abandon())
	}
	if err := h.openSystem(); err != nil {
		return nil, errors.Join(err, h.abandon())
	}
	// After the filter is loaded, which takes the kernel's verifier longer than a thread in real time may go without sleep; before the guard,
	// which is scheduled as its agent is.
	h.scheduling = hurry(o.Config.Heartbeat.Interval, o.Log)
	h.shares = newShares(self, o.Config, rank(o.Config), nil)
	h.watchStanding()
	h.scanner = newScanner(h.connections, filter.Abort, filter.SyncookiesSent, h.filter, h.scanned)
	h.checks = newChecks(h.probed(o.Config), h.checked, o.Log)
	if err := h.carry(o.Config); err != nil {
		return nil, errors.Join(err, h.abandon())
	}
	h.keepOwn()
	h.fillSlots()
	h.attributes = h.offered(o.Config, h.checks.running)
	h.machine = h.newMachine()
	if h.guard, err = guard.Start(h.opt.Guard, h.will(), h.log); err != nil {
		return nil, errors.Join(err, h.abandon())
	}
	h.watchOverrides()
	return h, nil
}

// newMachine is the membership of a host that has just started, and offers what h.attributes say.
func (h *host) newMachine() *member.Machine {
	return member.New(member.Params{
		Self: h.self, Boot: h.boot, Hosts: len(h.config.Hosts),
		Timing:    member.Timing{Interval: h.config.Heartbeat.Interval, Tolerance: h.config.Heartbeat.Tolerance, Lease: h.config.Heartbeat.Lease},
		HighEpoch: h.loadEpoch(), Config: configID(h.config), Attrs: h.attributes,
		Witnesses: electorate(h.config).Witnesses, Electors: electorate(h.config),
	}, time.Now())
}

// abandon lets go of what newHost had opened; the caller undoes what it had changed.
func (h *host) abandon() error {
	h.errands.close()
	h.stopAnnouncing()
	h.routing.speaker.Close()
	if h.checks != nil {
		h.checks.stop()
	}
	var errs []error
	if h.network != nil {
		errs = append(errs, h.network.Close())
	}
	if h.filter != nil {
		errs = append(errs, h.filter.Close())
	}
	if h.changes != nil {
		errs = append(errs, h.changes.Close())
	}
	return errors.Join(errs...)
}

// openSystem opens the journal of changes and the filter. What a killed agent left behind is taken over.
func (h *host) openSystem() error {
	var err error
	if h.changes, err = system.Open(h.opt.RunDir, h.log); err != nil {
		return err
	}
	h.changes.SetPinRemover(filter.Remove)
	if h.changes.Undoing() { // a stop was interrupted: finish it, then begin anew
		if err := h.changes.Undo(); err != nil {
			return err
		}
	}
	if h.isWitness() {
		h.filter = noKernel{}
		return h.changes.Undo() // of an earlier agent, if this host has served before
	}
	if err := h.changes.MountBPF(filepath.Join(h.opt.RunDir, bpfDir)); err != nil {
		return err
	}
	if err := h.changes.AddPins(filepath.Join(h.opt.RunDir, pinDir)); err != nil {
		return err
	}
	armed, err := filter.Open(filter.Options{PinDir: filepath.Join(h.opt.RunDir, pinDir), MaxRules: member.MaxRules, Log: h.log})
	if err != nil {
		return fmt.Errorf("arm filter: %w", err)
	}
	h.filter = armed
	h.changes.SetTunnelArmer(h.armTunnel)
	// An earlier agent's lease is not ours: nothing is accepted before a view says so.
	h.filter.SetLease(0)
	return nil
}

// run serves until it is told to leave, and undoes everything.
func (h *host) run(ctx context.Context, server *api.Server, hangups <-chan os.Signal) error {
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var group sync.WaitGroup
	group.Go(func() { defer close(h.stopped); h.loop(working) })
	group.Go(func() { h.scanner.run(working) })
	group.Go(func() { h.heal(working) })
	group.Go(func() { h.examine(working) })
	group.Go(func() { h.readClaims(working) })
	group.Go(func() { h.keepEpoch(working) })
	group.Go(func() { h.obey(working, hangups) })
	group.Go(func() {
		if err := server.Serve(working, h); err != nil {
			h.log.Error("control socket is gone: the command line cannot reach this agent", "err", err)
		}
	})
	h.log.Info("agent started", "host", h.opt.Host, "cluster", h.config.Cluster, "config", h.config.Digest.Short(), "version", h.opt.Version)
	h.depart(h.awaitLeave(ctx))
	stop()
	h.checks.stop()
	group.Wait()
	h.registers.flush(h.opt.StateDir, h.log)
	return h.tearDown()
}

// awaitLeave waits for a reason to leave and gives the deadline for connections.
func (h *host) awaitLeave(ctx context.Context) time.Duration {
	select {
	case <-ctx.Done():
		return stopDeadline
	case deadline := <-h.leave:
		return deadline
	}
}

// tearDown says farewell and puts the host back as it was found.
func (h *host) tearDown() error {
	notify("STOPPING=1")
	h.errands.close()
	h.stopAnnouncing()
	h.routing.speaker.Close()
	h.filter.SetLease(0)
	h.network.SayFarewell()
	h.guard.Dismiss()
	errs := []error{h.network.Close(), h.filter.Close(), h.changes.Undo(), h.changes.Close()}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("leave host %s: %w (what is left is undone by `muster stop --run-dir %s`)", h.opt.Host, err, h.opt.RunDir)
	}
	h.log.Info("agent stopped, host as it was found", "host", h.opt.Host)
	return nil
}

// Cleanup undoes what an agent left behind that was killed, and reports whether there was anything.
func Cleanup(runDir string, log *slog.Logger) (undone bool, err error) {
	if !system.Exists(runDir) {
		return false, nil
	}
	return true, api.Sweep(runDir, func() error { return undo(runDir, log) })
}

// undo takes back what the journal of a run directory says.
func undo(runDir string, log *slog.Logger) error {
	changes, err := system.Open(runDir, log)
	if err != nil {
		return err
	}
	defer changes.Close()
	changes.SetPinRemover(filter.Remove)
	return changes.Undo()
}

// obey reads the file again at each SIGHUP.
func (h *host) obey(ctx context.Context, hangups <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			if err := h.Reload(ctx); err != nil {
				h.log.Error("configuration not taken, nothing changed", "err", err)
			}
		}
	}
}

func configID(c *config.Config) member.ConfigID { return member.ConfigID(c.Digest.ID()) }
