package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// Kind says what a Record is about.
type Kind string

// The kinds of records. The first record of a load is a Start.
const (
	Start    Kind = "start"    // when the load began: the zero of every At
	Request  Kind = "request"  // one HTTP request on a connection of its own
	Open     Kind = "open"     // an echo connection is open
	Exchange Kind = "exchange" // an echo exchange that took longer than Stall
	Broken   Kind = "broken"   // an echo connection ended against our will
	Wrong    Kind = "wrong"    // an echo connection returned other bytes than it got
	Closed   Kind = "closed"   // an echo connection was closed by us at the end
)

// Class says in a word how something failed.
type Class string

// The classes of failures.
const (
	Timeout     Class = "timeout"     // no answer in time
	Reset       Class = "reset"       // ended by a RST
	Refused     Class = "refused"     // nobody listens
	Unreachable Class = "unreachable" // no route, or nobody answers ARP
	Ended       Class = "ended"       // closed by the server before the answer was complete
	NoPort      Class = "no-port"     // the client has no port left: the load is at fault, not the cluster
	Overrun     Class = "overrun"     // too many attempts under way: not even tried
	Corrupt     Class = "corrupt"     // the answer is not what it should be
	Other       Class = "other"
)

// Record is one thing that a client saw. Durations are in nanoseconds in JSON.
type Record struct {
	Kind    Kind          `json:"kind"`
	Time    time.Time     `json:"time,omitzero"`     // of a Start: by the clock on the wall
	At      time.Duration `json:"at"`                // when it began; Broken and Wrong: when it happened
	Took    time.Duration `json:"took,omitempty"`    // until the answer was complete or the attempt given up
	Connect time.Duration `json:"connect,omitempty"` // part of Took until the connection stood; 0: it never did
	OK      bool          `json:"ok,omitempty"`
	Class   Class         `json:"class,omitempty"`
	Host    string        `json:"host,omitempty"` // which host answered
	Port    uint16        `json:"port,omitempty"` // of a Request: the client's, which decides its host; 0: it never had one
	Conn    int           `json:"conn,omitempty"` // number of an echo connection, from 1
	Bytes   int64         `json:"bytes,omitempty"`
}

// classify puts an error into a class.
func classify(err error) Class {
	var network net.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errCorrupt):
		return Corrupt
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Reset
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return Unreachable
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EADDRINUSE):
		return NoPort
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT),
		errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return Timeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Ended
	}
	return Other
}

// Write returns an emit that writes each record as a line of JSON.
func Write(w io.Writer) (emit func(Record), flush func() error) {
	buffered := bufio.NewWriter(w)
	encoder := json.NewEncoder(buffered)
	var failed error
	emit = func(r Record) {
		err := encoder.Encode(r)
		if err == nil {
			err = buffered.Flush() // a reader shows them as they come
		}
		failed = errors.Join(failed, err)
		if failed != nil {
			failed = fmt.Errorf("write record: %w", err)
		}
	}
	return emit, func() error { return failed }
}

const maxLine = 4 << 10

// Read calls f for each record of a stream until its end.
func Read(r io.Reader, f func(Record)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	for lines.Scan() {
		var record Record
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			return fmt.Errorf("read record %.80q: %w", lines.Text(), err)
		}
		f(record)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	return nil
}
