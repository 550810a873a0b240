package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/muster-ha/muster/internal/lab"
)

// tick is the unit of /proc/stat: USER_HZ, which is 100 on every Linux that Muster runs on.
const tick = 10 * time.Millisecond

// bulk gives the Gbit/s of one TCP connection; reverse: from the host to the client.
func bulk(ctx context.Context, from *lab.Node, to netip.Addr, reverse bool) (float64, error) {
	processors := "0,1" // of the client and the server: who sends has the first
	if reverse {
		processors = "1,0"
	}
	argv := []string{"iperf3", "-A", processors, "-c", to.String(), "-p", strconv.Itoa(bulkPort), "-t", strconv.Itoa(int(bulkSpan.Seconds())), "-J"}
	if reverse {
		argv = append(argv, "-R")
	}
	out, err := from.Exec(ctx, argv...).Output()
	if err != nil {
		return 0, fmt.Errorf("run iperf3: %w: %s", err, bytes.TrimSpace(out))
	}
	return parseIperf(out)
}

func parseIperf(out []byte) (float64, error) {
	var report struct {
		Error string `json:"error"`
		End   struct {
			Received struct {
				Bits float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return 0, fmt.Errorf("read what iperf3 says: %w", err)
	}
	if report.Error != "" || report.End.Received.Bits <= 0 {
		return 0, fmt.Errorf("iperf3 has measured nothing: %s", report.Error)
	}
	return report.End.Received.Bits / 1e9, nil
}

// connections gives how many connections a second the client has made, and the microseconds of CPU that the others spent on each.
func (c *contest) connections(ctx context.Context, to netip.Addr) (rate, cpu float64, err error) {
	before, err := busy()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	cmd := c.Client(1).Exec(ctx, "wrk", "-t1", "-c32", "-d"+throughputSpan.String(), "-H", "Connection: close", fmt.Sprintf("http://%v:%d/", to, webPort))
	out, err := cmd.Output()
	if err != nil {
		return 0, 0, fmt.Errorf("run wrk: %w", err)
	}
	took := time.Since(began)
	after, err := busy()
	if err != nil {
		return 0, 0, err
	}
	requests, err := parseWrk(out)
	if err != nil {
		return 0, 0, err
	}
	own := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	spent := (after - before - own).Seconds() - c.rest*took.Seconds()
	if spent <= 0 {
		return 0, 0, errors.New("the machine did more at rest than under load: measure when nothing else runs")
	}
	return float64(requests) / took.Seconds(), spent * 1e6 / float64(requests), nil
}

// parseWrk reads how many requests were answered. Any that failed make the rest worth nothing.
func parseWrk(out []byte) (requests int, err error) {
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if strings.Contains(line, "Socket errors") || strings.Contains(line, "Non-2xx") {
			return 0, fmt.Errorf("wrk: %s", strings.TrimSpace(line))
		}
		if len(fields) > 2 && strings.HasPrefix(fields[1], "requests") && fields[2] == "in" {
			requests, err = strconv.Atoi(fields[0])
		}
	}
	if err != nil || requests == 0 {
		return 0, errors.Join(errors.New("wrk has counted no requests"), err)
	}
	return requests, nil
}

// busy is what all processors of the machine have done since it started.
func busy() (time.Duration, error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read processor times: %w", err)
	}
	return parseBusy(data)
}

// parseBusy adds the first line's times but idle and iowait, and guests' time, which is in user time already (proc_stat(5)).
func parseBusy(data []byte) (time.Duration, error) {
	line, _, _ := strings.Cut(string(data), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("read processor times: %q", line)
	}
	var sum time.Duration
	for i, text := range fields[1:9] { // user nice system idle iowait irq softirq steal
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read processor times: %w", err)
		}
		if i != 3 && i != 4 && i != 7 { // what was stolen, nobody here did
			sum += time.Duration(n) * tick
		}
	}
	return sum, nil
}

// busyAtRest is how many processors are busy while nothing is asked: heartbeats, and what else the machine does.
func busyAtRest(ctx context.Context) (float64, error) {
	before, err := busy()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := pause(ctx, throughputSpan); err != nil {
		return 0, err
	}
	after, err := busy()
	return (after - before).Seconds() / time.Since(began).Seconds(), err
}
