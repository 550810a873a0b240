package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/apitest"
)

var errEnough = errors.New("enough") // never changed

// collect follows until it has n events.
func collect(ctx context.Context, c *api.Client, since uint64, n int, f api.Follower) ([]api.Event, error) {
	var got []api.Event
	f.Event = func(e api.Event) error {
		got = append(got, e)
		if len(got) == n {
			return errEnough
		}
		return nil
	}
	err := c.Follow(ctx, since, f)
	if errors.Is(err, errEnough) {
		err = nil
	}
	return got, err
}

func TestFollowReportsWhatWasAndWhatComes(t *testing.T) {
	fake := apitest.New()
	fake.Events.Add(api.Event{Kind: "host_heard", Host: "b", Text: "before"})
	c := connect(t, fake)
	got, err := collect(t.Context(), c, 0, 1, api.Follower{})
	if err != nil || got[0].Text != "before" {
		t.Fatalf("got %+v, %v", got, err)
	}
	done := make(chan error, 1)
	var later []api.Event
	go func() {
		var err error
		later, err = collect(t.Context(), c, got[0].ID, 2, api.Follower{})
		done <- err
	}()
	fake.Events.Add(api.Event{Kind: "host_silent", Host: "b", Epoch: 4, Text: "one"})
	fake.Events.Add(api.Event{Text: "two"})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if later[0].Text != "one" || later[0].Epoch != 4 || later[1].Text != "two" {
		t.Errorf("got %+v", later)
	}
}

func TestFollowSaysWhatIsMissing(t *testing.T) {
	fake := apitest.New() // keeps 4
	for range 7 {
		fake.Events.Add(api.Event{})
	}
	var missed uint64
	got, err := collect(t.Context(), connect(t, fake), 1000, 4, api.Follower{Missed: func(n uint64) { missed = n }})
	if err != nil || missed != 2 || got[0].ID != 1003 {
		t.Errorf("missed %d, got %+v, %v", missed, got, err)
	}
}

func TestFollowGoesOnAfterARestartOfTheAgent(t *testing.T) {
	first := apitest.New()
	first.Events.Add(api.Event{Text: "first life"})
	dir, stop := apitest.Serve(t, first)
	lost := make(chan error, 1)
	seen := make(chan api.Event, 8)
	ended := make(chan error, 1)
	c := api.New(dir)
	go func() {
		ended <- c.Follow(t.Context(), 0, api.Follower{
			Event: func(e api.Event) error {
				seen <- e
				if e.Text == "end" {
					return errEnough
				}
				return nil
			},
			Lost: func(err error) { lost <- err },
		})
	}()
	if e := <-seen; e.Text != "first life" {
		t.Fatalf("got %+v", e)
	}
	stop()
	if err := <-lost; err == nil {
		t.Fatal("lost without an error")
	}
	second := apitest.New()
	second.Events = api.NewJournal(4, time.UnixMilli(2))
	second.Events.Add(api.Event{Text: "second life"})
	apitest.ServeIn(t, dir, second)
	if e := <-seen; e.Text != "second life" {
		t.Fatalf("got %+v", e)
	}
	second.Events.Add(api.Event{Text: "end"})
	if err := <-ended; !errors.Is(err, errEnough) {
		t.Fatalf("ended with %v", err)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	fake := apitest.New()
	fake.Events.Add(api.Event{})
	ctx, cancel := context.WithCancel(t.Context())
	err := connect(t, fake).Follow(ctx, 0, api.Follower{Event: func(api.Event) error { cancel(); return nil }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFollowWantsAnAgentAtTheStart(t *testing.T) {
	err := api.New(apitest.RunDir(t)).Follow(t.Context(), 0, api.Follower{})
	if !errors.Is(err, api.ErrNoAgent) {
		t.Errorf("got %v", err)
	}
}

func TestBrowsersResumeByLastEventID(t *testing.T) {
	fake := apitest.New()
	for _, text := range []string{"one", "two", "three"} {
		fake.Events.Add(api.Event{Text: text})
	}
	ctx, cancel := context.WithCancel(t.Context())
	w := &recorder{ResponseRecorder: httptest.NewRecorder(), want: "three", cancel: cancel}
	r := httptest.NewRequest(http.MethodGet, "/v1/events/stream", nil).WithContext(ctx)
	r.Header.Set("Last-Event-ID", "1000")
	api.Handler(fake, "v1").ServeHTTP(w, r)
	body := w.Body.String()
	if strings.Contains(body, `"one"`) || !strings.Contains(body, "id: 1001\nevent: event\ndata: {") || !strings.Contains(body, `"three"`) {
		t.Errorf("got %s", body)
	}
}

// recorder ends the request when the wanted text has been written.
type recorder struct {
	*httptest.ResponseRecorder
	want   string
	cancel func()
}

func (r *recorder) Write(p []byte) (int, error) {
	if strings.Contains(string(p), r.want) {
		defer r.cancel()
	}
	return r.ResponseRecorder.Write(p)
}

func (r *recorder) SetWriteDeadline(time.Time) error { return nil }

func TestFollowersLeaveRoomForOthers(t *testing.T) {
	fake := apitest.New()
	fake.Events.Add(api.Event{})
	c := connect(t, fake)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const most = 32
	connected, ended := make(chan struct{}, most), make(chan error, most)
	for range most {
		go func() {
			ended <- c.Follow(ctx, 0, api.Follower{Event: func(api.Event) error { connected <- struct{}{}; return nil }})
		}()
	}
	for range most {
		<-connected
	}
	var refused *api.Error
	if err := c.Follow(ctx, 0, api.Follower{}); !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable {
		t.Errorf("one follower too many: %v", err)
	}
	if _, err := c.Status(ctx); err != nil {
		t.Errorf("status beside the followers: %v", err)
	}
	cancel()
	for range most {
		<-ended
	}
}
