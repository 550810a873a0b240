package doctor

import (
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/config"
)

func TestPreemptionOfKernels(t *testing.T) {
	const dynamic = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.90-1 (2024-05-03)"
	for _, tc := range []struct {
		name, build, chosen, command string
		want                         Preemption
	}{
		{"of a desktop", "#1 SMP PREEMPT Fri May 3", "", "", PreemptFull},
		{"real time", "#1 SMP PREEMPT_RT Debian 6.1.90-1", "", "", PreemptFull},
		{"of a server, long ago", "#1 SMP Debian 5.10.1", "", "preempt=full", PreemptNone},
		{"chosen now", dynamic, "none (voluntary) full \n", "preempt=full", PreemptVoluntary},
		{"chosen now, full", dynamic, "none voluntary (full) lazy\n", "", PreemptFull},
		{"booted with", dynamic, "", "root=/dev/sda1 preempt=full quiet", PreemptFull},
		{"booted with none", dynamic, "", "preempt=none", PreemptNone},
		{"another parameter", dynamic, "", "rcutree.preempt=full", PreemptUnknown},
		{"nobody says", dynamic, "", "root=/dev/sda1", PreemptUnknown},
		{"nothing", "", "", "", PreemptNone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := preemption(tc.build, tc.chosen, tc.command); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	if readPreemption() == "" {
		t.Error("this kernel has none")
	}
}

// TestPreemptionMattersToShortIntervals: with 20 ms nobody has to boot anew.
func TestPreemptionMattersToShortIntervals(t *testing.T) {
	for _, tc := range []struct {
		profile string
		found   Preemption
		want    bool
	}{
		{"fast", PreemptNone, true}, {"fast", PreemptVoluntary, true}, {"fast", PreemptUnknown, true},
		{"fast", PreemptFull, false}, {"fast", PreemptLazy, false}, {"fast", "", false},
		{"steady", PreemptNone, false}, {"wan", PreemptNone, false},
	} {
		t.Run(tc.profile+" "+string(tc.found), func(t *testing.T) {
			text := strings.Replace(file, "DELIVERY", "directed", 1) + "heartbeat: {profile: " + tc.profile + "}\n"
			cfg, err := config.Parse("/etc/muster/muster.yaml", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			facts := healthy()
			facts.Preemption = tc.found
			got := Diagnose(cfg, 0, facts)
			if len(got) != 0 != tc.want {
				t.Fatalf("got %+v", got)
			}
			if tc.want && (got[0].Check != CheckKernel || !got[0].Note || !strings.Contains(got[0].Remedy, "preempt=full") || !strings.Contains(got[0].What, "5ms")) {
				t.Errorf("got %+v", got[0])
			}
		})
	}
}
