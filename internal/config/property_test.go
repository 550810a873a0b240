package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sketch is a cluster that render can write down in many ways, all of one meaning.
type sketch struct {
	hosts  []string // "10.77.0.N"
	weight []int
	rules  [][]string // ports of each
	udp    []bool
	client []bool
	checks int
	millis int
}

func drawSketch(t *rapid.T) sketch {
	s := sketch{
		checks: rapid.IntRange(0, 3).Draw(t, "checks"),
		millis: rapid.IntRange(10, 3_600_000).Draw(t, "interval"),
	}
	for i := range rapid.IntRange(1, 8).Draw(t, "hosts") {
		s.hosts = append(s.hosts, fmt.Sprintf("10.77.0.%d", i+1))
		s.weight = append(s.weight, rapid.IntRange(1, 1000).Draw(t, "weight"))
	}
	port := 1
	for range rapid.IntRange(1, 6).Draw(t, "rules") {
		var ports []string
		for range rapid.IntRange(1, 4).Draw(t, "ports") {
			port += rapid.IntRange(2, 50).Draw(t, "gap") // never a neighbour, so that ranges are not joined
			width := rapid.IntRange(0, 40).Draw(t, "width")
			ports = append(ports, rangeText(port, port+width))
			port += width
		}
		s.rules = append(s.rules, ports)
		s.udp = append(s.udp, rapid.Bool().Draw(t, "udp"))
		s.client = append(s.client, rapid.Bool().Draw(t, "client"))
	}
	return s
}

// render writes a sketch with a random order, style, spelling and comments.
func render(t *rapid.T, s sketch) string {
	either := func(a, b string) string {
		if rapid.Bool().Draw(t, "spelling") {
			return a
		}
		return b
	}
	var hosts, checks []string
	for i, h := range s.hosts {
		inner := fmt.Sprintf("address: %s, weight: %d", h, s.weight[i])
		block := fmt.Sprintf("    weight: %d\n    address: %q # here", s.weight[i], h)
		hosts = append(hosts, either(fmt.Sprintf("  h%d: {%s}", i, inner), fmt.Sprintf("  h%d:\n%s", i, block)))
	}
	for i := range s.checks {
		interval := either(fmt.Sprintf("%dms", s.millis), fmt.Sprintf("%d.%03ds", s.millis/1000, s.millis%1000))
		checks = append(checks, fmt.Sprintf("  c%d: {interval: %s, tcp: {address: \"127.0.0.1:%d\"}%s}", i, interval, i+1, either("", ", rise: 2, fall: 3")))
	}
	sections := []string{
		"cluster: " + either("shop", `"shop"`),
		"secret_file: " + either("secret.key", "other.key"),
		"hosts:\n" + strings.Join(shuffled(t, hosts), "\n"),
		"vips:\n  web:\n    address: 10.77.0.200/24\n    rules:\n" + renderRules(t, s, either),
	}
	if checks != nil {
		sections = append(sections, "checks:\n"+strings.Join(shuffled(t, checks), "\n"))
	}
	return strings.Join(shuffled(t, sections), "\n"+either("", "# ---\n")) + "\n"
}

