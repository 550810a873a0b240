package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/apitest"
)

// connect serves a fake and returns a client of it.
func connect(t *testing.T, fake *apitest.Fake) *api.Client {
	t.Helper()
	dir, _ := apitest.Serve(t, fake)
	c := api.New(dir)
	t.Cleanup(c.Close)
	return c
}

func TestStatusArrivesAsItWasSaid(t *testing.T) {
	got, err := connect(t, apitest.New()).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if a, b := asJSON(t, got), asJSON(t, apitest.Sample()); a == b {
		t.Error("lists that the agent left out should have become empty ones")
	}
	want := apitest.Sample()
	for i := range want.Hosts {
		want.Hosts[i].Directs = append([]string{}, want.Hosts[i].Directs...)
		want.Hosts[i].Shares = append([]api.Share{}, want.Hosts[i].Shares...)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", asJSON(t, got), asJSON(t, want))
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAnswersHaveNoNullLists(t *testing.T) {
	fake := apitest.New()
	fake.Now = apitest.Unknown()
	fake.Explained = api.Explanation{}
	h := api.Handler(fake, "v1")
	for _, path := range []string{"/v1/status", "/v1/explain?vip=web&client=10.0.0.1", "/v1/events"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		for _, list := range []string{"members", "directs", "shares", "owners", "checks", "problems", "counters", "refused", "held_by", "path", "events"} {
			if strings.Contains(w.Body.String(), fmt.Sprintf("%q:null", list)) {
				t.Errorf("%s: %s is null: %s", path, list, w.Body)
			}
		}
	}
}

func TestOrdersAndQuestionsReachTheAgent(t *testing.T) {
	tests := []struct {
		name string
		call func(context.Context, *api.Client) error
		want string
	}{
		{"drain with a deadline", order(api.HostOrder{Host: "b", Verb: api.DrainHost, Deadline: 90 * time.Second}), "drain b 1m30s"},
		{"drain", order(api.HostOrder{Host: "b", Verb: api.DrainHost}), "drain b 0s"},
		{"odd host name", order(api.HostOrder{Host: "a/../b?x", Verb: api.DrainHost}), "drain a/../b?x 0s"},
		{"resume", order(api.HostOrder{Host: "b", Verb: api.ResumeHost}), "resume b 0s"},
		{"start", order(api.HostOrder{Host: "b", Verb: api.StartHost}), "start b 0s"},
		{"stop a host", order(api.HostOrder{Host: "b", Verb: api.StopHost}), "stop b 0s"},
		{"suspend", order(api.HostOrder{Host: "b", Verb: api.SuspendHost}), "suspend b 0s"},
		{"disable a rule", orderRule(api.RuleOrder{VIP: "web", Port: 443, State: "disabled"}), `rule web:443 udp false on "": disabled`},
		{"drain a rule on a host", orderRule(api.RuleOrder{VIP: "2001:db8::1", Port: 53, UDP: true, Host: "b", State: "drained"}), `rule 2001:db8::1:53 udp true on "b": drained`},
		{"reload", func(ctx context.Context, c *api.Client) error { return c.Reload(ctx) }, "reload"},
		{"stop", func(ctx context.Context, c *api.Client) error {
			return c.Stop(ctx, api.StopRequest{Deadline: 1500 * time.Millisecond})
		}, "stop 1.5s"},
		{"explain", explainer(api.ExplainRequest{VIP: "web", VIPPort: 443, Protocol: "udp", Client: netip.MustParseAddr("10.1.2.3"), Port: 5}), "explain web:443/udp 10.1.2.3:5"},
		{"explain with defaults", explainer(api.ExplainRequest{VIP: "web", Client: netip.MustParseAddr("::ffff:10.1.2.3")}), "explain web:0/tcp 10.1.2.3:0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake := apitest.New()
			fake.Ordered = api.OrderAnswer{Have: []string{"a"}}
			if err := tt.call(t.Context(), connect(t, fake)); err != nil {
				t.Fatal(err)
			}
			if got := fake.Calls(); !slices.Equal(got, []string{tt.want}) {
				t.Errorf("the agent was told %q, want %q", got, tt.want)
			}
		})
	}
}

// order gives an order and wants the fake's answer back.
func order(o api.HostOrder) func(context.Context, *api.Client) error {
	return func(ctx context.Context, c *api.Client) error {
		answer, err := c.OrderHost(ctx, o)
		return answered(answer, err)
	}
}

// ordering is an order's error alone.
func ordering(_ api.OrderAnswer, err error) error { return err }

func orderRule(o api.RuleOrder) func(context.Context, *api.Client) error {
	return func(ctx context.Context, c *api.Client) error {
		answer, err := c.OrderRule(ctx, o)
		return answered(answer, err)
	}
}

func answered(a api.OrderAnswer, err error) error {
	if err == nil && (a.Lacking == nil || !slices.Equal(a.Have, []string{"a"})) {
		return fmt.Errorf("got %+v", a)
	}
	return err
}

func explainer(r api.ExplainRequest) func(context.Context, *api.Client) error {
	return func(ctx context.Context, c *api.Client) error {
		e, err := c.Explain(ctx, r)
		if err == nil && !reflect.DeepEqual(e, apitest.SampleExplanation()) {
			err = fmt.Errorf("got %+v", e)
		}
		return err
	}
}

func TestRefusalsKeepTheirMeaning(t *testing.T) {
	tests := []struct {
		name string
		err  error
		is   error
		code int
	}{
		{"unknown host", fmt.Errorf("%w host: there is no %q, only a and b", api.ErrUnknown, "x"), api.ErrUnknown, 404},
		{"bad file", fmt.Errorf("%w: farm.yaml:3:1: what", api.ErrInvalid), api.ErrInvalid, 422},
		{"not now", fmt.Errorf("%w: it is the last host", api.ErrConflict), api.ErrConflict, 409},
		{"a fault", errors.New("read map: gone"), nil, 500},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake := apitest.New()
			fake.Err = tt.err
			err := ordering(connect(t, fake).OrderHost(t.Context(), api.HostOrder{Host: "x", Verb: api.ResumeHost}))
			var refused *api.Error
			if !errors.As(err, &refused) || refused.Status != tt.code || err.Error() != tt.err.Error() {
				t.Fatalf("got %v (%+v)", err, refused)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v any more", err, tt.is)
			}
		})
	}
}

