package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

var columns = [...]string{"figure", "wanted", "n", "median", "min", "max", "verdict"}

// printTable writes figures for a person at a terminal.
func printTable(w io.Writer, figures []figure) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  "+strings.Join(columns[:], "\t"))
	for _, f := range figures {
		fmt.Fprintln(t, "  "+strings.Join(f.cells(), "\t"))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	return nil
}

// makePage makes docs/benchmarks.md of what is known.
func makePage(all results, list []row) []byte {
	var page bytes.Buffer
	page.WriteString(`# Measured figures

Written by ` + "`make bench`" + ` (root; keepalived, corosync, stress-ng, iperf3, wrk, haproxy and iptables from Debian). Every figure was measured in a lab of real agents on
one machine: three hosts and a client, or as many as the row says, each a network namespace on a Linux bridge, all on the same processor cores. Figures on
real hosts are better where the cores are shared here, and worse by what a real network takes.

`)
	machines := all.machines(list)
	writeMachines(&page, machines)
	page.WriteString(`
What is compared was measured in one run on one machine; each row says when and on which. A figure with nothing in *wanted* is reported and judged by nobody.
*min* and *max* are of all *n* measurements: none is left out.
`)
	for _, r := range list {
		writeRow(&page, r, all.Rows, machines)
	}
	return page.Bytes()
}

func writeMachines(page *bytes.Buffer, machines []machine) {
	page.WriteString("| machine | processor | memory | kernel | tools |\n|---|---|---|---|---|\n")
	for i, m := range machines {
		tools := []string{m.Go, m.Keepalived, m.StressNG, m.Corosync, m.Memberlist}
		fmt.Fprintf(page, "| %d | %s, %d cores | %d MB | %s | %s |\n", i+1, m.CPU, m.Cores, m.MemoryMB, m.Kernel, strings.Join(tools, "; "))
	}
}

func writeRow(page *bytes.Buffer, r row, known map[string]result, machines []machine) {
	fmt.Fprintf(page, "\n## %s\n\n%s\n\n", r.title, r.about)
	done, ok := known[r.name]
	if !ok {
		fmt.Fprintf(page, "`make bench BENCH=%s`: not measured yet.\n", r.name)
		return
	}
	fmt.Fprintf(page, "`make bench BENCH=%s`, commit %s, %s, %.0f s, machine %d\n\n", r.name, done.Commit, done.Date.Format("2006-01-02 15:04 UTC"), done.Took,
		slices.Index(machines, done.Machine)+1)
	fmt.Fprintf(page, "| %s |\n|%s\n", strings.Join(columns[:], " | "), strings.Repeat("---|", len(columns)))
	for _, f := range done.Figures {
		cells := f.cells()
		if f.failed() {
			cells[len(cells)-1] = "**" + cells[len(cells)-1] + "**"
		}
		fmt.Fprintf(page, "| %s |\n", strings.Join(cells, " | "))
	}
}
