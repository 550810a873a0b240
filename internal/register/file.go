package register

import (
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strings"
)

// header is the first line of the file; the version of its form is in it.
const header = "muster registers 1"

// footer begins the last line, which says how many entries there are: a file that ends early is noticed.
const footer = "end"

// maxFile is the size in bytes above which a file is not one of ours: each entry is a line of two digits a byte and a checksum.
const maxFile = (MaxValues+MaxTombstones)*(2*maxEntry+64) + 256

// Encode writes the entries as text, one a line: checksum, the entry as AppendEntry writes it in hexadecimal digits, and for whoever
// looks into the file the key with its value.
func (s *Set) Encode() string {
	var b strings.Builder
	fmt.Fprintln(&b, header)
	for _, e := range s.entries {
		raw := AppendEntry(nil, e)
		fmt.Fprintf(&b, "%08x %x\n", crc32.ChecksumIEEE(raw), raw)
	}
	fmt.Fprintf(&b, "%s %d\n", footer, len(s.entries))
	return b.String()
}

// Decode reads what Encode wrote. A damaged line is left out, and a file that is none of ours is refused as a whole; the errors say so.
// What it returns is good to merge in any case.
func Decode(text string) ([]Entry, []error) {
	if len(text) > maxFile {
		return nil, []error{fmt.Errorf("%w: a file of %d bytes, at most %d", ErrDamaged, len(text), maxFile)}
	}
	first, rest, _ := strings.Cut(text, "\n")
	if first != header {
		return nil, []error{fmt.Errorf("%w: the file does not begin with %q", ErrDamaged, header)}
	}
	var entries []Entry
	var errs []error
	number, ended := 1, false
	for line := range strings.Lines(rest) {
		number++
		if line == fmt.Sprintf("%s %d\n", footer, len(entries)+len(errs)) {
			ended = true
			continue
		}
		e, err := decodeLine(line)
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", number, err))
			continue
		}
		entries = append(entries, e)
	}
	if !ended {
		errs = append(errs, fmt.Errorf("%w: the file ends early", ErrDamaged))
	}
	return entries, errs
}

func decodeLine(line string) (Entry, error) {
	sum, digits, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || sum != fmt.Sprintf("%08x", crc32.ChecksumIEEE(raw)) {
		return Entry{}, fmt.Errorf("%w: wrong checksum", ErrDamaged)
	}
	e, rest, err := ReadEntry(raw)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%w: longer than an entry", ErrDamaged)
	}
	return e, err
}
