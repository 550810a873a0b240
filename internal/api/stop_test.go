package api_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/apitest"
)

func TestStopWaitsUntilTheAgentIsGone(t *testing.T) {
	fake := apitest.New()
	dir, stop := apitest.Serve(t, fake)
	fake.OnStop = stop
	if err := api.New(dir).StopAndWait(t.Context(), api.StopRequest{Deadline: time.Second}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(api.SocketPath(dir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestStopEndsWhenAnotherAgentHasStarted(t *testing.T) {
	fake := apitest.New()
	dir, stop := apitest.Serve(t, fake)
	fake.OnStop = func() {
		stop()
		apitest.ServeIn(t, dir, apitest.New())
	}
	if err := api.New(dir).StopAndWait(t.Context(), api.StopRequest{}); err != nil {
		t.Fatal(err)
	}
}

func TestStopNoticesAnAgentThatDies(t *testing.T) {
	dir := apitest.RunDir(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: api.SocketPath(dir), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // as a kill leaves it
	dying := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		l.Close()
	})}
	go dying.Serve(l)
	defer dying.Close()
	err = api.New(dir).StopAndWait(t.Context(), api.StopRequest{})
	if !errors.Is(err, api.ErrDied) {
		t.Errorf("got %v, want ErrDied", err)
	}
}

func TestStopGivesUpWithItsContext(t *testing.T) {
	dir, _ := apitest.Serve(t, apitest.New())
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := api.New(dir).StopAndWait(ctx, api.StopRequest{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestARefusedStopDoesNotWait(t *testing.T) {
	fake := apitest.New()
	fake.Err = api.ErrConflict
	dir, _ := apitest.Serve(t, fake)
	if err := api.New(dir).StopAndWait(t.Context(), api.StopRequest{}); !errors.Is(err, api.ErrConflict) {
		t.Errorf("got %v", err)
	}
}
