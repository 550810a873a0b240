package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// Options says what to build.
type Options struct {
	Name     string       // prefix of everything that the lab makes; default: m and four random digits
	Hosts    int          // named a, b, c and so on
	Clients  int          // named c1, c2 and so on
	Networks int          // of the hosts besides the first, each with a switch of its own: eth1 and so on; default: none
	Far      int          // how many of the hosts, the last ones, are behind a router: see Router; default: none
	Binary   string       // path of muster
	Dir      string       // for configuration, secret, run and state directories, logs; default: a temporary directory
	Config   string       // text/template of the configuration, see Template; default: the example farm
	Detached bool         // processes outlive the one that started them; without it they are killed with it
	Log      *slog.Logger // default: none
}

// Lab is a set of hosts and clients.
type Lab struct {
	name     string
	dir      string
	binary   string
	detached bool
	nodes    []node
	networks int
	sw       *space
	spaces   map[string]*space
	log      *slog.Logger

	mu   sync.Mutex // held by Down
	down bool
}

// Up makes the machines and the network. Nothing runs on them yet. After an error nothing is left.
func Up(ctx context.Context, o Options) (*Lab, error) {
	s, err := newState(o)
	if err != nil {
		return nil, err
	}
	sweep(logOf(o.Log))
	if err := s.claim(); err != nil {
		if s.OwnDir {
			err = errors.Join(err, s.removeDir())
		}
		return nil, err
	}
	l := newLab(s, o.Log)
	if err := l.build(ctx, o.Config); err != nil {
		return nil, errors.Join(err, l.Down())
	}
	l.log.Info("lab is up", "lab", l.name, "hosts", o.Hosts, "clients", o.Clients, "dir", l.dir)
	return l, nil
}

// Open finds a lab that another process made, or that this one lost.
func Open(name string) (*Lab, error) {
	s, err := readState(name)
	if err != nil {
		return nil, err
	}
	return newLab(s, nil), nil
}

// Close lets go of the lab and leaves it running. Only Down of a lab opened again ends it then.
func (l *Lab) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeSpaces()
}

func (l *Lab) closeSpaces() {
	for _, s := range l.spaces {
		s.close()
	}
	l.sw.close()
}

// newState checks the options and makes the directory: the last thing that can fail before the lab has a name.
func newState(o Options) (*state, error) {
	nodes, err := plan(o.Hosts, o.Clients)
	if err == nil {
		nodes, err = farAway(nodes, o)
	}
	if err != nil {
		return nil, err
	}
	if o.Networks < 0 || o.Networks > maxNetworks {
		return nil, fmt.Errorf("%d networks besides the first: a lab has 0 to %d", o.Networks, maxNetworks)
	}
	if o.Name == "" {
		o.Name = randomName()
	}
	if err := checkName(o.Name); err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("make lab: network namespaces need root: run it with sudo")
	}
	s := &state{Name: o.Name, Dir: o.Dir, Binary: o.Binary, Detached: o.Detached, Nodes: nodes, Networks: o.Networks}
	if s.Owner, err = owner(); err != nil {
		return nil, err
	}
	if s.Binary != "" {
		if s.Binary, err = absolute(s.Binary); err != nil {
			return nil, fmt.Errorf("find muster: %w", err)
		}
	}
	if s.Dir != "" {
		s.Dir, err = canonical(s.Dir)
		return s, err
	}
	s.OwnDir = true
	if s.Dir, err = os.MkdirTemp("", "muster-lab-"+s.Name+"-"); err != nil {
		return nil, fmt.Errorf("make directory of lab: %w", err)
	}
	s.Dir, err = canonical(s.Dir)
	return s, err
}

func absolute(binary string) (string, error) {
	found, err := exec.LookPath(binary)
	if err != nil {
		return "", err
	}
	return filepath.Abs(found)
}

// canonical makes a directory and names it as the list of mounts does: absolute and without symbolic links.
func canonical(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make directory of lab: %w", err)
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", fmt.Errorf("find directory of lab: %w", err)
	}
	return filepath.Abs(dir)
}

