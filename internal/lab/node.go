package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Node is a host or a client: a machine of the lab.
type Node struct {
	lab     *Lab
	name    string
	address netip.Addr
	space   *space
}

// Name is the node's name.
func (n *Node) Name() string { return n.name }

// Address is the node's own address.
func (n *Node) Address() netip.Addr { return n.address }

// Address6 is the node's own IPv6 address.
func (n *Node) Address6() netip.Addr { return address6(n.address) }

// Namespace is the name under which `ip netns` knows the node.
func (n *Node) Namespace() string { return n.space.name }

// Do runs f on a thread in the node's namespace. Sockets that f makes belong to the node for good. What f starts with go is
// elsewhere, and f must not call Do of the same node.
func (n *Node) Do(f func() error) error { return n.space.do(f) }

// Cmd is a command that starts on a node.
type Cmd struct {
	*exec.Cmd
	node *Node
}

// Exec prepares a command on the node; it ends with the context.
func (n *Node) Exec(ctx context.Context, argv ...string) *Cmd {
	if len(argv) == 0 {
		argv = []string{""} // Start reports it
	}
	return &Cmd{Cmd: exec.CommandContext(ctx, argv[0], argv[1:]...), node: n}
}

// Start starts the command on the node.
func (c *Cmd) Start() error { return c.node.space.do(c.Cmd.Start) }

// Run starts the command and waits for its end.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the command and returns what it wrote to stdout. An error carries what it wrote to stderr.
func (c *Cmd) Output() ([]byte, error) {
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	if err != nil && stderr.Len() > 0 {
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.Bytes(), err
}

// CombinedOutput runs the command and returns what it wrote to stdout and stderr.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}

// LogPath is where the output of a process of this node goes.
func (n *Node) LogPath(process string) string {
	name := n.name + ".log"
	if process != agentProcess {
		name = n.name + "-" + process + ".log"
	}
	return filepath.Join(n.lab.dir, "logs", name)
}

// Spawn starts a process on the node and leaves it running, its output in a log file. After a power cut PowerOn starts
// it again. A node has one process of a name at a time.
func (n *Node) Spawn(name string, argv ...string) (*Process, error) {
	if len(argv) == 0 {
		return nil, fmt.Errorf("start %s on %s: no command given", name, n.name)
	}
	if p, err := n.Process(name); err == nil && p.Running() {
		return nil, fmt.Errorf("start %s on %s: %w", name, n.name, ErrRunning)
	}
	log, err := os.OpenFile(n.LogPath(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s on %s: %w", name, n.name, err)
	}
	defer log.Close()
	cmd := n.Exec(context.Background(), argv...)
	cmd.Stdout, cmd.Stderr = log, log
	// A session of its own: an interrupt at the terminal is for the lab, which ends its processes in order.
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if !n.lab.detached {
		cmd.SysProcAttr.Pdeathsig = unix.SIGKILL
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s on %s: %w", name, n.name, err)
	}
	p := &Process{record{spec: spec{Name: name, Argv: argv}, Node: n.name, PID: cmd.Process.Pid}}
	_, p.Start, err = procStat(p.PID())
	go func() { _ = cmd.Wait() }() // so that it leaves no zombie; how it ended is in its log
	if err != nil {
		return nil, fmt.Errorf("start %s on %s: %w", name, n.name, err)
	}
	return p, n.remember(p.record)
}

// remember writes a process down in place of its predecessor.
func (n *Node) remember(r record) error {
	return change(n.lab.name, func(s *state) error {
		s.forget(r.Node, r.Name)
		s.Processes = append(s.Processes, r)
		return nil
	})
}

// forget removes the processes of a node, or the one of a name.
func (s *state) forget(node, name string) {
	s.Processes = slices.DeleteFunc(s.Processes, func(r record) bool {
		return r.Node == node && (name == "" || r.Name == name)
	})
}

// Process finds a process of this node, also one that another program started for the same lab.
func (n *Node) Process(name string) (*Process, error) {
	s, err := readState(n.lab.name)
	if err != nil {
		return nil, err
	}
	for _, r := range s.Processes {
		if r.Node == n.name && r.Name == name {
			return &Process{r}, nil
		}
	}
	return nil, fmt.Errorf("find %s on %s: %w", name, n.name, ErrNotRunning)
}

// StopProcess ends a process with SIGTERM and waits for its end.
func (n *Node) StopProcess(ctx context.Context, name string) error {
	p, err := n.Process(name)
	if err != nil {
		return err
	}
	if err := p.Signal(unix.SIGTERM); err != nil && !errors.Is(err, ErrNotRunning) {
		return err
	}
	if err := p.Wait(ctx); err != nil {
		return err
	}
	return change(n.lab.name, func(s *state) error { s.forget(n.name, name); return nil })
}
