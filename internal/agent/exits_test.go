package agent

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/muster-ha/muster/internal/vip"
)

func TestWhichRoutesAreMissed(t *testing.T) {
	net := vip.Exit{To: netip.MustParsePrefix("10.77.0.0/24"), Link: "eth0", There: true, Due: true, Command: "make it"}
	all := vip.Exit{To: netip.MustParsePrefix("0.0.0.0/0"), Link: "eth0", There: true, Command: "make it"}
	theirs := vip.Exit{To: netip.MustParsePrefix("10.91.0.0/24"), Link: "eth0", Command: "make it"}
	gone := func(e vip.Exit) vip.Exit {
		e.There = false
		if e.IsDefault() {
			e.Command = ""
		}
		return e
	}
	for _, tt := range []struct {
		name  string
		looks [][]vip.Exit
		told  int
		lost  bool // at the end
	}{
		{"all there", [][]vip.Exit{{net, all}, {net, all}}, 0, false},
		{"gone for one look", [][]vip.Exit{{net}, {gone(net)}, {net}, {gone(net)}}, 0, false},
		{"gone for two", [][]vip.Exit{{net}, {gone(net)}, {gone(net)}, {gone(net)}}, 1, true},
		{"and back", [][]vip.Exit{{net}, {gone(net)}, {gone(net)}, {net}}, 1, false},
		{"gone twice", [][]vip.Exit{{net}, {gone(net)}, {gone(net)}, {net}, {gone(net)}, {gone(net)}}, 2, true},
		{"never there, and due", [][]vip.Exit{{gone(net)}, {gone(net)}}, 1, true},
		{"never there, and not due", [][]vip.Exit{{theirs}, {theirs}}, 0, false},
		{"no default route ever", [][]vip.Exit{{gone(all)}, {gone(all)}}, 0, false},
		{"default route gone", [][]vip.Exit{{all}, {gone(all)}, {gone(all)}}, 1, true},
		{"not known for a while", [][]vip.Exit{{all}, {}, {gone(all)}, {gone(all)}}, 1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var e exits
			told := 0
			for _, look := range tt.looks {
				news := e.judge(look)
				told += len(news)
				if slices.ContainsFunc(append(news, e.lost...), func(e vip.Exit) bool { return e.Command != "make it" }) {
					t.Errorf("told %+v, lost %+v: the remedy is not known", news, e.lost)
				}
			}
			if told != tt.told || (len(e.lost) > 0) != tt.lost {
				t.Errorf("told %d times, lost %+v", told, e.lost)
			}
		})
	}
}
