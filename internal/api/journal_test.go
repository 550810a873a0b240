package api

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestJournalSince(t *testing.T) {
	j := NewJournal(3, time.UnixMilli(1)) // IDs from 1000
	for range 5 {
		j.Add(Event{})
	}
	tests := []struct {
		name   string
		since  uint64
		ids    []uint64
		missed uint64
	}{
		{"all that are kept", 0, []uint64{1002, 1003, 1004}, 0},
		{"a reader who is up to date", 1004, nil, 0},
		{"the last one", 1003, []uint64{1004}, 0},
		{"a reader who is too late", 1000, []uint64{1002, 1003, 1004}, 1},
		{"a reader from an earlier run of the agent", 7, []uint64{1002, 1003, 1004}, 2},
		{"a reader from a run with a later clock", 5000, []uint64{1002, 1003, 1004}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page := j.Since(tt.since)
			if len(page.Events) != len(tt.ids) || page.Missed != tt.missed || page.Newest != 1004 {
				t.Fatalf("got %+v, want IDs %v and %d missed", page, tt.ids, tt.missed)
			}
			for i, e := range page.Events {
				if e.ID != tt.ids[i] {
					t.Errorf("event %d has ID %d, want %d", i, e.ID, tt.ids[i])
				}
			}
		})
	}
}

func TestJournalLosesNothingSilently(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 8).Draw(t, "size")
		j := NewJournal(size, time.UnixMilli(1))
		var added, seen, missed, since uint64
		read := func() {
			page := j.Since(since)
			if len(page.Events) > size {
				t.Fatalf("%d events kept of %d", len(page.Events), size)
			}
			for i, e := range page.Events {
				if i == 0 && since != 0 && e.ID != since+1+page.Missed {
					t.Fatalf("after %d comes %d with %d missed", since, e.ID, page.Missed)
				}
				since = e.ID
			}
			seen, missed = seen+uint64(len(page.Events)), missed+page.Missed
		}
		j.Add(Event{})
		added++
		read()
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "read") {
				read()
				continue
			}
			j.Add(Event{})
			added++
		}
		read()
		if seen+missed != added {
			t.Fatalf("added %d, seen %d and missed %d", added, seen, missed)
		}
	})
}

func TestJournalWaitsForAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := NewJournal(4, time.Now())
		go func() {
			time.Sleep(time.Hour)
			j.Add(Event{Text: "at last"})
		}()
		start := time.Now()
		page, err := j.Wait(t.Context(), 0)
		if err != nil || len(page.Events) != 1 || page.Events[0].Text != "at last" {
			t.Fatalf("got %+v, %v", page, err)
		}
		if waited := time.Since(start); waited != time.Hour {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestJournalWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := NewJournal(4, time.Now()).Wait(ctx, 0)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestJournalIDsGrowOverARestart(t *testing.T) {
	before, after := NewJournal(1, time.UnixMilli(5000)), NewJournal(1, time.UnixMilli(5001))
	last := before.Add(Event{}).ID
	if first := after.Add(Event{}).ID; first <= last {
		t.Errorf("first ID %d after a restart, last before %d", first, last)
	}
}
