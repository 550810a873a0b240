package register

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sample has three entries, one of them a tombstone.
func sample(t *testing.T) *Set {
	s := New(2)
	put(t, s, "a", "1")
	put(t, s, "b", "line\nand \x00")
	put(t, s, "c", "3")
	if err := s.Delete("c", noon()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDamagedFilesAreReadByLine(t *testing.T) {
	text := sample(t).Encode()
	lines := strings.SplitAfter(text, "\n") // header, three entries, footer, nothing
	for _, tc := range []struct {
		name   string
		text   string
		kept   int
		errors int
	}{
		{"as it was", text, 3, 0},
		{"empty", "", 0, 1},
		{"another file", "root:x:0:0\n", 0, 1},
		{"of a later version", strings.Replace(text, header, "muster registers 2", 1), 0, 1},
		{"one line damaged", strings.Replace(text, lines[2], "f"+lines[2][1:], 1), 2, 1},
		{"one line of nothing", strings.Replace(text, lines[2], "\n", 1), 2, 1},
		{"a line is missing", strings.Replace(text, lines[2], "", 1), 2, 2},
		{"cut in a line", text[:len(lines[0])+len(lines[1])+5], 1, 2},
		{"cut after a line", lines[0] + lines[1], 1, 1},
		{"cut in the last line", text[:len(text)-1], 3, 2},
		{"something behind", text + "more\n", 3, 1},
		{"too long", text + strings.Repeat("x", maxFile), 0, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			entries, errs := Decode(tc.text)
			if len(entries) != tc.kept || len(errs) != tc.errors {
				t.Errorf("%d entries, errors %v", len(entries), errs)
			}
			for _, err := range errs {
				if !errors.Is(err, ErrDamaged) {
					t.Errorf("error %v", err)
				}
			}
		})
	}
}

func TestFilesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, again := New(0), New(0)
		s.Merge(rapid.SliceOfN(rapid.Custom(drawEntry), 0, 200).Draw(t, "entries"))
		text := s.Encode()
		entries, errs := Decode(text)
		if len(errs) > 0 || len(text) > maxFile {
			t.Errorf("%d bytes, %v", len(text), errs)
		}
		if again.Merge(entries); again.Digest() != s.Digest() || !reflect.DeepEqual(again.entries, s.entries) {
			t.Errorf("%v\n%v", again.entries, s.entries)
		}
	})
}

// FuzzDecode: whatever stands in the file, what is taken of it is good and can be written again.
func FuzzDecode(f *testing.F) {
	s := New(1)
	_ = s.Put("network/lan/address", "239.1.2.3", noon())
	f.Add(s.Encode())
	f.Add(header + "\nend 0\n")
	f.Fuzz(func(t *testing.T, text string) {
		entries, _ := Decode(text)
		s := New(0)
		s.Merge(entries)
		if _, errs := Decode(s.Encode()); len(errs) > 0 {
			t.Errorf("%q: %v", text, errs)
		}
	})
}
