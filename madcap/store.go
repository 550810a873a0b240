package madcap

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Record is a lease as a server keeps it.
type Record struct {
	ID       LeaseID    `json:"id"`
	Server   netip.Addr `json:"server"` // that granted it
	Client   netip.Addr `json:"client"` // that asked for it
	Scope    netip.Addr `json:"scope"`
	Ranges   []Range    `json:"ranges"`
	Start    time.Time  `json:"start"`
	End      time.Time  `json:"end"`
	Features []Feature  `json:"features,omitempty"` // that were used when it was allocated
}

func (r Record) has(f Feature) bool { return slices.Contains(r.Features, f) }

// Store keeps a server's leases. What Put has returned nil for must survive a crash: the lease is acknowledged after it.
// The methods of one store are called by one goroutine of a server at a time. A store that several servers share, for
// [ServerMobility], must be safe for that; each of the servers then needs pools of its own.
type Store interface {
	// Load returns all leases.
	Load() ([]Record, error)
	// Put adds a lease, or replaces the one of the same identifier.
	Put(Record) error
	// Delete removes leases. Those that are not there are no error.
	Delete(...LeaseID) error
}

// MemoryStore is a Store for tests and for servers whose leases need not survive. The zero value is ready.
type MemoryStore struct {
	mu      sync.Mutex
	records map[LeaseID]Record
}

// Load implements [Store].
func (s *MemoryStore) Load() ([]Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.records)), nil
}

// Put implements [Store].
func (s *MemoryStore) Put(r Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records == nil {
		s.records = map[LeaseID]Record{}
	}
	s.records[r.ID] = r
	return nil
}

// Delete implements [Store].
func (s *MemoryStore) Delete(ids ...LeaseID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		delete(s.records, id)
	}
	return nil
}
