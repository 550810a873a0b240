package member_test

import "testing"

// TestCheckerNoticesSabotage runs the same histories with hosts that are broken on purpose. A checker that found nothing
// here would prove nothing there.
func TestCheckerNoticesSabotage(t *testing.T) {
	tests := []struct {
		name  string
		sabot sabotage
	}{
		{"the filter says released and keeps what it has", sabotage{keepOnRelease: true}},
		{"the kernel's lease never ends", sabotage{endlessLease: true}},
		{"the lease needs nobody's word", sabotage{selfishLease: true}},
		{"nobody waits for a host that was put out", sabotage{hasty: true}},
		{"a host that is put out keeps its buckets", sabotage{keepOnWithdraw: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			const histories = 200
			found := 0
			for seed := uint64(0); seed < histories && found < 3; seed++ {
				w := drawn(seed)
				w.sabot = test.sabot
				if err := history(w); err != nil {
					found++
					t.Log(err)
				}
			}
			if found == 0 {
				t.Errorf("%d histories, and the checker has noticed nothing", histories)
			}
		})
	}
}
