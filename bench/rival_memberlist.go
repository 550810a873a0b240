package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/muster-ha/muster/internal/lab"
)

// memberlistCommand is the argument with which this program is a host of memberlist, in the namespaces of a lab.
const memberlistCommand = "memberlist"

// memberlistRival is hashicorp/memberlist: LAN are its DefaultLANConfig, tuned probes each host every 200 ms, waits 100 ms for an
// answer and suspects for as short a time as it can.
func memberlistRival(kind string) rival {
	return rival{name: "memberlist " + kind, cuts: detectTimes, process: memberlistCommand, patience: time.Minute, read: readMemberlist,
		start: func(l *lab.Lab, h *lab.Host) error {
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			argv := []string{self, memberlistCommand, "-name", h.Name(), "-bind", h.Address().String(), "-tuned=" + strconv.FormatBool(kind == "tuned")}
			for _, other := range l.Hosts() {
				if other.Name() != h.Name() {
					argv = append(argv, other.Address().String())
				}
			}
			_, err = h.Spawn(memberlistCommand, argv...)
			return err
		}}
}

// runMemberlist is a host of memberlist, until it is killed. Every change of members is a line on stdout: nanoseconds since 1970, names.
func runMemberlist(args []string) error {
	flags := flag.NewFlagSet(memberlistCommand, flag.ContinueOnError)
	name, bind := flags.String("name", "", "name of this host"), flags.String("bind", "", "address of this host")
	tuned := flags.Bool("tuned", false, "as quick as is sensible")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c := memberlist.DefaultLANConfig()
	c.Name, c.BindAddr, c.AdvertiseAddr = *name, *bind, *bind
	c.Logger = log.New(io.Discard, "", 0)
	c.Events = &memberEvents{out: os.Stdout}
	if *tuned {
		c.ProbeInterval, c.ProbeTimeout, c.SuspicionMult = 200*time.Millisecond, 100*time.Millisecond, 2
	}
	list, err := memberlist.Create(c)
	if err != nil {
		return fmt.Errorf("start memberlist: %w", err)
	}
	// Hosts start one after another, and one that is back after a power cut knows nobody: it asks until somebody answers.
	for {
		if n, _ := list.Join(flags.Args()); n > 0 {
			select {}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// memberEvents writes down who is a member.
type memberEvents struct {
	mu    sync.Mutex
	out   io.Writer
	names []string
}

// NotifyJoin is called by memberlist.
func (e *memberEvents) NotifyJoin(n *memberlist.Node) { e.change(n.Name, true) }

// NotifyLeave is called by memberlist when a host has left or is taken for dead.
func (e *memberEvents) NotifyLeave(n *memberlist.Node) { e.change(n.Name, false) }

// NotifyUpdate is called by memberlist when a host's data change: here they never do.
func (e *memberEvents) NotifyUpdate(*memberlist.Node) {}

func (e *memberEvents) change(name string, in bool) {
	at := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.names = slices.DeleteFunc(e.names, func(other string) bool { return other == name })
	if in {
		e.names = append(e.names, name)
	}
	fmt.Fprintln(e.out, at.UnixNano(), strings.Join(e.names, " "))
}

func readMemberlist(line string, _ []string) (membership, error) {
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return membership{}, fmt.Errorf("an empty line")
	}
	ns, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return membership{}, fmt.Errorf("%q has no time: %w", strings.TrimSpace(line), err)
	}
	return membership{at: time.Unix(0, ns), members: fields[1:]}, nil
}
