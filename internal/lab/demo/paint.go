package demo

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/muster-ha/muster/internal/lab/load"
)

const (
	barWidth = 12
	bold     = "\x1b[1m"
	plain    = "\x1b[0m"
	wipe     = "\r\x1b[K"
)

// painter writes lines, and on a terminal keeps one line at the bottom that it repaints.
type painter struct {
	mu       sync.Mutex
	out      io.Writer
	terminal bool
	began    time.Time
	live     string // what stands in the bottom line
}

func newPainter(out io.Writer, terminal bool) *painter {
	return &painter{out: out, terminal: terminal, began: time.Now()}
}

// say writes a line above the live one.
func (p *painter) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lineLocked(fmt.Sprintf(format, args...))
}

// event writes a line that stands out, with the time.
func (p *painter) event(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := fmt.Sprintf("%4.1f s  ", time.Since(p.began).Seconds()) + fmt.Sprintf(format, args...)
	if p.terminal {
		line = bold + line + plain
	}
	p.lineLocked("\n" + line)
}

func (p *painter) lineLocked(line string) {
	if p.live != "" {
		line = wipe + line
	}
	fmt.Fprintln(p.out, line)
	if p.live != "" {
		fmt.Fprint(p.out, p.live)
	}
}

// follow shows the split until the context ends: four times a second on a terminal, else a line a second.
func (p *painter) follow(ctx context.Context, f *feed) {
	period := time.Second
	if p.terminal {
		period = 250 * time.Millisecond
	}
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			p.clear()
			return
		case <-tick.C:
			p.show(line(f.take(), period))
		}
	}
}

func (p *painter) show(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.terminal {
		fmt.Fprintln(p.out, line)
		return
	}
	p.live = line
	fmt.Fprint(p.out, wipe+line)
}

func (p *painter) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live != "" {
		fmt.Fprint(p.out, wipe)
		p.live = ""
	}
}

// line is one look at the split.
func line(r recent, period time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %4.0f/s", float64(r.count)/period.Seconds())
	answered := r.count - r.failed
	hosts := []string{"a", "b", "c"}
	for host := range r.split {
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	slices.Sort(hosts)
	for _, host := range hosts {
		share := 0.0
		if answered > 0 {
			share = float64(r.split[host]) / float64(answered)
		}
		full := int(share*barWidth + 0.5)
		fmt.Fprintf(&b, "  %s %s%s %3.0f %%", host, strings.Repeat("#", full), strings.Repeat(".", barWidth-full), share*100)
	}
	fmt.Fprintf(&b, "  failed %d  longest %s  open %d", r.failed, load.Short(r.longest), r.open)
	return b.String()
}
