package main

import (
	"encoding/json"
	"fmt"
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
	return r
}

func musterWith(name, heartbeat string) rival {
	return rival{name: name, process: "agent", config: fmt.Sprintf(musterConfig, heartbeat), patience: 30 * time.Second,
		start: func(_ *lab.Lab, h *lab.Host) error { return h.Start() }, read: readMuster}
}

// readMuster finds the views in an agent's log. The line is written when the view is in use: agreed with all its members, and the
// filter set to it.
func readMuster(line string, _ []string) (membership, error) {
	if !strings.Contains(line, `"view_installed"`) {
		return membership{}, nil
	}
	var event struct {
		Time time.Time `json:"time"`
		Msg  string    `json:"msg"`
		Why  string    `json:"why"`
	}
	if err := json.Unmarshal([]byte(line), &event); err != nil {
		return membership{}, fmt.Errorf("%q is no line of an agent: %w", line, err)
	}
	if event.Msg != "view_installed" || event.Why == "" {
		return membership{}, fmt.Errorf("%q names no members", line)
	}
	return membership{event.Time, strings.Split(event.Why, ", ")}, nil
}
