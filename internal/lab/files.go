package lab

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
)

const (
	configFile = "cluster.yaml"
	secretFile = "secret.key"
)

// DefaultConfig is the example farm for any number of hosts, with a port for the echo server. The check is only of the web application:
// a host whose web application fails gives the whole rule away.
const DefaultConfig = `cluster: shop
secret_file: secret.key

hosts:
{{- range .Hosts}}
  {{.Name}}: {address: {{.Address}}}
{{- end}}

vips:
  web:
    address: {{.VIP}}
    delivery: directed
    rules:
      - {ports: [80, 443, 7], protocol: tcp, affinity: none, check: web}

checks:
  web:
    http: {url: "http://127.0.0.1/"}
    interval: 500ms
    timeout: 400ms
    fall: 2
    rise: 2
`

// Template is what a configuration template is filled in with.
type Template struct {
	Lab   string // name of the lab
	VIP   string // with the length of its subnet
	VIP6  string // the same by IPv6
	Hosts []TemplateHost
}

// TemplateHost is a host in a Template.
type TemplateHost struct{ Name, Address string }

// render fills a configuration template in.
func render(text, lab string, nodes []node) ([]byte, error) {
	if text == "" {
		text = DefaultConfig
	}
	t, err := template.New("config").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read configuration template: %w", err)
	}
	data := Template{Lab: lab, VIP: VIP().String(), VIP6: VIP6().String()}
	for _, n := range nodes {
		if !n.Client {
			data.Hosts = append(data.Hosts, TemplateHost{n.Name, n.Address.String()})
		}
	}
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("fill in configuration template: %w", err)
	}
	return out.Bytes(), nil
}

// ConfigPath is the configuration file, the same for every host.
func (l *Lab) ConfigPath() string { return filepath.Join(l.dir, configFile) }

// makeFiles makes the directories, the configuration and, with the binary, the secret.
func (l *Lab) makeFiles(config string) error {
	dirs := []string{filepath.Join(l.dir, "logs")}
	for _, h := range l.Hosts() {
		dirs = append(dirs, h.RunDir(), h.StateDir())
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make directory of lab: %w", err)
		}
	}
	text, err := render(config, l.name, l.nodes)
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.ConfigPath(), text, 0o644); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if l.binary == "" {
		return nil // machines only, no agents
	}
	out, err := exec.Command(l.binary, "key", "new", filepath.Join(l.dir, secretFile)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("make secret: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// StartAll starts the agent of every host.
func (l *Lab) StartAll() error {
	for _, h := range l.Hosts() {
		if err := h.Start(); err != nil {
			return err
		}
	}
	return nil
}
