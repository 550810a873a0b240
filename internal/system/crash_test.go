package system

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func vip(n int) Address {
	return Address{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, 0, byte(n)}), 32), Scope: ScopeHost}
}

// everything makes one change of each kind.
func everything(j *Journal) error {
	return errors.Join(
		j.MountBPF("bpf"),
		j.AddPins("bpf/filter"),
		j.AddFile("control.sock"),
		j.AddAddress("lo", vip(100)),
		j.SetSysctl("net/ipv4/conf/eth0/arp_announce", "2"),
		j.RaiseSysctl("net/ipv4/conf/eth0/arp_ignore", 1),
		j.Receive("eth0", net.HardwareAddr{2, 0xbf, 10, 77, 0, 100}),
		j.Join("eth0", netip.MustParseAddr("239.255.0.100")),
	)
}

func undo(t testing.TB) func(*Journal) {
	return func(j *Journal) {
		if err := j.Undo(); err != nil {
			t.Error(err)
		}
	}
}

func TestUndoAfterDeathAtEveryStep(t *testing.T) {
	for _, after := range []bool{false, true} {
		for step := 1; step <= 8; step++ {
			t.Run(fmt.Sprintf("step %d after=%v", step, after), func(t *testing.T) {
				host, dir := newHost(), memoryDir(t)
				host.dieAt, host.after = step, after
				if host.process(t, dir, func(j *Journal) { _ = everything(j) }) {
					t.Fatal("did not die: the test does not test what it says")
				}
				host.revive()
				host.process(t, dir, undo(t))
				if len(host.states) != 0 || Exists(dir) {
					t.Errorf("left behind: %v, journal %v", host.states, Exists(dir))
				}
			})
		}
	}
}

func TestUndoDiesAtEveryStepAndIsContinued(t *testing.T) {
	for _, after := range []bool{false, true} {
		for step := 1; step <= 8; step++ {
			t.Run(fmt.Sprintf("step %d after=%v", step, after), func(t *testing.T) {
				host, dir := newHost(), memoryDir(t)
				host.process(t, dir, func(j *Journal) {
					if err := everything(j); err != nil {
						t.Error(err)
					}
				})
				host.revive()
				host.dieAt, host.after = step, after
				if host.process(t, dir, undo(t)) {
					t.Fatal("did not die: the test does not test what it says")
				}
				host.revive()
				host.process(t, dir, func(j *Journal) { nothingRises(t, host, j) })
				host.process(t, dir, undo(t))
				if len(host.states) != 0 || Exists(dir) {
					t.Errorf("left behind: %v, journal %v", host.states, Exists(dir))
				}
			})
		}
	}
}

// nothingRises checks that a half undone host is not changed by a restarted agent.
func nothingRises(t *testing.T, host *fakeHost, j *Journal) {
	t.Helper()
	before := maps.Clone(host.states)
	if !j.Undoing() {
		t.Error("does not know that an undo has begun")
	}
	if err := j.AddAddress("lo", vip(100)); !errors.Is(err, ErrUndoing) {
		t.Errorf("added an address: %v", err)
	}
	if told := j.Restore(); len(told) != 0 || !maps.Equal(before, host.states) {
		t.Errorf("put back %v", told)
	}
}

// Whatever agents do, and wherever each of them dies, an undo that may die itself ends with the host as it was found.
func TestUndoIsComplete(t *testing.T) {
	dirs := memoryDir(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		host, dir := newHost(), fmt.Sprintf("%s/%d", dirs, run)
		for i := range 4 {
			if rapid.Bool().Draw(rt, "address was there") {
				host.put(fmt.Sprintf("address 10.77.0.%d/32 on lo", i), Present)
			}
			host.put(fmt.Sprintf("sysctl net/ipv4/conf/eth%d/arp_ignore", i), fmt.Sprint(rapid.IntRange(0, 3).Draw(rt, "value found")))
		}
		found := maps.Clone(host.states)
		for range rapid.IntRange(1, 4).Draw(rt, "agents") {
			host.revive()
			host.dieAt, host.after = rapid.IntRange(0, 5).Draw(rt, "dies at"), rapid.Bool().Draw(rt, "after")
			host.process(t, dir, func(j *Journal) { agent(rt, j) })
		}
		for deaths := 0; ; deaths++ {
			host.revive()
			if deaths < 3 {
				host.dieAt = rapid.IntRange(0, 3).Draw(rt, "undo dies at")
			}
			if host.process(t, dir, undo(t)) {
				break
			}
		}
		if !maps.Equal(found, host.states) {
			rt.Fatalf("found %v\nleft %v\nhistory %v", found, host.states, host.history)
		}
	})
}

// agent does a random number of things; it may find an interrupted undo, and then finishes that first.
func agent(rt *rapid.T, j *Journal) {
	if j.Undoing() {
		if err := j.Undo(); err != nil {
			rt.Fatal(err)
		}
	}
	for range rapid.IntRange(0, 8).Draw(rt, "things") {
		n := rapid.IntRange(0, 3).Draw(rt, "which")
		var err error
		switch rapid.IntRange(0, 5).Draw(rt, "what") {
		case 0:
			err = j.AddAddress("lo", vip(n))
		case 1:
			err = j.SetSysctl(fmt.Sprintf("net/ipv4/conf/eth%d/arp_ignore", n), fmt.Sprint(rapid.IntRange(0, 3).Draw(rt, "value")))
		case 2:
			err = j.RaiseSysctl(fmt.Sprintf("net/ipv4/conf/eth%d/arp_ignore", n), rapid.IntRange(0, 3).Draw(rt, "least"))
		case 3:
			err = j.MountBPF("bpf")
		case 4:
			err = j.ReleaseUnclaimed()
		case 5:
			err = j.Undo()
		}
		if err != nil {
			rt.Fatal(err)
		}
	}
}
