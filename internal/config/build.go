package config

import (
	"cmp"
	"path/filepath"
	"slices"
	"time"
)

// Heartbeat profiles: interval and tolerance. docs/design/0001-views.md has the reasons.
const (
	steadyInterval, steadyTolerance = 20 * time.Millisecond, 15
	fastInterval, fastTolerance     = 5 * time.Millisecond, 8
	wanInterval, wanTolerance       = 500 * time.Millisecond, 10
)

const (
	defaultTimeout = time.Second // of a check
	defaultKeyAge  = time.Hour   // as the system that this one replaces did it
)

const roleWitness = "witness"

// build makes the value that the program uses from a file without problems; has says whether the file has a value at a path.
func build(path, dir string, f *File, has func(path string) bool) *Config {
	c := &Config{
		Path:        path,
		Cluster:     f.Cluster,
		SecretFile:  below(dir, f.SecretFile),
		StateDir:    below(dir, cmp.Or(f.StateDir, "/var/lib/muster/"+f.Cluster)),
		RunDir:      below(dir, cmp.Or(f.RunDir, "/run/muster/"+f.Cluster)),
		Heartbeat:   buildHeartbeat(f.Heartbeat),
		NoMulticast: f.Heartbeat.Multicast.Disabled,
		KeyAge:      cmp.Or(f.Heartbeat.Keys.Rotate, defaultKeyAge),
		Witnesses:   Witnesses{Ping: f.Heartbeat.Witness.Ping, TCP: f.Heartbeat.Witness.TCP},
	}
	for _, name := range sorted(f.Hosts) {
		h := f.Hosts[name]
		c.Hosts = append(c.Hosts, Host{Name: name, Address: h.Address, Weight: h.Weight, Witness: h.Role == roleWitness})
	}
	for _, name := range sorted(f.Heartbeat.Networks) {
		n := f.Heartbeat.Networks[name]
		c.Networks = append(c.Networks, Network{Name: name, Interface: n.Interface, Multicast: buildMulticast(f.Heartbeat.Multicast.Disabled, n.Multicast, func(key string) bool { return has(multicastPath(name) + key) })})
	}
	for _, name := range sorted(f.Checks) {
		c.Checks = append(c.Checks, buildCheck(name, f.Checks[name]))
	}
	for _, name := range sorted(f.VIPs) {
		c.addVIP(name, f.VIPs[name])
	}
	c.BGP = buildBGP(dir, f.BGP)
	if c.Tunnelled() {
		c.TunnelPort = uint16(cmp.Or(f.Tunnel.Port, defaultTunnelPort))
	}
	c.Digest = c.digest()
	return c
}

func below(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

func buildHeartbeat(f FileHeartbeat) Heartbeat {
	h := Heartbeat{Interval: steadyInterval, Tolerance: steadyTolerance}
	switch {
	case f.Interval > 0:
		h = Heartbeat{Interval: f.Interval, Tolerance: f.Tolerance}
	case f.Profile == "fast":
		h = Heartbeat{Interval: fastInterval, Tolerance: fastTolerance}
	case f.Profile == "wan":
		h = Heartbeat{Interval: wanInterval, Tolerance: wanTolerance}
	}
	h.Lease = max(2, h.Tolerance*2/3) // a tolerance is at least 3, so a lease is always less
	return h
}

func buildCheck(name string, f FileCheck) Check {
	c := Check{Name: name, Interval: f.Interval, Timeout: cmp.Or(f.Timeout, min(defaultTimeout, f.Interval)), Fall: f.Fall, Rise: f.Rise}
	if f.HTTP != nil {
		c.HTTP = &HTTPProbe{URL: f.HTTP.URL, Host: f.HTTP.Host, Method: f.HTTP.Method, Expect: joinStatus(f.HTTP.Expect)}
	}
	if f.TCP != nil {
		c.TCP = &TCPProbe{Address: f.TCP.Address}
	}
	return c
}

// joinPorts sorts ranges and joins neighbours, so that one set of ports has one form.
func joinPorts(ranges []PortRange) []PortRange {
	all := slices.Clone(ranges)
	slices.SortFunc(all, func(a, b PortRange) int { return cmp.Compare(a.First, b.First) })
	joined := all[:0]
	for _, r := range all {
		if n := len(joined); n > 0 && int(r.First) <= int(joined[n-1].Last)+1 {
			joined[n-1].Last = max(joined[n-1].Last, r.Last)
			continue
		}
		joined = append(joined, r)
	}
	return slices.Clip(joined)
}

// joinStatus does the same for status codes, which may overlap.
func joinStatus(ranges []StatusRange) []StatusRange {
	all := slices.Clone(ranges)
	slices.SortFunc(all, func(a, b StatusRange) int { return cmp.Compare(a.First, b.First) })
	joined := all[:0]
	for _, r := range all {
		if n := len(joined); n > 0 && r.First <= joined[n-1].Last+1 {
			joined[n-1].Last = max(joined[n-1].Last, r.Last)
			continue
		}
		joined = append(joined, r)
	}
	return slices.Clip(joined)
}
