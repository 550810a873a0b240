package config

import (
	"fmt"
	"strings"
)

// Restart says, one sentence each, what differs between two configurations that a running agent cannot take: its place in the
// cluster, its networks and the detector are fixed for its life. Nothing: it can take the new one as it is.
func Restart(old, new *Config) []string {
	var why []string
	differs := func(what string, a, b any) {
		if a != b {
			why = append(why, fmt.Sprintf("%s changes from %v to %v", what, a, b))
		}
	}
	differs("cluster", old.Cluster, new.Cluster)
	differs("state_dir", old.StateDir, new.StateDir)
	differs("run_dir", old.RunDir, new.RunDir)
	differs("heartbeat interval", old.Heartbeat.Interval, new.Heartbeat.Interval)
	differs("heartbeat tolerance", old.Heartbeat.Tolerance, new.Heartbeat.Tolerance)
	differs("heartbeat lease", old.Heartbeat.Lease, new.Heartbeat.Lease)
	differs("networks", networkNames(old), networkNames(new))
	for _, h := range old.Hosts {
		i, ok := new.Host(h.Name)
		if !ok {
			why = append(why, fmt.Sprintf("host %s is removed", h.Name))
			continue
		}
		differs("address of host "+h.Name, h.Address, new.Hosts[i].Address)
		differs("role of host "+h.Name, role(h), role(new.Hosts[i]))
	}
	for _, h := range new.Hosts {
		if _, ok := old.Host(h.Name); !ok {
			why = append(why, fmt.Sprintf("host %s is added", h.Name))
		}
	}
	return why
}

// role is the word of the file.
func role(h Host) string {
	if h.Witness {
		return roleWitness
	}
	return "full"
}

// networkNames writes which networks there are, for comparing.
func networkNames(c *Config) string {
	names := make([]string, len(c.Networks))
	for i, n := range c.Networks {
		names[i] = n.Name + " on " + n.Interface
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