func TestNoAgentIsExplained(t *testing.T) {
	dir := apitest.RunDir(t)
	_, err := api.New(dir).Status(t.Context())
	if !errors.Is(err, api.ErrNoAgent) || !strings.Contains(err.Error(), api.SocketPath(dir)) || !strings.Contains(err.Error(), "--run-dir") {
		t.Errorf("got %v", err)
	}
}

func TestBadRequestsAreBounded(t *testing.T) {
	tests := []struct {
		name, method, path, body string
		want                     int
	}{
		{"unknown path", "GET", "/v2/status", "", 404},
		{"wrong method", "GET", "/v1/stop", "", 405},
		{"unknown parameter", "GET", "/v1/events?until=3", "", 422},
		{"parameter of the wrong type", "GET", "/v1/events?since=x", "", 422},
		{"no VIP", "GET", "/v1/explain?client=10.0.0.1", "", 422},
		{"client that is no address", "GET", "/v1/explain?vip=web&client=fred", "", 422},
		{"port out of range", "GET", "/v1/explain?vip=web&client=10.0.0.1&port=70000", "", 422},
		{"other protocol", "GET", "/v1/explain?vip=web&client=10.0.0.1&protocol=sctp", "", 422},
		{"no JSON", "POST", "/v1/stop", "hello", 400},
		{"unknown key", "POST", "/v1/stop", `{"dead_line_ms":1}`, 422},
		{"negative deadline", "POST", "/v1/stop", `{"deadline_ms":-1}`, 422},
		{"deadline of a century", "POST", "/v1/hosts/b/drain", `{"deadline_ms":3153600000000}`, 422},
		{"too large", "POST", "/v1/stop", `{"deadline_ms":` + strings.Repeat(" ", 1<<20) + `1}`, 413},
		{"deep", "POST", "/v1/stop", strings.Repeat("[", 3000), 400},
		{"long host name", "POST", "/v1/hosts/" + strings.Repeat("x", 300) + "/resume", "", 422},
	}
	fake := apitest.New()
	h := api.Handler(fake, "v1")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
			r.Header.Set("Content-Type", "application/json")
			h.ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("answered %d, want %d: %.300s", w.Code, tt.want, w.Body)
			}
			if w.Body.Len() > 4096 {
				t.Errorf("an answer of %d bytes", w.Body.Len())
			}
		})
	}
	if calls := fake.Calls(); len(calls) > 0 {
		t.Errorf("the agent was told %q", calls)
	}
}

func TestGarbageOnTheSocketIsBounded(t *testing.T) {
	tests := []struct{ name, send, want string }{
		{"no HTTP", "hello agent\r\n\r\n", "400"},
		{"endless header", "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 1<<16) + "\r\n\r\n", "431"},
		{"binary", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", "400"},
	}
	fake := apitest.New()
	dir, _ := apitest.Serve(t, fake)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("unix", api.SocketPath(dir))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go io.WriteString(conn, tt.send)
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.Contains(line, tt.want) {
				t.Errorf("got %q, %v, want %s", line, err, tt.want)
			}
		})
	}
	if _, err := api.New(dir).Status(t.Context()); err != nil {
		t.Errorf("afterwards the agent does not answer: %v", err)
	}
}

func FuzzOrders(f *testing.F) {
	f.Add("stop", `{"deadline_ms":5}`)
	f.Add("hosts/b/drain", `{"deadline_ms":1e99}`)
	f.Add("hosts/%2f/resume", `null`)
	h := api.Handler(apitest.New(), "v1")
	f.Fuzz(func(t *testing.T, path, body string) {
		r, err := http.NewRequest(http.MethodPost, "http://muster/v1/"+path, strings.NewReader(body))
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError {
			t.Errorf("%q %q: %s", path, body, w.Body)
		}
	})
}
