package heartbeat

import (
	"errors"
	"slices"
	"testing"

	"github.com/muster-ha/muster/internal/member"
)

// Where fields stand in the payload of an empty Message.
const (
	atLanguage  = 0 // lowest version, highest, written; then whether it serves
	atState     = 4
	atDirector  = 31
	atProposer  = 40
	atMembers   = 49 // set, then the set of those like the one before
	atHears     = 57 // set, then the set of those with the view's boot
	atEchoTo    = 99
	atVersion   = 140
	atInterface = 141
	atOrders    = 142
	atNumber    = 143 // of the heartbeat
	atSections  = 144 // their length in two bytes
	atHoldings  = 146
)

// splice replaces n bytes at a place by others.
func splice(b []byte, at, n int, by ...byte) []byte {
	return slices.Concat(b[:at], by, b[at+n:])
}

func zeros(n int) []byte { return make([]byte, n) }

// attributes as bytes: weight, ready, director.
func attributesOf(weight byte) []byte { return append([]byte{0, weight}, zeros(9)...) }

func TestWhatCannotBeRead(t *testing.T) {
	member1 := slices.Concat(zeros(8), attributesOf(1))
	run := func(n byte) []byte { return append([]byte{n}, zeros(17)...) } // of holdings, by the zero configuration and view
	mac := []byte{2, 0, 0, 0, 0, 1}
	word := func(network, group, stranger byte) []byte {
		address := []byte{0}
		if group != 0 {
			address = []byte{4, group, 0, 0, group}
		}
		return slices.Concat([]byte{network, 0, 4, 10, 0, 0, 1}, address, zeros(4), []byte{1, stranger}, zeros(12))
	}
	words := func(count byte, each ...[]byte) []byte {
		body := slices.Concat(append([][]byte{{count}}, each...)...)
		return slices.Concat([]byte{0, byte(len(body) + 3), byte(networksSection), 0, byte(len(body))}, body)
	}
	keys := func(count byte, each ...[]byte) []byte {
		body := slices.Concat(append([][]byte{{0, 0, 0, 1}, zeros(4), {count}}, each...)...)
		return slices.Concat([]byte{0, byte(len(body) + 3), byte(keysSection), 0, byte(len(body))}, body)
	}
	key := func(network byte) []byte { return append([]byte{network}, zeros(8)...) }
	for _, tc := range []struct {
		name string
		at   int
		n    int
		by   []byte
		good bool // a neighbour of the bad ones, to show that those fail for their reason
	}{
		{"nothing changed", 0, 0, nil, true},
		{"two networks", atSections, 2, words(2, word(0, 239, 0), word(1, 0, 1)), true},
		{"one network twice", atSections, 2, words(2, word(1, 239, 0), word(1, 0, 0)), false},
		{"group that is none", atSections, 2, words(1, word(0, 10, 0)), false},
		{"stranger neither yes nor no", atSections, 2, words(1, word(0, 239, 2)), false},
		{"keys of two networks", atSections, 2, keys(2, key(0), key(1)), true},
		{"keys of one network twice", atSections, 2, keys(2, key(1), key(1)), false},
		{"keys cut short", atSections, 2, keys(2, key(1)), false},
		{"keys of no secret", atSections, 2, slices.Concat([]byte{0, 12, byte(keysSection), 0, 9}, zeros(9)), false},
		{"network cut short", atSections, 2, words(1, []byte{1, 0, 4, 10, 0}), false},
		{"too many networks", atSections, 2, words(17), false},
		{"number in two bytes", atNumber, 1, []byte{0x80, 1}, true},
		{"number longer than it need be", atNumber, 1, []byte{0x80, 0}, false},
		{"speaks a later version too", atLanguage, 3, []byte{1, 9, 2}, true},
		{"speaks no earlier version", atLanguage, 3, []byte{2, 2, 2}, true},
		{"serves", atLanguage, 4, []byte{1, 2, 2, 1}, true},
		{"serves neither yes nor no", atLanguage, 4, []byte{1, 2, 2, 2}, false},
		{"version zero", atLanguage, 3, []byte{0, 2, 2}, false},
		{"highest below lowest", atLanguage, 3, []byte{2, 1, 2}, false},
		{"written in what it does not speak", atLanguage, 3, []byte{1, 1, 2}, false},
		{"written in a version of which nothing is known", atLanguage, 3, []byte{1, 3, 3}, false},
		{"sections where the version has none", atLanguage, 3, []byte{1, 2, 1}, false},
		{"no sections, and none in the version", atLanguage, atHoldings, append([]byte{1, 2, 1}, zeros(atSections-3)...), true},
		{"unknown state", atState, 1, []byte{3}, false},
		{"director yes", atDirector, 1, []byte{1}, true},
		{"vote", atDirector, 1, []byte{2}, true},
		{"director, vote and tie", atDirector, 1, []byte{7}, true},
		{"a flag that there is not", atDirector, 1, []byte{8}, false},
		{"vote in a version without", atLanguage, atDirector - atLanguage + 1, append(append([]byte{1, 2, 1}, zeros(atDirector-atLanguage-3)...), 2), false},
		{"proposer beyond all", atProposer, 1, []byte{32}, false},
		{"echo beyond all", atEchoTo, 1, []byte{32}, false},
		{"two members, different", atMembers, 8, slices.Concat([]byte{0, 0, 0, 3, 0, 0, 0, 0}, member1, zeros(8), attributesOf(2)), true},
		{"two members, alike", atMembers, 8, slices.Concat([]byte{0, 0, 0, 3, 0, 0, 0, 2}, member1, zeros(8)), true},
		{"two members, alike, said twice", atMembers, 8, slices.Concat([]byte{0, 0, 0, 3, 0, 0, 0, 0}, member1, member1), false},
		{"first member like the one before", atMembers, 8, slices.Concat([]byte{0, 0, 0, 3, 0, 0, 0, 1}, zeros(8), zeros(8), attributesOf(2)), false},
		{"like, and no member", atMembers, 8, slices.Concat([]byte{0, 0, 0, 1, 0, 0, 0, 2}, member1), false},
		{"hears one", atHears, 8, slices.Concat([]byte{0, 0, 0, 2, 0, 0, 0, 0}, zeros(8), []byte{5}), true},
		{"heard boot is of no member", atHears, 8, []byte{0, 0, 0, 2, 0, 0, 0, 2, 5}, false},
		{"boot of a host not heard", atHears, 8, []byte{0, 0, 0, 0, 0, 0, 0, 2}, false},
		{"hears a member", atMembers, 16, slices.Concat([]byte{0, 0, 0, 2, 0, 0, 0, 0}, member1, []byte{0, 0, 0, 2, 0, 0, 0, 2, 5}), true},
		{"hears a member, boot said twice", atMembers, 16, slices.Concat([]byte{0, 0, 0, 2, 0, 0, 0, 0}, member1, []byte{0, 0, 0, 2, 0, 0, 0, 0}, zeros(8), []byte{5}), false},
		{"sequence spelled long", atHears, 8, slices.Concat([]byte{0, 0, 0, 2, 0, 0, 0, 0}, zeros(8), []byte{0x85, 0}), false},
		{"sequence without end", atHears, 8, slices.Concat([]byte{0, 0, 0, 2, 0, 0, 0, 0}, zeros(8), slices.Repeat([]byte{0xff}, 11)), false},
		{"version too long", atVersion, 1, append([]byte{MaxVersion + 1}, zeros(MaxVersion+1)...), false},
		{"version longest", atVersion, 1, append([]byte{MaxVersion}, zeros(MaxVersion)...), true},
		{"two VIPs on one interface", atInterface, 1, slices.Concat([]byte{2, 2}, mac, []byte{0, 1}), true},
		{"two VIPs on one interface, in two runs", atInterface, 1, slices.Concat([]byte{2, 1}, mac, []byte{0, 1}, mac, []byte{1}), false},
		{"VIPs falling", atInterface, 1, slices.Concat([]byte{2, 2}, mac, []byte{1, 0}), false},
		{"VIP twice", atInterface, 1, slices.Concat([]byte{2, 2}, mac, []byte{1, 1}), false},
		{"interface without VIP", atInterface, 1, slices.Concat([]byte{1, 0}, mac, []byte{1}, mac, []byte{1}), false},
		{"more VIPs than said", atInterface, 1, slices.Concat([]byte{1, 2}, mac, []byte{0, 1}), false},
		{"order", atOrders, 1, []byte{1, 31, 1, 7}, true},
		{"order for no host", atOrders, 1, []byte{1, 32, 1, 7}, false},
		{"too many orders", atOrders, 1, append([]byte{MaxOrders + 1}, zeros(3*(MaxOrders+1))...), false},
		{"two rules", atHoldings, 1, slices.Concat([]byte{2}, run(2), []byte{0, 0, 1, 1}), true},
		{"two rules in two runs", atHoldings, 1, slices.Concat([]byte{2}, run(1), []byte{0, 0}, run(1), []byte{1, 1}), false},
		{"rule twice", atHoldings, 1, slices.Concat([]byte{2}, run(2), []byte{1, 0, 1, 1}), false},
		{"rule beyond all", atHoldings, 1, slices.Concat([]byte{1}, run(1), []byte{MaxHoldings, 0}), false},
		{"run of no rule", atHoldings, 1, slices.Concat([]byte{1}, run(0), run(1), []byte{1, 0}), false},
		{"unknown form", atHoldings, 1, slices.Concat([]byte{1}, run(1), []byte{1, 5, 0}), false},
		{"list of one", atHoldings, 1, slices.Concat([]byte{1}, run(1), []byte{1, 2, 1, 9}), true},
		{"run where a list is as short", atHoldings, 1, slices.Concat([]byte{1}, run(1), []byte{1, 3, 1, 9, 0}), false},
		{"bitmap where a list is shorter", atHoldings, 1, slices.Concat([]byte{1}, run(1), []byte{1, 4}, zeros(bitmapSize)), false},
		{"run of four", atHoldings, 1, slices.Concat([]byte{1}, run(1), []byte{1, 3, 1, 9, 3}), true},
		{"last bucket", atHoldings, 1, slices.Concat([]byte{1}, run(1), []byte{1, 2, 1, 0xff, 0x1f}), true},
		{"list past the last bucket", atHoldings, 1, slices.Concat([]byte{1}, run(1), []byte{1, 2, 1, 0x80, 0x20}), false},
		{"run past the last bucket", atHoldings, 1, slices.Concat([]byte{1}, run(1), []byte{1, 3, 1, 0xff, 0x1f, 1}), false},
		{"more buckets than there are", atHoldings, 1, append(slices.Concat([]byte{1}, run(1), []byte{1, 2, 0x81, 0x20}), zeros(800)...), false},
		{"longer than a datagram", atSections, 2, append([]byte{0x05, 0x83, 255, 0x05, 0x80}, zeros(0x580)...), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			empty, err := Message{Language: latest}.Append(nil)
			if err != nil || len(empty) != atHoldings+1 {
				t.Fatalf("empty message of %d bytes, %v", len(empty), err)
			}
			_, err = Parse(splice(empty, tc.at, tc.n, tc.by...))
			if tc.good && err != nil || !tc.good && !errors.Is(err, ErrMalformed) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestEchoOfAnEarlierBootIsNotMeasured(t *testing.T) {
	for _, tc := range []struct {
		name  string
		hears []member.Hearing
		want  bool
	}{
		{"hears this boot", []member.Hearing{{ID: 0, Boot: 1}, {ID: 2, Boot: 7}}, true},
		{"hears an earlier boot", []member.Hearing{{ID: 2, Boot: 6}}, false},
		{"hears us not", []member.Hearing{{ID: 0, Boot: 7}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := Message{}
			m.Hears = tc.hears
			if got := hearsBoot(&m, 2, 7); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}
