package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/muster-ha/muster/internal/lab"
)

// musterConfig is a farm with one address and no check: nothing but heartbeats is on the wire. %s is the heartbeat's settings.
const musterConfig = `cluster: shop
secret_file: secret.key

hosts:
{{- range .Hosts}}
  {{.Name}}: {address: {{.Address}}}
{{- end}}

heartbeat: %s

vips:
  web:
    address: {{.VIP}}
    rules:
      - {ports: [80], affinity: none}
`

// musterRival is Muster with a ready-made profile.
func musterRival(profile string) rival {
	r := musterWith("Muster "+profile, "{profile: "+profile+"}")
	r.cuts, r.goal = detectTimes, map[string]float64{"steady": steadyGoal, "fast": fastGoal}[profile]
	r.detection = map[string]time.Duration{"steady": 15 * 20 * time.Millisecond, "fast": 8 * 5 * time.Millisecond}[profile]
	return r
}

func musterWith(name, heartbeat string) rival {
	return rival{name: name, process: "agent", config: fmt.Sprintf(musterConfig, heartbeat), patience: 30 * time.Second,
		start: func(_ *lab.Lab, h *lab.Host) error { return h.Start() }, read: readMuster}
}

// musterEvent is a line of an agent's log.
type musterEvent struct {
	Time time.Time `json:"time"`
	Msg  string    `json:"msg"`
	Why  string    `json:"why"`
}

// stoodPattern is what an agent says of its own timer.
var stoodPattern = regexp.MustCompile(`^our own timer was (\S+) late;`)

// readMuster finds the views in an agent's log, and what it says of its own timer. The line about a view is written when the view is in use: agreed with
// all its members, and the filter set to it.
func readMuster(line string, _ []string) (membership, error) {
	if !strings.Contains(line, `"view_installed"`) && !strings.Contains(line, `"stalled"`) {
		return membership{}, nil
	}
	var event musterEvent
	if err := json.Unmarshal([]byte(line), &event); err != nil {
		return membership{}, fmt.Errorf("%q is no line of an agent: %w", line, err)
	}
	if event.Msg == "stalled" {
		return readStalled(event)
	}
	if event.Msg != "view_installed" || event.Why == "" {
		return membership{}, fmt.Errorf("%q names no members", line)
	}
	return membership{at: event.Time, members: strings.Split(event.Why, ", ")}, nil
}

func readStalled(event musterEvent) (membership, error) {
	found := stoodPattern.FindStringSubmatch(event.Why)
	if found == nil {
		return membership{}, fmt.Errorf("%q does not say how late the timer was", event.Why)
	}
	lasted, err := time.ParseDuration(found[1])
	if err != nil {
		return membership{}, fmt.Errorf("read how late the timer was: %w", err)
	}
	return membership{stood: standstill{until: event.Time, lasted: lasted}}, nil
}
