package render

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/apitest"
)

var update = flag.Bool("update", false, "write golden files")

func TestMain(m *testing.M) {
	time.Local = time.UTC // golden files show times of day
	os.Exit(m.Run())
}

func TestGolden(t *testing.T) {
	tests := []struct {
		name  string
		write func(io.Writer) error
	}{
		{"status", func(w io.Writer) error { Status(w, apitest.Sample()); return nil }},
		{"status-just-started", func(w io.Writer) error { Status(w, apitest.Unknown()); return nil }},
		{"status-empty", func(w io.Writer) error { Status(w, api.Status{}); return nil }},
		{"status.json", func(w io.Writer) error { return JSON(w, apitest.Sample()) }},
		{"networks", func(w io.Writer) error { Networks(w, apitest.Sample()); return nil }},
		{"networks-unknown", func(w io.Writer) error { Networks(w, apitest.Unknown()); return nil }},
		{"network", func(w io.Writer) error { Network(w, apitest.Sample().Networks[0], "a"); return nil }},
		{"network-down", func(w io.Writer) error { Network(w, apitest.Sample().Networks[2], "a"); return nil }},
		{"keys", func(w io.Writer) error { Keys(w, apitest.SampleKeys()); return nil }},
		{"keys-empty", func(w io.Writer) error { Keys(w, api.Keys{}); return nil }},
		{"settings", func(w io.Writer) error {
			Settings(w, api.SettingsAnswer{Have: []string{"a"}, Lacking: []string{"b"}, Silent: []string{"c"}, NotKept: "no space left on device"})
			return nil
		}},
		{"multicast", func(w io.Writer) error { Multicast(w, apitest.Sample()); return nil }},
		{"network-empty", func(w io.Writer) error { Network(w, api.NetworkStatus{}, ""); return nil }},
		{"explanation", func(w io.Writer) error { Explanation(w, apitest.SampleExplanation()); return nil }},
		{"explanation-without-port", func(w io.Writer) error {
			Explanation(w, api.Explanation{Client: "203.0.113.9", VIP: "web", Rule: "tcp 80", Affinity: "none", Epoch: 3,
				Why: "affinity none: the client's port decides too: give CLIENT:PORT"})
			return nil
		}},
		{"explanation.json", func(w io.Writer) error { return JSON(w, apitest.SampleExplanation()) }},
		{"events", events},
		{"event.json", func(w io.Writer) error {
			return Line(w, api.Event{ID: 7, Kind: "host_silent", Host: "<b>", Text: "why"})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got bytes.Buffer
			if err := tt.write(&got); err != nil {
				t.Fatal(err)
			}
			compare(t, tt.name, got.Bytes())
		})
	}
}

func events(w io.Writer) error {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC)
	for _, e := range []api.Event{
		{ID: 1, At: at, Kind: "host_silent", Host: "c", Text: "not heard for 300 ms"},
		{ID: 2, At: at, Kind: "view_installed", Epoch: 18, Text: "a, b"},
		{ID: 3, At: at, Kind: "check_down", Host: "a", Text: "web: \x1b[2Jconnection refused\nline two"},
	} {
		if err := Event(w, e); err != nil {
			return err
		}
	}
	return nil
}

func compare(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestUnknownIsNeverHealthy(t *testing.T) {
	var b bytes.Buffer
	Status(&b, api.Status{
		Host:   "a",
		Hosts:  []api.HostStatus{{Name: "b", State: "splendid", Weight: 7}},
		Checks: []api.CheckStatus{{Name: "web", State: "excellent"}},
	})
	for _, bad := range []string{"splendid", "excellent", " 7 ", "serving", "  up", "same"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("%q is shown of things that are not known:\n%s", bad, b.String())
		}
	}
}

func TestForeignTextIsHarmless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := plain(rapid.String().Draw(t, "text"))
		if i := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Fatalf("%q has a control character at %d", s, i)
		}
	})
}

func TestBar(t *testing.T) {
	tests := []struct {
		name    string
		percent float64
		marks   int
	}{
		{"nothing", 0, 0},
		{"almost nothing", 0.02, 1},
		{"a third", 33.3, 10},
		{"almost all", 99.9, barWidth - 1},
		{"all", 100, barWidth},
		{"less than nothing", -5, 0},
		{"more than all", 250, barWidth},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := bar(tt.percent, mark("a"))
			if strings.Count(got, "#") != tt.marks || len(got) != barWidth {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestMillis(t *testing.T) {
	tests := []struct {
		name string
		ms   float64
		want string
	}{
		{"fraction", 0.314, "0.31 ms"},
		{"few", 9.94, "9.9 ms"},
		{"many", 187.5, "188 ms"},
		{"seconds", 4200, "4.2 s"},
		{"minutes", 125_000, "2m5s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := millis(tt.ms); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
