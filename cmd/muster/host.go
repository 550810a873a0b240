package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/render"
)

// maxDeadline is what the API accepts.
const maxDeadline = 24 * time.Hour

func (a *app) hostCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "host",
		Short: "Drain, stop, suspend or start a host, from any host",
		Long: `Orders to hosts are given on any host about any host, also about one that is down. They stay until they are taken back, over a restart of the
agent, of the host and of the whole cluster. ` + "`muster host resume NAME`" + ` takes back each of them.`,
	}
	c.AddCommand(a.hostShowCommand(), a.drainCommand(), a.hostVerb(api.StopHost), a.hostVerb(api.StartHost), a.hostVerb(api.SuspendHost), a.hostVerb(api.ResumeHost))
	return c
}

// hostVerb is a command that gives an order and does not wait for what follows.
func (a *app) hostVerb(verb api.HostVerb) *cobra.Command {
	words := map[api.HostVerb]struct{ short, long, done string }{
		api.StopHost: {"Give a host's share to the others and close its connections", `The host's share goes to the others at once, and the connections that it has to virtual addresses are closed: their clients learn it at once
and come back to another host. Its agent goes on running and is heard, unlike after ` + "`muster stop`" + `.`, "host %s is stopped: its share goes to the others, its connections are closed"},
		api.StartHost: {"Give a drained or stopped host its share again", "", "host %s gets new connections again"},
		api.SuspendHost: {"Stop a host until it is resumed, whoever else gives orders", `As stop; and until somebody resumes it, the host refuses to be started, stopped or drained. For the time of repairs, in which a script must
not start it.`, "host %s is suspended: it serves nothing and takes no order but to resume"},
		api.ResumeHost: {"Give a host its share again, whatever was ordered before", "", "host %s gets new connections again"},
	}
	w := words[verb]
	return &cobra.Command{
		Use:               string(verb) + " NAME",
		Short:             w.short,
		Long:              w.long,
		Example:           "muster host " + string(verb) + " b",
		Args:              takes("NAME"),
		ValidArgsFunction: a.completeHosts,
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			answer, err := client.OrderHost(c.Context(), api.HostOrder{Host: args[0], Verb: verb})
			if err != nil {
				return err
			}
			return a.ordered(answer, fmt.Sprintf(w.done, args[0]), args[0])
		},
	}
}

// ordered reports an order and who knows it. about is the host that it is for, or empty.
func (a *app) ordered(answer api.OrderAnswer, sentence, about string) error {
	if slices.Contains(answer.Silent, about) {
		sentence = fmt.Sprintf("host %s is not heard: the order counts when it returns", about)
	}
	if err := a.print(answer, func(w io.Writer) { render.Ordered(w, answer, sentence) }); err != nil {
		return err
	}
	switch {
	case len(answer.Lacking) > 0:
		return fmt.Errorf("not every host that is heard has confirmed the order (%s): it gets it as soon as it can; see `muster status`", strings.Join(answer.Lacking, ", "))
	case answer.NotKept != "":
		return fmt.Errorf("the order counts, but this host cannot keep it over a restart of the whole cluster: %s", answer.NotKept)
	}
	return nil
}

func (a *app) hostShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "show [NAME]",
		Short:             "What hosts have been told and what they do, or all about one",
		Example:           "muster host show\nmuster host show b --json",
		Args:              takesAtMost("NAME"),
		ValidArgsFunction: a.completeHosts,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := a.askStatus(c)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return a.print(s.Hosts, func(w io.Writer) { render.Hosts(w, s) })
			}
			i := slices.IndexFunc(s.Hosts, func(h api.HostStatus) bool { return h.Name == args[0] })
			if i < 0 {
				return fmt.Errorf("no host %q: the hosts are %s", args[0], strings.Join(statusHosts(s), ", "))
			}
			return a.print(s.Hosts[i], func(w io.Writer) { render.Host(w, s, s.Hosts[i]) })
		},
	}
}

func statusHosts(s api.Status) []string {
	names := make([]string, len(s.Hosts))
	for i, h := range s.Hosts {
		names[i] = h.Name
	}
	return names
}

func checkDeadline(d time.Duration) error {
	if d < 0 || d > maxDeadline {
		return usagef("deadline %v: want between 0s and %v", d, maxDeadline)
	}
	return nil
}
