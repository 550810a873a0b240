package agent

import (
	"maps"
	"net/netip"
	"testing"

	"github.com/muster-ha/muster/internal/multicast"
)

func TestGroupsFile(t *testing.T) {
	lan := multicast.Group{Address: netip.MustParseAddr("239.255.1.2"), Version: 7, How: multicast.Random}
	cross := multicast.Group{Address: netip.MustParseAddr("239.255.1.3"), Version: 1, How: multicast.Manual}
	for _, tc := range []struct {
		name, text string
		want       map[string]multicast.Group
	}{
		{"two networks", "lan 239.255.1.2 7 3\ncross 239.255.1.3 1 1\n", map[string]multicast.Group{"lan": lan, "cross": cross}},
		{"cut short", "lan 239.255.1.2 7 3\ncross 239.2", map[string]multicast.Group{"lan": lan}},
		{"no group", "lan 10.0.0.1 7 3\n", map[string]multicast.Group{}},
		{"rubbish", "\x00\n\n%s", map[string]multicast.Group{}},
		{"empty", "", map[string]multicast.Group{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := parseGroups(tc.text); !maps.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
