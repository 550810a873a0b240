package load

import (
	"sync"
	"time"
)

// log hands out records one at a time and knows what the time is.
type log struct {
	start time.Time // with the monotonic clock: a step of the wall clock moves no record
	mu    sync.Mutex
	emit  func(Record)
}

func newLog(emit func(Record)) *log {
	l := &log{start: time.Now(), emit: emit}
	l.add(Record{Kind: Start, Time: l.start})
	return l
}

func (l *log) now() time.Duration { return time.Since(l.start) }

func (l *log) add(r Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.emit(r)
}
