package check

import (
	"bufio"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/config"
)

// listen runs a server that does with each connection what f does, and gives its address.
func listen(t *testing.T, f func(net.Conn)) string {
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
			go func() { defer conn.Close(); f(conn) }()
		}
	}()
	return l.Addr().String()
}

// after the request has come, say something.
func says(text string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			_, _ = io.WriteString(c, text)
		}
	}
}

// without end repeats something until the client has had enough.
func repeats(first, then string) func(net.Conn) {
	return func(c net.Conn) {
		says(first)(c)
		for {
			if _, err := io.WriteString(c, then); err != nil {
				return
			}
		}
	}
}

// hangs says something and then nothing until the client goes.
func hangs(text string) func(net.Conn) {
	return func(c net.Conn) {
		says(text)(c)
		_, _ = io.Copy(io.Discard, c)
	}
}

// probe runs one check as Run does.
func probe(t *testing.T, h config.HTTPProbe, timeout time.Duration) Transcript {
	t.Helper()
	c := New(config.Check{Name: "web", HTTP: &h, Timeout: timeout, Interval: time.Second, Fall: 1, Rise: 1}, nil, slog.New(slog.DiscardHandler))
	c.once(t.Context())
	last := c.Last()
	if (c.State() == Up) != last.Good {
		t.Errorf("state %v after %+v", c.State(), last)
	}
	if last.Good != (last.Error == "") || last.Good != (last.Remedy == "") || last.At.IsZero() || last.Took <= 0 {
		t.Errorf("incomplete: %+v", last)
	}
	return last
}

const (
	patient = 10 * time.Second
	short   = time.Second // enough for a busy machine to say the first half
)

func TestHTTPServices(t *testing.T) {
	ok := "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
	tests := []struct {
		name    string
		serve   func(net.Conn)
		timeout time.Duration
		expect  []config.StatusRange
		status  string // wanted in the transcript
		body    string
		wrong   string // wanted in the error; empty: good
		remedy  string
	}{
		{name: "good", serve: says(ok), status: "HTTP/1.1 200 OK", body: "hello"},
		{name: "no content", serve: says("HTTP/1.1 204 No Content\r\n\r\n"), status: "HTTP/1.1 204 No Content"},
		{name: "redirect is an answer", serve: says("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"), status: "HTTP/1.1 302 Found"},
		{name: "log in first", serve: says("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"), status: "HTTP/1.1 401 Unauthorized"},
		{name: "old HTTP, ended by closing", serve: says("HTTP/1.0 200 OK\r\n\r\nold"), status: "HTTP/1.0 200 OK", body: "old"},
		{name: "after a hint", serve: says("HTTP/1.1 103 Early Hints\r\n\r\n" + ok), status: "HTTP/1.1 200 OK", body: "hello"},
		{name: "error", serve: says("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 8\r\n\r\ndatabase"), status: "503", body: "database",
			wrong: "answered 503, expected 200-299, 301, 302, 401", remedy: "add 503 to `checks.web.http.expect`"},
		{name: "redirect by default not followed or good", serve: says("HTTP/1.1 307 Temporary\r\nContent-Length: 0\r\n\r\n"), status: "307", wrong: "answered 307", remedy: "expect"},
		{name: "own expectation", serve: says("HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n"), expect: []config.StatusRange{{First: 503, Last: 503}}, status: "503"},
		{name: "own expectation missed", serve: says(ok), expect: []config.StatusRange{{First: 418, Last: 418}}, status: "200", body: "hello", wrong: "expected 418", remedy: "add 200"},
		{name: "never answers", serve: hangs(""), timeout: short, wrong: "did not answer within 1s", remedy: "`checks.web.timeout`"},
		{name: "headers without end, fast", serve: repeats("HTTP/1.1 200 OK\r\n", "X-More: "+strings.Repeat("x", 100)+"\r\n"), wrong: "16384 bytes of headers", remedy: "smaller"},
		{name: "one header without end", serve: repeats("HTTP/1.1 200 OK\r\nX: ", strings.Repeat("x", 1000)), wrong: "16384 bytes of headers", remedy: "smaller"},
		{name: "headers without end, slow", serve: hangs("HTTP/1.1 200 OK\r\nX-More: "), timeout: short, wrong: "did not answer within", remedy: "timeout"},
		{name: "hints without end", serve: repeats("", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"), wrong: "headers", remedy: "checks.web"},
		{name: "body without end, fast", serve: repeats("HTTP/1.1 200 OK\r\n\r\n", "all work and no play "), status: "200", body: "all work and no play all work"},
		{name: "body without end, slow", serve: hangs("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), timeout: short, status: "200", body: "half",
			wrong: "began to answer and did not end within", remedy: "timeout"},
		{name: "body cut off", serve: says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), status: "200", body: "half", wrong: "closed the connection before its answer was complete", remedy: "log"},
		{name: "bad status with half a body", serve: hangs("HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nhalf"), timeout: short, status: "500", body: "half", wrong: "answered 500", remedy: "log"},
		{name: "closes at once", serve: func(net.Conn) {}, wrong: "closed the connection", remedy: "log"},
		{name: "closes after the request", serve: says(""), wrong: "closed the connection", remedy: "log"},
		{name: "resets", serve: func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }, wrong: "closed the connection", remedy: "log"},
		{name: "not HTTP", serve: says("SSH-2.0-OpenSSH_9\r\n"), wrong: "does not speak HTTP", remedy: "`tcp` check"},
		{name: "garbage", serve: says("\x00\x1b[31m\xff\xfe\r\n\r\n"), wrong: "does not speak HTTP", remedy: "port"},
		{name: "status of letters", serve: says("HTTP/1.1 abc OK\r\n\r\n"), wrong: "does not speak HTTP", remedy: "port"},
		{name: "terminal codes in status and body", serve: says("HTTP/1.1 200 \x1b[31mOK\r\nContent-Length: 7\r\n\r\n\x1b[2Ja\nb"), status: "HTTP/1.1 200 .[31mOK", body: ".[2Ja b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.timeout == 0 {
				tt.timeout = patient
			}
			got := probe(t, config.HTTPProbe{URL: "http://" + listen(t, tt.serve) + "/health", Expect: tt.expect}, tt.timeout)
			if got.Good != (tt.wrong == "") || !strings.Contains(got.Error, tt.wrong) || !strings.Contains(got.Remedy, tt.remedy) {
				t.Errorf("error %q, remedy %q; want %q, %q", got.Error, got.Remedy, tt.wrong, tt.remedy)
			}
			if !strings.Contains(got.Status, tt.status) || (tt.status == "") != (got.Status == "") || !strings.HasPrefix(got.Body, tt.body) {
				t.Errorf("status %q, body %q; want %q, %q", got.Status, got.Body, tt.status, tt.body)
			}
			if got.Took > 5*time.Second {
				t.Errorf("took %v", got.Took)
			}
			bounded(t, got)
		})
	}
}