func renderRules(t *rapid.T, s sketch, either func(a, b string) string) string {
	var b strings.Builder
	for i, ports := range s.rules {
		written := make([]string, len(ports))
		for j, p := range ports {
			written[j] = either(p, `"`+p+`"`)
		}
		fmt.Fprintf(&b, "      - ports: [%s]\n", strings.Join(shuffled(t, written), either(",", ", ")))
		if s.udp[i] {
			b.WriteString("        protocol: udp\n")
		}
		b.WriteString(either("", "        handling: shared\n"))
		if s.client[i] {
			b.WriteString("        affinity: client\n")
		}
		if s.checks == 1 {
			b.WriteString("        check: " + either("c0", "[c0]") + "\n")
		} else if s.checks > 1 {
			b.WriteString("        check: " + either("[c0, c1]", "[c1, c0]") + "\n")
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func shuffled(t *rapid.T, list []string) []string {
	if len(list) < 2 {
		return list
	}
	return rapid.Permutation(list).Draw(t, "order")
}

func TestDigestIsOfTheMeaning(t *testing.T) {
	s := checkedIn(t)
	rapid.Check(t, func(rt *rapid.T) {
		sk := drawSketch(rt)
		texts := []string{render(rt, sk), render(rt, sk)}
		var digests []Digest
		for _, text := range texts {
			c, err := Parse("f", []byte(text))
			if err != nil {
				rt.Fatalf("%v\n%s", err, text)
			}
			if err := s.Validate(plain(t, text)); err != nil {
				rt.Fatalf("the schema refuses what is good: %v\n%s", err, text)
			}
			wellFormed(rt, c)
			digests = append(digests, c.Digest)
		}
		if digests[0] != digests[1] {
			rt.Fatalf("two digests of one meaning:\n%s\n%s", texts[0], texts[1])
		}
		sk.weight[0] = sk.weight[0]%1000 + 1
		if other, err := Parse("f", []byte(render(rt, sk))); err != nil || other.Digest == digests[0] {
			rt.Fatalf("another weight, the same digest (%v)", err)
		}
	})
}

// A key that nobody knows is found at its place, whatever stands around it.
func TestPlaceOfAProblemIsExact(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		lines := strings.Split(strings.TrimSuffix(render(rt, drawSketch(rt)), "\n"), "\n")
		var tops []int
		for i, l := range lines {
			if l != "" && l[0] != ' ' && l[0] != '#' {
				tops = append(tops, i)
			}
		}
		at := rapid.SampledFrom(tops).Draw(rt, "line")
		lines = slices.Insert(lines, at, `"qqqqqqqq": {x: [1, 2]} # é`)
		newline := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(rt, "newline")
		_, err := Parse("f", []byte(strings.Join(lines, newline)))
		var ps Problems
		if !errors.As(err, &ps) || len(ps) != 1 || ps[0].Line != at+1 || ps[0].Column != 1 {
			rt.Fatalf("want one problem at %d:1, got %v\n%s", at+1, err, strings.Join(lines, "\n"))
		}
	})
}

type fataler interface{ Fatalf(string, ...any) }

// wellFormed checks what the rest of the program relies on.
func wellFormed(t fataler, c *Config) {
	if c.Cluster == "" || c.Digest != c.digest() || len(c.Hosts) < 1 || len(c.Hosts) > MaxHosts || len(c.Rules) > MaxRules {
		t.Fatalf("a part is missing or too large: %+v", c)
	}
	if h := c.Heartbeat; h.Interval <= 0 || h.Lease < 2 || h.Lease >= h.Tolerance {
		t.Fatalf("heartbeat: %+v", h)
	}
	if !slices.IsSortedFunc(c.Hosts, func(a, b Host) int { return strings.Compare(a.Name, b.Name) }) {
		t.Fatalf("hosts: %v", c.Hosts)
	}
	for _, h := range c.Hosts {
		if !h.Address.Is4() || h.Weight < 1 {
			t.Fatalf("host: %+v", h)
		}
	}
	for i, r := range c.Rules {
		if !slices.Contains(c.VIPs[r.VIP].Rules, i) || r.Rest() && r.Order == nil || !r.Protocol.Has(TCP) && !r.Protocol.Has(UDP) {
			t.Fatalf("rule: %+v", r)
		}
		for j, p := range r.Ports {
			if p.First == 0 || p.Last < p.First || j > 0 && p.First <= r.Ports[j-1].Last {
				t.Fatalf("ports: %v", r.Ports)
			}
		}
		for _, k := range r.Checks {
			_ = c.Checks[k]
		}
	}
	for _, k := range c.Checks {
		if (k.HTTP == nil) == (k.TCP == nil) || k.Timeout <= 0 || k.Timeout > k.Interval || k.Fall < 1 || k.Rise < 1 {
			t.Fatalf("check: %+v", k)
		}
	}
}

func FuzzParse(f *testing.F) {
	farm, err := os.ReadFile(farmFile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(farm)
	f.Add([]byte(good))
	for _, s := range spoilings() {
		f.Add([]byte(spoilt(f, s.old, s.new)))
	}
	f.Add([]byte("a: &a [*a]\n<<: {a: 1}\n? b\n: |\n  c\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f", data)
		if (c == nil) == (err == nil) {
			t.Fatalf("%v and %v", c, err)
		}
		if c != nil {
			wellFormed(t, c)
			return
		}
		var ps Problems
		if !errors.As(err, &ps) || len(ps) == 0 || len(ps) > maxProblems+1 {
			t.Fatalf("not Problems: %v", err)
		}
		lines := strings.Count(strings.ReplaceAll(string(data), "\r", "\n"), "\n") + 1
		for _, p := range ps {
			if p.Message == "" || p.Remedy == "" || p.Line > lines || p.Line > 0 && p.Column < 1 {
				t.Fatalf("problem without a place or words: %+v", p)
			}
			if strings.ContainsAny(p.Message+p.Remedy, "\x00\x1b\n\r") {
				t.Fatalf("harmful to a terminal: %q", p.Message+p.Remedy)
			}
		}
	})
}
