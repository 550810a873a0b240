package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// DefaultTimeout is below the second after which a kernel sends a lost SYN again.
const DefaultTimeout = 900 * time.Millisecond

const (
	maxRate   = 20_000
	maxAnswer = 1 << 10
)

var errCorrupt = errors.New("the answer is not what it should be")

// HTTPOptions says how to load a web server.
type HTTPOptions struct {
	Target   netip.AddrPort
	Rate     int           // new connections a second
	Duration time.Duration // 0: until the context ends
	Timeout  time.Duration // of an attempt, connecting and answer together; default DefaultTimeout
	Path     string        // default /
}

func (o *HTTPOptions) fill() error {
	if !o.Target.IsValid() {
		return errors.New("load: no target given")
	}
	if o.Rate < 1 || o.Rate > maxRate {
		return fmt.Errorf("load: %d connections a second: give 1 to %d", o.Rate, maxRate)
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Path == "" {
		o.Path = "/"
	}
	return nil
}

// slots is how many attempts may be under way: as many as there are when nobody answers, half as many more for a late scheduler.
func (o *HTTPOptions) slots() int { return o.Rate*int(o.Timeout/time.Millisecond)*3/2000 + 16 }

// HTTP makes a new connection for each request, at a fixed rate, until the time is over; then waits for the last answers.
func HTTP(ctx context.Context, o HTTPOptions, emit func(Record)) error {
	if err := o.fill(); err != nil {
		return err
	}
	if o.Duration > 0 {
		limited, cancel := context.WithTimeout(ctx, o.Duration)
		defer cancel()
		ctx = limited
	}
	l := newLog(emit)
	var attempts sync.WaitGroup
	defer attempts.Wait()
	slots := make(chan struct{}, o.slots())
	pace(ctx, l.start, o.Rate, func() {
		at := l.now()
		select {
		case slots <- struct{}{}:
		default:
			l.add(Record{Kind: Request, At: at, Class: Overrun})
			return
		}
		attempts.Go(func() {
			l.add(request(o, l, at))
			<-slots
		})
	})
	return nil
}

// pace calls f at a fixed rate: after a delay it catches up, at the times at which it is late, so the count is right.
func pace(ctx context.Context, start time.Time, rate int, f func()) {
	period := time.Second / time.Duration(rate)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := 0; ; n++ {
		timer.Reset(time.Until(start.Add(time.Duration(n) * period)))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			f()
		}
	}
}

// request makes one attempt. It goes on when the load's context ends, up to its timeout: an attempt cut short says nothing.
func request(o HTTPOptions, l *log, at time.Duration) Record {
	r := Record{Kind: Request, At: at}
	deadline := l.start.Add(at + o.Timeout)
	var port portWatch
	dialer := net.Dialer{Deadline: deadline, Control: port.control}
	conn, err := dialer.Dial("tcp", o.Target.String())
	r.Port = port.read()
	if err == nil {
		r.Connect = max(l.now()-at, 1)
		r.Host, err = ask(conn, o, deadline)
		conn.Close()
	}
	r.Took, r.OK, r.Class = l.now()-at, err == nil, classify(err)
	return r
}

// ask sends the request and returns the host's name, which is the answer. The client closes first, as browsers do, so it is the client
// that keeps the TIME_WAIT.
func ask(conn net.Conn, o HTTPOptions, deadline time.Time) (string, error) {
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", o.Path, hostHeader(o.Target.Addr())); err != nil {
		return "", err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return "", err
	}
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d: %w", answer.StatusCode, errCorrupt)
	}
	return strings.TrimSpace(string(body)), nil
}

// hostHeader writes an address as a URL does (RFC 3986, 3.2.2).
func hostHeader(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}
