package agent_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// checkedFarm has a rule that a check decides on and one without.
const checkedFarm = `cluster: shop
secret_file: secret.key
hosts:
{{- range .Hosts}}
  {{.Name}}: {address: {{.Address}}}
{{- end}}
vips:
  web:
    address: {{.VIP}}
    rules:
      - {ports: [80], check: health}
      - {ports: [7]}
checks:
  health:
    http: {url: "http://127.0.0.1:8081/health"}
    interval: 100ms
    timeout: 90ms
    fall: 2
    rise: 2
`

// health answers a host's check as the test wants.
type health struct {
	sick   atomic.Bool
	server *http.Server
}

func newHealth(t *testing.T, h *lab.Host) *health {
	t.Helper()
	s := &health{}
	s.listen(t, h)
	return s
}

func (s *health) listen(t *testing.T, h *lab.Host) {
	t.Helper()
	var listener net.Listener
	err := h.Do(func() (err error) {
		listener, err = net.Listen("tcp", "127.0.0.1:8081")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if s.sick.Load() {
			http.Error(w, "the database is gone", http.StatusInternalServerError)
		}
	})}
	go s.server.Serve(listener)
	t.Cleanup(func() { s.server.Close() })
}

// share is a host's buckets of the rule for a port, as another host knows it.
func share(at *lab.Host, host, rule string) (int, error) {
	s, err := ask(at)
	if err != nil {
		return 0, err
	}
	for _, each := range hostIn(s, host).Shares {
		if each.Rule == rule {
			return each.Buckets, nil
		}
	}
	return 0, fmt.Errorf("host %s has no share of %q in %+v", host, rule, hostIn(s, host).Shares)
}

func TestFailingCheckGivesItsRuleAwayAndTakesItBack(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 3, Clients: 1, Config: checkedFarm})
	if err := l.StartWeb(); err != nil {
		t.Fatal(err)
	}
	b := l.Host("b")
	application := newHealth(t, b)
	newHealth(t, l.Host("a"))
	newHealth(t, l.Host("c"))
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	ready(t, l)
	conns, web := echoes(t, l, 100), requests(t, l, 100)
	web.flow(t, load.Request, 100)
	for _, fault := range []struct {
		name       string
		make       func(t *testing.T)
		mend       func(t *testing.T)
		transcript []string
	}{
		{"status 500", func(*testing.T) { application.sick.Store(true) }, func(*testing.T) { application.sick.Store(false) },
			[]string{"GET", "500", "the database is gone"}},
		{"nobody listens", func(*testing.T) { application.server.Close() }, func(t *testing.T) { application.listen(t, b) },
			[]string{"connect 127.0.0.1:8081", "nothing listens"}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			fault.make(t)
			eventually(t, patience, "b without a share of port 80", func() error {
				n, err := share(l.Host("a"), "b", "tcp 80")
				if err == nil && n > 0 {
					return fmt.Errorf("it has %d buckets", n)
				}
				return err
			})
			if n, err := share(l.Host("a"), "b", "tcp 7"); err != nil || n == 0 {
				t.Errorf("b has %d buckets of port 7, %v: the check is none of its business", n, err)
			}
			given := time.Now()
			web.flow(t, load.Request, 100)
			for _, r := range web.all() {
				if r.Host == "b" && web.at(r).After(given) {
					t.Fatalf("b got a request %v after it had given its share away", web.at(r).Sub(given))
				}
			}
			out := muster(t, b, "status")
			for _, want := range fault.transcript {
				if !strings.Contains(out, want) {
					t.Errorf("muster status on b shows no %q:\n%s", want, out)
				}
			}
			fault.mend(t)
			ready(t, l)
			back := time.Now()
			eventually(t, patience, "requests at b again", func() error {
				for _, r := range web.all() {
					if r.Host == "b" && web.at(r).After(back) {
						return nil
					}
				}
				return fmt.Errorf("none")
			})
		})
	}
	if bad := failed(web.stop(t)); len(bad) > 0 {
		t.Errorf("%d requests got no answer, the first: %+v", len(bad), bad[0])
	}
	if bad := broken(conns.stop(t)); len(bad) > 0 {
		t.Errorf("%d connections broke, the first: %+v", len(bad), bad[0])
	}
}

func TestNoShareBeforeTheFirstGoodProbe(t *testing.T) {
	l := machines(t, lab.Options{Hosts: 3, Clients: 1, Config: checkedFarm})
	newHealth(t, l.Host("a"))
	if err := l.StartAll(); err != nil {
		t.Fatal(err)
	}
	members(t, l.Host("a"), "a", "b", "c")
	eventually(t, patience, "all of port 80 at a, the only host whose check is good", func() error {
		n, err := share(l.Host("b"), "a", "tcp 80")
		if err == nil && n != 4096 {
			return fmt.Errorf("it has %d buckets", n)
		}
		return err
	})
}
