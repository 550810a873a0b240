package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/muster-ha/muster/internal/lab"
	"github.com/muster-ha/muster/internal/lab/load"
)

// vrrpConfig is what its manual proposes for a quick take-over. Priorities are far apart in the hundredths that skew the take-over,
// so that the two backups do not both become master.
const vrrpConfig = `global_defs {
  vrrp_version 3
  router_id %s
}
vrrp_instance web {
  state BACKUP
  nopreempt
  interface eth0
  virtual_router_id 77
  priority %d
  advert_int 0.1
  virtual_ipaddress {
    %s dev eth0
  }
}
`

const vrrpPatience = 15 * time.Second

// runKeepalived cuts the master's power.
func runKeepalived(ctx context.Context, b *bench) (figures []figure, err error) {
	f, err := newFarm(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	for i, h := range f.Hosts() {
		if err := startKeepalived(f, h, 200-40*i); err != nil {
			return nil, err
		}
	}
	stop, err := f.newConnections(ctx, usualRate, load.DefaultTimeout)
	if err != nil {
		return nil, err
	}
	var lasts []time.Duration
	var failures []int
	for range b.times(keepalivedTimes) {
		took, failed, err := f.cutMaster(ctx, b)
		if err != nil {
			return nil, err
		}
		lasts, failures = append(lasts, took), append(failures, failed)
	}
	return []figure{
		milliseconds("keepalived: last failed, the master cut", lasts),
		counts("keepalived: failed connections", failures...),
	}, stop()
}

func startKeepalived(f *farm, h *lab.Host, priority int) error {
	path := filepath.Join(h.StateDir(), "keepalived.conf")
	text := fmt.Sprintf(vrrpConfig, h.Name(), priority, lab.VIP())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write keepalived's configuration: %w", err)
	}
	_, err := h.Spawn("keepalived", "keepalived", "--dont-fork", "--log-console", "--no-syslog", "--vrrp", "--use-file", path,
		"--pid", filepath.Join(h.RunDir(), "keepalived.pid"), "--vrrp_pid", filepath.Join(h.RunDir(), "vrrp.pid"))
	return err
}

func (f *farm) cutMaster(ctx context.Context, b *bench) (took time.Duration, failed int, err error) {
	master, err := f.master(ctx)
	if err != nil {
		return 0, 0, err
	}
	at, err := f.Host(master).PowerCut()
	if err != nil {
		return 0, 0, err
	}
	if err := pause(ctx, lookAfter); err != nil {
		return 0, 0, err
	}
	slow := f.clients.slow(at.Add(-load.DefaultTimeout), at.Add(lookAfter))
	if len(slow) == 0 {
		return 0, 0, fmt.Errorf("cut %s: nothing failed: it was not the master", master)
	}
	took = last(slow, at)
	b.say("keepalived: cut %s: last failed %v, %d failed", master, took.Round(time.Millisecond), len(slow))
	return took, len(slow), f.Host(master).PowerOn()
}

// master waits until one host has answered everything for two seconds.
func (f *farm) master(ctx context.Context) (string, error) {
	for deadline := time.Now().Add(vrrpPatience); time.Now().Before(deadline); {
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return "", err
		}
		now := time.Now()
		if host := soleHost(f.clients.between(now.Add(-2*time.Second-load.DefaultTimeout), now)); host != "" {
			return host, nil
		}
	}
	return "", fmt.Errorf("no master answers after %v", vrrpPatience)
}

// soleHost is the host that answered all of many requests; empty: there is none.
func soleHost(records []seen) string {
	host := ""
	for i, r := range records {
		if i == 0 {
			host = r.Host
		}
		if !r.OK || r.Host != host {
			return ""
		}
	}
	if len(records) < usualRate {
		return ""
	}
	return host
}
