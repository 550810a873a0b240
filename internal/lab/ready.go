package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	readyPoll = 100 * time.Millisecond // a look starts a process for each host
	tailBytes = 2048
)

// view is the part of `muster status --json` that tells whether a host serves.
type view struct {
	Epoch uint64     `json:"epoch"`
	Hosts []viewHost `json:"hosts"`
	VIPs  []viewVIP  `json:"vips"`
}

type viewVIP struct {
	Name  string     `json:"name"`
	Rules []viewRule `json:"rules"`
}

type viewRule struct {
	Protocol string `json:"protocol"`
	Ports    string `json:"ports"`
	Handling string `json:"handling"`
}

type viewHost struct {
	Name   string      `json:"name"`
	State  string      `json:"state"`
	Shares []viewShare `json:"shares"`
}

type viewShare struct {
	VIP     string `json:"vip"`
	Rule    string `json:"rule"`
	Buckets int    `json:"buckets"`
}

// missing says what is missing until these hosts all serve, each with a share of every rule that is shared; empty when nothing is.
func (v view) missing(want []string) string {
	if v.Epoch == 0 {
		return "no view yet"
	}
	for _, name := range want {
		i := slices.IndexFunc(v.Hosts, func(h viewHost) bool { return h.Name == name })
		if i < 0 {
			return name + " is not in its status"
		}
		if missing := v.Hosts[i].missing(v.shared()); missing != "" {
			return missing
		}
	}
	return ""
}

// shared is the rules that every host has a share of, by VIP and rule.
func (v view) shared() map[[2]string]bool {
	shared := map[[2]string]bool{}
	for _, vip := range v.VIPs {
		for _, r := range vip.Rules {
			shared[[2]string{vip.Name, r.Protocol + " " + r.Ports}] = r.Handling == "shared"
		}
	}
	return shared
}

func (h viewHost) missing(shared map[[2]string]bool) string {
	if h.State == "witness" {
		return "" // it is there, and that is all it does
	}
	if h.State != "serving" {
		return fmt.Sprintf("%s is %q, not serving", h.Name, h.State)
	}
	for _, s := range h.Shares {
		if s.Buckets == 0 && shared[[2]string{s.VIP, s.Rule}] {
			return fmt.Sprintf("%s has no share of rule %s", h.Name, s.Rule)
		}
	}
	return ""
}

// WaitReady waits until each of these hosts says that all of them serve in one view, and returns the view's epoch. No names: all hosts.
// The error holds the end of the log of the host that is not ready.
func (l *Lab) WaitReady(ctx context.Context, names ...string) (epoch uint64, err error) {
	if len(names) == 0 {
		for _, h := range l.Hosts() {
			names = append(names, h.name)
		}
	}
	for {
		epoch, late, problem := l.agreed(ctx, names)
		if problem == nil {
			return epoch, nil
		}
		ended := slices.IndexFunc(names, l.ended)
		if ended >= 0 {
			late, problem = names[ended], errors.New("its agent does not run")
		}
		if ended >= 0 || ctx.Err() != nil {
			return 0, fmt.Errorf("wait for %s to serve: %w; the end of its log:\n%s", late, problem, l.logTail(late))
		}
		select {
		case <-ctx.Done():
		case <-time.After(readyPoll):
		}
	}
}

// ended says that there is nothing to wait for: the host's agent has ended, or there is none.
func (l *Lab) ended(host string) bool {
	h := l.Host(host)
	if h == nil {
		return true
	}
	agent, err := h.Agent()
	return err != nil || !agent.Running()
}

// agreed asks each host for its view: the common epoch, or the first host that does not agree and how.
func (l *Lab) agreed(ctx context.Context, names []string) (epoch uint64, late string, err error) {
	for _, name := range names {
		h := l.Host(name)
		if h == nil {
			return 0, name, errors.New("no such host")
		}
		v, err := h.view(ctx)
		if err != nil {
			return 0, name, err
		}
		if missing := v.missing(names); missing != "" {
			return 0, name, errors.New(missing)
		}
		if epoch != 0 && v.Epoch != epoch {
			return 0, name, fmt.Errorf("it is in view %d, %s in %d", v.Epoch, names[0], epoch)
		}
		epoch = v.Epoch
	}
	return epoch, "", nil
}

// Epoch is the number of the view that the host is in; 0 when it is in none.
func (h *Host) Epoch(ctx context.Context) (uint64, error) {
	v, err := h.view(ctx)
	return v.Epoch, err
}

func (h *Host) view(ctx context.Context) (view, error) {
	var v view
	out, err := h.Muster(ctx, "status", "--json")
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		return v, fmt.Errorf("read status of %s: %w", h.name, err)
	}
	return v, nil
}

// logTail is the end of an agent's log.
func (l *Lab) logTail(host string) string {
	h := l.Host(host)
	if h == nil {
		return "(no log)"
	}
	file, err := os.Open(h.LogPath(agentProcess))
	if err != nil {
		return "(no log)"
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > tailBytes {
		_, _ = file.Seek(-tailBytes, io.SeekEnd) // at worst the beginning is shown
	}
	data, _ := io.ReadAll(io.LimitReader(file, tailBytes))
	return strings.TrimSpace(string(bytes.ToValidUTF8(data, nil)))
}
