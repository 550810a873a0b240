package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	maxEventBytes = 1 << 20
	firstRetry    = 100 * time.Millisecond
	slowestRetry  = 2 * time.Second
)

// Follower is told what Follow reads. Event is required.
type Follower struct {
	Event  func(Event) error  // an error ends Follow
	Missed func(count uint64) // events were lost: the journal is shorter than the pause
	Lost   func(err error)    // the agent is gone; Follow tries on
}

// Follow reports the events after the one with that ID (0: all that are kept) and then each new one, until the context
// ends or the follower returns an error. It survives a restart of the agent, but wants one to be there at the start.
func (c *Client) Follow(ctx context.Context, since uint64, f Follower) error {
	retry := firstRetry
	for connected := false; ; {
		seen := since
		err := c.followOnce(ctx, &since, f, func() { connected = true })
		var end endError
		switch {
		case errors.As(err, &end):
			return end.error
		case ctx.Err() != nil:
			return ctx.Err()
		case !connected || isRefusal(err):
			return err
		}
		if since != seen {
			retry = firstRetry
		}
		if f.Lost != nil && retry == firstRetry {
			f.Lost(err)
		}
		select {
		case <-time.After(retry):
		case <-ctx.Done():
			return ctx.Err()
		}
		retry = min(2*retry, slowestRetry)
	}
}

// endError is a follower's wish to end.
type endError struct{ error }

func isRefusal(err error) bool {
	var refused *Error
	return errors.As(err, &refused)
}

// followOnce reads one stream to its end and moves since on.
func (c *Client) followOnce(ctx context.Context, since *uint64, f Follower, connected func()) error {
	path := "/v1/events/stream?since=" + strconv.FormatUint(*since, 10)
	response, err := c.do(ctx, http.MethodGet, path, nil, "text/event-stream")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	connected()
	return readStream(response.Body, func(kind string, data []byte) error {
		switch kind {
		case "event":
			var e Event
			if err := json.Unmarshal(data, &e); err != nil {
				return fmt.Errorf("read event: %w", err)
			}
			if err := f.Event(e); err != nil {
				return endError{err}
			}
			*since = e.ID
		case "missed":
			var m Missed
			if err := json.Unmarshal(data, &m); err != nil {
				return fmt.Errorf("read event: %w", err)
			}
			if f.Missed != nil {
				f.Missed(m.Missed)
			}
		}
		return nil // kinds of later versions are not for us
	})
}

// readStream parses server-sent events and hands each to f with its kind. It returns io.ErrUnexpectedEOF at the end of
// the stream: a stream of events has no proper end.
func readStream(r io.Reader, f func(kind string, data []byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEventBytes)
	kind, data := "", []byte(nil)
	for lines.Scan() {
		line := lines.Bytes()
		if len(line) == 0 {
			if data != nil {
				if err := f(kind, data); err != nil {
					return err
				}
			}
			kind, data = "", nil
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "event":
			kind = string(value)
		case "data":
			if data != nil {
				data = append(data, '\n')
			}
			data = append(data, value...)
		}
		if len(data) > maxEventBytes {
			return fmt.Errorf("read events: an event of more than %d bytes", maxEventBytes)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	return io.ErrUnexpectedEOF
}
