package lab

import (
	"fmt"
	"io"
)

const webProcess = "web"

// StartWeb starts the web application on every host: HTTP on port 80, echo on port 7.
func (l *Lab) StartWeb() error {
	for _, h := range l.Hosts() {
		if _, err := h.Spawn(webProcess, l.binary, "lab", "web", "--name", h.name, "--listen", ":80", "--echo", ":7"); err != nil {
			return err
		}
	}
	return nil
}

// Expand puts this lab's program, with the node's agent chosen, in place of the word muster in front of a command.
func (l *Lab) Expand(node string, argv []string) []string {
	h := l.Host(node)
	if len(argv) == 0 || argv[0] != "muster" || l.binary == "" {
		return argv
	}
	if h == nil {
		return append([]string{l.binary}, argv[1:]...)
	}
	return append([]string{l.binary, "-c", l.ConfigPath(), "--run-dir", h.RunDir()}, argv[1:]...)
}

// Explain tells a person how to look at a running lab.
func (l *Lab) Explain(w io.Writer) {
	h := l.Hosts()[0]
	fmt.Fprintf(w, "Lab %s is running. To look at it:\n", l.name)
	for _, line := range [][2]string{
		{"exec " + h.name + " -- muster status", "what host " + h.name + " knows"},
		{"exec c1 -- muster lab load http --rate 200 --duration 5s --table", "clients"},
		{"fault b cut", "and: restore, freeze, thaw, kill, start, loss 20"},
		{"exec " + h.name + " -- bash", "a shell on the host"},
		{"down", "remove it"},
	} {
		fmt.Fprintf(w, "  %s lab --lab %s %-66s # %s\n", l.binary, l.name, line[0], line[1])
	}
	fmt.Fprintf(w, "  %s -c %s --run-dir %s status\n", l.binary, l.ConfigPath(), h.RunDir())
	fmt.Fprintf(w, "  ip netns exec %s ...        # the same namespaces, with iproute2\n", h.Namespace())
	fmt.Fprintf(w, "  logs: %s/logs\n", l.dir)
}
