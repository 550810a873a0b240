package main

import (
	"slices"
	"strings"
)

// What is wanted: of the throughput of a plain host, in per cent, and how many times HAProxy's CPU a connection.
const (
	wantedShare      = 95
	wantedEfficiency = 3
)

// throughputFigures compares each arm with the plain host of the same round.
func throughputFigures(arms []arm) []figure {
	plain := armNamed(arms, "plain").results
	var figures []figure
	for _, a := range arms {
		figures = append(figures, bulkFigures("to the hosts, "+a.name, a.results.up, a.results.plainUp)...)
		figures = append(figures, bulkFigures("from the hosts, "+a.name, a.results.down, a.results.plainDown)...)
		if len(a.results.rate) > 0 {
			figures = append(figures, newFigure("connections, "+a.name, "/s", a.results.rate...), newFigure("CPU a connection, "+a.name, "µs", a.results.cpu...))
		}
	}
	proxy := armNamed(arms, "HAProxy").results.cpu
	for _, name := range []string{"directed", "igmp", "xt_cluster"} {
		own := armNamed(arms, name).results.cpu
		all := newFigure("CPU a connection of HAProxy over that of "+name, "×", ratios(proxy, own, 1)...)
		if name != "xt_cluster" {
			all = all.atLeast(wantedEfficiency)
		}
		figures = append(figures, all, newFigure("the same, only what is above plain", "×", ratios(above(proxy, plain.cpu), above(own, plain.cpu), 1)...))
	}
	return figures
}

// bulkFigures are of one arm and way, with the goal on our own.
func bulkFigures(name string, got, plain []float64) []figure {
	if len(got) == 0 {
		return nil
	}
	share := newFigure("bulk "+name+", of plain", "%", ratios(got, plain, 100)...)
	if !strings.HasSuffix(name, "HAProxy") && !strings.HasSuffix(name, "xt_cluster") {
		share = share.atLeast(wantedShare)
	}
	return []figure{newFigure("bulk "+name, "Gbit/s", got...), newFigure("bulk "+name+": plain", "Gbit/s", plain...), share}
}

func armNamed(arms []arm, name string) arm {
	return arms[slices.IndexFunc(arms, func(a arm) bool { return a.name == name })]
}

// ratios compares round with round, so that what the machine does besides meets both.
func ratios(of, to []float64, times float64) []float64 {
	var all []float64
	for i := range min(len(of), len(to)) {
		if to[i] > 0 {
			all = append(all, times*of[i]/to[i])
		}
	}
	return all
}

// above is what is more than plain, round by round; it has no less than a tenth of a microsecond, for nothing can be divided by nothing.
func above(cpu, plain []float64) []float64 {
	const least = 0.1
	var all []float64
	for i := range min(len(cpu), len(plain)) {
		all = append(all, max(least, cpu[i]-plain[i]))
	}
	return all
}
