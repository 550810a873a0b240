package config

import (
	"strings"
	"testing"
)

func TestRestartNamesWhatAnAgentCannotTake(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"nothing", "", "", ""},
		{"comment", "cluster: shop", "cluster: shop # ours", ""},
		{"weight", "10.77.0.1}", "10.77.0.1, weight: 5}", ""},
		{"rule", "[80, 443]", "[80]", ""},
		{"VIP", "10.77.0.100/24", "10.77.0.101/24", ""},
		{"check", "http://127.0.0.1/", "http://127.0.0.1/health", ""},
		{"cluster", "cluster: shop", "cluster: mall\nrun_dir: /run/muster/shop\nstate_dir: /var/lib/muster/shop", "cluster changes from shop to mall"},
		{"secret", "secret.key", "/etc/other.key", ""},
		{"state directory", "hosts:", "state_dir: /s\nhosts:", "state_dir changes from /var/lib/muster/shop to /s"},
		{"run directory", "hosts:", "run_dir: /r\nhosts:", "run_dir changes from /run/muster/shop to /r"},
		{"profile", "hosts:", "heartbeat: {profile: wan}\nhosts:", "heartbeat interval changes from 20ms to 500ms\nheartbeat tolerance changes from 15 to 10\nheartbeat lease changes from 10 to 6"},
		{"network", "hosts:", "heartbeat: {networks: {cross: {interface: eth1}}}\nhosts:", "networks changes from none to cross on eth1"},
		{"address", "10.77.0.2}", "10.77.0.9}", "address of host b changes from 10.77.0.2 to 10.77.0.9"},
		{"role", "10.77.0.2}", "10.77.0.2, role: witness}", "role of host b changes from full to witness"},
		{"routers", "vips:", "bgp: {as: 64512, neighbors: {tor1: {address: 10.77.0.254, as: 64513}}}\nvips:", ""},
		{"quorum", "protocol: udp", "protocol: udp, quorum: majority", ""},
		{"witness address", "vips:", "heartbeat: {witness: {ping: [10.77.0.254]}}\nvips:", ""},
		{"new host", "vips:", "  c: {address: 10.77.0.3}\nvips:", "host c is added"},
		{"host gone", "  b: {address: 10.77.0.2}\n", "", "host b is removed"},
		{"host renamed", "  b: {", "  d: {", "host b is removed\nhost d is added"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := good
			if test.old != "" {
				text = spoilt(t, test.old, test.new)
			}
			before, err := Parse("/c/f.yaml", []byte(good))
			if err != nil {
				t.Fatal(err)
			}
			after, err := Parse("/c/f.yaml", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(Restart(before, after), "\n"); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}
