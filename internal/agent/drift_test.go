package agent

import (
	"fmt"
	"testing"
	"time"
)

func TestWhatIsTakenAwayAgainAndAgainIsToldLessAndLess(t *testing.T) {
	var d drifts
	now := time.Unix(1000, 0)
	told := 0
	for range 1000 {
		now = now.Add(time.Second)
		if d.note("the VIP", "it was found absent", now) {
			told++
		}
	}
	if told != 10 { // 1, 2, 4 ... 512
		t.Errorf("told %d times of 1000", told)
	}
	if list := d.lines(now); len(list) != 1 || list[0] != "it was found absent (1000 times)" {
		t.Errorf("shown as %q", list)
	}
	if list := d.lines(now.Add(driftLife + 1)); len(list) > 0 {
		t.Errorf("still shown: %q", list)
	}
	for i := range 10 * keptDrift {
		d.note(fmt.Sprint(i), "", now)
	}
	if len(d.seen) > keptDrift {
		t.Errorf("%d are remembered", len(d.seen))
	}
}
