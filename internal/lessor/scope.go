package lessor

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/muster-ha/muster/madcap"
)

// ErrScope is returned by ParseScope for text that does not describe a scope.
var ErrScope = errors.New("no scope")

// defaultLanguage is the tag of a name without one: RFC 2277's name for "no language in particular".
const defaultLanguage = "i-default"

// DefaultScopes are what a server hands out when nothing else is said, less the last 256 addresses, which are for relative assignments: for
// IPv4 RFC 2365's local scope, for IPv6 the site-local addresses that RFC 3307 leaves to servers (with the T flag, which the ff03::/16 that RFC
// 2730 names has not).
func DefaultScopes(server netip.Addr) []madcap.ServedScope {
	if server.Is4() {
		return []madcap.ServedScope{{Scope: madcap.LocalScope(madcap.IPv4)}}
	}
	return []madcap.ServedScope{{Scope: madcap.Scope{
		First: netip.MustParseAddr("ff15::8000:0"), Last: netip.MustParseAddr("ff15::ffff:ffff"), TTL: madcap.DefaultTTL}}}
}

// ParseScope reads a scope as it stands on a command line: a prefix or FIRST-LAST, then, after commas, any of
//
//	ttl=N            the largest TTL to use with the addresses (default 16)
//	name=TEXT        its name; name.LANG=TEXT is that in a language. The first one is shown where none is in the wanted language
//	inside=FIRST     a scope that this one lies within, by its first address (RFC 2907); may be said again
//	pool=FIRST-LAST  addresses to hand out (default: all but the last 256); may be said again
//
// A value with a comma stands in double quotes together with its key. The error wraps [ErrScope].
func ParseScope(text string) (madcap.ServedScope, error) {
	fields, err := csv.NewReader(strings.NewReader(text)).Read()
	if err != nil {
		return madcap.ServedScope{}, fmt.Errorf("%w: %q: %w", ErrScope, text, err)
	}
	span, err := parseSpan(fields[0])
	if err != nil {
		return madcap.ServedScope{}, fmt.Errorf("%w: %q: %w", ErrScope, text, err)
	}
	s := madcap.ServedScope{Scope: madcap.Scope{First: span.First, Last: span.Last, TTL: madcap.DefaultTTL}}
	for _, field := range fields[1:] {
		if err := setField(&s, field); err != nil {
			return madcap.ServedScope{}, fmt.Errorf("%w: %q: %w", ErrScope, text, err)
		}
	}
	return s, nil
}

// setField takes in one KEY=VALUE.
func setField(s *madcap.ServedScope, field string) error {
	key, value, found := strings.Cut(field, "=")
	if !found || value == "" {
		return fmt.Errorf("%q: want KEY=VALUE", field)
	}
	key, language, _ := strings.Cut(key, ".")
	if language != "" && key != "name" {
		return fmt.Errorf("%q: only a name has a language", field)
	}
	switch key {
	case "ttl":
		ttl, err := strconv.ParseUint(value, 10, 8)
		if err != nil || ttl == 0 {
			return fmt.Errorf("%q: want 1 to 255", field)
		}
		s.TTL = uint8(ttl)
	case "name":
		if language == "" {
			language = defaultLanguage
		}
		s.Names = append(s.Names, madcap.ZoneName{Language: language, Name: value, Default: len(s.Names) == 0})
	case "inside":
		outer, err := netip.ParseAddr(value)
		if err != nil || !outer.IsMulticast() {
			return fmt.Errorf("%q: want the first address of a scope", field)
		}
		s.Inside = append(s.Inside, outer)
	case "pool":
		pool, err := parseSpan(value)
		if err != nil {
			return fmt.Errorf("%q: %w", field, err)
		}
		s.Pools = append(s.Pools, pool)
	default:
		return fmt.Errorf("%q: want ttl, name, name.LANGUAGE, inside or pool", field)
	}
	return nil
}

// parseSpan reads a prefix or FIRST-LAST of multicast addresses.
func parseSpan(text string) (madcap.Span, error) {
	if p, err := netip.ParsePrefix(text); err == nil && p.Masked() == p {
		return multicastSpan(p.Addr(), lastOf(p), text)
	}
	first, last, found := strings.Cut(text, "-")
	a, errA := netip.ParseAddr(first)
	b, errB := netip.ParseAddr(last)
	if !found || errA != nil || errB != nil {
		return madcap.Span{}, fmt.Errorf("%q: want a prefix such as 239.255.0.0/16, or FIRST-LAST", text)
	}
	return multicastSpan(a, b, text)
}

func multicastSpan(first, last netip.Addr, text string) (madcap.Span, error) {
	switch {
	case first.BitLen() != last.BitLen() || last.Less(first):
		return madcap.Span{}, fmt.Errorf("%q: ends before it begins", text)
	case !first.IsMulticast() || !last.IsMulticast():
		return madcap.Span{}, fmt.Errorf("%q: has addresses that are no multicast groups", text)
	}
	return madcap.Span{First: first, Last: last}, nil
}

// lastOf returns the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b) // its length is that of an address
	return a
}
