package heartbeat

import (
	"testing"
	"testing/synctest"

	"github.com/muster-ha/muster/internal/wire"
)

// TestOldVersionIsToldByUnicast: while one host is of the version before, nobody relies on groups; when it is upgraded they come, and
// when it goes back they go, without a heartbeat that is not heard.
func TestOldVersionIsToldByUnicast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := makeMedium(t, 3)
		m.ranges = map[int]Range{2: {VersionBase, VersionBase}}
		m.again(2)
		m.set(true, testGroup(1, 1))
		m.beat(40)
		m.beatAndCount(10)
		if m.unicast != 10*3*2 || m.cast != 0 {
			t.Errorf("with an old host: %d and %d datagrams in 10 intervals, want 60 and 0", m.unicast, m.cast)
		}
		if last := m.heard[0][len(m.heard[0])-1].Message; len(last.Words) != 0 || last.Written != VersionBase {
			t.Errorf("with an old host: said in version %d, of networks %+v", last.Written, last.Words)
		}
		delete(m.ranges, 2)
		m.again(2)
		m.set(true, testGroup(1, 1))
		m.beat(20 + flipPatience*16)
		m.beatAndCount(10)
		if m.unicast != 0 || m.cast != 10*3 {
			t.Errorf("after the upgrade: %d and %d datagrams in 10 intervals, want 0 and 30", m.unicast, m.cast)
		}
		m.ranges[2] = Range{VersionBase, VersionBase}
		m.again(2)
		m.heard = make([][]Received, 3)
		m.beat(20)
		m.all(t, "after going back", 20, 3)
	})
}

// again starts a host anew, with the range that it has now.
func (m *medium) again(id int) {
	m.t.Helper()
	m.drain(id)
	m.hosts[id].SayFarewell()
	m.hosts[id].Close()
	m.paths[0][id].closed = make(chan struct{})
	m.start(id)
	m.addCast(id)
}

// TestForeignVersionsAreCountedAndChangeNothing: a host without a common version, by reason, on both sides.
func TestForeignVersionsAreCountedAndChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := makeFarm(t, 3, 1)
		f.ranges = map[int]Range{2: {VersionSections, VersionSections}, 0: {VersionBase, VersionBase}, 1: {VersionBase, VersionBase}}
		for id := range f.hosts {
			f.hosts[id].Close()
			f.paths[0][id].closed = make(chan struct{})
			f.start(id)
		}
		f.beat(30)
		for id, h := range f.hosts {
			for _, r := range f.heard[id] {
				if id == 2 || r.From == 2 {
					t.Fatalf("host %d was handed a heartbeat of host %d", id, r.From)
				}
			}
			if got := h.Stats()[0].Datagrams.Of(wire.Version); got < 20 {
				t.Errorf("host %d has refused %d datagrams for their version", id, got)
			}
		}
		if s := f.hosts[0].Speakers()[2]; !s.Apart || s.Speaks != f.ranges[2] {
			t.Errorf("host 0 takes host 2 for %+v", s)
		}
	})
}
