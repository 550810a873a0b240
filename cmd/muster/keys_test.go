package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/api/apitest"
)

// TestKeyRotateWaitsUntilAllSignWithTheNewKey: progress goes to standard error, the result to standard output.
func TestKeyRotateWaitsUntilAllSignWithTheNewKey(t *testing.T) {
	for _, network := range []string{"", "lan"} {
		fake := apitest.New()
		dir, _ := apitest.Serve(t, fake)
		args := []string{"key", "rotate", "--run-dir", dir}
		if network != "" {
			args = append(args, network)
		}
		got := muster(t, dir, args...)
		if got.code != 0 || got.out != "network lan: all hosts of the view sign with key 51f2a7b3\n" || !strings.Contains(got.err, "network lan: 1 of 2 hosts sign with a new key\n") {
			t.Errorf("got %+v", got)
		}
		if want := []string{`rotate "` + network + `"`}; !slices.Equal(fake.Calls(), want) {
			t.Errorf("the agent was told %q", fake.Calls())
		}
	}
}
