package config

import "slices"

// closest gives the candidate that word is most likely a misspelling of, or "".
func closest(word string, candidates []string) string {
	const longest = 64 // longer words are no misspelling of ours, and the distance is quadratic
	if len(word) > longest {
		return ""
	}
	best, bestDistance := "", max(1, len(word)/3)
	for _, c := range candidates {
		if d := distance(word, c); d <= bestDistance && d < len(c) && (best == "" || d < bestDistance) {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the number of letters to insert, remove, replace or swap with the next one to make b of a.
func distance(a, b string) int {
	before, last, row := []int(nil), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			step := 1
			if a[i] == b[j] {
				step = 0
			}
			row[j+1] = min(last[j]+step, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, slices.Clone(last)
	}
	return last[len(b)]
}
