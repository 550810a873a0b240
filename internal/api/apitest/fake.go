package apitest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
)

// Fake is an agent that says what its fields say.
type Fake struct {
	Now         api.Status
	Explained   api.Explanation
	Set         api.SettingsAnswer
	Ordered     api.OrderAnswer
	Err         error // what the orders return
	Events      *api.Journal
	OnStop      func()
	AfterOrders api.Status // the status once an order was given, if it names a cluster

	mu      sync.Mutex
	calls   []string
	rotated int // answers about keys since they were rotated; 0: they were not
}

// New returns a fake with the sample status.
func New() *Fake {
	return &Fake{Now: Sample(), Explained: SampleExplanation(), Events: api.NewJournal(4, time.UnixMilli(1))}
}

// Calls lists the orders and questions so far.
func (f *Fake) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (f *Fake) note(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
	return f.Err
}

// Status implements api.Agent.
func (f *Fake) Status(context.Context) (api.Status, error) {
	if f.AfterOrders.Cluster != "" && len(f.Calls()) > 0 {
		return f.AfterOrders, nil
	}
	return f.Now, nil
}

// Metrics implements api.Agent with one series.
func (f *Fake) Metrics(_ context.Context, w io.Writer) error {
	_, err := fmt.Fprintf(w, "# HELP muster_view_epoch Epoch of the view in use.\n# TYPE muster_view_epoch gauge\nmuster_view_epoch %d\n", f.Now.Epoch)
	return errors.Join(err, f.Err)
}

// Explain implements api.Agent.
func (f *Fake) Explain(_ context.Context, r api.ExplainRequest) (api.Explanation, error) {
	return f.Explained, f.note("explain %s:%d/%s %s:%d", r.VIP, r.VIPPort, r.Protocol, r.Client, r.Port)
}

// Params implements api.Agent.
func (f *Fake) Params(context.Context) (api.Params, error) { return SampleParams(), nil }

// OrderHost implements api.Agent.
func (f *Fake) OrderHost(_ context.Context, o api.HostOrder) (api.OrderAnswer, error) {
	return f.Ordered, f.note("%s %s %v", o.Verb, o.Host, o.Deadline)
}

// OrderRule implements api.Agent.
func (f *Fake) OrderRule(_ context.Context, o api.RuleOrder) (api.OrderAnswer, error) {
	return f.Ordered, f.note("rule %s:%d udp %v on %q: %s", o.VIP, o.Port, o.UDP, o.Host, o.State)
}

// SetNetwork implements api.Agent.
func (f *Fake) SetNetwork(_ context.Context, r api.SettingsRequest) (api.SettingsAnswer, error) {
	return f.Set, f.note("set %q %q", r.Network, r.Settings)
}

// Reload implements api.Agent.
func (f *Fake) Reload(context.Context) error { return f.note("reload") }

// Stop implements api.Agent.
func (f *Fake) Stop(_ context.Context, r api.StopRequest) error {
	if err := f.note("stop %v", r.Deadline); err != nil {
		return err
	}
	if f.OnStop != nil {
		go f.OnStop()
	}
	return nil
}

// Journal implements api.Agent.
func (f *Fake) Journal() *api.Journal { return f.Events }

// Serve opens a control socket for the agent and returns its run directory and a function that ends it as a clean stop
// would; the test's end does the same.
func Serve(t *testing.T, agent api.Agent) (runDir string, stop func()) {
	t.Helper()
	runDir = RunDir(t)
	return runDir, ServeIn(t, runDir, agent)
}

// ServeIn is Serve in a given run directory.
func ServeIn(t *testing.T, runDir string, agent api.Agent) (stop func()) {
	t.Helper()
	server, err := api.Listen(runDir, "v1.2.3", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, agent) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := server.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// RunDir makes a directory with a name short enough for a socket, which t.TempDir does not promise.
func RunDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "muster")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
