package member

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

const second = time.Second

func TestHoldDoublesWithEachFall(t *testing.T) {
	steady, fast, wan := 300*time.Millisecond, 40*time.Millisecond, 5*second
	tests := []struct {
		name      string
		falls     int
		detection time.Duration
		want      time.Duration
	}{
		{"nothing happened", 0, steady, 0},
		{"a switch started anew", 2, steady, 0},
		{"third fall", 3, steady, 1200 * time.Millisecond},
		{"fourth fall", 4, steady, 2400 * time.Millisecond},
		{"eighth fall: the longest", 8, steady, longestHold},
		{"as many as are remembered", mostFalls, steady, longestHold},
		{"third fall at fast", 3, fast, 160 * time.Millisecond},
		{"as many as are remembered at fast", mostFalls, fast, longestHold},
		{"third fall at wan", 3, wan, 20 * second},
		{"fourth fall at wan", 4, wan, longestHold},
		{"as many as are remembered with the longest detection", mostFalls, 1000 * second, 4000 * second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := damper{}
			for range test.falls {
				d.fall()
			}
			if got := d.hold(test.detection); got != test.want {
				t.Errorf("hold %v, want %v", got, test.want)
			}
		})
	}
}

func TestFallsAreForgivenOnlyWhileTheLinkIsUp(t *testing.T) {
	d := damper{}
	for range 4 {
		d.fall()
	}
	d.pass(10*forgiven, false)
	if d.falls != 4 {
		t.Errorf("%d falls after ten minutes down, want still 4", d.falls)
	}
	for range 3 {
		d.pass(forgiven-second, true)
		d.pass(second, false)
	}
	if d.falls != 4 {
		t.Errorf("%d falls while it goes on falling, want still 4", d.falls)
	}
	for range 4 * 60 {
		d.pass(second, true)
	}
	if d.falls != 0 || d.hold(second) != 0 {
		t.Errorf("%d falls after four good minutes, want 0", d.falls)
	}
}

// TestFallsThatCountAreFew: whatever a link does, it counts and falls again only a bounded number of times. That is what bounds the
// views that it costs.
func TestFallsThatCountAreFew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		detection := time.Duration(rapid.IntRange(10, 10000).Draw(t, "detection, ms")) * time.Millisecond
		var d damper
		var spent time.Duration
		falls := 0
		for spent < 10*time.Minute {
			up := time.Duration(rapid.IntRange(1, 40000).Draw(t, "up, ms")) * time.Millisecond
			d.pass(detection, false)
			d.pass(up, true)
			if spent += detection + up; d.left(detection) == 0 {
				d.fall()
				falls++
			}
		}
		// The free ones, those of the doubling (at most as many as are remembered), and one for each time that the longest hold passed.
		if most := mostFalls + 2 + int(spent/longestHold); falls > most {
			t.Errorf("%d falls in %v, at most %d may be", falls, spent, most)
		}
	})
}
