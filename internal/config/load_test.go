package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

const farmFile = "../../examples/farm.yaml"

func TestLoadGivesTheFarm(t *testing.T) {
	c, err := Load(farmFile)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Path:       farmFile,
		Cluster:    "shop",
		KeyAge:     time.Hour,
		SecretFile: filepath.Join(dir, "secret.key"),
		StateDir:   "/var/lib/muster/shop",
		RunDir:     "/run/muster/shop",
		Hosts: []Host{
			{"a", netip.MustParseAddr("10.77.0.1"), 1, false},
			{"b", netip.MustParseAddr("10.77.0.2"), 1, false},
			{"c", netip.MustParseAddr("10.77.0.3"), 1, false},
		},
		Heartbeat: Heartbeat{Interval: 20 * time.Millisecond, Tolerance: 15, Lease: 10},
		VIPs:      []VIP{{Name: "web", Address: netip.MustParsePrefix("10.77.0.100/24"), Rules: []int{0}}},
		Rules:     []Rule{{Ports: []PortRange{{80, 80}, {443, 443}}, Protocol: TCP, Checks: []int{0}}},
		Checks: []Check{{
			Name:     "web",
			HTTP:     &HTTPProbe{URL: "http://127.0.0.1/", Method: "GET", Expect: []StatusRange{{200, 299}, {301, 302}, {401, 401}}},
			Interval: 500 * time.Millisecond, Timeout: 400 * time.Millisecond, Fall: 2, Rise: 2,
		}},
		Digest: c.Digest,
	}
	c.Effective = nil // TestEffectiveValues
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	if c.Digest == (Digest{}) {
		t.Error("no digest")
	}
}

func TestLoadSaysWhyAFileCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	huge := filepath.Join(dir, "huge.yaml")
	if err := os.WriteFile(huge, make([]byte, maxFileSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, want string }{
		{"missing", dir + "/none.yaml", dir + "/none.yaml: the file cannot be read: no such file or directory; check the path given with `-c` and who may read it"},
		{"directory", dir, dir + ": the file cannot be read: is a directory; check the path given with `-c` and who may read it"},
		{"huge", huge, huge + ": the file is larger than 1 MiB; check that it is the right file"},
		{"endless", "/dev/zero", "/dev/zero: the file is larger than 1 MiB; check that it is the right file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := Load(test.path)
			if c != nil || err == nil || err.Error() != test.want {
				t.Errorf("got %v, %v\nwant %s", c, err, test.want)
			}
		})
	}
}
