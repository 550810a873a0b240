package api

import (
	"context"
	"sync"
	"time"
)

// Event is something that happened.
type Event struct {
	ID    uint64    `json:"id" doc:"Grows with every event of a host, over restarts too. Ask for events since the last one seen."`
	At    time.Time `json:"at" doc:"When, by the clock of the host that reports it."`
	Kind  string    `json:"kind" doc:"What kind of event." example:"host_silent"`
	Host  string    `json:"host" doc:"Host that it is about; empty: none."`
	Epoch uint64    `json:"epoch" doc:"Epoch of the view that it led to or belongs to; 0: none."`
	Text  string    `json:"text" doc:"What happened and why, in words."`
}

// EventPage is a run of events.
type EventPage struct {
	Events []Event `json:"events" doc:"In the order in which they happened."`
	Missed uint64  `json:"missed" doc:"Events before the first of these that are not kept any more."`
	Newest uint64  `json:"newest" doc:"The newest event there is; ask for events since it next time."`
}

// Journal keeps the newest events. Readers fetch from it at their own speed, so a slow one costs nothing.
type Journal struct {
	mu      sync.Mutex
	ring    []Event
	first   uint64 // ID of the first event ever
	next    uint64 // ID of the next event
	changed chan struct{}
}

// NewJournal keeps size events. IDs start from the time, so that a reader who resumes after a restart of the agent misses
// nothing; milliseconds times 1000 stay exact in a JavaScript number.
func NewJournal(size int, start time.Time) *Journal {
	first := uint64(max(start.UnixMilli(), 1)) * 1000
	return &Journal{ring: make([]Event, size), first: first, next: first, changed: make(chan struct{})}
}

// Add appends an event and gives it its ID.
func (j *Journal) Add(e Event) Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.ID = j.next
	j.ring[j.slot(e.ID)] = e
	j.next++
	close(j.changed)
	j.changed = make(chan struct{})
	return e
}

// Since returns the events after the one with that ID; 0 means all that are kept. An ID that this journal has not
// reached comes from a clock that has been set back meanwhile: everything is new then.
func (j *Journal) Since(id uint64) EventPage {
	page, _ := j.since(id)
	return page
}

// Wait is Since, waiting for at least one event.
func (j *Journal) Wait(ctx context.Context, id uint64) (EventPage, error) {
	for {
		page, changed := j.since(id)
		if len(page.Events) > 0 {
			return page, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return page, ctx.Err()
		}
	}
}

func (j *Journal) since(id uint64) (EventPage, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	oldest := max(j.first, j.next-min(j.next-j.first, uint64(len(j.ring))))
	from := max(id+1, j.first)
	if id == 0 || from > j.next {
		from = oldest
	}
	page := EventPage{Events: []Event{}, Newest: j.next - 1}
	if from < oldest {
		page.Missed, from = oldest-from, oldest
	}
	for ; from < j.next; from++ {
		page.Events = append(page.Events, j.ring[j.slot(from)])
	}
	return page, j.changed
}

func (j *Journal) slot(id uint64) uint64 { return id % uint64(len(j.ring)) }
