package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// scalar is how one type of value is written in a file.
type scalar struct {
	want    string // what it is, in words
	example string
	pattern string                         // of the text, for the schema
	text    bool                           // may be written as text
	number  bool                           // may be written as a whole number
	truth   bool                           // may be written as true or false
	parse   func(text string) (any, *flaw) // the value, or what is wrong with the text
}

const (
	octet           = `(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])`
	addrPattern     = `^((` + octet + `\.){3}` + octet + `|[0-9a-fA-F]*:[0-9a-fA-F:.]+)$`
	prefixPattern   = `^((` + octet + `\.){3}` + octet + `/([89]|[12][0-9]|3[0-2])|[0-9a-fA-F]*:[0-9a-fA-F:.]+/([89]|[1-9][0-9]|1[01][0-9]|12[0-8]))$`
	durationPattern = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	addrPortPattern = `^([0-9.]+|\[[0-9a-fA-F:.]+(%[^\]]+)?\]):[1-9][0-9]*$`
	maxWeight       = 1000 // as the tag of FileHost.Weight says
	rangePattern    = `^([0-9]{1,9})(?:-([0-9]{1,9}))?$`
)

// scalars gives the ways of writing the types that are one value in the file.
func scalars() map[reflect.Type]scalar {
	return map[reflect.Type]scalar{
		reflect.TypeFor[string]():         {want: "text", example: "text", text: true, parse: func(s string) (any, *flaw) { return s, nil }},
		reflect.TypeFor[int]():            {want: "a whole number", example: "1", number: true, parse: parseInt},
		reflect.TypeFor[RuleWeight]():     {want: "a whole number", example: "1", number: true, parse: parseRuleWeight},
		reflect.TypeFor[bool]():           {want: "true or false", example: "true", truth: true, parse: parseBool},
		reflect.TypeFor[time.Duration]():  {want: "a time with its unit", example: "500ms", pattern: durationPattern, text: true, parse: parseDuration},
		reflect.TypeFor[netip.Addr]():     {want: "an IP address", example: "10.77.0.1", pattern: addrPattern, text: true, parse: parseHostAddress},
		reflect.TypeFor[netip.Prefix]():   {want: "an IP address with its prefix length", example: "10.77.0.100/24", pattern: prefixPattern, text: true, parse: parseVIPAddress},
		reflect.TypeFor[netip.AddrPort](): {want: "an IP address with a port", example: "127.0.0.1:21", pattern: addrPortPattern, text: true, parse: parseAddrPort},
		reflect.TypeFor[PortRange]():      {want: "a port or a range of ports", example: `"8000-8099"`, pattern: rangePattern, text: true, number: true, parse: parsePorts},
		reflect.TypeFor[StatusRange]():    {want: "a status code or a range of them", example: "200-299", pattern: rangePattern, text: true, number: true, parse: parseStatus},
	}
}

func parseInt(s string) (any, *flaw) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return nil, &flaw{quote(s) + " is not a whole number", "write for example `1`"}
	}
	return n, nil
}

// parseRuleWeight takes what a host's weight may be, and 0.
func parseRuleWeight(s string) (any, *flaw) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > maxWeight {
		return nil, &flaw{"weight " + quote(s) + " is out of range", fmt.Sprintf("write a number from 0 (no share of this rule) to %d", maxWeight)}
	}
	return RuleWeight(n), nil
}

// parseBool takes what YAML takes for a truth value.
func parseBool(s string) (any, *flaw) {
	b, err := strconv.ParseBool(strings.ToLower(s))
	if err != nil {
		return nil, &flaw{quote(s) + " is neither true nor false", "write `true` or `false`"}
	}
	return b, nil
}

var durationSyntax = regexp.MustCompile(durationPattern)

func parseDuration(s string) (any, *flaw) {
	d, err := time.ParseDuration(s)
	if err != nil || !durationSyntax.MatchString(s) {
		return nil, &flaw{quote(s) + " is not a time", "write a number with its unit, for example `500ms`, `2s` or `1m30s`"}
	}
	return d, nil
}

func parseHostAddress(s string) (any, *flaw) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return nil, &flaw{quote(s) + " has a prefix length, and a host's address has none", "write `" + p.Addr().String() + "`"}
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return nil, &flaw{quote(s) + " is not an IP address", "write for example `10.77.0.1`"}
	}
	return a, hostAddressFlaw(a)
}

func parseVIPAddress(s string) (any, *flaw) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		usual := "/24"
		if a.Is6() {
			usual = "/64"
		}
		return nil, &flaw{quote(s) + " has no prefix length", "write it with the length of its subnet, for example `" + s + usual + "`"}
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return nil, &flaw{quote(s) + " is not an IP address with a prefix length", "write for example `10.77.0.100/24` or `fd00:77::100/64`"}
	}
	if f := addressFlaw(p.Addr()); f != nil {
		return nil, f
	}
	return p, prefixFlaw(p)
}

// prefixFlaw says why an address cannot be used in its subnet.
func prefixFlaw(p netip.Prefix) *flaw {
	const shortest = 8
	longest := p.Addr().BitLen()
	if p.Bits() < shortest {
		return &flaw{fmt.Sprintf("the prefix length of %s is out of range", quote(p.String())), fmt.Sprintf("write the length of the subnet, from %d to %d", shortest, longest)}
	}
	if p.Bits() >= longest-1 { // of one address, or of two at the ends of a cable (RFC 3021, RFC 6164): no address has another meaning
		return nil
	}
	if p.Addr() == p.Masked().Addr() {
		return &flaw{quote(p.String()) + " is the address of the network itself", "choose a free address inside the subnet"}
	}
	if p.Addr().Is4() && p.Addr() == lastOf(p) {
		return &flaw{quote(p.String()) + " is the broadcast address of its subnet", "choose a free address inside the subnet"}
	}
	return nil
}

// lastOf gives the last address of an IPv4 prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}

func parseAddrPort(s string) (any, *flaw) {
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return nil, &flaw{quote(s) + " is not an IP address with a port", "write for example `127.0.0.1:21`"}
	}
	if a.Port() == 0 {
		return nil, &flaw{quote(s) + " has port 0, which nothing can listen on", "write the port of the application"}
	}
	return a, nil
}

func parsePorts(s string) (any, *flaw) {
	first, last, f := parseRange(s, "port", "8000-8099", 1, 65535)
	return PortRange{uint16(first), uint16(last)}, f
}

func parseStatus(s string) (any, *flaw) {
	first, last, f := parseRange(s, "status code", "200-299", 100, 599)
	return StatusRange{first, last}, f
}

var rangeSyntax = regexp.MustCompile(rangePattern)

// parseRange reads "7" or "7-9".
func parseRange(s, noun, example string, least, most int) (first, last int, _ *flaw) {
	within := fmt.Sprintf("write a number from %d to %d, or a range such as `%q`", least, most, example)
	m := rangeSyntax.FindStringSubmatch(s)
	if m == nil {
		return 0, 0, &flaw{quote(s) + " is not a " + noun + " or a range of them", within}
	}
	first, _ = strconv.Atoi(m[1]) // nine digits: cannot fail
	last = first
	if m[2] != "" {
		last, _ = strconv.Atoi(m[2])
	}
	switch {
	case first < least || last < least || first > most || last > most:
		return 0, 0, &flaw{fmt.Sprintf("%s %s is out of range", noun, quote(s)), within}
	case first > last:
		return 0, 0, &flaw{fmt.Sprintf("the range %s ends before it starts", quote(s)), fmt.Sprintf("write `%q`", fmt.Sprintf("%d-%d", last, first))}
	}
	return first, last, nil
}
