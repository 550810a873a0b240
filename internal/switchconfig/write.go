package switchconfig

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
)

// portSyntax is what the name of a port may be made of: lines are pasted into switches, so nothing goes into them that could end one.
var portSyntax = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9/:._ -]{0,63}$`)

// Check says what of a request no switch has.
func (r *Request) Check() error {
	if r.VLAN < 0 || r.VLAN > 4094 {
		return fmt.Errorf("VLAN %d: want a number from 1 to 4094", r.VLAN)
	}
	for _, p := range r.Ports {
		if !portSyntax.MatchString(p) {
			return fmt.Errorf("port %q: want a name as the switch has it, such as Gi1/0/1", p)
		}
	}
	if r.Bridge != "" && !portSyntax.MatchString(r.Bridge) {
		return fmt.Errorf("bridge %q: want a name of `ip link`", r.Bridge)
	}
	return nil
}

// Write writes an answer so that it can be pasted: what is no line for the switch is a comment there.
func (a *Answer) Write(w io.Writer) error {
	out := bufio.NewWriter(w)
	say := func(format string, args ...any) { fmt.Fprintf(out, a.Comment+" "+format+"\n", args...) }
	say("%s", a.For)
	if len(a.Sections) == 0 {
		say("nothing to enter")
	}
	for _, n := range a.Notes {
		say("- %s", n)
	}
	for _, h := range a.Fill {
		say("fill in %s: %s", h.Word, h.Say)
	}
	for _, s := range a.Sections {
		fmt.Fprintln(out)
		say("%s (%s)", s.Title, s.Trust)
		for _, line := range s.Lines {
			fmt.Fprintln(out, line)
		}
	}
	return out.Flush()
}
