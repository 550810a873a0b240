package config

import (
	"strings"
	"testing"
)

const far = `cluster: shop
secret_file: secret.key
hosts:
  a: {address: 10.77.0.1}
  b: {address: 10.88.0.2}
  w: {address: 10.88.0.3, role: witness}
vips:
  web:
    address: 10.77.0.100/24
    tunnel: vxlan
    rules: [{ports: [80]}]
`

func TestTunnelSettings(t *testing.T) {
	for _, tc := range []struct {
		name     string
		old, new string
		port     uint16
		problem  string
	}{
		{"default port", "", "", 4789, ""},
		{"another port", "vips:", "tunnel: {port: 8472}\nvips:", 8472, ""},
		{"no tunnel, so no port", "10.88.0.2", "10.77.0.2", 4789, ""},
		{"hosts elsewhere need it", "    tunnel: vxlan\n", "", 0, "does not hold host `b`"},
		{"nobody could answer", "10.77.0.1}", "10.88.0.1}", 0, "no host has its address in 10.77.0.0/24"},
		{"a witness does not answer", "a: {address: 10.77.0.1}\n  b: {address: 10.88.0.2}\n  w: {address: 10.88.0.3,", "a: {address: 10.88.0.1}\n  w: {address: 10.77.0.3,", 0, "no host has its address in"},
		{"a word of no tunnel", "vxlan", "gue", 0, "gue"},
		{"port of a system service", "vips:", "tunnel: {port: 53}\nvips:", 0, "53"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if !strings.Contains(far, tc.old) {
				t.Fatal("nothing is replaced")
			}
			c, err := Parse("/c/f.yaml", []byte(strings.Replace(far, tc.old, tc.new, 1)))
			if tc.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tc.problem) {
					t.Errorf("got %v, want %q", err, tc.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.TunnelPort != tc.port || !c.Tunnelled() {
				t.Errorf("port %d, tunnel %v", c.TunnelPort, c.VIPs[0].Tunnel)
			}
		})
	}
}

// TestNear: the file alone says who is on a VIP's network.
func TestNear(t *testing.T) {
	c := parsed(t, far)
	for host, want := range []bool{true, false, false} {
		if got := c.Near(0, host); got != want {
			t.Errorf("host %s: near %v", c.Hosts[host].Name, got)
		}
	}
	without := parsed(t, strings.NewReplacer("10.88.", "10.77.", "    tunnel: vxlan\n", "").Replace(far))
	for host := range without.Hosts {
		if !without.Near(0, host) {
			t.Errorf("host %s is not near, and there is no tunnel", without.Hosts[host].Name)
		}
	}
}

// TestTunnelChangesLive: its settings are the meaning of a file, and need no restart.
func TestTunnelChangesLive(t *testing.T) {
	before := parsed(t, far)
	after := parsed(t, strings.Replace(far, "vips:", "tunnel: {port: 8472}\nvips:", 1))
	if before.Digest == after.Digest {
		t.Error("another port does not show in the digest")
	}
	if why := Restart(before, after); len(why) > 0 {
		t.Errorf("needs a restart: %v", why)
	}
}
