package check

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/muster-ha/muster/internal/config"
)

// What a probe reads, at most, of an answer.
const (
	maxHeaders = 16 << 10
	maxAnswer  = 64 << 10
)

// httpProbe asks for a URL.
type httpProbe struct {
	place
	conf      config.HTTPProbe
	transport *http.Transport
}

func newHTTP(name string, conf config.HTTPProbe, timeout time.Duration) httpProbe {
	if conf.Method == "" {
		conf.Method = http.MethodGet
	}
	if len(conf.Expect) == 0 {
		conf.Expect = DefaultExpect()
	}
	return httpProbe{
		place:     place{check: name, target: target(conf.URL), key: "http.url", timeout: timeout},
		conf:      conf,
		transport: transport(conf),
	}
}

// DefaultExpect is what counts as good when the configuration does not say: an answer that a working site gives, be it "log in first".
func DefaultExpect() []config.StatusRange {
	return []config.StatusRange{{First: 200, Last: 299}, {First: 301, Last: 301}, {First: 302, Last: 302}, {First: 401, Last: 401}}
}

// transport is one of our own: the default one keeps connections and obeys proxies from the environment. HTTP/1.1 only, so that
// the transcript shows what was sent.
func transport(conf config.HTTPProbe) *http.Transport {
	only1 := new(http.Protocols)
	only1.SetHTTP1(true)
	t := &http.Transport{
		DialContext:            dialer().DialContext,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeaders,
		Protocols:              only1,
	}
	if host := conf.Host; host != "" {
		name, _, err := net.SplitHostPort(host)
		if err != nil {
			name = host
		}
		t.TLSClientConfig = &tls.Config{ServerName: name}
	}
	return t
}

// target is the address part of a URL, with its port.
func target(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "the service" // the probe will say what is wrong with the URL
	case u.Port() != "":
		return u.Host
	case u.Scheme == "https":
		return net.JoinHostPort(u.Hostname(), "443")
	}
	return net.JoinHostPort(u.Hostname(), "80")
}

func (p httpProbe) probe(ctx context.Context) Transcript {
	req, err := http.NewRequestWithContext(ctx, p.conf.Method, p.conf.URL, nil)
	if err != nil {
		return failed(err.Error(), fmt.Sprintf("correct `checks.%s.http`", p.check))
	}
	req.Host = p.conf.Host
	req.Header.Set("User-Agent", "muster (check "+p.check+")")
	if user := req.URL.User; user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	sent := &recorder{}
	line := p.conf.Method + " " + req.URL.RequestURI() + " HTTP/1.1"
	req = req.WithContext(httptrace.WithClientTrace(ctx, sent.trace(line)))
	resp, err := p.transport.RoundTrip(req) // not a Client: a redirect is an answer
	if err != nil {
		return p.failure(err, Transcript{Request: cmp.Or(sent.String(), "connect "+p.target)})
	}
	defer resp.Body.Close()
	return p.judge(resp, sent.String())
}

// judge reads the answer.
func (p httpProbe) judge(resp *http.Response, request string) Transcript {
	t := Transcript{Request: request, Status: printable(resp.Proto+" "+resp.Status, maxStatus)}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	t.Body = printable(string(body), maxBody)
	if !p.expects(resp.StatusCode) {
		t.Error = fmt.Sprintf("%s answered %d, expected %s", p.target, resp.StatusCode, ranges(p.conf.Expect))
		t.Remedy = fmt.Sprintf("look into the service's log; if this answer is good, add %d to `checks.%s.http.expect`", resp.StatusCode, p.check)
		return t
	}
	if err == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer-maxBody)) // and so close without a reset
	}
	if err != nil {
		return p.failure(fmt.Errorf("%w: %w", errHalf, err), t)
	}
	t.Good = true
	return t
}

// errHalf marks what went wrong after the headers.
var errHalf = errors.New("the answer began and did not end")

func (p httpProbe) failure(err error, t Transcript) Transcript {
	what, remedy := explain(err, p.place)
	t.Error, t.Remedy = printable(what, maxError), remedy
	return t
}

func (p httpProbe) expects(status int) bool {
	for _, r := range p.conf.Expect {
		if r.First <= status && status <= r.Last {
			return true
		}
	}
	return false
}

func ranges(all []config.StatusRange) string {
	var parts []string
	for _, r := range all {
		if r.First == r.Last {
			parts = append(parts, fmt.Sprint(r.First))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", r.First, r.Last))
		}
	}
	return strings.Join(parts, ", ")
}