// bounded checks what every transcript promises.
func bounded(t *testing.T, got Transcript) {
	t.Helper()
	if len(got.Body) > 3*maxBody+3 || len(got.Status) > 3*maxStatus+3 || len(got.Request) > 3*maxRequest+3 || len(got.Error) > 3*maxError+3 {
		t.Errorf("too long: %d %d %d %d", len(got.Body), len(got.Status), len(got.Request), len(got.Error))
	}
	if strings.ContainsAny(got.Body+got.Status+got.Error, "\x00\x1b\n\r\x7f") {
		t.Errorf("not printable: %+v", got)
	}
}

func TestTheRequestAsItWasSent(t *testing.T) {
	sent := make(chan string, 1)
	addr := listen(t, func(c net.Conn) {
		buf := make([]byte, 4096)
		n, _ := c.Read(buf)
		sent <- string(buf[:n])
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // must not be used
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	got := probe(t, config.HTTPProbe{URL: "http://" + addr + "/health?deep=1", Host: "www.shop.lab", Method: "HEAD"}, patient)
	wire := strings.TrimSuffix(strings.ReplaceAll(<-sent, "\r\n", "\n"), "\n\n")
	if !got.Good || got.Request != wire {
		t.Errorf("transcript\n%s\non the wire\n%s", got.Request, wire)
	}
	for _, want := range []string{"HEAD /health?deep=1 HTTP/1.1", "Host: www.shop.lab", "Connection: close", "User-Agent: muster (check web)"} {
		if !strings.Contains(wire, want+"\n") && !strings.HasSuffix(wire, want) {
			t.Errorf("%q is not in\n%s", want, wire)
		}
	}
}

func TestAPasswordIsSentAndNotShown(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "probe" || password != "tiger" {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer s.Close()
	got := probe(t, config.HTTPProbe{URL: strings.Replace(s.URL, "http://", "http://probe:tiger@", 1)}, patient)
	all := fmt.Sprint(got)
	if !got.Good || strings.Contains(all, "tiger") || strings.Contains(all, "Basic ") || !strings.Contains(all, "Authorization: (not shown)") {
		t.Errorf("got %+v", got)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	got := probe(t, config.HTTPProbe{URL: "http://" + addr}, patient)
	if got.Good || got.Error != "nothing listens on "+addr || got.Remedy != "start the service, or correct `checks.web.http.url`" || got.Request != "connect "+addr {
		t.Errorf("got %+v", got)
	}
}

func TestBadURLsAreErrorsNotPanics(t *testing.T) {
	for _, u := range []string{"", "://", "http://", "ftp://127.0.0.1/", "http://[::1", "http://127.0.0.1:99999/", "http://name.invalid/", "http://a b/"} {
		if got := probe(t, config.HTTPProbe{URL: u}, 2*time.Second); got.Good {
			t.Errorf("%q is good", u)
		}
	}
}

func TestHTTPS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	tests := []struct {
		name    string
		url     string
		host    string
		trusted bool
		wrong   string
		remedy  string
	}{
		{name: "trusted, by address", url: s.URL, trusted: true},
		{name: "trusted, by name", url: s.URL, host: "example.com", trusted: true},
		{name: "trusted, by name and port", url: s.URL, host: "example.com:443", trusted: true},
		{name: "of another name", url: s.URL, host: "www.shop.lab", trusted: true, wrong: "not www.shop.lab", remedy: "`checks.web.http.host`"},
		{name: "of an unknown issuer", url: s.URL, wrong: "the certificate of", remedy: "trust its issuer"},
		{name: "no TLS there", url: strings.Replace(plain.URL, "http:", "https:", 1), trusted: true, wrong: "does not speak TLS", remedy: "use http://"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newHTTP("web", config.HTTPProbe{URL: tt.url, Host: tt.host}, patient)
			if tt.trusted {
				if p.transport.TLSClientConfig == nil {
					p.transport.TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
				}
				p.transport.TLSClientConfig.RootCAs = roots
			}
			got := p.probe(t.Context())
			if got.Good != (tt.wrong == "") || !strings.Contains(got.Error, tt.wrong) || !strings.Contains(got.Remedy, tt.remedy) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestTCP(t *testing.T) {
	probe := func(addr string, timeout time.Duration) Transcript {
		c := New(config.Check{Name: "db", TCP: &config.TCPProbe{Address: netip.MustParseAddrPort(addr)}, Timeout: timeout}, nil, slog.New(slog.DiscardHandler))
		c.once(t.Context())
		return c.Last()
	}
	for name, serve := range map[string]func(net.Conn){"silent": hangs(""), "closes at once": func(net.Conn) {}, "talkative": repeats("", "x")} {
		addr := listen(t, serve)
		if got := probe(addr, patient); !got.Good || got.Request != "connect "+addr || got.Took <= 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	got := probe(l.Addr().String(), patient)
	if got.Good || !strings.Contains(got.Error, "nothing listens") || !strings.Contains(got.Remedy, "`checks.db.tcp.address`") {
		t.Errorf("closed port: %+v", got)
	}
}

func TestPrintable(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "hello", "hello"},
		{"lines", "a\r\nb\tc", "a b c"},
		{"escape", "\x1b[2J", ".[2J"},
		{"not UTF-8", "a\xffb", "a.b"},
		{"right to left", "a\u202eb", "a.b"},
		{"umlaut", "grün", "grün"},
		{"cut", "0123456789", "01234567…"},
		{"cut in a character", "0123456ü9", "0123456…"},
		{"cut in garbage", "\xff\xff\xff\xff\xff\xff\xff\xff\xff", ".....…"},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := printable(tt.in, 8); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("HTTP/1.1 200 \x1b[31mOK\r\n", 8)
	f.Add("grün\u202e", 4)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(0, limit%1000)
		got := printable(s, limit)
		if len(got) > 3*limit+3 || strings.ContainsAny(got, "\x00\x1b\n\r\x7f") {
			t.Errorf("%q from %q, limit %d", got, s, limit)
		}
	})
}
