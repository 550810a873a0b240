package madcap

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func testRecord(n byte) Record {
	return Record{
		ID: LeaseID([]byte{0, n}), Server: serverA, Client: serverB, Scope: LocalScope(IPv4).First,
		Ranges: []Range{{plus(LocalScope(IPv4).First, uint64(n)), 1}}, Start: someTime, End: someTime.Add(time.Hour),
		Features: []Feature{SharedLeaseID},
	}
}

// A server that starts anew knows its leases and goes on with them.
func TestLeasesSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.json")
	open := func() (*asker, *FileStore) {
		store, err := OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return newAsker(t, only("239.255.1.1", 1), func(c *ServerConfig) { c.Store = store }), store
	}
	a, store := open()
	ranges := checkACK(t, a.ask(InRequest, append(leaseOf(1), LeaseTime(time.Hour))...), InAckToRequest)
	if _, err := OpenFile(path); err == nil {
		t.Error("two servers have the file open")
	}
	store.Close()

	a, store = open()
	a.xid = 100
	checkNAK(t, a.ask(InRequest, append(leaseOf(2), MaxStartTime{a.now}, CurrentTime{a.now})...), NotCompleted, NoOption)
	if got := checkACK(t, a.ask(InRenew, leaseOf(1)[0]), InAckToRenew); got[0] != ranges[0] {
		t.Errorf("renewed %v, want %v", got, ranges)
	}
	if m := a.ask(InRelease, leaseOf(1)[0]); m.Check(InAckToRelease) != nil {
		t.Errorf("release: %v", m)
	}
	store.Close()

	a, store = open()
	defer store.Close()
	if left := a.s.Leases(); len(left) != 0 {
		t.Errorf("released and still there: %v", left)
	}
}

func TestFileStoreKeepsEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.json")
	s, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range byte(3) {
		if err := s.Put(testRecord(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Delete(LeaseID([]byte{0, 1}), "not there"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseLeaseFile(text)
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v in %s", got, err, text)
	}
	want := testRecord(2)
	if r := got[1]; r.ID != want.ID || r.Ranges[0] != want.Ranges[0] || !r.End.Equal(want.End) || !r.has(SharedLeaseID) || r.Client != serverB {
		t.Errorf("got %+v, want %+v", r, want)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) != 1 { // the lock
		t.Errorf("left beside the file: %v", left)
	}
}

// When the disk does not take a change, the store has not made it.
func TestFileStoreUndoesWhatItCannotWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := OpenFile(filepath.Join(dir, "leases.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Put(testRecord(1)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if s.Put(testRecord(2)) == nil || s.Delete(testRecord(1).ID) == nil {
		t.Error("changes without a directory are no error")
	}
	if left, _ := s.Load(); len(left) != 1 || left[0].ID != testRecord(1).ID {
		t.Errorf("store has %v", left)
	}
}

func TestBadLeaseFiles(t *testing.T) {
	good := `{"id":"00","server":"192.0.2.1","client":"192.0.2.2","scope":"239.255.0.0","ranges":[{"first":"239.255.0.1","count":1}],` +
		`"start":"2026-01-01T00:00:00Z","end":"2026-01-02T00:00:00Z"}`
	if _, err := parseLeaseFile([]byte(`{"version":1,"leases":[` + good + `]}`)); err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"empty":              ``,
		"no JSON":            `leases`,
		"later version":      `{"version":2,"leases":[]}`,
		"unknown key":        `{"version":1,"leases":[],"more":1}`,
		"more than one":      `{"version":1,"leases":[]}{}`,
		"cut off":            `{"version":1,"leases":[` + good,
		"no identifier":      `{"version":1,"leases":[` + strings.Replace(good, `"00"`, `""`, 1) + `]}`,
		"not hexadecimal":    `{"version":1,"leases":[` + strings.Replace(good, `"00"`, `"0x"`, 1) + `]}`,
		"unicast scope":      `{"version":1,"leases":[` + strings.Replace(good, `239.255.0.0`, `10.0.0.1`, 1) + `]}`,
		"unicast address":    `{"version":1,"leases":[` + strings.Replace(good, `239.255.0.1`, `10.0.0.1`, 1) + `]}`,
		"no addresses":       `{"version":1,"leases":[` + strings.Replace(good, `"count":1`, `"count":0`, 1) + `]}`,
		"one twice":          `{"version":1,"leases":[` + good + `,` + good + `]}`,
		"ends before begins": `{"version":1,"leases":[` + strings.Replace(good, `2026-01-02`, `2025-01-02`, 1) + `]}`,
	}
	for name, text := range tests {
		path := filepath.Join(t.TempDir(), "leases.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenFile(path); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, want that the file is damaged", name, err)
		}
		if after, _ := os.ReadFile(path); string(after) != text {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// RFC 2907, section 4.
func TestZones(t *testing.T) {
	a, b := LocalScope(IPv4).First, netip.MustParseAddr("239.192.0.0")
	z := &Zones{}
	now := someTime
	pass := func(d time.Duration) { // while both are announced
		for end := now.Add(d); now.Before(end); now = now.Add(10 * time.Minute) {
			z.Heard(now, a)
			z.Heard(now, b)
		}
	}
	nests := func(when string, want bool) {
		t.Helper()
		if got := z.Nests(now, a, b); got != want {
			t.Errorf("%s: nests %v, want %v", when, got, want)
		}
	}
	z.NotInside(now, a, b)
	nests("nothing was heard", false)
	pass(30 * time.Minute)
	nests("the decision time is not over", false)
	pass(20 * time.Minute)
	nests("nothing was said against it", true)
	z.NotInside(now, b, a)
	nests("the other way round was denied", true)
	z.NotInside(now, a, b)
	nests("it was denied", false)
	pass(50 * time.Minute)
	nests("it was not denied for the decision time", true)
	now = now.Add(ZonesExistTime)
	nests("nothing was heard for too long", false)
	pass(10 * time.Minute)
	nests("both are back but not for long", false)
	pass(40 * time.Minute)
	nests("both are back", true)

	s := testServer(t, serverA, func(c *ServerConfig) {
		c.Nests = z.Nests
		c.Scopes[0].Inside = nil
		c.Scopes[1].First = b
		c.Scopes[1].Last = a.Prev()
	})
	if n := s.cfg.nesting(now, IPv4); !n.Nests(0, 1) {
		t.Error("the server does not tell what the zones know")
	}
}
