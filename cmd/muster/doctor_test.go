package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-ha/muster/internal/doctor"
)

func TestDoctorFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "muster.yaml")
	text := "cluster: shop\nsecret_file: none.key\nhosts: {a: {address: 10.77.0.1}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		code int
		err  string
	}{
		{"unknown check", []string{"--only", "weather"}, exitUsage, `no check "weather"`},
		{"no time", []string{"--listen", "0s"}, exitUsage, "give a time up to 10m"},
		{"for ever", []string{"--listen", "11m"}, exitUsage, "give a time up to 10m"},
		{"another host", []string{"--host", "z"}, exitUsage, "it has a"},
		{"no secret", []string{"--only", "secret", "--host", "a"}, exitBad, "1 problem on host a"},
		{"what is asked for is good", []string{"--only", "routed,unicast", "--host", "a"}, exitGood, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			root := newRoot(&out, &errs)
			root.SetArgs(append([]string{"-c", file, "doctor", "--json"}, tt.args...))
			err := root.ExecuteContext(context.Background())
			if exitCode(err) != tt.code || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("exit code %d, %v; want %d, %q", exitCode(err), err, tt.code, tt.err)
			}
			if tt.code == exitUsage {
				return
			}
			var found findings
			if err := json.Unmarshal(out.Bytes(), &found); err != nil || found.Host != "a" || (found.Bad > 0) != (tt.code == exitBad) {
				t.Errorf("%v: %s", err, &out)
			}
		})
	}
}

func TestFindingsForPeople(t *testing.T) {
	var out bytes.Buffer
	writeFindings(&out, findings{Host: "a", Checked: []string{"mtu", "igmp"}, Bad: 1, Diagnoses: []doctor.Diagnosis{
		{Check: "mtu", About: "interface eth0", What: "its MTU is 1400", Remedy: "raise it", Note: true},
		{Check: "igmp", About: "interface eth0", What: "no IGMP querier was heard", Remedy: "switch one on"},
	}})
	const want = "note   interface eth0: its MTU is 1400\n       do: raise it\nWRONG  interface eth0: no IGMP querier was heard\n       do: switch one on\na checked: mtu, igmp\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
	out.Reset()
	writeFindings(&out, findings{Host: "a", Checked: []string{"mtu"}})
	if !strings.HasSuffix(out.String(), "Nothing known to be wrong.\n") {
		t.Errorf("got\n%s", &out)
	}
}
