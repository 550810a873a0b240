package madcap

import "fmt"

// Place is a column of RFC 2730, Table 5: a message type, for ACK with what it responds to, for REQUEST with how it was sent.
type Place int

// The columns of Table 5.
const (
	InGetInfo Place = iota
	InAckToGetInfo
	InDiscover
	InOffer
	InRequest          // unicast
	InMulticastRequest // completes what a DISCOVER began
	InAckToRequest
	InRenew
	InAckToRenew
	InRelease
	InAckToRelease
	InNak
	places int = iota
)

// Type returns the message type that the column is about.
func (p Place) Type() Type {
	return [...]Type{
		TypeGetInfo, TypeAck, TypeDiscover, TypeOffer, TypeRequest, TypeRequest, TypeAck, TypeRenew, TypeAck, TypeRelease,
		TypeAck, TypeNak,
	}[p]
}

// String is the message that the column is about, and what an ACK responds to.
func (p Place) String() string {
	return [...]string{
		"GETINFO", "ACK to GETINFO", "DISCOVER", "OFFER", "REQUEST", "multicast REQUEST", "ACK to REQUEST", "RENEW", "ACK to RENEW",
		"RELEASE", "ACK to RELEASE", "NAK",
	}[p]
}

// fromServer tells the messages that servers send.
func (p Place) fromServer() bool {
	t := p.Type()
	return t == TypeOffer || t == TypeAck || t == TypeNak
}

// Rule says whether an option may stand in a message.
type Rule byte

// The words of Table 5.
const (
	MustNot Rule = '-'
	May     Rule = 'o'
	Must    Rule = 'Y'
)

// table5 holds a row for each option and a column for each place, in the order of their constants. The last row is RFC 2907, section 3.3.
// A unicast REQUEST may name its server (section 2.2.4).
var table5 = [...]struct {
	code  OptionCode
	rules string
}{
	{OptLeaseTime, "--oYooYoY---"},
	{OptServerID, "-Y-YoYY-Y-YY"},
	{OptLeaseID, "YYYYYYYYYYYY"},
	{OptScope, "--YYYYY-Y---"},
	{OptOptionRequest, "Y-----------"},
	{OptStartTime, "--ooooooo---"},
	{OptAddressCount, "--o-oo------"},
	{OptLanguage, "o-----------"},
	{OptScopeList, "-o----------"},
	{OptRanges, "--ooooY-Y---"},
	{OptCurrentTime, "-oooooooo---"},
	{OptFeatureList, "oooooooooooo"},
	{OptRetryTime, "------o-o---"},
	{OptMinLeaseTime, "--o-oo-o----"},
	{OptMaxStartTime, "--o-oo-o----"},
	{OptError, "-----------Y"},
	{OptNesting, "-o----------"},
}

// Presence returns what Table 5 says of an option in a message. Options that the RFCs do not define may stand anywhere.
func Presence(p Place, code OptionCode) Rule {
	for _, row := range table5 {
		if row.code == code {
			return Rule(row.rules[p])
		}
	}
	return May
}

// Check tells whether the message is one that may stand in that place: its type, Table 5, and what the text demands beyond
// it. The error is an [*OptionError] that names the first option at fault.
func (m Message) Check(p Place) error {
	if m.Type != p.Type() {
		return &OptionError{NoOption, fmt.Sprintf("%v where %v is expected", m.Type, p.Type())}
	}
	for _, row := range table5 {
		switch has := m.has(row.code); {
		case has && Rule(row.rules[p]) == MustNot:
			return &OptionError{row.code, fmt.Sprintf("must not stand in %v", m.Type)}
		case !has && Rule(row.rules[p]) == Must:
			return &OptionError{row.code, fmt.Sprintf("missing in %v", m.Type)}
		}
	}
	return m.checkText(p)
}

// checkText checks the rules that depend on more than one option or on an option's value.
func (m Message) checkText(p Place) error {
	for _, absolute := range []OptionCode{OptStartTime, OptMaxStartTime, OptRetryTime} {
		if m.has(absolute) && !m.has(OptCurrentTime) {
			return &OptionError{OptCurrentTime, fmt.Sprintf("missing beside %v", absolute)} // section 2.12
		}
	}
	if m.has(OptNesting) && !m.has(OptScopeList) {
		return &OptionError{OptNesting, "without a scope list"} // RFC 2907, section 3.3
	}
	if n, ok := Get[AddressCount](m); ok && (n.Min > n.Desired || n.Desired == 0) {
		return &OptionError{OptAddressCount, fmt.Sprintf("minimum %d, desired %d", n.Min, n.Desired)} // section 3.8
	}
	if f, ok := Get[FeatureList](m); ok && p.fromServer() && len(f.Requested) > 0 {
		return &OptionError{OptFeatureList, "features requested by a server"} // section 3.13
	}
	return nil
}
