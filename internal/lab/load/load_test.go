package load

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-ha/muster/internal/lab/web"
)

// serve accepts connections on the loopback and hands each to f.
func serve(t *testing.T, f func(*net.TCPConn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			go f(conn.(*net.TCPConn))
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// nobody is an address on which nobody listens.
func nobody(t *testing.T) netip.AddrPort {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func gather(records *[]Record) func(Record) { return func(r Record) { *records = append(*records, r) } }

func TestHTTPClassifiesWhatServersDo(t *testing.T) {
	readRequest := func(c *net.TCPConn) { _, _ = c.Read(make([]byte, 1024)) } // what it says does not matter
	tests := []struct {
		name      string
		target    netip.AddrPort
		want      Class
		connected bool
	}{
		{"refuses", nobody(t), Refused, false},
		{"is silent", serve(t, func(*net.TCPConn) {}), Timeout, true},
		{"resets", serve(t, func(c *net.TCPConn) { readRequest(c); _ = c.SetLinger(0); c.Close() }), Reset, true},
		{"hangs up", serve(t, func(c *net.TCPConn) { readRequest(c); c.Close() }), Ended, true},
		{"stops half way", serve(t, func(c *net.TCPConn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
			c.Close()
		}), Ended, true},
		{"answers with an error", serve(t, func(c *net.TCPConn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
		}), Corrupt, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var records []Record
			o := HTTPOptions{Target: tt.target, Rate: 20, Duration: 200 * ms, Timeout: 100 * ms}
			if err := HTTP(t.Context(), o, gather(&records)); err != nil {
				t.Fatal(err)
			}
			if len(records) < 2 || records[0].Kind != Start {
				t.Fatalf("records are %+v", records)
			}
			for _, r := range records[1:] {
				if r.OK || r.Class != tt.want || (r.Connect > 0) != tt.connected || r.Port == 0 {
					t.Errorf("got %+v", r)
				}
			}
		})
	}
}

// TestLoadsByIPv6: the target's address is written as HTTP wants it, and the client's port is known.
func TestLoadsByIPv6(t *testing.T) {
	hosts := make(chan string, 100)
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts <- r.Host
		_, _ = io.WriteString(w, "a\n")
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	var records []Record
	o := HTTPOptions{Target: l.Addr().(*net.TCPAddr).AddrPort(), Rate: 20, Duration: 200 * ms, Timeout: time.Second}
	if err := HTTP(t.Context(), o, gather(&records)); err != nil {
		t.Fatal(err)
	}
	if len(records) < 2 || len(hosts) == 0 {
		t.Fatalf("records %+v, %d requests", records, len(hosts))
	}
	if got := <-hosts; got != "[::1]" {
		t.Errorf("Host header %q", got)
	}
	for _, r := range records[1:] {
		if !r.OK || r.Host != "a" || r.Port == 0 {
			t.Errorf("got %+v", r)
		}
	}
}

func TestHTTPKeepsItsRateWithSlowAnswers(t *testing.T) {
	server := httptest.NewServer(web.Handler("a"))
	t.Cleanup(server.Close)
	target := netip.MustParseAddrPort(server.Listener.Addr().String())
	for path, wait := range map[string]time.Duration{"/": 0, "/slow?ms=300": 300 * ms} {
		t.Run(path, func(t *testing.T) {
			var records []Record
			err := HTTP(t.Context(), HTTPOptions{Target: target, Rate: 500, Duration: time.Second, Path: path, Timeout: 5 * time.Second}, gather(&records))
			if err != nil {
				t.Fatal(err)
			}
			p := Summarise(records, []Mark{{}}, 0)[0]
			if p.Requests < 450 || p.Requests > 505 || p.Failed > 0 || p.Split["a"] != p.Requests {
				t.Errorf("%d requests, %d failed, split %v, %v", p.Requests, p.Failed, p.Split, p.Classes)
			}
			if p.Longest < wait {
				t.Errorf("the longest took %v, less than the server's %v", p.Longest, wait)
			}
		})
	}
}

func TestHTTPBoundsWhatIsUnderWay(t *testing.T) {
	var open, most atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		for n := open.Add(1); ; {
			m := most.Load()
			if n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		<-r.Context().Done()
		open.Add(-1)
	}))
	t.Cleanup(server.Close)
	var records []Record
	o := HTTPOptions{Target: netip.MustParseAddrPort(server.Listener.Addr().String()), Rate: 500, Duration: 500 * ms, Timeout: 100 * ms}
	if err := HTTP(t.Context(), o, gather(&records)); err != nil {
		t.Fatal(err)
	}
	if limit := int64(o.slots()); most.Load() > limit || most.Load() == 0 {
		t.Errorf("%d at once, bound %d", most.Load(), limit)
	}
}

func TestPaceCatchesUpAfterADelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 995*ms)
		defer cancel()
		calls := 0
		pace(ctx, time.Now(), 100, func() {
			if calls++; calls == 10 {
				time.Sleep(300 * ms)
			}
		})
		if calls != 100 {
			t.Errorf("%d calls in a second at 100 a second", calls)
		}
	})
}

func TestEcho(t *testing.T) {
	quiet := func(*net.TCPConn) {}
	echoer := func(blocks int, end func(*net.TCPConn)) func(*net.TCPConn) {
		return func(c *net.TCPConn) {
			_, _ = io.WriteString(c, "a\n")
			buffer := make([]byte, maxBlock)
			for range blocks {
				n, _ := c.Read(buffer)
				_, _ = c.Write(buffer[:n])
			}
			end(c)
		}
	}
	tests := []struct {
		name   string
		server func(*net.TCPConn)
		reopen bool
		kind   Kind
		class  Class
	}{
		{"the server closes", echoer(5, func(c *net.TCPConn) { c.Close() }), false, Broken, Ended},
		{"the server resets", echoer(5, func(c *net.TCPConn) { _, _ = c.Read(make([]byte, 1)); _ = c.SetLinger(0); c.Close() }), false, Broken, Reset},
		{"the server falls silent", echoer(5, quiet), false, Broken, Timeout},
		{"the server does its work", echoer(5, func(c *net.TCPConn) { _, _ = io.Copy(c, c) }), false, Closed, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var records []Record
			o := EchoOptions{Target: serve(t, tt.server), Conns: 3, Duration: 700 * ms, Interval: 5 * ms, Silence: 300 * ms}
			if err := Echo(t.Context(), o, gather(&records)); err != nil {
				t.Fatal(err)
			}
			ends := 0
			for _, r := range records {
				if r.Kind == tt.kind && r.Class == tt.class && r.Host == "a" && r.Bytes > 0 {
					ends++
				}
			}
			if ends != 3 {
				t.Errorf("%d of 3 connections ended as %s %s: %+v", ends, tt.kind, tt.class, records)
			}
		})
	}
}

// echoServer runs the real one.
func echoServer(t *testing.T, corrupt int) netip.AddrPort {
	t.Helper()
	at := nobody(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- web.Run(ctx, web.Options{Name: "a", Echo: at.String(), Corrupt: corrupt}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return at
}

func TestEchoFindsASingleWrongBit(t *testing.T) {
	for name, corrupt := range map[string]int{"an honest server": 0, "a server that flips a bit of every 20th block": 20} {
		t.Run(name, func(t *testing.T) {
			var records []Record
			o := EchoOptions{Target: echoServer(t, corrupt), Conns: 5, Duration: 800 * ms, Interval: ms}
			if err := Echo(t.Context(), o, gather(&records)); err != nil {
				t.Fatal(err)
			}
			p := Summarise(records, []Mark{{}}, 0)[0]
			if want := min(corrupt, 1) * 5; p.Wrong != want || p.Broken != want {
				t.Errorf("%d wrong, %d broken of 5", p.Wrong, p.Broken)
			}
		})
	}
}

func TestEchoReportsStallsAndReopens(t *testing.T) {
	var conns atomic.Int64
	target := serve(t, func(c *net.TCPConn) {
		conns.Add(1)
		_, _ = io.WriteString(c, "b\n")
		buffer := make([]byte, maxBlock)
		n, _ := c.Read(buffer)
		time.Sleep(150 * ms) // the stall
		_, _ = c.Write(buffer[:n])
		c.Close()
	})
	var records []Record
	o := EchoOptions{Target: target, Conns: 1, Duration: time.Second, Interval: ms, Stall: 100 * ms, Reopen: true}
	if err := Echo(t.Context(), o, gather(&records)); err != nil {
		t.Fatal(err)
	}
	p := Summarise(records, []Mark{{Host: "b"}}, 0)[0]
	if p.Stall < 150*ms || p.Broken < 2 || p.Elsewhere != 0 || conns.Load() < 2 {
		t.Errorf("stall %v, %d broken, %d connections", p.Stall, p.Broken, conns.Load())
	}
}

func TestOptionsAreChecked(t *testing.T) {
	target := netip.MustParseAddrPort("127.0.0.1:1")
	for name, o := range map[string]HTTPOptions{"no target": {Rate: 1}, "no rate": {Target: target}, "too fast": {Target: target, Rate: maxRate + 1}} {
		t.Run(name, func(t *testing.T) {
			if err := HTTP(t.Context(), o, nil); err == nil {
				t.Error("accepted")
			}
		})
	}
	for name, o := range map[string]EchoOptions{"no target": {Conns: 1}, "none": {Target: target}, "too many": {Target: target, Conns: maxConns + 1}} {
		t.Run(name, func(t *testing.T) {
			if err := Echo(t.Context(), o, nil); err == nil {
				t.Error("accepted")
			}
		})
	}
}
