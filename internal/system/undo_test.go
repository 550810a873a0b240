package system

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestUndoRespectsWhatIsNotOurs(t *testing.T) {
	const announce, address = "sysctl net/ipv4/conf/eth0/arp_announce", "address 10.77.0.100/32 on lo"
	tests := []struct {
		name  string
		found string // state of the address or sysctl before
		what  string
		since string // what somebody else makes of it while we run
		want  string // afterwards; "" is a fresh host's state
	}{
		{name: "address was there", what: address, found: Present, want: Present},
		{name: "address was there and was taken away", what: address, found: Present, since: Absent, want: ""},
		{name: "address was taken away", what: address, since: Absent, want: ""},
		{name: "sysctl had another value", what: announce, found: "1", want: "1"},
		{name: "sysctl had our value", what: announce, found: "2", want: "2"},
		{name: "sysctl set by somebody else since", what: announce, found: "0", since: "1", want: "1"},
		{name: "sysctl put back by somebody else", what: announce, found: "1", since: "0", want: ""},
		{name: "stricter value stays", what: ignore, found: "8", want: "8"},
		{name: "weaker value comes back", what: ignore, found: "", want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host, dir := newHost(), memoryDir(t)
			if tt.found != "" {
				host.put(tt.what, tt.found)
			}
			host.process(t, dir, func(j *Journal) {
				if err := everything(j); err != nil {
					t.Error(err)
				}
			})
			if tt.since != "" {
				host.put(tt.what, tt.since)
			}
			host.process(t, dir, undo(t))
			if got := host.states[tt.what]; got != tt.want {
				t.Errorf("left %q, want %q", got, tt.want)
			}
		})
	}
}

func TestUndoGoesBackwards(t *testing.T) {
	host, dir := newHost(), memoryDir(t)
	host.process(t, dir, func(j *Journal) {
		if err := everything(j); err != nil {
			t.Fatal(err)
		}
		done := len(host.history)
		removed := ""
		j.SetPinRemover(func(dir string) error { removed = dir; return nil })
		undo(t)(j)
		var order []string
		for _, h := range host.history[done:] {
			order = append(order, strings.Fields(h)[0])
		}
		if want := []string{"membership", "reception", "sysctl", "sysctl", "address", "pins", "mount", "directory"}; !slices.Equal(slices.DeleteFunc(order, func(s string) bool { return s == "file" }), want) {
			t.Errorf("order %v, want %v", order, want)
		}
		if removed != j.Dir()+"/bpf/filter" {
			t.Errorf("pin remover was called for %q", removed)
		}
	})
}

func TestUndoGoesOnPastFailures(t *testing.T) {
	host, dir := newHost(), memoryDir(t)
	host.process(t, dir, func(j *Journal) {
		if err := everything(j); err != nil {
			t.Fatal(err)
		}
		j.SetPinRemover(func(string) error { return errBusy })
		host.refuse[ignore] = true
		err := j.Undo()
		if !errors.Is(err, errBusy) || !strings.Contains(err.Error(), "arp_ignore") || !strings.Contains(err.Error(), "pins") {
			t.Errorf("error does not name what failed: %v", err)
		}
		if host.states["address 10.77.0.100/32 on lo"] != "" {
			t.Error("the address was left on the host")
		}
	})
	host.refuse = map[string]bool{}
	host.process(t, dir, func(j *Journal) {
		if n := len(j.Changes()); n != 2 || !j.Undoing() {
			t.Errorf("%d changes left to undo, want 2", n)
		}
		undo(t)(j)
	})
	if len(host.states) != 0 || Exists(dir) {
		t.Errorf("left behind: %v", host.states)
	}
}

func TestReleaseUnclaimed(t *testing.T) {
	host, dir := newHost(), memoryDir(t)
	add := func(vips ...int) func(*Journal) {
		return func(j *Journal) {
			for _, n := range vips {
				if err := j.AddAddress("lo", vip(n)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	host.process(t, dir, add(1, 2, 3))
	host.process(t, dir, func(j *Journal) {
		add(2, 4)(j)
		if err := j.ReleaseUnclaimed(); err != nil {
			t.Error(err)
		}
		if n := len(j.Changes()); n != 2 || j.Undoing() {
			t.Errorf("%d changes, undoing %v", n, j.Undoing())
		}
	})
	if len(host.states) != 2 || host.states["address 10.77.0.2/32 on lo"] == "" || host.states["address 10.77.0.4/32 on lo"] == "" {
		t.Errorf("host has %v", host.states)
	}
}

func TestUnclaimedByANewConfiguration(t *testing.T) {
	host, dir := newHost(), memoryDir(t)
	host.process(t, dir, func(j *Journal) {
		mustDo(t, everything(j))
		mustDo(t, j.AddAddress("lo", vip(101)))
		j.Unclaim(func(c Change) bool { return c.Kind == KindAddress })
		mustDo(t, j.AddAddress("lo", vip(101)))
		mustDo(t, j.AddAddress("lo", vip(102)))
		mustDo(t, j.ReleaseUnclaimed())
		var kept []string
		for _, c := range j.Changes() {
			kept = append(kept, c.What())
		}
		if slices.Contains(kept, "address 10.77.0.100/32 on lo") || len(kept) != 10 || len(host.states) != 10 {
			t.Errorf("kept %q, host %v", kept, host.states)
		}
		undo(t)(j)
	})
	if len(host.states) != 0 {
		t.Errorf("left behind: %v", host.states)
	}
}

func TestUndoTwiceAndOfNothing(t *testing.T) {
	host, dir := newHost(), memoryDir(t)
	host.process(t, dir, func(j *Journal) {
		undo(t)(j)
		if err := everything(j); err != nil {
			t.Errorf("not usable after an undo: %v", err)
		}
		undo(t)(j)
		undo(t)(j)
	})
	if len(host.states) != 0 {
		t.Errorf("left behind: %v", host.states)
	}
}