// logOf is the log given, or none.
func logOf(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

func newLab(s *state, log *slog.Logger) *Lab {
	l := &Lab{networks: s.Networks, name: s.Name, dir: s.Dir, binary: s.Binary, detached: s.Detached, nodes: s.Nodes, log: logOf(log),
		spaces: make(map[string]*space)}
	l.sw = openSpace(l.switchName())
	for _, n := range l.nodes {
		l.spaces[n.Name] = openSpace(l.spaceName(n.Name))
	}
	return l
}

func (l *Lab) build(ctx context.Context, config string) error {
	if err := l.makeFiles(config); err != nil {
		return err
	}
	if err := l.buildSwitch(); err != nil {
		return fmt.Errorf("build switch: %w", err)
	}
	for _, n := range l.nodes {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("build %s: %w", n.Name, err)
		}
		if err := l.buildNode(n); err != nil {
			return fmt.Errorf("build %s: %w", n.Name, err)
		}
	}
	return nil
}

// Name is the lab's name.
func (l *Lab) Name() string { return l.name }

// Dir is the lab's directory.
func (l *Lab) Dir() string { return l.dir }

// Binary is the muster that the lab runs.
func (l *Lab) Binary() string { return l.binary }

// Node finds a host or client; nil when there is none of that name.
func (l *Lab) Node(name string) *Node {
	for _, n := range l.nodes {
		if n.Name == name {
			return &Node{lab: l, name: n.Name, address: n.Address, space: l.spaces[n.Name]}
		}
	}
	return nil
}

// Host finds a host; nil when there is none of that name.
func (l *Lab) Host(name string) *Host {
	for _, n := range l.nodes {
		if n.Name == name && !n.Client {
			return &Host{l.Node(name)}
		}
	}
	return nil
}

// Hosts lists the hosts.
func (l *Lab) Hosts() []*Host {
	var hosts []*Host
	for _, n := range l.nodes {
		if !n.Client {
			hosts = append(hosts, l.Host(n.Name))
		}
	}
	return hosts
}

// Client is the i-th client, counted from 1; nil when there is none.
func (l *Lab) Client(i int) *Node { return l.Node(fmt.Sprintf("c%d", i)) }

// Down ends every process and removes everything. It may be called again after an error, and does nothing when all is gone.
func (l *Lab) Down() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil
	}
	err := l.killEverything()
	l.closeSpaces()
	for _, n := range l.nodes {
		err = errors.Join(err, deleteNamespace(l.spaceName(n.Name)))
	}
	err = errors.Join(err, deleteNamespace(l.switchName()), unmountBelow(l.dir))
	if err != nil {
		return fmt.Errorf("take lab %s down: %w", l.name, err)
	}
	if err := l.forget(); err != nil {
		return fmt.Errorf("take lab %s down: %w", l.name, err)
	}
	l.down = true
	l.log.Info("lab is down", "lab", l.name)
	return nil
}

// killEverything kills the processes that were started, then whatever else is in a namespace of the lab.
func (l *Lab) killEverything() error {
	if s, err := readState(l.name); err == nil {
		for _, r := range s.Processes {
			_ = (&Process{r}).Signal(9) // killAll reports what is left
		}
	}
	var err error
	for _, n := range l.nodes {
		err = errors.Join(err, killAll(l.spaceName(n.Name)))
	}
	return errors.Join(err, killAll(l.switchName()))
}

// forget removes the files, the state last: until then Down can be tried again, by anyone.
func (l *Lab) forget() error {
	return locked(func() error {
		s, err := readState(l.name)
		if errors.Is(err, ErrNotFound) {
			return nil // another process was faster
		}
		if err != nil {
			return err
		}
		if s.Dir != l.dir {
			return nil // the name belongs to another lab by now
		}
		if err := s.removeDir(); err != nil {
			return err
		}
		return os.Remove(statePath(l.name))
	})
}

// removeDir removes what the lab wrote: the whole directory if it is the lab's own.
func (s *state) removeDir() error {
	targets := []string{s.Dir}
	if !s.OwnDir {
		targets = nil
		for _, name := range []string{configFile, secretFile, "run", "state", "logs"} {
			targets = append(targets, filepath.Join(s.Dir, name))
		}
	}
	for _, path := range targets {
		if err := os.RemoveAll(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove files of lab %s: %w", s.Name, err)
		}
	}
	return nil
}
