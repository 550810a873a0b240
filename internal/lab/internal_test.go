package lab

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseMounts(t *testing.T) {
	const text = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:27 / /tmp/my\040lab/run/a/bpf rw - bpf bpffs rw
31 22 0:4 net:[4026532301] /run/netns/m1-a rw shared:5 - nsfs nsfs rw
`
	got, err := parseMounts(strings.NewReader(text))
	want := []string{"/", "/tmp/my lab/run/a/bpf", "/run/netns/m1-a"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := parseMounts(strings.NewReader("22 1\n")); err == nil {
		t.Error("accepted a line that is too short")
	}
}

func TestMountsBelowIsNotFooledByPrefixes(t *testing.T) {
	for dir, want := range map[string]bool{"/proc": true, "/pro": false, "/": true} {
		got, err := mountsBelow(dir)
		if err != nil || (len(got) > 0) != want {
			t.Errorf("%s: %q, %v", dir, got, err)
		}
	}
}

func FuzzParseMounts(f *testing.F) {
	f.Add("22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n")
	f.Add(`30 22 0:27 / /tmp/my\040lab rw - bpf bpffs rw`)
	f.Fuzz(func(t *testing.T, text string) {
		points, err := parseMounts(strings.NewReader(text))
		if err == nil && len(points) > strings.Count(text, "\n")+1 {
			t.Errorf("%d mounts in %q", len(points), text)
		}
	})
}

func TestParseProcStat(t *testing.T) {
	tail := " 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 8765 4096 100"
	tests := []struct {
		name, text string
		state      byte
		start      uint64
		ok         bool
	}{
		{"plain", "42 (muster) S" + tail, 'S', 8765, true},
		{"parentheses and spaces in the name", "42 (a) R 9 (b) Z" + tail, 'Z', 8765, true},
		{"no name", "42 S" + tail, 0, 0, false},
		{"cut off", "42 (muster) S 1 1", 0, 0, false},
		{"no number", "42 (muster) S" + strings.Replace(tail, "8765", "x", 1), 0, 0, false},
		{"no state", "42 (muster) \x00" + tail, 0, 0, false},
		{"empty", "", 0, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			state, start, err := parseProcStat([]byte(tt.text))
			if (err == nil) != tt.ok || state != tt.state || start != tt.start {
				t.Errorf("got %c %d %v", state, start, err)
			}
		})
	}
}

func FuzzParseProcStat(f *testing.F) {
	f.Add([]byte("42 (muster) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 8765 4096 100"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if state, _, err := parseProcStat(data); err == nil && state == 0 {
			t.Errorf("no state and no error from %q", data)
		}
	})
}

func TestRender(t *testing.T) {
	nodes, err := plan(2, 1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := render("{{.Lab}} {{.VIP}}{{range .Hosts}} {{.Name}}={{.Address}}{{end}}", "m1", nodes)
	if want := "m1 10.77.0.100/24 a=10.77.0.1 b=10.77.0.2"; err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	farm, err := render("", "m1", nodes)
	if err != nil || !strings.Contains(string(farm), "\nhosts:\n  a: {address: 10.77.0.1}\n  b: {address: 10.77.0.2}\n\nvips:") {
		t.Errorf("got\n%s%v", farm, err)
	}
	if _, err := render("{{", "m1", nodes); err == nil {
		t.Error("accepted a broken template")
	}
}

func TestViewMissing(t *testing.T) {
	serving := func(name string, buckets ...int) viewHost {
		h := viewHost{Name: name, State: "serving"}
		for _, n := range buckets {
			h.Shares = append(h.Shares, viewShare{VIP: "web", Rule: "tcp 80", Buckets: n})
		}
		return h
	}
	vips := []viewVIP{{"web", []viewRule{{"tcp", "80", "shared"}}}}
	single := []viewVIP{{"web", []viewRule{{"tcp", "80", "single"}}}}
	tests := []struct {
		name string
		view view
		want string
	}{
		{"one host gets all", view{VIPs: single, Epoch: 5, Hosts: []viewHost{serving("a", 4096), serving("b", 0)}}, ""},
		{"all serve", view{VIPs: vips, Epoch: 5, Hosts: []viewHost{serving("a", 2048), serving("b", 2048)}}, ""},
		{"others do not count", view{VIPs: vips, Epoch: 5, Hosts: []viewHost{serving("a"), serving("b"), {Name: "c", State: "silent"}}}, ""},
		{"no view", view{VIPs: vips, Epoch: 0, Hosts: []viewHost{serving("a"), serving("b")}}, "no view yet"},
		{"one is drained", view{VIPs: vips, Epoch: 5, Hosts: []viewHost{serving("a"), {Name: "b", State: "drained"}}}, `b is "drained"`},
		{"one is not known", view{VIPs: vips, Epoch: 5, Hosts: []viewHost{serving("a")}}, "b is not in"},
		{"one has no share", view{VIPs: vips, Epoch: 5, Hosts: []viewHost{serving("a", 4096), serving("b", 0)}}, "b has no share of rule tcp 80"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.view.missing([]string{"a", "b"})
			if !strings.HasPrefix(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDropProgramsLoad(t *testing.T) {
	source := mac(address(1))
	for name, d := range map[string]drop{
		"everything": {percent: 100}, "some": {percent: 20}, "some of a port": {percent: 20, udpPort: 3343},
		"a source": {percent: 100, source: source}, "all three": {percent: 0.5, udpPort: 65535, source: source}} {
		t.Run(name, func(t *testing.T) {
			program, err := loadFilter(d.instructions())
			if err != nil {
				t.Fatal(err)
			}
			program.Close()
		})
	}
}

func TestSignalSparesWhoHasTheNumberNow(t *testing.T) {
	p := Process{record{PID: 1, Start: 1 << 60}} // the number is taken, by another
	if err := p.Signal(0); err == nil {
		t.Error("signalled a process that the lab has not started")
	}
}

func TestParseGroups(t *testing.T) {
	if got := ParseGroups("a,b/c"); !reflect.DeepEqual(got, [][]string{{"a", "b"}, {"c"}}) {
		t.Errorf("got %v", got)
	}
}
