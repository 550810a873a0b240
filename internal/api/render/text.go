package render

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

const unknown = "unknown"

// JSON writes a value the way --json promises: indented, one newline at the end, no HTML escapes.
func JSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return nil
}

// Line writes a value as one line of JSON, for streams.
func Line(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return nil
}

// plain makes foreign text harmless for a terminal: control characters become '?', newlines a space.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return '?'
	}, s)
}

// or returns s made plain, or what stands for nothing.
func or(s, nothing string) string {
	if s == "" {
		return nothing
	}
	return plain(s)
}

func list(names []string, nothing string) string { return or(strings.Join(names, ", "), nothing) }

// table writes rows as aligned columns behind an indent.
func table(w io.Writer, indent string, rows [][]string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, indent+strings.Join(row, "\t"))
	}
	t.Flush()
}

// millis writes milliseconds the way one says them.
func millis(ms float64) string {
	switch {
	case ms < 10:
		return fmt.Sprintf("%.2g ms", ms)
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	case ms < 60_000:
		return fmt.Sprintf("%.1f s", ms/1000)
	}
	return time.Duration(ms * float64(time.Millisecond)).Round(time.Second).String()
}

func millisOr(ms *float64, nothing string) string {
	if ms == nil {
		return nothing
	}
	return millis(*ms)
}

func percent(p float64) string { return fmt.Sprintf("%.1f %%", p) }

const barWidth = 30

// bar draws a share of 100 percent. A share that is not zero shows at least one mark, and one that is not all leaves a
// gap.
func bar(percent float64, mark string) string {
	n := int(percent/100*barWidth + 0.5)
	if percent > 0 {
		n = max(n, 1)
	}
	if percent < 100 {
		n = min(n, barWidth-1)
	}
	n = min(max(n, 0), barWidth)
	return strings.Repeat(mark, n) + strings.Repeat(".", barWidth-n)
}

// mark is what an owner's bar is made of: a share without owner must not look like one that is served.
func mark(owner string) string {
	if owner == "" {
		return "!"
	}
	return "#"
}
