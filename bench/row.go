package main

import (
	"context"
	"fmt"
	"strings"
)

// row is a measurement that can be made alone.
type row struct {
	name  string
	title string
	about string // what is done and how it is counted, for the page
	run   func(context.Context, *bench) ([]figure, error)
}

// rows lists them all, in the order of the page.
func rows() []row {
	return []row{cutRow(), killRow(), gapRow(), surviveRow(), movesRow(), throughputRow(), overlapRow(), filterRow(), lossRow(), stressRow(), frozenRow(), footprintRow(), floodRow(),
		detectRow(), detectSevenRow(), wrongRow(), wrongSevenRow(), wireRow()}
}

// choose finds rows by name; no names: all.
func choose(all []row, names []string) ([]row, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []row
	for _, name := range names {
		r, ok := find(all, name)
		if !ok {
			return nil, fmt.Errorf("no row %q: there are %s", name, strings.Join(rowNames(all), ", "))
		}
		chosen = append(chosen, r)
	}
	return chosen, nil
}

func find(all []row, name string) (row, bool) {
	for _, r := range all {
		if r.name == name {
			return r, true
		}
	}
	return row{}, false
}

func rowNames(all []row) []string {
	var names []string
	for _, r := range all {
		names = append(names, r.name)
	}
	return names
}
