package agent

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/multicast"
	"github.com/muster-ha/muster/internal/multicast/lessee"
	"github.com/muster-ha/muster/madcap"
)

// TestWhatIsDoneAboutALeaseIsSaid: each state of the responsible host has its words.
func TestWhatIsDoneAboutALeaseIsSaid(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	have := multicast.Lease{Address: netip.MustParseAddr("239.255.8.1"), Obtained: noon, Expires: noon.Add(2 * time.Hour)}
	on := func(task multicast.Task) *errand {
		return &errand{task: task, begun: noon, cancel: func() {}}
	}
	for _, tc := range []struct {
		name string
		l    leasing
		have multicast.Lease
		want string
	}{
		{"nothing yet", leasing{}, multicast.Lease{}, "servers are asked next"},
		{"asking", leasing{errand: on(multicast.Ask)}, multicast.Lease{}, "asking servers since 2026-03-01T12:00:00Z"},
		{"renewing", leasing{errand: on(multicast.Renew)}, have, "renewing since 2026-03-01T12:00:00Z"},
		{"renewing what has expired", leasing{errand: on(multicast.Renew)}, multicast.Lease{}, "asking servers since 2026-03-01T12:00:00Z"},
		{"failed", leasing{failed: noon, why: "silence"}, multicast.Lease{}, "no lease: silence; servers are asked again at 2026-03-01T12:10:00Z"},
		{"not renewed", leasing{failed: noon, why: "silence"}, have, "not renewed yet: silence"},
		{"all well", leasing{}, have, "renewed at 2026-03-01T13:00:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.l.doing(tc.have); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// TestProblemsOfMulticast: strangers on a manual address and settings that are not followed are said with their remedy; strangers on an
// address that the hosts chose are theirs to leave.
func TestProblemsOfMulticast(t *testing.T) {
	for _, tc := range []struct {
		name string
		m    api.MulticastStatus
		want string
	}{
		{"all well", api.MulticastStatus{Group: "239.255.7.9", How: "manual"}, ""},
		{"strangers on a manual address", api.MulticastStatus{Group: "239.255.7.9", How: "manual", Stranger: true}, "another cluster uses its multicast group 239.255.7.9"},
		{"strangers on a chosen one", api.MulticastStatus{Group: "239.255.7.9", How: "self-selected", Stranger: true}, ""},
		{"strangers on a leased one", api.MulticastStatus{Group: "239.255.7.9", How: "MADCAP lease", Stranger: true}, ""},
		{"not followed", api.MulticastStatus{Warning: "the range ends before it starts"}, "the range ends before it starts"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			list := castProblems(api.Status{Networks: []api.NetworkStatus{{Name: "lan", Multicast: tc.m}}})
			if tc.want == "" && len(list) > 0 || tc.want != "" && (len(list) != 1 || !strings.Contains(list[0].What, tc.want) || list[0].Remedy == "" || list[0].About != "network lan") {
				t.Errorf("got %+v, want %q", list, tc.want)
			}
		})
	}
}

// TestALostRenewalAsksForAnotherLease: a server that refuses is followed by a question to all.
func TestALostRenewalAsksForAnotherLease(t *testing.T) {
	old := multicast.Lease{Address: netip.MustParseAddr("239.255.8.1"), ID: "old", Expires: time.Now().Add(time.Hour)}
	for _, tc := range []struct {
		name          string
		renew, obtain error
		want          madcap.LeaseID
		told          string
	}{
		{"renewed", nil, nil, "old", ""},
		{"refused", errors.New("not recognized"), nil, "new", ""},
		{"nobody has one", errors.New("not recognized"), errors.New("no answer"), "", "not recognized; no answer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := &errand{task: multicast.Renew, lease: old}
			got, err := e.ask(t.Context(), fakeServers{tc.renew, tc.obtain}, lessee.Wish{Range: multicast.Administrative(), Avoid: func(netip.Addr) bool { return false }})
			told := ""
			if err != nil {
				told = short(err)
			}
			if got.ID != tc.want || told != tc.told {
				t.Errorf("lease %v, %q", got, told)
			}
		})
	}
}

// fakeServers answer as they are told.
type fakeServers struct{ renew, obtain error }

func (f fakeServers) Scopes(context.Context, netip.Addr, string) ([]madcap.ServerInfo, error) {
	return []madcap.ServerInfo{{Scopes: madcap.ScopeList{madcap.LocalScope(madcap.IPv4)}}}, f.obtain
}

func (f fakeServers) Lease(_ context.Context, r madcap.Request) (madcap.Lease, error) {
	return madcap.Lease{ID: "new", Ranges: []madcap.Range{{First: netip.MustParseAddr("239.255.8.2"), Count: 1}}, Scope: r.Scope.First}, nil
}

func (f fakeServers) Renew(_ context.Context, l madcap.Lease, _ madcap.Terms) (madcap.Lease, error) {
	return l, f.renew
}

func (f fakeServers) Release(context.Context, madcap.Lease) error { return nil }

func TestErrorsAreShort(t *testing.T) {
	if got := short(errors.Join(errors.New("one"), errors.New("two"))); got != "one; two" {
		t.Errorf("got %q", got)
	}
	if got := short(errors.New(strings.Repeat("é", 1000))); len([]rune(got)) != 403 || !strings.HasSuffix(got, "é...") {
		t.Errorf("%d characters: %q", len([]rune(got)), got)
	}
}
