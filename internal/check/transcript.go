package check

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// What a Transcript keeps, at most, of what a service says.
const (
	maxBody    = 256 // bytes
	maxStatus  = 128 // bytes
	maxRequest = 1024
	maxError   = 512
)

// Transcript is one probe as it went, for people: what was asked, what was answered, what is wrong and what to do.
type Transcript struct {
	At      time.Time     // when the probe began
	Took    time.Duration // until the verdict
	Good    bool
	Request string // http: request line and headers as they were sent, a line each; tcp: the address
	Status  string // http: the status line; empty: none came
	Body    string // http: the first 256 bytes of the body, made printable
	Error   string // what is wrong; empty when good
	Remedy  string // what to do about it; empty when good
}

func failed(what, remedy string) Transcript {
	return Transcript{Error: printable(what, maxError), Remedy: remedy}
}

// printable makes foreign bytes fit to be shown: cut to a number of bytes, on one line, nothing that a terminal would act on.
func printable(s string, limit int) string {
	cut := len(s) > limit
	if cut {
		s = s[:limit]
		for i := 0; i < utf8.UTFMax-1 && len(s) > 0 && !validEnd(s); i++ {
			s = s[:len(s)-1] // not half a character
		}
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r == '\r':
			return -1
		case r == utf8.RuneError || !unicode.IsPrint(r): // direction overrides are not printable either
			return '.'
		}
		return r
	}, s)
	if cut {
		s += "…"
	}
	return s
}

func validEnd(s string) bool {
	r, size := utf8.DecodeLastRuneInString(s)
	return r != utf8.RuneError || size > 1
}
