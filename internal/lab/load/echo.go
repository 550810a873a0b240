package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// The defaults of EchoOptions.
const (
	DefaultInterval = 20 * time.Millisecond
	DefaultSilence  = 15 * time.Second
	DefaultStall    = 100 * time.Millisecond
)

const (
	maxConns     = 20_000
	maxBlock     = 1 << 10
	openSpread   = time.Second            // connections open over this time, not all at once
	reopenPause  = 200 * time.Millisecond // between a broken connection and the next attempt
	greetingSize = 64
)

// EchoOptions says how to load an echo server.
type EchoOptions struct {
	Target   netip.AddrPort
	Conns    int           // kept open all the time
	Duration time.Duration // 0: until the context ends
	Interval time.Duration // between two exchanges of a connection; default DefaultInterval
	Silence  time.Duration // without an answer after which a connection counts as broken; default DefaultSilence
	Stall    time.Duration // an exchange longer than this gets a record; default DefaultStall
	Seed     uint64        // of the data
	Reopen   bool          // put a new connection in place of a broken one
}

func (o *EchoOptions) fill() error {
	if !o.Target.IsValid() {
		return errors.New("load: no target given")
	}
	if o.Conns < 1 || o.Conns > maxConns {
		return fmt.Errorf("load: %d connections: give 1 to %d", o.Conns, maxConns)
	}
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{{&o.Interval, DefaultInterval}, {&o.Silence, DefaultSilence}, {&o.Stall, DefaultStall}} {
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
	return nil
}

// Echo keeps connections open and exchanges random data on them until the time is over.
func Echo(ctx context.Context, o EchoOptions, emit func(Record)) error {
	if err := o.fill(); err != nil {
		return err
	}
	if o.Duration > 0 {
		limited, cancel := context.WithTimeout(ctx, o.Duration)
		defer cancel()
		ctx = limited
	}
	l := newLog(emit)
	var all sync.WaitGroup
	for i := range o.Conns {
		all.Go(func() {
			delay := min(openSpread, time.Duration(o.Conns)*time.Millisecond*5)
			sleep(ctx, delay*time.Duration(i)/time.Duration(o.Conns))
			keep(ctx, o, l, i+1)
		})
	}
	all.Wait()
	return nil
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// keep holds one connection and, with Reopen, its successors. An attempt to open that fails is no broken connection; it is
// tried again.
func keep(ctx context.Context, o EchoOptions, l *log, number int) {
	for ctx.Err() == nil {
		c, err := dialEcho(ctx, o, l, number)
		if err == nil {
			broken := c.run(ctx)
			c.conn.Close()
			if !broken || !o.Reopen {
				return
			}
		}
		sleep(ctx, reopenPause)
	}
}

// echoConn is one connection of an echo load.
type echoConn struct {
	EchoOptions
	log    *log
	number int
	conn   net.Conn
	reader *bufio.Reader
	host   string
	random *rand.Rand
	bytes  int64
	worst  time.Duration
}

// dialEcho opens a connection and reads the name of the host that took it.
func dialEcho(ctx context.Context, o EchoOptions, l *log, number int) (*echoConn, error) {
	at := l.now()
	dialer := net.Dialer{Timeout: o.Silence}
	conn, err := dialer.DialContext(ctx, "tcp", o.Target.String())
	if err != nil {
		return nil, err
	}
	connected := l.now() - at
	c := &echoConn{EchoOptions: o, log: l, number: number, conn: conn, reader: bufio.NewReaderSize(conn, maxBlock),
		random: rand.New(rand.NewPCG(o.Seed, uint64(number)))}
	_ = conn.SetDeadline(time.Now().Add(o.Silence)) // fails only on a closed connection, as the read will
	line, err := c.reader.ReadString('\n')
	if err != nil || len(line) > greetingSize {
		conn.Close()
		return nil, errors.Join(err, errors.New("no greeting"))
	}
	c.host = strings.TrimSpace(line)
	l.add(Record{Kind: Open, At: at, Took: l.now() - at, Connect: connected, OK: true, Host: c.host, Conn: number})
	return c, nil
}

// run exchanges data until the context ends or the connection breaks.
func (c *echoConn) run(ctx context.Context) (broken bool) {
	var sent, got [maxBlock]byte
	for ctx.Err() == nil {
		at := c.log.now()
		n := c.fill(sent[:])
		err := c.exchange(sent[:n], got[:n])
		took := c.log.now() - at
		c.worst = max(c.worst, took)
		if err != nil {
			c.report(err, at, took)
			return true
		}
		c.bytes += int64(n)
		if took > c.Stall {
			c.log.add(Record{Kind: Exchange, At: at, Took: took, OK: true, Host: c.host, Conn: c.number, Bytes: int64(n)})
		}
		sleep(ctx, c.Interval-took)
	}
	c.log.add(Record{Kind: Closed, At: c.log.now(), Took: c.worst, OK: true, Host: c.host, Conn: c.number, Bytes: c.bytes})
	return false
}

func (c *echoConn) report(err error, at, took time.Duration) {
	kind := Broken
	if errors.Is(err, errCorrupt) {
		kind = Wrong
	}
	c.log.add(Record{Kind: kind, At: at + took, Took: took, Class: classify(err), Host: c.host, Conn: c.number, Bytes: c.bytes})
}

// fill makes the next block, of random length and content.
func (c *echoConn) fill(block []byte) int {
	n := 1 + c.random.IntN(len(block))
	for i := 0; i < n; i += 8 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], c.random.Uint64())
		copy(block[i:n], word[:])
	}
	return n
}

// exchange sends a block and expects it back, byte for byte, and nothing more.
func (c *echoConn) exchange(sent, got []byte) error {
	if err := c.conn.SetDeadline(time.Now().Add(c.Silence)); err != nil {
		return err
	}
	if _, err := c.conn.Write(sent); err != nil {
		return err
	}
	if _, err := io.ReadFull(c.reader, got); err != nil {
		return err
	}
	if !bytes.Equal(sent, got) || c.reader.Buffered() > 0 {
		return errCorrupt
	}
	return nil
}
