package api

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestReadStream(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string // kind=data
		bad      bool     // an error other than the end
	}{
		{name: "one event", in: "id: 5\nevent: event\ndata: {}\n\n", want: []string{"event={}"}},
		{name: "two", in: "event: a\ndata: 1\n\nevent: b\ndata: 2\n\n", want: []string{"a=1", "b=2"}},
		{name: "without kind", in: "data: 1\n\n", want: []string{"=1"}},
		{name: "no space after the colon", in: "event:a\ndata:1\n\n", want: []string{"a=1"}},
		{name: "several data lines", in: "data: 1\ndata: 2\n\n", want: []string{"=1\n2"}},
		{name: "comments and unknown fields", in: ": hello\nretry: 5\nfoo\ndata: 1\n\n", want: []string{"=1"}},
		{name: "cut off", in: "event: a\ndata: 1\n"},
		{name: "kind alone", in: "event: a\n\n\n"},
		{name: "a line without end", in: "data: " + strings.Repeat("x", maxEventBytes+1), bad: true},
		{name: "an event without end", in: strings.Repeat("data: "+strings.Repeat("x", 1<<16)+"\n", 20), bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			err := readStream(strings.NewReader(tt.in), func(kind string, data []byte) error {
				got = append(got, kind+"="+string(data))
				return nil
			})
			if strings.Join(got, "|") != strings.Join(tt.want, "|") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if errors.Is(err, io.ErrUnexpectedEOF) == tt.bad {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

func FuzzReadStream(f *testing.F) {
	f.Add("id: 5\nevent: event\ndata: {\"id\":5}\n\n")
	f.Add("data\ndata:\n\n:x\r\n\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		read := 0
		err := readStream(strings.NewReader(in), func(kind string, data []byte) error {
			read += len(kind) + len(data)
			return nil
		})
		if err == nil {
			t.Error("a stream ended well")
		}
		if read > len(in) {
			t.Errorf("read %d bytes of %d", read, len(in))
		}
	})
}
