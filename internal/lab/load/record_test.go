package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestClassify(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want Class
	}{
		{"no error", nil, ""},
		{"reset", &os.SyscallError{Syscall: "read", Err: syscall.ECONNRESET}, Reset},
		{"broken pipe", syscall.EPIPE, Reset},
		{"refused", syscall.ECONNREFUSED, Refused},
		{"nobody answers ARP", syscall.EHOSTUNREACH, Unreachable},
		{"no port left", syscall.EADDRNOTAVAIL, NoPort},
		{"deadline of a socket", fmt.Errorf("read: %w", os.ErrDeadlineExceeded), Timeout},
		{"deadline of a context", context.DeadlineExceeded, Timeout},
		{"kernel gave up", syscall.ETIMEDOUT, Timeout},
		{"end of stream", io.EOF, Ended},
		{"end in the middle", io.ErrUnexpectedEOF, Ended},
		{"wrong bytes", fmt.Errorf("x: %w", errCorrupt), Corrupt},
		{"something else", errors.New("odd"), Other},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := classify(tt.err); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWriteAndReadAreInverse(t *testing.T) {
	want := []Record{
		{Kind: Start, Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)},
		good(5*ms, "a"), timedOut(6 * ms), lateRequest(7*ms, "b"), brokenConn(8*ms, "c"),
		{Kind: Closed, At: 9 * ms, Conn: 3, Bytes: 1 << 40},
	}
	var pipe bytes.Buffer
	emit, failed := Write(&pipe)
	for _, r := range want {
		emit(r)
	}
	if err := failed(); err != nil {
		t.Fatal(err)
	}
	var got []Record
	if err := Read(&pipe, func(r Record) { got = append(got, r) }); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestWriteReportsAFailure(t *testing.T) {
	emit, failed := Write(brokenPipe{})
	emit(good(0, "a"))
	emit(good(1, "a"))
	if err := failed(); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("got %v", err)
	}
}

func TestReadRefusesWhatIsNoRecord(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON": "hello\n", "cut off": `{"kind":"request"`, "too long": strings.Repeat(" ", 2*maxLine) + "{}\n"} {
		t.Run(name, func(t *testing.T) {
			if err := Read(strings.NewReader(text), func(Record) {}); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"kind":"request","at":5,"took":9,"ok":true,"host":"a"}` + "\n"))
	f.Add([]byte(`{"kind":"start","time":"2026-01-02T03:04:05Z","at":0}` + "\n{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var records []Record
		_ = Read(bytes.NewReader(data), func(r Record) { records = append(records, r) }) // foreign bytes may be anything
		total := 0
		for _, p := range Summarise(records, []Mark{{At: 0}}, time.Hour) {
			total += p.Requests
		}
		if total > len(records) {
			t.Errorf("%d requests of %d records", total, len(records))
		}
	})
}
