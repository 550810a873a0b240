package madcap

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// columns are the places of testdata/table5.txt's columns.
var columns = [][]Place{
	{InGetInfo}, {InAckToGetInfo}, {InDiscover}, {InOffer}, {InRequest, InMulticastRequest}, {InAckToRequest}, {InRenew},
	{InAckToRenew}, {InRelease}, {InAckToRelease}, {InNak},
}

// rfcTable returns the words of the RFC by option and place.
func rfcTable(t *testing.T) map[OptionCode]map[Place]Rule {
	t.Helper()
	text, err := os.ReadFile("testdata/table5.txt")
	if err != nil {
		t.Fatal(err)
	}
	table := map[OptionCode]map[Place]Rule{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		number, name, _ := strings.Cut(cells[0], " ")
		code, err := strconv.Atoi(number)
		if err != nil {
			continue // comments and headings
		}
		if OptionCode(code).String() != name || len(cells) != len(columns)+1 {
			t.Fatalf("cannot read %q", line)
		}
		row := map[Place]Rule{}
		for i, word := range cells[1:] {
			for _, p := range columns[i] {
				row[p] = map[string]Rule{"MUST": Must, "MAY": May, "MUST NOT": MustNot, "MUST(m)": Must}[word]
			}
		}
		if cells[5] == "MUST(m)" {
			row[InRequest] = May
		}
		table[OptionCode(code)] = row
	}
	return table
}

func TestTable5IsThatOfTheRFC(t *testing.T) {
	table := rfcTable(t)
	if len(table) != 17 {
		t.Fatalf("the table has %d options, want 17", len(table))
	}
	for code, row := range table {
		if len(row) != places {
			t.Errorf("%v: %d places, want %d", code, len(row), places)
		}
		for place, want := range row {
			if got := Presence(place, code); got != want {
				t.Errorf("%v in %v (column %d): %c, want %c", code, place.Type(), place, got, want)
			}
		}
	}
	if got := Presence(InNak, 4711); got != May {
		t.Errorf("option not known: %c, want that it may stand", got)
	}
}

var (
	someTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	someID   = LeaseID("\x00sixteen random octets")
	serverA  = netip.MustParseAddr("192.0.2.1")
	serverB  = netip.MustParseAddr("192.0.2.2")
)

// sample returns a valid option of each code.
func sample(code OptionCode) Option {
	local := LocalScope(IPv4)
	return map[OptionCode]Option{
		OptLeaseTime: LeaseTime(time.Hour), OptServerID: ServerID{serverA}, OptLeaseID: someID, OptScope: ScopeID{local.First},
		OptOptionRequest: OptionRequest{OptScopeList}, OptStartTime: StartTime{someTime}, OptAddressCount: AddressCount{1, 2},
		OptLanguage: Language("en"), OptScopeList: ScopeList{local}, OptRanges: RangeList{{netip.MustParseAddr("239.255.0.1"), 1}},
		OptCurrentTime: CurrentTime{someTime}, OptFeatureList: FeatureList{}, OptRetryTime: RetryTime{someTime},
		OptMinLeaseTime: MinLeaseTime(time.Minute), OptMaxStartTime: MaxStartTime{someTime}, OptError: Failure{ErrorCode: LeaseNotRecognized},
		OptNesting: NewNesting(1),
	}[code]
}

// fullMessage has all options that may stand in the place but those left out, and those that are added.
func fullMessage(place Place, without OptionCode, add ...Option) Message {
	m := Message{Type: place.Type(), Family: IPv4, XID: 7, Options: add}
	for _, row := range table5 {
		if Rule(row.rules[place]) != MustNot && row.code != without {
			m.Options = append(m.Options, sample(row.code))
		}
	}
	return m
}

// Every option in every message: what must not stand there, or is missing, is refused by the encoder and by the check of what was parsed.
func TestEveryOptionInEveryMessage(t *testing.T) {
	for code, row := range rfcTable(t) {
		for place, rule := range row {
			t.Run(fmt.Sprintf("%v in %v %d", code, place.Type(), place), func(t *testing.T) {
				if _, err := fullMessage(place, OptEnd).Encode(place); err != nil {
					t.Fatalf("message with all that may stand in it: %v", err)
				}
				without := fullMessage(place, code)
				if code == OptCurrentTime || code == OptScopeList { // others need these beside them
					without.Options = slices.DeleteFunc(without.Options, func(o Option) bool {
						return slices.Contains([]OptionCode{OptStartTime, OptMaxStartTime, OptRetryTime, OptNesting}, o.Code())
					})
				}
				checkBlame(t, "without", without, place, code, rule == Must)
				if rule == MustNot {
					checkBlame(t, "with", fullMessage(place, OptEnd, sample(code)), place, code, true)
				}
			})
		}
	}
}

func checkBlame(t *testing.T, what string, m Message, place Place, code OptionCode, wrong bool) {
	t.Helper()
	_, err := m.Encode(place)
	for _, err := range []error{err, m.Check(place)} {
		var option *OptionError
		if !wrong && err != nil {
			t.Errorf("%s it: %v", what, err)
		}
		if wrong && (!errors.As(err, &option) || option.Code != code) {
			t.Errorf("%s it: %v, want an error about it", what, err)
		}
	}
}

func TestRulesBeyondTable5(t *testing.T) {
	needsTime := func(place Place, o Option) Message {
		m := fullMessage(place, OptCurrentTime)
		m.Options = slices.DeleteFunc(m.Options, func(o Option) bool {
			return slices.Contains([]OptionCode{OptStartTime, OptMaxStartTime, OptRetryTime}, o.Code())
		})
		m.Options = append(m.Options, o)
		return m
	}
	tests := []struct {
		name  string
		m     Message
		place Place
		want  OptionCode
	}{
		{"start time without current time", needsTime(InRequest, sample(OptStartTime)), InRequest, OptCurrentTime},
		{"latest start without current time", needsTime(InRenew, sample(OptMaxStartTime)), InRenew, OptCurrentTime},
		{"retry time without current time", needsTime(InAckToRenew, sample(OptRetryTime)), InAckToRenew, OptCurrentTime},
		{"nesting without scopes", fullMessage(InAckToGetInfo, OptScopeList), InAckToGetInfo, OptNesting},
		{"minimum above desired", fullMessage(InDiscover, OptAddressCount, AddressCount{3, 2}), InDiscover, OptAddressCount},
		{"no addresses", fullMessage(InDiscover, OptAddressCount, AddressCount{0, 0}), InDiscover, OptAddressCount},
		{
			"server requests a feature",
			fullMessage(InOffer, OptFeatureList, FeatureList{Requested: []Feature{ServerMobility}}), InOffer, OptFeatureList,
		},
		{"another type", fullMessage(InOffer, OptEnd), InNak, NoOption},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkBlame(t, "sent", tt.m, tt.place, tt.want, true) })
	}
}
