package agent

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// spinEnv makes TestSpinningInRealTimeIsBounded the process that spins.
const spinEnv = "AGENT_TEST_SPIN"

// TestSpinningInRealTimeIsBounded: a thread that never sleeps does not keep its priority.
func TestSpinningInRealTimeIsBounded(t *testing.T) {
	if os.Getenv(spinEnv) != "" {
		spin(t)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestSpinningInRealTimeIsBounded$", "-test.v")
	cmd.Env = append(os.Environ(), spinEnv+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "ordinary after") {
		t.Fatalf("%v:\n%s", err, out)
	}
}

func spin(t *testing.T) {
	if err := hurryMore(slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if now, err := unix.SchedGetAttr(0, 0); err != nil || now.Policy != unix.SCHED_RR {
		t.Fatalf("policy %+v, %v; want real time", now, err)
	}
	for start := time.Now(); time.Since(start) < 20*time.Second; {
		for round := time.Now(); time.Since(round) < 10*time.Millisecond; {
			continue // no system call that sleeps: that is the point
		}
		if now, err := unix.SchedGetAttr(0, 0); err == nil && now.Policy == unix.SCHED_NORMAL {
			t.Logf("ordinary after %v", time.Since(start))
			return
		}
	}
	t.Fatal("still in real time after 20 s")
}
